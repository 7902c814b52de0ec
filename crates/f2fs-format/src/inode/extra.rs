//! The extra attributes, each of which exists only if the volume's features and the inode's size
//! say so.

use super::raw::{COMPRESS_END, CRTIME_END, PROJID_END};
use super::{InlineFlags, InodeBlock, InodeFlags, Timespec};
use crate::cluster::{MAX_LOG_CLUSTER_SIZE, MIN_LOG_CLUSTER_SIZE};
use crate::compress::CompressAlgorithm;
use crate::dentry::FileType;
use crate::features::Features;

/// The bit of `i_compress_flag` that asks for checksums.
const FLAG_CHKSUM: u16 = 0x1;
/// Where the level starts in `i_compress_flag`.
const LEVEL_SHIFT: u32 = 8;

/// How a file is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CompressInfo {
    /// The algorithm.
    pub algorithm: CompressAlgorithm,
    /// Binary logarithm of a cluster's blocks, 2 to 8.
    pub log_cluster_size: u8,
    /// Bit 0: clusters carry checksums; bits 8 to 15: the level.
    pub flag: u16,
    /// Blocks that compression saved and that are still reserved.
    pub compr_blocks: u64,
}

impl CompressInfo {
    /// Blocks of a cluster.
    pub const fn cluster_blocks(&self) -> u32 {
        1 << self.log_cluster_size
    }

    /// Whether clusters carry checksums.
    pub const fn has_checksum(&self) -> bool {
        self.flag & FLAG_CHKSUM != 0
    }

    /// The level; 0 means the algorithm's default.
    pub const fn level(&self) -> u8 {
        Self::level_of(self.flag)
    }

    /// The level in a flag word.
    pub(super) const fn level_of(flag: u16) -> u8 {
        (flag >> LEVEL_SHIFT) as u8
    }

    /// The flag word for these settings.
    pub const fn flag_of(level: u8, checksum: bool) -> u16 {
        (level as u16) << LEVEL_SHIFT | if checksum { FLAG_CHKSUM } else { 0 }
    }
}

impl InodeBlock {
    /// Bytes of the extra attributes, 0 without them.
    pub fn extra_isize(&self) -> u16 {
        if self.inline().contains(InlineFlags::EXTRA_ATTR) {
            self.raw().extra.extra_isize.get()
        } else {
            0
        }
    }

    /// Whether the extra attribute that ends at `end` exists, given the feature it belongs to.
    pub(super) fn has_extra(&self, feature: Features, end: usize) -> bool {
        self.features.contains(feature) && end <= usize::from(self.extra_isize())
    }

    /// The project id, if the inode has one.
    pub fn projid(&self) -> Option<u32> {
        self.has_extra(Features::PRJQUOTA, PROJID_END)
            .then(|| self.raw().extra.projid.get())
    }

    /// Stores the project id and tells whether the inode has room for one.
    pub fn set_projid(&mut self, projid: u32) -> bool {
        let exists = self.projid().is_some();
        if exists {
            self.raw_mut().extra.projid = projid.into();
        }
        exists
    }

    /// The time of creation, if the inode has one.
    pub fn crtime(&self) -> Option<Timespec> {
        let extra = &self.raw().extra;
        self.has_extra(Features::INODE_CRTIME, CRTIME_END)
            .then(|| Timespec {
                sec: extra.crtime.get().cast_signed(),
                nsec: extra.crtime_nsec.get(),
            })
    }

    /// Stores the time of creation and tells whether the inode has room for one.
    pub fn set_crtime(&mut self, time: Timespec) -> bool {
        let exists = self.crtime().is_some();
        if exists {
            let extra = &mut self.raw_mut().extra;
            extra.crtime = time.sec.cast_unsigned().into();
            extra.crtime_nsec = time.nsec.into();
        }
        exists
    }

    /// Whether the inode has room for compression settings.
    pub fn can_compress(&self) -> bool {
        self.has_extra(Features::COMPRESSION, COMPRESS_END)
    }

    /// How the file is compressed, or in a directory, what new files inherit; `None` without
    /// [`InodeFlags::COMPR`].
    pub fn compress(&self) -> Option<CompressInfo> {
        if !self.flags().contains(InodeFlags::COMPR) || !self.can_compress() {
            return None;
        }
        let extra = &self.raw().extra;
        let log_cluster_size = extra.log_cluster_size;
        let in_range = (MIN_LOG_CLUSTER_SIZE..=MAX_LOG_CLUSTER_SIZE).contains(&log_cluster_size);
        let algorithm = CompressAlgorithm::from_raw(extra.compress_algorithm)?;
        in_range.then(|| CompressInfo {
            algorithm,
            log_cluster_size,
            flag: extra.compress_flag.get(),
            compr_blocks: extra.compr_blocks.get(),
        })
    }

    /// Whether the file's blocks lie in clusters: a regular file with compression settings in
    /// force.
    pub fn is_compressed(&self) -> bool {
        self.file_type() == FileType::Regular && self.compress().is_some()
    }

    /// Stores all compression settings and sets or clears [`InodeFlags::COMPR`]. That moves the
    /// slots of a regular file, so it must have no blocks. The inode must have room: see
    /// [`can_compress`](Self::can_compress).
    pub fn set_compress(&mut self, info: Option<CompressInfo>) {
        assert!(
            self.can_compress() || info.is_none(),
            "the inode has no room for compression"
        );
        let flags = self.flags();
        self.set_flags(flags.difference(InodeFlags::COMPR));
        let Some(info) = info else { return };
        let in_range =
            (MIN_LOG_CLUSTER_SIZE..=MAX_LOG_CLUSTER_SIZE).contains(&info.log_cluster_size);
        assert!(in_range, "a cluster has 4 to 256 blocks");
        self.set_flags(flags.union(InodeFlags::COMPR));
        let extra = &mut self.raw_mut().extra;
        extra.compress_algorithm = info.algorithm.to_raw();
        extra.log_cluster_size = info.log_cluster_size;
        extra.compress_flag = info.flag.into();
        extra.compr_blocks = info.compr_blocks.into();
    }

    /// Stores the blocks that compression saved.
    pub fn set_compr_blocks(&mut self, blocks: u64) {
        assert!(self.can_compress(), "the inode has no room for compression");
        self.raw_mut().extra.compr_blocks = blocks.into();
    }
}
