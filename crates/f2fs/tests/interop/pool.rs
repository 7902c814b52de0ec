//! Bytes that files are written from: some that compress, some that do not, some that vanish.

use std::sync::LazyLock;

/// Bytes of the pool.
pub(crate) const LEN: usize = 8 << 20;
/// Bytes that compress to about a third.
pub(crate) const TEXT: std::ops::Range<usize> = 0..3 << 20;
/// Bytes that do not compress.
pub(crate) const NOISE: std::ops::Range<usize> = 3 << 20..6 << 20;
/// Bytes that compress to almost nothing, with a different word now and then.
pub(crate) const DULL: std::ops::Range<usize> = 6 << 20..LEN;

/// The pool itself.
pub(crate) static POOL: LazyLock<Vec<u8>> = LazyLock::new(fill);

fn fill() -> Vec<u8> {
    let mut rng = Rng::new(20);
    let mut pool = Vec::with_capacity(LEN);
    while pool.len() < TEXT.end {
        let word = rng.next().to_le_bytes();
        pool.extend_from_slice(&word[..4]);
        pool.extend_from_slice(b"some words. ");
    }
    while pool.len() < NOISE.end {
        pool.extend_from_slice(&rng.next().to_le_bytes());
    }
    pool.resize(LEN, 0);
    for at in DULL.step_by(5000) {
        pool[at] = rng.next() as u8;
    }
    pool
}

/// A small generator of repeatable numbers (xorshift*).
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end.max(1)
    }

    /// A place in the pool with `len` bytes of one kind behind it.
    pub(crate) fn source(&mut self, len: usize) -> usize {
        let area = match self.below(10) {
            0..6 => TEXT,
            6..8 => NOISE,
            _ => DULL,
        };
        area.start + self.below((area.len() - len) as u64) as usize
    }
}
