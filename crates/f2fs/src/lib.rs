//! The F2FS engine: volumes, files and directories in user space.
//!
//! [`Volume`] is the way in. Below it, calls go one way:
//!
//! ```text
//! api > sync, ops > dir > data > verity > inode > node > segment > meta > device
//! ```
//!
//! | module | what | kernel |
//! |---|---|---|
//! | `api` | what users of the crate see | - |
//! | `ops` | one operation: locks, room, checks | `namei.c`, `file.c` |
//! | `sync` | flush and checkpoint | `checkpoint.c` |
//! | `discard` | telling the device what is free | `segment.c` |
//! | `dir` | names to inodes | `dir.c`, `inline.c` |
//! | `data` | bytes to blocks, compression | `data.c`, `compress.c` |
//! | `verity` | sealed files checked as they are read | `fs/verity` |
//! | `inode`, `node` | inodes and their node trees | `inode.c`, `node.c` |
//! | `quota` | what users, groups and projects use | `fs/quota` |
//! | `segment` | logs and valid blocks | `segment.c` |
//! | `meta`, `checkpoint` | NAT, counters, packs | `node.c`, `checkpoint.c` |
//! | `device` | blocks of the device | - |
//!
//! # Examples
//! ```no_run
//! use f2fs::{OpenOptions, Volume, VolumeOptions};
//! use std::io::{Read, Write};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let volume = Volume::open("disk.img", &VolumeOptions::default())?;
//! let mut file = volume.open_with("/notes", &OpenOptions::new().write(true).create(true))?;
//! file.write_all(b"hello")?;
//! file.sync_all()?;
//! let mut text = String::new();
//! volume.open_file("/notes")?.read_to_string(&mut text)?;
//! drop(file);
//! volume.close()?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod acl;
mod api;
mod checkpoint;
mod data;
mod device;
mod dir;
mod discard;
pub mod error;
mod fs;
mod fsync;
mod gc;
mod idle;
mod inode;
mod locks;
mod meta;
mod node;
mod ops;
mod options;
mod quota;
mod reads;
mod recovery;
mod segment;
mod stats;
mod sync;
mod untrusted;
mod verity;
mod xattr;

pub use api::entry::{DirEntry, ReadDir};
pub use api::estimate::{Estimate, Estimator};
pub use api::file::File;
pub use api::layout::FileExtents;
pub use api::metadata::{ClusterCounts, Compression, Metadata};
pub use api::node::{NewNode, Node, NodeEntry, NodeStep, RenameMode};
pub use api::open_options::OpenOptions;
pub use api::report::{StatFs, VolumeInfo};
pub use api::volume::{Owner, Special, Volume};
pub use data::layout::{DeviceRun, ExtentKind, FileExtent, LayoutSummary};
pub use device::DeviceCounters;
pub use discard::TrimReport;
pub use error::{Error, Result};
pub use f2fs_codec::{CompressAlgorithm, Verify};
pub use f2fs_format::{FileType, InodeFlags, QuotaKind, QuotaLimits, QuotaRecord};
pub use f2fs_offline::{FormatOptions, RootCompression};
pub use gc::{GcOptions, GcReport};
pub use iomap::{Extent, IomapKind};
pub use ops::attr::{SetAttr, Toggle};
pub use ops::defrag::{Defragment, Defragmented, LeftAlone};
pub use ops::fallocate::Fallocate;
pub use ops::map::{Area, AreaKind, LogUse, OpenLog, SegmentTotals, VolumeMap};
pub use ops::privileges::Privileges;
pub use ops::recompress::Recompress;
pub use options::{
    Atime, CompressDefaults, CompressMode, Fill, FsyncMode, Inline, RollForward, Space,
    Synchronous, VolumeOptions,
};
pub use pagecache::CacheStats;
pub use quota::{QuotaScope, QuotaState};
pub use runtime::clock::Timestamp;
pub use stats::{DataStats, Stats};
pub use verity::{VerityDigest, VerityHash};
pub use xattr::SetXattr;
