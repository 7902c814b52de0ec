//! Inodes in memory, by number.

use super::Inode;
use crate::error::Result;
use crate::fs::Fs;
use crate::untrusted;
use f2fs_format::{Ino, InodeBlock};
use runtime::sync::{Mutex, Rank};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Inodes kept when nobody uses them.
const IDLE_MAX: usize = 16 * 1024;

/// All inodes in memory. An inode in use or dirty is never in here twice.
#[derive(Debug)]
pub(crate) struct InodeCache {
    inodes: Mutex<HashMap<Ino, Arc<Inode>>>,
    /// Number of inodes at which unused ones are looked for.
    look_at: AtomicUsize,
    /// Grows whenever inodes leave. Changed under the lock of the map.
    left: AtomicUsize,
}

impl Default for InodeCache {
    fn default() -> Self {
        Self {
            inodes: Mutex::new(Rank::LEAF, HashMap::new()),
            look_at: AtomicUsize::new(IDLE_MAX),
            left: AtomicUsize::new(0),
        }
    }
}

impl InodeCache {
    /// The inode, from memory or from the volume.
    pub(crate) fn get(&self, fs: &Fs, ino: Ino) -> Result<Arc<Inode>> {
        loop {
            if let Some(inode) = self.inodes.lock().get(&ino) {
                return Ok(Arc::clone(inode));
            }
            if self.is_large() {
                self.shrink();
            }
            let left = self.left.load(Ordering::Acquire);
            let inode = read(fs, ino)?;
            let mut inodes = self.inodes.lock();
            // What was read is old if the inode was here, changed and left meanwhile.
            if self.left.load(Ordering::Acquire) == left {
                // Another thread may have been faster; then its inode counts.
                return Ok(Arc::clone(inodes.entry(ino).or_insert(inode)));
            }
        }
    }

    /// The inode, if it is in memory.
    pub(crate) fn peek(&self, ino: Ino) -> Option<Arc<Inode>> {
        self.inodes.lock().get(&ino).map(Arc::clone)
    }

    /// The inode, from memory or from the volume; it is not kept. For a look at all of them, one after the other.
    pub(crate) fn look(&self, fs: &Fs, ino: Ino) -> Result<Arc<Inode>> {
        match self.peek(ino) {
            Some(inode) => Ok(inode),
            None => read(fs, ino),
        }
    }

    /// Adds an inode that was just made.
    pub(crate) fn insert(&self, inode: Arc<Inode>) {
        self.inodes.lock().insert(inode.ino, inode);
    }

    /// Forgets an inode that was freed.
    pub(crate) fn remove(&self, ino: Ino) {
        let mut inodes = self.inodes.lock();
        self.left.fetch_add(1, Ordering::AcqRel);
        let inode = inodes.remove(&ino);
        drop(inodes);
        drop(inode);
    }

    /// Whether there are so many inodes that looking for unused ones pays.
    pub(crate) fn is_large(&self) -> bool {
        self.inodes.lock().len() >= self.look_at.load(Ordering::Relaxed)
    }

    /// Gives memory back: unused clean inodes go until half the limit is left.
    pub(crate) fn shrink(&self) {
        let mut victims = Vec::new();
        let left = {
            let mut inodes = self.inodes.lock();
            self.left.fetch_add(1, Ordering::AcqRel);
            let mut excess = inodes.len().saturating_sub(IDLE_MAX / 2);
            // Clean is what no list of dirty inodes holds: then the cache's is the only reference.
            inodes.retain(|_, inode| {
                let unused = excess > 0 && Arc::strong_count(inode) == 1;
                if unused {
                    excess -= 1;
                    victims.push(Arc::clone(inode));
                }
                !unused
            });
            inodes.len()
        };
        // Those in use stay; they are not looked at again before there are many more.
        self.look_at
            .store(IDLE_MAX.max(left + IDLE_MAX / 2), Ordering::Relaxed);
        for inode in victims {
            inode.mapping.truncate(0);
        }
    }
}

/// The inode as the volume has it.
fn read(fs: &Fs, ino: Ino) -> Result<Arc<Inode>> {
    let addr = fs.meta.nat.node_addr(ino)?;
    fs.meta.segments.check_valid(addr, 1)?;
    let mut block = InodeBlock::parse(fs.meta.device.read_block(addr)?, ino, &fs.meta.sb)?;
    if fs.options.untrusted {
        untrusted::defuse(&mut block);
    }
    Inode::new(fs, ino, block, false)
}
