//! One inode takes over the slots and nodes of another: nothing but what names the owner changes.

use super::tree::{Holder, Tree};
use super::truncate::Subtree;
use crate::error::Result;
use crate::fs::Fs;
use f2fs_format::node::{NIDS_PER_BLOCK, NodeFooter, indirect};

/// Pointers to nodes in an inode.
const TOP: usize = 5;

impl Tree {
    /// Brings all nodes of slots into memory, so that what follows meets no error of the device; how many.
    pub(crate) fn load_all(&mut self, fs: &Fs) -> Result<u64> {
        let (in_inode, in_node) = self.slots_per_node();
        let mut count = 0;
        for index in 0..TOP {
            let subtree = Subtree::top(index, in_inode.into(), in_node.into());
            count += self.load_below(fs, Holder::Inode, index, subtree)?;
        }
        Ok(count)
    }

    fn load_below(
        &mut self,
        fs: &Fs,
        parent: Holder,
        index: usize,
        subtree: Subtree,
    ) -> Result<u64> {
        let Some(nid) = self.child(fs, parent, index)? else {
            return Ok(0);
        };
        self.load(fs, nid, subtree.offset)?;
        let mut count = 1;
        if subtree.height > 1 {
            for i in 0..NIDS_PER_BLOCK {
                if indirect::nid(&self.cached(nid).block, i) != 0 {
                    count += self.load_below(fs, Holder::Node(nid), i, subtree.child(i))?;
                }
            }
        }
        Ok(count)
    }

    /// Takes over all slots and nodes of `other`, with its compression; `direct` are the slots of the inode itself.
    /// Counts and charges go with them: both have the same owners. This tree has no slots, and all nodes of `other` are
    /// in memory.
    pub(crate) fn adopt(&mut self, other: &mut Self, direct: &[u32]) {
        let moved = other.inode.blocks() - 1;
        let info = other.inode.compress();
        let (to, from) = (self.inode_mut(), other.inode_mut());
        to.set_compress(info);
        for (index, &raw) in direct.iter().enumerate() {
            to.set_slot(index, raw);
            from.set_slot(index, 0);
        }
        for index in 0..TOP {
            to.set_nid(index, from.nid(index));
            from.set_nid(index, None);
        }
        from.set_blocks(1);
        from.set_compr_blocks(0);
        to.set_blocks(to.blocks() + moved);
        for (nid, mut node) in other.nodes.drain() {
            let mut footer = NodeFooter::read(&node.block);
            footer.ino = self.ino();
            footer.write(&mut node.block);
            node.dirty.set();
            self.nodes.insert(nid, node);
        }
    }
}
