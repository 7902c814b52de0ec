//! Freeing a range of file blocks: slots first, then the nodes that hold nothing else.
//!
//! Each pointer is cleared when what it named is gone, so an error in the middle (a corrupt node) leaves a smaller,
//! consistent tree.

use super::tree::{Holder, Tree};
use crate::error::Result;
use crate::fs::Fs;
use f2fs_format::node::{dnode, indirect};
use f2fs_format::path::NodePath;
use f2fs_format::{InlineFlags, Nid, Slot};
use std::ops::Range;

/// Nids in an indirect node.
const NIDS_PER_BLOCK: u64 = 1018;

/// What to do with nodes that hold no slots any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emptied {
    Free,
    /// They are about to get slots again.
    Keep,
}

/// A node and everything below it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subtree {
    /// 1 for a direct node, 2 and 3 for indirect ones.
    pub(super) height: u32,
    /// Offset of its root in the footer.
    pub(super) offset: u32,
    /// File blocks before it.
    start: u64,
    /// File blocks below it.
    len: u64,
}

impl Subtree {
    /// The five subtrees of an inode.
    pub(super) fn top(index: usize, in_inode: u64, in_node: u64) -> Self {
        let n = NIDS_PER_BLOCK;
        let (height, offset) = match index {
            0 => (1, 1),
            1 => (1, 2),
            2 => (2, 3),
            3 => (2, 4 + n),
            _ => (3, 5 + 2 * n),
        };
        let start = match index {
            0 => in_inode,
            1 => in_inode + in_node,
            2 => in_inode + 2 * in_node,
            3 => in_inode + 2 * in_node + in_node * n,
            _ => in_inode + 2 * in_node + 2 * in_node * n,
        };
        Self {
            height,
            offset: offset as u32,
            start,
            len: in_node * n.pow(height - 1),
        }
    }

    fn blocks(self) -> Range<u64> {
        self.start..self.start + self.len
    }

    pub(super) fn child(self, index: usize) -> Self {
        let n = NIDS_PER_BLOCK;
        let len = self.len / n;
        let step = if self.height == 3 { n + 1 } else { 1 };
        Self {
            height: self.height - 1,
            offset: self.offset + 1 + (index as u64 * step) as u32,
            start: self.start + index as u64 * len,
            len,
        }
    }
}

impl Tree {
    /// Frees every slot from file block `from` on, and the nodes that only held such slots.
    pub(crate) fn truncate(&mut self, fs: &Fs, from: u64) -> Result<()> {
        self.free_blocks(fs, &(from..u64::MAX), Emptied::Free)
    }

    /// Frees the slots of a range of file blocks; `nodes` tells about the nodes that lie wholly in it. A range cuts
    /// no compressed cluster.
    pub(crate) fn free_blocks(
        &mut self,
        fs: &Fs,
        blocks: &Range<u64>,
        nodes: Emptied,
    ) -> Result<()> {
        let (in_inode, in_node) = self.slots_per_node();
        self.free_slots(fs, Holder::Inode, slots_of(blocks, 0))?;
        for index in 0..5 {
            let subtree = Subtree::top(index, in_inode.into(), in_node.into());
            self.free_child(fs, Holder::Inode, index, subtree, (blocks, nodes))?;
        }
        Ok(())
    }

    /// Frees the nodes below one pointer that a failed creation left behind.
    pub(super) fn free_subtree_at(
        &mut self,
        fs: &Fs,
        parent: Holder,
        index: usize,
        path: &NodePath,
        level: usize,
    ) -> Result<()> {
        let height = (path.level - level) as u32 + 1;
        let offset = path.node_offset[level];
        let subtree = Subtree {
            height,
            offset,
            start: 0,
            len: NIDS_PER_BLOCK.pow(height),
        };
        self.free_child(fs, parent, index, subtree, (&(0..u64::MAX), Emptied::Free))
    }

    fn free_child(
        &mut self,
        fs: &Fs,
        parent: Holder,
        index: usize,
        subtree: Subtree,
        (blocks, nodes): (&Range<u64>, Emptied),
    ) -> Result<()> {
        let own = subtree.blocks();
        if own.end <= blocks.start || blocks.end <= own.start {
            return Ok(());
        }
        let Some(nid) = self.child(fs, parent, index)? else {
            return Ok(());
        };
        self.load(fs, nid, subtree.offset)?;
        if subtree.height == 1 {
            self.free_slots(fs, Holder::Node(nid), slots_of(blocks, own.start))?;
        } else {
            for i in 0..NIDS_PER_BLOCK as usize {
                // Most lists are short; a clear pointer costs one comparison.
                if indirect::nid(&self.cached(nid).block, i) != 0 {
                    self.free_child(fs, Holder::Node(nid), i, subtree.child(i), (blocks, nodes))?;
                }
            }
        }
        let is_empty = blocks.start <= own.start && own.end <= blocks.end;
        if is_empty && nodes == Emptied::Free {
            self.free_node(fs, nid)?;
            self.set_child(parent, index, None);
        }
        Ok(())
    }

