//! The inodes that the kernel knows.
//!
//! Each answer that names an inode counts as one look-up; the kernel gives the count back when it forgets the inode.
//! Until then the engine keeps it, so that a file without a name lives as long as somebody has it open.

use crate::attr::{ROOT_INO, node_id};
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use f2fs::Node;
use fuser::{Errno, INodeNo};

/// An inode the kernel knows, and how often it was told of it.
#[derive(Debug)]
struct Known {
    node: Node,
    lookups: u64,
}

/// All of them, by node id.
#[derive(Debug)]
pub(crate) struct Nodes {
    root: Node,
    known: DashMap<u64, Known>,
}

impl Nodes {
    /// The kernel knows the root directory from the start, and for ever.
    pub(crate) fn new(root: Node) -> Self {
        Self {
            root,
            known: DashMap::new(),
        }
    }

    /// The inode behind a node id.
    pub(crate) fn get(&self, id: INodeNo) -> Result<Node, Errno> {
        if id == INodeNo::ROOT {
            return Ok(self.root.clone());
        }
        match self.known.get(&id.0) {
            Some(known) => Ok(known.node.clone()),
            None => Err(Errno::ESTALE),
        }
    }

    /// Counts that the kernel is told of an inode.
    pub(crate) fn remember(&self, node: &Node) {
        if node.ino() == ROOT_INO {
            return;
        }
        match self.known.entry(node_id(node.ino()).0) {
            Entry::Occupied(mut entry) => entry.get_mut().lookups += 1,
            Entry::Vacant(entry) => {
                entry.insert(Known {
                    node: node.clone(),
                    lookups: 1,
                });
            }
        }
    }

    /// Takes back `count` look-ups. The last one lets the inode go, which may free it on the volume.
    pub(crate) fn forget(&self, id: INodeNo, count: u64) {
        let gone = match self.known.entry(id.0) {
            Entry::Occupied(mut entry) => {
                let left = entry.get().lookups.saturating_sub(count);
                entry.get_mut().lookups = left;
                (left == 0).then(|| entry.remove())
            }
            Entry::Vacant(_) => None,
        };
        // Here, where no shard is locked.
        drop(gone);
    }

    /// Lets all inodes go: the mount has ended.
    pub(crate) fn clear(&self) {
        let ids: Vec<u64> = self.known.iter().map(|known| *known.key()).collect();
        for id in ids {
            let gone = self.known.remove(&id);
            drop(gone);
        }
    }
}
