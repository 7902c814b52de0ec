//! The counters of the checkpoint: blocks, nodes and inodes in use, against their limits.
//!
//! A block counts from the moment it is reserved for a slot, long before it has an address
//! (`valid_block_count` of the kernel), so writeback never runs out of space.
//!
//! # Invariants
//! `valid_blocks` never passes `user_blocks`, `valid_nodes` never passes the number of nids.
//!
//! # Locking
//! One leaf.

use crate::error::{Error, Result};
use crate::meta::inconsistent::Inconsistent;
use f2fs_format::{Checkpoint, Geometry, Nid};
use runtime::sync::{Mutex, Rank};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The counters at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SpaceCounts {
    /// Blocks that files and nodes may use in all.
    pub user_blocks: u64,
    /// Blocks in use or reserved.
    pub valid_blocks: u64,
    /// Node blocks in use or reserved, inodes included.
    pub valid_nodes: u32,
    /// Inodes in use or reserved.
    pub valid_inodes: u32,
    /// Nids that nodes may use in all.
    pub node_limit: u32,
}

impl SpaceCounts {
    /// Blocks that can still be reserved.
    pub(crate) const fn free_blocks(&self) -> u64 {
        self.user_blocks - self.valid_blocks
    }

    /// Nodes that nids are left for.
    pub(crate) const fn free_nodes(&self) -> u32 {
        self.node_limit - self.valid_nodes
    }
}

/// What is in use of the volume.
#[derive(Debug)]
pub(crate) struct Space {
    counts: Mutex<SpaceCounts>,
    growth: Growth,
}

/// What came after the last checkpoint. Roll-forward adds it to what the checkpoint has, since it does not know what
/// was freed meanwhile.
#[derive(Debug, Default)]
struct Growth {
    /// Blocks and nodes at the checkpoint.
    blocks_before: AtomicU64,
    nodes_before: AtomicU32,
    /// Blocks and nodes that were reserved since, whether they are in use still or not.
    blocks: AtomicU64,
    nodes: AtomicU32,
}

impl Space {
    /// The counters of a checkpoint that was just read.
    pub(crate) fn new(checkpoint: &Checkpoint, geometry: &Geometry) -> Self {
        let counts = SpaceCounts {
            user_blocks: checkpoint.user_block_count,
            valid_blocks: checkpoint.valid_block_count,
            valid_nodes: checkpoint.valid_nodes,
            valid_inodes: checkpoint.valid_inodes,
            node_limit: geometry.max_nid() - Nid::ROOT.get(),
        };
        Self::from_counts(counts)
    }

    /// Counters of a volume without anything in it.
    #[cfg(test)]
    pub(crate) fn empty(user_blocks: u64, node_limit: u32) -> Self {
        Self::from_counts(SpaceCounts {
            user_blocks,
            valid_blocks: 0,
            valid_nodes: 0,
            valid_inodes: 0,
            node_limit,
        })
    }

    fn from_counts(counts: SpaceCounts) -> Self {
        let space = Self {
            counts: Mutex::new(Rank::LEAF, counts),
            growth: Growth::default(),
        };
        space.start_epoch();
        space
    }

    /// A checkpoint has been made of the counters as they are.
    pub(crate) fn start_epoch(&self) {
        let counts = self.snapshot();
        let Growth {
            blocks_before,
            nodes_before,
            blocks,
            nodes,
        } = &self.growth;
        blocks_before.store(counts.valid_blocks, Ordering::Relaxed);
        nodes_before.store(counts.valid_nodes, Ordering::Relaxed);
        blocks.store(0, Ordering::Relaxed);
        nodes.store(0, Ordering::Relaxed);
    }

    /// Whether roll-forward would find room for everything since the last checkpoint (kernel:
    /// `f2fs_space_for_roll_forward`).
    pub(crate) fn has_room_for_roll_forward(&self) -> bool {
        let counts = self.snapshot();
        let growth = &self.growth;
        let blocks =
            growth.blocks_before.load(Ordering::Relaxed) + growth.blocks.load(Ordering::Relaxed);
        let nodes = growth
            .nodes_before
            .load(Ordering::Relaxed)
            .saturating_add(growth.nodes.load(Ordering::Relaxed));
        blocks <= counts.user_blocks && nodes <= counts.node_limit
    }