    /// Frees some slots of one node.
    fn free_slots(&mut self, fs: &Fs, holder: Holder, slots: Range<usize>) -> Result<()> {
        let (in_inode, in_node) = self.slots_per_node();
        let count = if holder == Holder::Inode {
            in_inode
        } else {
            in_node
        } as usize;
        // Clusters never straddle nodes, and a compressed one is never cut: it was unpacked before.
        let cluster = self
            .inode
            .compress()
            .map_or(1, |info| info.cluster_blocks() as usize);
        let mut is_compressed = false;
        let mut freed = 0;
        let mut result = Ok(());
        for index in slots.start..slots.end.min(count) {
            let slot = Slot::from_raw(self.slot(holder, index));
            if index % cluster == 0 {
                is_compressed = slot == Slot::Compress;
            }
            if slot == Slot::Hole {
                continue;
            }
            match self.drop_slot(fs, slot) {
                Ok(was_counted) => freed += u32::from(was_counted),
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
            if slot == Slot::Compress {
                self.note_unfit(fs);
            }
            self.clear_slot(holder, index);
            if is_compressed && slot.block().is_none() {
                self.forget_saved_block();
            }
        }
        // The counts are behind locks of the volume: once for a node, not for each block.
        result.and(self.release_blocks(fs, freed))
    }

    fn slot(&self, holder: Holder, index: usize) -> u32 {
        match holder {
            Holder::Inode => self.inode.slot(index),
            Holder::Node(nid) => dnode::slot(&self.nodes[&nid].block, index),
        }
    }

    fn clear_slot(&mut self, holder: Holder, index: usize) {
        match holder {
            Holder::Inode => self.inode_mut().set_slot(index, 0),
            Holder::Node(nid) => {
                let node = self.cached(nid);
                node.dirty.set();
                dnode::set_slot(&mut node.block, index, 0);
            }
        }
    }

    /// Takes one from the count of blocks that compression saves.
    fn forget_saved_block(&mut self) {
        if let Some(info) = self.inode.compress() {
            self.inode_mut()
                .set_compr_blocks(info.compr_blocks.saturating_sub(1));
        }
    }

    /// Gives back what a slot stands for. The caller clears or replaces the slot.
    pub(crate) fn free_slot(&mut self, fs: &Fs, raw: u32) -> Result<()> {
        let was_counted = self.drop_slot(fs, Slot::from_raw(raw))?;
        self.release_blocks(fs, was_counted.into())
    }

    /// Frees the block of a slot; whether the slot counts as a block of the inode.
    fn drop_slot(&self, fs: &Fs, slot: Slot) -> Result<bool> {
        match slot {
            Slot::Hole => Ok(false),
            Slot::Block(addr) => {
                let addr = fs.meta.geometry.main_addr(addr.get())?;
                fs.meta.segments.invalidate(addr)?;
                Ok(true)
            }
            // In a released cluster the first slot is not counted.
            Slot::Compress => Ok(!self.is_released()),
            Slot::New => Ok(true),
        }
    }

    /// Whether the blocks that compression saved were given back to the volume.
    pub(crate) fn is_released(&self) -> bool {
        self.inode.inline().contains(InlineFlags::COMPRESS_RELEASED)
    }

    /// Frees a node of this inode: its block, its nid, its share of the counts.
    pub(crate) fn free_node(&mut self, fs: &Fs, nid: Nid) -> Result<()> {
        fs.release_node_block(nid)?;
        self.note_unfit(fs);
        self.nodes.remove(&nid);
        self.sub_blocks(fs, 1);
        Ok(())
    }
}

/// The slots that a range of file blocks has in the node whose first slot is file block `first`.
fn slots_of(blocks: &Range<u64>, first: u64) -> Range<usize> {
    let slot = |block: u64| usize::try_from(block.saturating_sub(first)).unwrap_or(usize::MAX);
    slot(blocks.start)..slot(blocks.end)
}
