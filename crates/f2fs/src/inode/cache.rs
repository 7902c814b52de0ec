//! Inodes in memory, by number.

use super::Inode;
use crate::error::Result;
use crate::fs::Fs;
use f2fs_format::{Ino, InodeBlock};
use runtime::sync::{Mutex, Rank};
use std::collections::HashMap;
use std::sync::Arc;

/// Inodes kept when nobody uses them.
const IDLE_MAX: usize = 16 * 1024;

/// All inodes in memory. An inode in use or dirty is never in here twice.
#[derive(Debug)]
pub(crate) struct InodeCache {
    inodes: Mutex<HashMap<Ino, Arc<Inode>>>,
}

impl Default for InodeCache {
    fn default() -> Self {
        Self {
            inodes: Mutex::new(Rank::LEAF, HashMap::new()),
        }
    }
}

impl InodeCache {
    /// The inode, from memory or from the volume.
    pub(crate) fn get(&self, fs: &Fs, ino: Ino) -> Result<Arc<Inode>> {
        if let Some(inode) = self.inodes.lock().get(&ino) {
            return Ok(Arc::clone(inode));
        }
        let addr = fs.meta.nat.node_addr(ino)?;
        fs.meta.segments.check_valid(addr, 1)?;
        let block = InodeBlock::parse(fs.meta.device.read_block(addr)?, ino, &fs.meta.sb)?;
        let inode = Inode::new(fs, ino, block, false)?;
        // Another thread may have been faster; then its inode counts.
        Ok(Arc::clone(self.inodes.lock().entry(ino).or_insert(inode)))
    }

    /// Adds an inode that was just made.
    pub(crate) fn insert(&self, inode: Arc<Inode>) {
        self.inodes.lock().insert(inode.ino, inode);
    }

    /// Forgets an inode that was freed.
    pub(crate) fn remove(&self, ino: Ino) {
        let inode = self.inodes.lock().remove(&ino);
        drop(inode);
    }

    /// Gives memory back: unused clean inodes beyond a limit, and most clean nodes of the others.
    pub(crate) fn shrink(&self) {
        let idle: Vec<_> = {
            let mut inodes = self.inodes.lock();
            let mut excess = inodes.len().saturating_sub(IDLE_MAX);
            if excess == 0 {
                return;
            }
            let mut victims = Vec::new();
            // Clean is what no list of dirty inodes holds: then the cache's is the only reference.
            inodes.retain(|_, inode| {
                let unused = excess > 0 && Arc::strong_count(inode) == 1;
                if unused {
                    excess -= 1;
                    victims.push(Arc::clone(inode));
                }
                !unused
            });
            victims
        };
        for inode in idle {
            inode.mapping.truncate(0);
        }
    }
}
