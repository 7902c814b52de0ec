//! Compressed files: what they save, and in which form their clusters are stored.

use super::file::File;
use super::volume::Volume;
use crate::error::Result;
use crate::ops::compress;
use crate::ops::path::Final;
use crate::ops::recompress::{self, Recompress};
use f2fs_codec::CompressAlgorithm;
use std::path::Path;

impl File {
    /// Blocks that its clusters save (`F2FS_IOC_GET_COMPRESS_BLOCKS`).
    pub fn saved_blocks(&self) -> Result<u64> {
        compress::saved_blocks(&self.open.fs, &self.open.inode)
    }

    /// Gives the blocks that it saves to the volume; how many. From then on it can be read, cut off at whole
    /// clusters and removed, but not written, until [`File::reserve_blocks`].
    ///
    /// # Errors
    /// `NotPermitted` if it saves nothing, `Invalid` if they were given before or it is not compressed.
    pub fn release_blocks(&self) -> Result<u64> {
        compress::release(&self.open.fs, &self.open.inode)
    }

    /// Takes the blocks back that [`File::release_blocks`] gave; how many.
    ///
    /// # Errors
    /// `NoSpace` if the volume no longer has them; then nothing changes.
    pub fn reserve_blocks(&self) -> Result<u64> {
        compress::reserve(&self.open.fs, &self.open.inode)
    }

    /// Algorithm and binary logarithm of the blocks of a cluster.
    pub fn compress_option(&self) -> Result<(CompressAlgorithm, u8)> {
        compress::option(&self.open.fs, &self.open.inode)
    }

    /// Chooses algorithm and cluster size of a compressed file that has no blocks yet.
    ///
    /// # Errors
    /// `TooLarge` if it has.
    pub fn set_compress_option(
        &self,
        algorithm: CompressAlgorithm,
        log_cluster_size: u8,
    ) -> Result<()> {
        self.check_may_write()?;
        compress::set_option(&self.open.fs, &self.open.inode, algorithm, log_cluster_size)
    }

    /// Compresses the clusters that are stored raw, wherever that saves a block. Others may use the file meanwhile.
    pub fn compress(&self) -> Result<()> {
        self.check_may_write()?;
        compress::compress_file(&self.open.fs, &self.open.inode)
    }

    /// Stores all clusters raw. The file stays marked for compression: unless the volume was opened with
    /// [`crate::CompressMode::User`], what is written later is compressed again.
    pub fn decompress(&self) -> Result<()> {
        self.check_may_write()?;
        compress::decompress_file(&self.open.fs, &self.open.inode)
    }

    /// Gives it another algorithm, level or cluster size, and writes it anew. Its bytes stay; released, it comes back
    /// released. While the size of clusters changes, others wait.
    ///
    /// # Errors
    /// `NoSpace` leaves the file whole, in the old form or the new one.
    pub fn recompress(&self, new: Recompress) -> Result<()> {
        self.check_may_write()?;
        recompress::recompress(&self.open.fs, &self.open.inode, new)
    }
}

impl Volume {
    /// As [`File::release_blocks`].
    pub fn release_blocks(&self, path: impl AsRef<Path>) -> Result<u64> {
        let open = self.resolve(path.as_ref(), Final::Follow)?;
        compress::release(&open.fs, &open.inode)
    }

    /// As [`File::reserve_blocks`].
    pub fn reserve_blocks(&self, path: impl AsRef<Path>) -> Result<u64> {
        let open = self.resolve(path.as_ref(), Final::Follow)?;
        compress::reserve(&open.fs, &open.inode)
    }

    /// As [`File::saved_blocks`].
    pub fn saved_blocks(&self, path: impl AsRef<Path>) -> Result<u64> {
        let open = self.resolve(path.as_ref(), Final::Follow)?;
        compress::saved_blocks(&open.fs, &open.inode)
    }

    /// As [`File::compress`].
    pub fn compress_file(&self, path: impl AsRef<Path>) -> Result<()> {
        let open = self.resolve(path.as_ref(), Final::Follow)?;
        compress::compress_file(&open.fs, &open.inode)
    }

    /// As [`File::decompress`].
    pub fn decompress_file(&self, path: impl AsRef<Path>) -> Result<()> {
        let open = self.resolve(path.as_ref(), Final::Follow)?;
        compress::decompress_file(&open.fs, &open.inode)
    }

    /// As [`File::recompress`].
    pub fn recompress_file(&self, path: impl AsRef<Path>, new: Recompress) -> Result<()> {
        let open = self.resolve(path.as_ref(), Final::Follow)?;
        recompress::recompress(&open.fs, &open.inode, new)
    }
}
