//! A set of up to 512 block numbers: one bit for each 4 KiB block of the largest folio.

use std::ops::Range;

const WORDS: usize = 8;

/// Blocks of one folio. All ranges are within `0..512`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockSet {
    words: [u64; WORDS],
}

/// The bits of `range` that lie in word `w`.
fn mask(range: &Range<usize>, w: usize) -> u64 {
    let (low, high) = (w * 64, w * 64 + 64);
    let (start, end) = (range.start.max(low), range.end.min(high));
    if start >= end {
        return 0;
    }
    (u64::MAX >> (64 - (end - start))) << (start - low)
}

fn words_of(range: &Range<usize>) -> Range<usize> {
    debug_assert!(range.end <= WORDS * 64);
    range.start / 64..range.end.div_ceil(64)
}

impl BlockSet {
    /// Adds a range; returns how many blocks are new.
    pub fn insert(&mut self, range: Range<usize>) -> usize {
        let mut added = 0;
        for w in words_of(&range) {
            let bits = mask(&range, w) & !self.words[w];
            added += bits.count_ones() as usize;
            self.words[w] |= bits;
        }
        added
    }

    /// Removes a range; returns how many blocks were in the set.
    pub fn remove(&mut self, range: Range<usize>) -> usize {
        let mut removed = 0;
        for w in words_of(&range) {
            let bits = mask(&range, w) & self.words[w];
            removed += bits.count_ones() as usize;
            self.words[w] &= !bits;
        }
        removed
    }

    /// Whether all of a range is in the set.
    pub fn contains(&self, range: Range<usize>) -> bool {
        words_of(&range).all(|w| mask(&range, w) & !self.words[w] == 0)
    }

    /// Whether any of a range is in the set.
    pub fn intersects(&self, range: Range<usize>) -> bool {
        words_of(&range).any(|w| mask(&range, w) & self.words[w] != 0)
    }

    /// Number of blocks.
    pub fn len(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&w| w == 0)
    }

    /// The runs of consecutive blocks that are in the set, within `range`.
    pub fn runs(&self, range: Range<usize>) -> Runs {
        Runs {
            set: *self,
            at: range.start,
            end: range.end,
        }
    }

    /// The runs of consecutive blocks that are not in the set, within `range`.
    pub fn gaps(&self, range: Range<usize>) -> Runs {
        let words = self.words.map(|w| !w);
        Runs {
            set: Self { words },
            at: range.start,
            end: range.end,
        }
    }

    /// First block of the set at or after `from`, below `end`.
    fn next(&self, from: usize, end: usize) -> Option<usize> {
        let range = from..end;
        words_of(&range).find_map(|w| {
            let bits = mask(&range, w) & self.words[w];
            (bits != 0).then(|| w * 64 + bits.trailing_zeros() as usize)
        })
    }
}

/// Iterator over runs of blocks, ascending.
#[derive(Clone, Debug)]
pub struct Runs {
    set: BlockSet,
    at: usize,
    end: usize,
}

impl Iterator for Runs {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        if self.at >= self.end {
            return None;
        }
        let start = self.set.next(self.at, self.end)?;
        let inverse = BlockSet {
            words: self.set.words.map(|w| !w),
        };
        let end = inverse.next(start, self.end).unwrap_or(self.end);
        self.at = end;
        Some(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn range() -> impl Strategy<Value = Range<usize>> {
        (0..=512usize, 0..=512usize).prop_map(|(a, b)| a.min(b)..a.max(b))
    }

    proptest! {
        #[test]
        fn behaves_like_a_set(ops in prop::collection::vec((any::<bool>(), range()), 1..20), probe in range()) {
            let (mut set, mut model) = (BlockSet::default(), BTreeSet::new());
            for (insert, range) in ops {
                let before = model.len();
                if insert {
                    model.extend(range.clone());
                    prop_assert_eq!(set.insert(range), model.len() - before);
                } else {
                    model.retain(|b| !range.contains(b));
                    prop_assert_eq!(set.remove(range), before - model.len());
                }
            }
            prop_assert_eq!(set.len(), model.len());
            prop_assert_eq!(set.contains(probe.clone()), probe.clone().all(|b| model.contains(&b)));
            prop_assert_eq!(set.intersects(probe.clone()), probe.clone().any(|b| model.contains(&b)));
            let runs: Vec<usize> = set.runs(probe.clone()).flatten().collect();
            let gaps: Vec<usize> = set.gaps(probe.clone()).flatten().collect();
            prop_assert_eq!(runs, probe.clone().filter(|b| model.contains(b)).collect::<Vec<_>>());
            prop_assert_eq!(gaps, probe.filter(|b| !model.contains(b)).collect::<Vec<_>>());
        }
    }
}
