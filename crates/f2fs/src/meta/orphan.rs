//! Inodes without a name that are still open: listed in every checkpoint, so that the next mount
//! frees them.
//!
//! # Locking
//! One leaf.

use crate::error::{Error, Result};
use f2fs_format::orphan::ORPHANS_PER_BLOCK;
use f2fs_format::{BLOCKS_PER_SEGMENT, Ino, SuperBlock};
use runtime::sync::{Mutex, Rank};
use std::collections::BTreeSet;

/// Blocks of a pack that are not orphans: header, footer, and at most six summaries.
const OTHER_PACK_BLOCKS: u32 = 2 + 6;

/// The orphan list of the volume.
#[derive(Debug)]
pub(crate) struct Orphans {
    inos: Mutex<BTreeSet<Ino>>,
    limit: usize,
}

impl Orphans {
    /// The orphans that the last checkpoint lists.
    pub(crate) fn new(sb: &SuperBlock, listed: impl IntoIterator<Item = Ino>) -> Self {
        let blocks = BLOCKS_PER_SEGMENT.saturating_sub(OTHER_PACK_BLOCKS + sb.cp_payload);
        Self {
            inos: Mutex::new(Rank::LEAF, listed.into_iter().collect()),
            limit: blocks as usize * ORPHANS_PER_BLOCK,
        }
    }

    /// Lists an inode; one that is listed already stays so.
    ///
    /// # Errors
    /// `NoSpace` if a checkpoint pack has no room for another.
    pub(crate) fn add(&self, ino: Ino) -> Result<()> {
        let mut inos = self.inos.lock();
        if inos.len() >= self.limit && !inos.contains(&ino) {
            return Err(Error::NoSpace);
        }
        inos.insert(ino);
        Ok(())
    }

    /// Takes an inode off the list, because it was freed or has a name again.
    pub(crate) fn remove(&self, ino: Ino) {
        self.inos.lock().remove(&ino);
    }

    /// Whether an inode is listed.
    pub(crate) fn contains(&self, ino: Ino) -> bool {
        self.inos.lock().contains(&ino)
    }

    /// All listed inodes, ascending.
    pub(crate) fn list(&self) -> Vec<Ino> {
        self.inos.lock().iter().copied().collect()
    }
}
