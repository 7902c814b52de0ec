//! Directories in FUSE's words.
//!
//! A position is one that the engine gives ([`f2fs::NodeEntry::next`]) plus two, for `.` and `..` in front. It names a
//! place in the directory, not an entry, so a listing goes on rightly whatever came and went meanwhile.

use f2fs::{Node, NodeEntry, Result};
use fuser::FileType;

/// Entries asked of the engine at once; about what one answer of the kernel's size holds.
const BATCH: usize = 128;

/// One entry to tell.
pub(crate) struct Listed {
    pub(crate) name: Vec<u8>,
    pub(crate) ino: u32,
    pub(crate) kind: FileType,
    /// Where the listing goes on after it.
    pub(crate) next: u64,
    /// Whether it is `.` or `..`, which the kernel does not want to be told attributes of.
    pub(crate) is_dot: bool,
}

/// Calls `tell` for the entries from a position on, until it says that it has enough.
pub(crate) fn list(dir: &Node, from: u64, mut tell: impl FnMut(&Listed) -> bool) -> Result<()> {
    if from == 0 && tell(&dot(b".", dir.ino(), 1)) {
        return Ok(());
    }
    if from <= 1 {
        let parent = dir.lookup(b"..").map_or(dir.ino(), |parent| parent.ino());
        if tell(&dot(b"..", parent, 2)) {
            return Ok(());
        }
    }
    let mut at = from.saturating_sub(2);
    loop {
        let batch = dir.list(at, BATCH)?;
        if batch.is_empty() {
            return Ok(());
        }
        for step in batch {
            at = step.next;
            match step.entry {
                Ok(entry) => {
                    if tell(&listed(entry, at)) {
                        return Ok(());
                    }
                }
                // One damaged entry does not hide those behind it.
                Err(error) => tracing::warn!(ino = dir.ino(), %error, "damaged directory entry"),
            }
        }
    }
}

fn dot(name: &[u8], ino: u32, next: u64) -> Listed {
    Listed {
        name: name.to_vec(),
        ino,
        kind: FileType::Directory,
        next,
        is_dot: true,
    }
}

fn listed(entry: NodeEntry, next: u64) -> Listed {
    Listed {
        name: entry.name,
        ino: entry.ino,
        kind: crate::attr::file_type(entry.file_type),
        next: next + 2,
        is_dot: false,
    }
}
