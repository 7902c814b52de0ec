//! A bounded cache of table blocks.

use f2fs_format::Block;
use std::collections::{HashMap, VecDeque};

/// Blocks kept at most: 4 MiB.
const MAX_BLOCKS: usize = 1024;

/// Blocks by their number in the table; the oldest leaves first.
#[derive(Debug, Default)]
pub(super) struct BlockCache {
    blocks: HashMap<u32, Box<Block>>,
    order: VecDeque<u32>,
}

impl BlockCache {
    /// Whether no block is lost by adding another.
    pub(super) fn has_room(&self) -> bool {
        self.blocks.len() < MAX_BLOCKS
    }

    /// The block, if it is here.
    pub(super) fn get(&self, index: u32) -> Option<&Block> {
        self.blocks.get(&index).map(|block| &**block)
    }

    /// Adds a block, or replaces what the cache has of it.
    pub(super) fn put(&mut self, index: u32, block: Box<Block>) {
        if self.blocks.insert(index, block).is_none() {
            self.order.push_back(index);
        }
        if self.order.len() > MAX_BLOCKS
            && let Some(oldest) = self.order.pop_front()
        {
            self.blocks.remove(&oldest);
        }
    }

    /// Drops what the cache has of a block.
    pub(super) fn forget(&mut self, index: u32) {
        if self.blocks.remove(&index).is_some() {
            self.order.retain(|&held| held != index);
        }
    }
}
