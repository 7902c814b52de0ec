//! How a volume is opened.

use f2fs_codec::{CodecParams, Verify};
use f2fs_format::CompressAlgorithm;
use runtime::MAX_ORDER;
use runtime::clock::{Clock, SystemClock};
use std::sync::Arc;

/// How the folios of a compressed file are filled (an ablation of the engine's central idea).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fill {
    /// One folio as large as the request, filled with all the clusters it spans.
    #[default]
    Folio,
    /// One cluster after the other, each in a folio of its own size: the earlier, cluster-by-cluster view.
    Cluster,
}

/// Who decides that a cluster is written compressed (kernel: mount option `compress_mode=`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CompressMode {
    /// Writing does, wherever a block is saved.
    #[default]
    Fs,
    /// Only [`crate::Volume::compress_file`] does. What is written is raw until then.
    User,
}

/// What becomes of the blocks that compression saves (mount option `space=`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Space {
    /// The file holds them until [`crate::File::release_blocks`], and is then not written before
    /// [`crate::File::reserve_blocks`]: the kernel's way.
    #[default]
    Reserve,
    /// A file that nobody writes gives them back to the volume, and takes them again when it is changed.
    Release,
}

/// Compression of files that do not say it themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressDefaults {
    /// Algorithm of new compressed files.
    pub algorithm: CompressAlgorithm,
    /// Level, 0 for the algorithm's default.
    pub level: u8,
    /// Cluster size as the logarithm of its 4 KiB blocks: 2 (16 KiB) to 8 (1 MiB).
    pub log_cluster_size: u8,
    /// Whether clusters carry a checksum.
    pub checksum: bool,
}

impl Default for CompressDefaults {
    fn default() -> Self {
        Self {
            algorithm: CompressAlgorithm::Lz4,
            level: 0,
            log_cluster_size: 4,
            checksum: false,
        }
    }
}

impl CompressDefaults {
    /// The codec's parameters; None if they contradict.
    pub fn params(&self) -> Option<CodecParams> {
        CodecParams::new(
            self.algorithm,
            self.level,
            self.log_cluster_size,
            self.checksum,
        )
        .ok()
    }
}

/// What new inodes keep in their inode block, as the kernel's mount options of these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inline {
    /// Bytes of small files and symbolic links.
    pub data: bool,
    /// Entries of small directories.
    pub dentry: bool,
    /// Extended attributes.
    pub xattr: bool,
}

impl Default for Inline {
    fn default() -> Self {
        Self {
            data: true,
            dentry: true,
            xattr: true,
        }
    }
}

/// Whether reading a file or listing a directory changes its access time. Files marked `A` (`chattr`) keep theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Atime {
    /// If it is not newer than the last change, or a day old, as Linux does by default.
    Relatime,
    /// Never: reading leaves the volume as it is.
    #[default]
    Noatime,
    /// Always.
    Strictatime,
}

/// What is durable when a call returns, without an fsync. Files and directories can be marked for it, too (`chattr +S`,
/// `chattr +D`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Nothing.
    #[default]
    Nothing,
    /// Changes of directories (kernel: `dirsync`).
    Names,
    /// Those and writes (kernel: `sync`).
    All,
}

/// What an fsync promises about the names around its file, and how it orders its writes (kernel: `fsync_mode=`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FsyncMode {
    /// The file is durable; no other file is lost by that.
    #[default]
    Posix,
    /// For a new file, so are all names that changed in its directory before, as on xfs, ext4 and btrfs.
    Strict,
    /// As posix, but the device is not flushed: for devices that keep what they were given.
    NoBarrier,
}

/// Whether opening a volume finds what was fsynced after its last checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RollForward {
    /// Yes. A volume opened for writing gets a checkpoint with it, one opened for reading shows it.
    #[default]
    Replay,
    /// No (kernel: `norecovery`): the last checkpoint is shown. A volume that has something to find is refused for
    /// writing.
    Ignore,
    /// No, and it is given up: a volume opened for writing gets a checkpoint without it. The way out where it cannot be
    /// recovered.
    Discard,
}

/// Options of [`crate::Volume::open`]. `Default` gives a writable volume with a 256 MiB cache.
#[derive(Clone, Debug)]
pub struct VolumeOptions {
    /// Refuse every change.
    pub read_only: bool,
    /// The volume may be made to harm: it is read-only, and set-id bits, device numbers and the attributes of
    /// `security.` and `trusted.` are not shown. A directory has one name; others of it are refused.
    pub untrusted: bool,
    /// Memory for cached folios, in bytes; at least 16 MiB are used.
    pub cache_bytes: u64,
    /// Largest folio order, 0 (4 KiB) to 9 (2 MiB). Compressed files use at least their cluster.
    pub max_order: u8,
    /// How folios of compressed files are filled.
    pub fill: Fill,
    /// Threads that encode and decode clusters; 0 means one for each processor.
    pub threads: usize,
    /// Threads that talk to the device; 0 transfers on the calling thread.
    pub device_threads: usize,
    /// Largest readahead window in bytes; 0 turns readahead off.
    pub readahead_bytes: u64,
    /// Who decides that clusters are compressed.
    pub compress_mode: CompressMode,
    /// What becomes of the blocks that compression saves.
    pub space: Space,
    /// Compression where neither file nor directory says it.
    pub compress: CompressDefaults,
    /// New files with one of these extensions are compressed; `*` means all.
    pub compress_extensions: Vec<String>,
    /// New files with one of these extensions are not compressed, even in a compressed directory.
    pub nocompress_extensions: Vec<String>,
    /// What new inodes keep in their inode block.
    pub inline: Inline,
    /// What to do with a cluster whose checksum is wrong.
    pub verify: Verify,
    /// Whether reading changes access times.
    pub atime: Atime,
    /// What is durable when a call returns, without an fsync.
    pub synchronous: Synchronous,
    /// What an fsync promises.
    pub fsync_mode: FsyncMode,
    /// Whether the device is told of blocks that checkpoints freed (kernel: `discard`): of whole segments by
    /// [`crate::Volume::discard_some`], of all others when the volume is closed.
    pub discard: bool,
    /// Whether fsynced data after the last checkpoint is recovered.
    pub roll_forward: RollForward,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Seed of inode generations; None draws one from the system.
    pub seed: Option<u64>,
}

impl Default for VolumeOptions {
    fn default() -> Self {
        Self {
            read_only: false,
            untrusted: false,
            cache_bytes: 256 << 20,
            max_order: MAX_ORDER,
            fill: Fill::Folio,
            threads: 0,
            device_threads: 0,
            readahead_bytes: 4 << 20,
            compress_mode: CompressMode::Fs,
            space: Space::default(),
            compress: CompressDefaults::default(),
            compress_extensions: Vec::new(),
            nocompress_extensions: Vec::new(),
            inline: Inline::default(),
            verify: Verify::Strict,
            atime: Atime::default(),
            synchronous: Synchronous::default(),
            fsync_mode: FsyncMode::default(),
            discard: true,
            roll_forward: RollForward::default(),
            clock: Arc::new(SystemClock),
            seed: None,
        }
    }
}

impl VolumeOptions {
    /// With what one option implies for another.
    pub(crate) fn resolved(&self) -> Self {
        let roll_forward = if self.untrusted {
            RollForward::Ignore
        } else {
            self.roll_forward
        };
        Self {
            read_only: self.read_only || self.untrusted,
            roll_forward,
            ..self.clone()
        }
    }
}