    /// Reserves `count` blocks.
    ///
    /// # Errors
    /// `NoSpace` if fewer are left; then nothing is reserved.
    pub(crate) fn reserve_blocks(&self, count: u32) -> Result<()> {
        let mut counts = self.counts.lock();
        if u64::from(count) > counts.free_blocks() {
            return Err(Error::NoSpace);
        }
        counts.valid_blocks += u64::from(count);
        self.growth
            .blocks
            .fetch_add(count.into(), Ordering::Relaxed);
        Ok(())
    }

    /// Gives `count` blocks back.
    ///
    /// # Errors
    /// `Inconsistent` if fewer are in use, which only a wrong checkpoint can cause.
    pub(crate) fn release_blocks(&self, count: u32) -> Result<()> {
        let mut counts = self.counts.lock();
        counts.valid_blocks = below(counts.valid_blocks, count, "valid_block_count")?;
        Ok(())
    }

    /// Reserves a node and its block.
    pub(crate) fn reserve_node(&self) -> Result<()> {
        let mut counts = self.counts.lock();
        if counts.free_blocks() == 0 || counts.free_nodes() == 0 {
            return Err(Error::NoSpace);
        }
        counts.valid_blocks += 1;
        counts.valid_nodes += 1;
        self.growth.blocks.fetch_add(1, Ordering::Relaxed);
        self.growth.nodes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Gives a node and its block back.
    pub(crate) fn release_node(&self) -> Result<()> {
        let mut counts = self.counts.lock();
        let blocks = below(counts.valid_blocks, 1, "valid_block_count")?;
        counts.valid_nodes = below(counts.valid_nodes, 1, "valid_node_count")?;
        counts.valid_blocks = blocks;
        Ok(())
    }

    /// Counts a new inode, whose node is already reserved.
    pub(crate) fn add_inode(&self) {
        let mut counts = self.counts.lock();
        counts.valid_inodes = counts.valid_inodes.saturating_add(1);
    }

    /// Counts one inode less.
    pub(crate) fn remove_inode(&self) -> Result<()> {
        let mut counts = self.counts.lock();
        counts.valid_inodes = below(counts.valid_inodes, 1, "valid_inode_count")?;
        Ok(())
    }

    /// The counters now.
    pub(crate) fn snapshot(&self) -> SpaceCounts {
        *self.counts.lock()
    }
}

fn below<T: TryFrom<u64> + Into<u64>>(value: T, count: u32, what: &'static str) -> Result<T> {
    let rest = value.into().checked_sub(u64::from(count));
    rest.and_then(|rest| T::try_from(rest).ok())
        .ok_or(Error::Inconsistent(Inconsistent::CounterUnderflow { what }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_end_at_the_limit() {
        let space = Space::empty(10, 2);
        space.reserve_blocks(8).unwrap();
        assert!(matches!(space.reserve_blocks(3), Err(Error::NoSpace)));
        space.reserve_node().unwrap();
        space.reserve_node().unwrap();
        assert!(matches!(space.reserve_node(), Err(Error::NoSpace)));
        assert_eq!(space.snapshot().free_blocks(), 0);
        space.release_node().unwrap();
        space.reserve_blocks(1).unwrap();
        assert!(matches!(space.reserve_node(), Err(Error::NoSpace)));
    }

    #[test]
    fn counters_never_fall_below_zero() {
        let space = Space::empty(10, 10);
        space.reserve_node().unwrap();
        space.add_inode();
        space.remove_inode().unwrap();
        assert!(matches!(space.remove_inode(), Err(Error::Inconsistent(_))));
        assert!(matches!(
            space.release_blocks(2),
            Err(Error::Inconsistent(_))
        ));
        space.release_blocks(1).unwrap();
        assert!(matches!(space.release_node(), Err(Error::Inconsistent(_))));
        assert_eq!(space.snapshot().valid_nodes, 1);
    }
}
