//! Hash blocks of a Merkle tree, each checked against the one above, the highest against the descriptor.
//!
//! A few checked blocks of each level are kept, so that reading on costs one block and its hash for many blocks of
//! data, and the root is checked once. What is kept is the checked bytes themselves; nothing can change them.

use super::Verity;
use super::load;
use crate::error::Result;
use crate::fs::Fs;
use crate::inode::Inode;
use f2fs_format::BLOCK_SIZE;
use std::collections::VecDeque;
use std::sync::Arc;

/// A checked block of hashes.
pub(super) type HashBlock = Arc<[u8]>;

/// Blocks of one level that are kept.
const KEPT_MAX: usize = 16;
/// Blocks of leaves that are read at once.
const AHEAD_BLOCKS: usize = 8;

/// The hash blocks that are kept, and what was read ahead.
#[derive(Debug)]
pub(super) struct Kept {
    /// By level; the last used at the front.
    levels: Vec<VecDeque<(u64, HashBlock)>>,
    ahead: Ahead,
}

/// Bytes of leaves as they came from the device, not checked.
#[derive(Debug, Default)]
struct Ahead {
    /// First byte in the file.
    pos: u64,
    bytes: Vec<u8>,
}

impl Kept {
    pub(super) fn new(levels: usize) -> Self {
        Self {
            levels: vec![VecDeque::new(); levels],
            ahead: Ahead::default(),
        }
    }

    fn find(&mut self, level: usize, index: u64) -> Option<HashBlock> {
        let level = &mut self.levels[level];
        let at = level.iter().position(|&(i, _)| i == index)?;
        let found = level.remove(at)?;
        let block = Arc::clone(&found.1);
        level.push_front(found);
        Some(block)
    }

    fn keep(&mut self, level: usize, index: u64, block: HashBlock) {
        let level = &mut self.levels[level];
        level.truncate(KEPT_MAX - 1);
        level.push_front((index, block));
    }
}

impl Ahead {
    fn part(&self, pos: u64, len: usize) -> Option<HashBlock> {
        let start = usize::try_from(pos.checked_sub(self.pos)?).ok()?;
        let bytes = self.bytes.get(start..start.checked_add(len)?)?;
        Some(bytes.into())
    }
}

impl Verity {
    /// A block of hashes, from memory or read and checked.
    pub(super) fn hash_block(
        &self,
        fs: &Fs,
        inode: &Inode,
        level: usize,
        index: u64,
    ) -> Result<HashBlock> {
        if let Some(block) = self.kept.lock().find(level, index) {
            return Ok(block);
        }
        let pos = load::tree_pos(self.size) + self.shape.offset(level, index);
        let block = self.read_hash_block(fs, inode, level, pos)?;
        let is_right = if level + 1 == self.shape.levels() {
            self.hash.matches(&block, self.descriptor.root())
        } else {
            let above = self.hash_block(fs, inode, level + 1, index >> self.shape.log_arity)?;
            self.hash.matches(&block, self.hash_in(&above, index))
        };
        if !is_right {
            let reason = "a block of the Merkle tree has the wrong hash";
            return Err(self.error(pos / BLOCK_SIZE as u64, reason));
        }
        self.kept.lock().keep(level, index, Arc::clone(&block));
        Ok(block)
    }

    /// The hash that a block of hashes holds for block `index` of the level below.
    pub(super) fn hash_in<'a>(&self, block: &'a [u8], index: u64) -> &'a [u8] {
        let len = self.descriptor.hash.digest_len();
        let slot = (index & ((1 << self.shape.log_arity) - 1)) as usize;
        &block[slot * len..(slot + 1) * len]
    }

    fn read_hash_block(&self, fs: &Fs, inode: &Inode, level: usize, pos: u64) -> Result<HashBlock> {
        let len = self.shape.block_len();
        if level == 0
            && let Some(block) = self.kept.lock().ahead.part(pos, len)
        {
            return Ok(block);
        }
        let block = pos / BLOCK_SIZE as u64;
        let read = |max| load::read_run(fs, inode, block, max);
        let bytes = match level {
            // An error behind the wanted block is none of its business.
            0 => read(AHEAD_BLOCKS).or_else(|_| read(1))?,
            _ => read(1)?,
        };
        let offset = (pos % BLOCK_SIZE as u64) as usize;
        let part = HashBlock::from(&bytes[offset..offset + len]);
        if level == 0 {
            let pos = block * BLOCK_SIZE as u64;
            self.kept.lock().ahead = Ahead { pos, bytes };
        }
        Ok(part)
    }
}
