//! What is known of a file.

use crate::dir;
use crate::error::Result;
use crate::fs::Fs;
use crate::inode::{Inode, InodeInfo};
use crate::node::Span;
use crate::ops::fileattr;
use f2fs_codec::CompressAlgorithm;
use f2fs_format::{Advise, ClusterSlots, FileType, InlineFlags, InodeFlags};
use runtime::clock::Timestamp;
use std::sync::Arc;

/// Attributes of a file, directory or special file.
#[derive(Clone, Debug)]
pub struct Metadata {
    info: InodeInfo,
    compression: Option<Compression>,
}

/// Compression attributes of a file, or what a directory passes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    /// Algorithm.
    pub algorithm: CompressAlgorithm,
    /// Level, 0 for the algorithm's default.
    pub level: u8,
    /// Bytes of a cluster.
    pub cluster_bytes: u64,
    /// Whether clusters carry a checksum.
    pub checksum: bool,
    /// Blocks that compression saves in this file, as its inode says.
    pub blocks_saved: u64,
}

impl Metadata {
    pub(crate) fn of(inode: &Inode) -> Self {
        let compression = inode.tree.lock().inode.compress().map(|info| Compression {
            algorithm: info.algorithm,
            level: info.level(),
            cluster_bytes: iomap::BLOCK_SIZE << info.log_cluster_size,
            checksum: info.has_checksum(),
            blocks_saved: info.compr_blocks,
        });
        let mut info = inode.info();
        if info.file_type == FileType::Symlink && info.advise.contains(Advise::ENCRYPT) {
            info.size = dir::link_len(info.size);
        }
        Self { info, compression }
    }

    /// Inode number.
    pub fn ino(&self) -> u32 {
        self.info.ino.get()
    }

    /// Type.
    pub fn file_type(&self) -> FileType {
        self.info.file_type
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.info.file_type == FileType::Directory
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.info.file_type == FileType::Regular
    }

    /// Size in bytes.
    #[expect(clippy::len_without_is_empty, reason = "as in std::fs::Metadata")]
    pub fn len(&self) -> u64 {
        self.info.size
    }

    /// Type and permission bits.
    pub fn mode(&self) -> u16 {
        self.info.mode
    }

    /// Owner.
    pub fn uid(&self) -> u32 {
        self.info.uid
    }

    /// Group.
    pub fn gid(&self) -> u32 {
        self.info.gid
    }

    /// Names.
    pub fn links(&self) -> u32 {
        self.info.links
    }

    /// Blocks of 4 KiB that it takes on the volume, without its inode block. Blocks that compression saved count
    /// until they are released, as in the kernel.
    pub fn blocks(&self) -> u64 {
        self.info.blocks
    }

    /// Last access.
    pub fn accessed(&self) -> Timestamp {
        self.info.accessed
    }

    /// Last change of content.
    pub fn modified(&self) -> Timestamp {
        self.info.modified
    }

    /// Last change of attributes.
    pub fn changed(&self) -> Timestamp {
        self.info.changed
    }

    /// Creation, if the volume keeps it.
    pub fn created(&self) -> Option<Timestamp> {
        self.info.created
    }

    /// Generation number.
    pub fn generation(&self) -> u32 {
        self.info.generation
    }

    /// Major and minor number of a device.
    pub fn device(&self) -> Option<(u32, u32)> {
        self.info.device
    }

    /// Flags that `chattr` knows.
    pub fn flags(&self) -> InodeFlags {
        self.info.flags
    }

    /// The word of `FS_IOC_GETFLAGS`: those flags, and states such as encryption.
    pub fn flag_word(&self) -> u32 {
        fileattr::word_of(&self.info)
    }

    /// Whether its content is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.info.advise.contains(Advise::ENCRYPT)
    }

    /// Whether it is sealed by fs-verity.
    pub fn is_verity(&self) -> bool {
        self.info.advise.contains(Advise::VERITY)
    }

    /// Whether its content is kept in the inode block.
    pub fn is_inline(&self) -> bool {
        self.info
            .inline
            .intersects(InlineFlags::INLINE_DATA | InlineFlags::INLINE_DENTRY)
    }

    /// Whether the blocks that compression saved were given back to the volume.
    pub fn is_released(&self) -> bool {
        self.info.inline.contains(InlineFlags::COMPRESS_RELEASED)
    }

    /// Project id, if the volume has them.
    pub fn project(&self) -> Option<u32> {
        self.info.project
    }

    /// Compression attributes, if any.
    pub fn compression(&self) -> Option<Compression> {
        self.compression
    }
}

/// The clusters of a compressed file, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClusterCounts {
    /// Clusters stored compressed.
    pub compressed: u64,
    /// Clusters stored raw.
    pub raw: u64,
    /// Clusters without any block.
    pub holes: u64,
    /// Blocks that the compressed clusters do not need.
    pub blocks_saved: u64,
}

/// Counts the clusters of a compressed file; None for other files.
pub(crate) fn count_clusters(fs: &Fs, inode: &Arc<Inode>) -> Result<Option<ClusterCounts>> {
    let Some(layout) = inode.clusters() else {
        return Ok(None);
    };
    let _shared = inode.rwsem.read();
    let mut counts = ClusterCounts::default();
    let size = layout.blocks;
    let end = inode
        .size()
        .div_ceil(iomap::BLOCK_SIZE)
        .next_multiple_of(size);
    let mut at = 0;
    while at < end {
        let most = (end - at).min(SLOTS_MAX) as usize;
        match inode.tree.lock().slots(fs, at, most)? {
            Span::Hole(len) => {
                let len = len.min(end - at);
                counts.holes += len / size;
                at += len;
            }
            Span::Slots(slots) => {
                for cluster in slots.chunks(size as usize) {
                    counts.add(cluster)?;
                }
                at += slots.len() as u64;
            }
        }
    }
    Ok(Some(counts))
}

/// More slots than any node holds; whole clusters of any size.
const SLOTS_MAX: u64 = 1024;

impl ClusterCounts {
    fn add(&mut self, slots: &[u32]) -> Result<()> {
        match ClusterSlots::classify(slots)? {
            ClusterSlots::Raw if slots.iter().all(|&s| s == 0) => self.holes += 1,
            ClusterSlots::Raw => self.raw += 1,
            ClusterSlots::Compressed { blocks, .. } => {
                self.compressed += 1;
                self.blocks_saved += (slots.len() - blocks) as u64;
            }
        }
        Ok(())
    }
}
