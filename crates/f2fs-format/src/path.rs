//! From a file block to the nodes on the way to its address slot, and back.
//!
//! `a0` are the slots of the inode, `an` those of a direct node; for compressed files both are
//! rounded down to whole clusters (see [`crate::InodeBlock::addrs_in_inode`]).

use crate::error::{Corrupt, CorruptKind, Result};
use crate::node::{
    DIRECT_NODE_1, DIRECT_NODE_2, DOUBLE_INDIRECT_NODE, INDIRECT_NODE_1, INDIRECT_NODE_2,
    NIDS_PER_BLOCK, is_direct,
};

const N: u64 = NIDS_PER_BLOCK as u64;

/// The way from an inode to the node that holds a file block's slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NodePath {
    /// Steps from the inode to the node with the slot: 0 to 3.
    pub level: usize,
    /// `index_in_parent[i]` is the index of the node at level `i` in its parent: of `i_nid` for
    /// level 1, of an indirect node's nids below. Entry 0 and those past `level` are 0.
    pub index_in_parent: [usize; 4],
    /// `node_offset[i]` is the footer's offset of the node at level `i`.
    pub node_offset: [u32; 4],
    /// The slot in the node at level `level`.
    pub slot: usize,
}

impl NodePath {
    /// The way to file block `block_index`.
    ///
    /// # Errors
    /// If the block is past what the tree can map, or `an` is 0.
    pub fn of(block_index: u64, a0: u32, an: u32) -> Result<Self> {
        let too_large = || Corrupt::from(CorruptKind::FileBlockTooLarge { block: block_index });
        let (a0, a) = (u64::from(a0), u64::from(an));
        let Some(rest) = block_index.checked_sub(a0) else {
            return Ok(Self {
                slot: block_index as usize,
                ..Self::default()
            });
        };
        if a == 0 || a > N {
            return Err(too_large());
        }
        let mut path = Self {
            slot: (rest % a) as usize,
            ..Self::default()
        };
        // The number of the direct node in the order of the file.
        let dnode = rest / a;
        if dnode < 2 {
            path.push(dnode, DIRECT_NODE_1 + dnode as u32);
        } else if dnode < 2 + 2 * N {
            let (which, j) = ((dnode - 2) / N, (dnode - 2) % N);
            let parent = if which == 0 {
                INDIRECT_NODE_1
            } else {
                INDIRECT_NODE_2
            };
            path.push(2 + which, parent);
            path.push(j, parent + 1 + j as u32);
        } else if dnode < 2 + 2 * N + N * N {
            let (i, j) = ((dnode - 2 - 2 * N) / N, (dnode - 2 - 2 * N) % N);
            let parent = DOUBLE_INDIRECT_NODE + 1 + (i * (N + 1)) as u32;
            path.push(4, DOUBLE_INDIRECT_NODE);
            path.push(i, parent);
            path.push(j, parent + 1 + j as u32);
        } else {
            return Err(too_large());
        }
        Ok(path)
    }

    fn push(&mut self, index: u64, node_offset: u32) {
        self.level += 1;
        self.index_in_parent[self.level] = index as usize;
        self.node_offset[self.level] = node_offset;
    }

    /// The footer's offset of the node that holds the slot.
    pub const fn leaf_offset(&self) -> u32 {
        self.node_offset[self.level]
    }
}

/// The first file block that the direct node (or, for offset 0, the inode) at `node_offset` maps.
///
/// # Errors
/// If no direct node has that offset.
pub fn first_block_of_dnode(node_offset: u32, a0: u32, an: u32) -> Result<u64> {
    if node_offset == 0 {
        return Ok(0);
    }
    let not_direct = CorruptKind::NotADnode {
        offset: node_offset,
    };
    let per_parent = NIDS_PER_BLOCK as u32 + 1;
    let last = DOUBLE_INDIRECT_NODE + NIDS_PER_BLOCK as u32 * per_parent;
    if node_offset > last || !is_direct(node_offset) {
        return Err(not_direct.into());
    }
    // Subtract the indirect nodes that come before in the numbering.
    let index = if node_offset <= DIRECT_NODE_2 {
        node_offset - DIRECT_NODE_1
    } else if node_offset < DOUBLE_INDIRECT_NODE {
        node_offset - 2 - (node_offset - INDIRECT_NODE_1) / per_parent
    } else {
        let past = node_offset - DOUBLE_INDIRECT_NODE - 1;
        node_offset - 5 - past / per_parent
    };
    Ok(u64::from(a0) + u64::from(an) * u64::from(index))
}

/// The number of file blocks that a tree with these slot counts can map.
pub const fn mappable_blocks(a0: u32, an: u32) -> u64 {
    a0 as u64 + an as u64 * (2 + 2 * N + N * N)
}

#[cfg(test)]
mod tests;
