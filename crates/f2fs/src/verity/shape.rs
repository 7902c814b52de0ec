//! Where the blocks of a Merkle tree lie.
//!
//! Leaves, level 0, hold the hashes of the data's blocks; each level above holds those of the level below, up to one
//! block. The levels lie behind one another, the highest first. A file of one block has no tree: the root's hash is
//! the hash of the block.

/// Most levels (kernel: `FS_VERITY_MAX_LEVELS`).
const LEVELS_MAX: usize = 8;

/// The levels of one tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) log_block: u8,
    /// Logarithm of the hashes in a block.
    pub(super) log_arity: u8,
    /// The first block of each level, counted from the start of the tree.
    starts: Vec<u64>,
}

impl Shape {
    /// For a file of `size` bytes; None if the tree would have too many levels.
    pub(super) fn new(size: u64, log_block: u8, digest_len: usize) -> Option<Self> {
        let log_arity = log_block - digest_len.ilog2() as u8;
        let mut counts = Vec::new();
        let mut blocks = size.div_ceil(1 << log_block);
        while blocks > 1 {
            if counts.len() == LEVELS_MAX {
                return None;
            }
            blocks = blocks.div_ceil(1 << log_arity);
            counts.push(blocks);
        }
        let start = |level: usize| counts[level + 1..].iter().sum();
        Some(Self {
            log_block,
            log_arity,
            starts: (0..counts.len()).map(start).collect(),
        })
    }

    pub(super) fn levels(&self) -> usize {
        self.starts.len()
    }

    /// Bytes of a block.
    pub(super) fn block_len(&self) -> usize {
        1 << self.log_block
    }

    /// First byte of a hash block, counted from the start of the tree.
    pub(super) fn offset(&self, level: usize, index: u64) -> u64 {
        (self.starts[level] + index) << self.log_block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_grow_with_the_file() {
        let shape = |size, log_block, digest| Shape::new(size, log_block, digest).unwrap();
        for size in [0, 1, 4096] {
            assert_eq!(shape(size, 12, 32).levels(), 0, "{size}");
        }
        assert_eq!(shape(4097, 12, 32).starts, [0]);
        assert_eq!(shape(128 * 4096, 12, 32).starts, [0]);
        assert_eq!(shape(128 * 4096 + 1, 12, 32).starts, [1, 0]);
        // 10240 blocks, then 160, 3 and 1.
        assert_eq!(shape(40 << 20, 12, 64).starts, [4, 1, 0]);
        assert_eq!(shape(40 << 20, 12, 64).offset(0, 7), (4 + 7) << 12);
        assert_eq!(Shape::new(u64::MAX, 10, 64), None);
    }
}
