//! What `stat` tells of an inode.

use super::Inode;
use f2fs_format::{Advise, FileType, InlineFlags, Ino, InodeFlags, Timespec};
use runtime::clock::Timestamp;

/// Attributes of an inode at one moment.
#[derive(Clone, Debug)]
pub(crate) struct InodeInfo {
    pub(crate) ino: Ino,
    pub(crate) file_type: FileType,
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) links: u32,
    pub(crate) size: u64,
    /// Blocks of the file, without its inode block.
    pub(crate) blocks: u64,
    pub(crate) accessed: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) changed: Timestamp,
    pub(crate) created: Option<Timestamp>,
    pub(crate) generation: u32,
    pub(crate) device: Option<(u32, u32)>,
    pub(crate) flags: InodeFlags,
    pub(crate) advise: Advise,
    pub(crate) inline: InlineFlags,
    pub(crate) project: Option<u32>,
}

impl Inode {
    /// Its attributes now.
    pub(crate) fn info(&self) -> InodeInfo {
        let size = self.size();
        let tree = self.tree.lock();
        let block = &tree.inode;
        InodeInfo {
            ino: self.ino,
            file_type: self.file_type,
            mode: block.mode(),
            uid: block.uid(),
            gid: block.gid(),
            links: block.links(),
            size,
            blocks: block.blocks().saturating_sub(1),
            accessed: from_disk(block.atime()),
            modified: from_disk(block.mtime()),
            changed: from_disk(block.ctime()),
            created: block.crtime().map(from_disk),
            generation: block.generation(),
            device: block.device(),
            flags: block.flags(),
            advise: block.advise(),
            inline: block.inline(),
            project: block.projid(),
        }
    }
}

/// A time as the volume stores it.
pub(crate) fn to_disk(time: Timestamp) -> Timespec {
    Timespec {
        sec: time.secs,
        nsec: time.nanos,
    }
}

/// A time of the volume; nanoseconds beyond a second are cut.
pub(crate) fn from_disk(time: Timespec) -> Timestamp {
    Timestamp {
        secs: time.sec,
        nanos: time.nsec.min(999_999_999),
    }
}
