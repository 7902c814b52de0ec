//! A set of small numbers, kept as bits.

/// A set of the numbers below a fixed bound.
#[derive(Debug)]
pub(super) struct BitSet {
    words: Vec<u64>,
    bound: u32,
}

const WORD: u32 = u64::BITS;

impl BitSet {
    /// The empty set of numbers below `bound`.
    pub(super) fn new(bound: u32) -> Self {
        Self {
            words: vec![0; bound.div_ceil(WORD) as usize],
            bound,
        }
    }

    /// Whether `n` is in the set.
    pub(super) fn contains(&self, n: u32) -> bool {
        self.words[(n / WORD) as usize] & (1 << (n % WORD)) != 0
    }

    /// Adds `n`.
    pub(super) fn insert(&mut self, n: u32) {
        self.words[(n / WORD) as usize] |= 1 << (n % WORD);
    }

    /// Takes `n` out.
    pub(super) fn remove(&mut self, n: u32) {
        self.words[(n / WORD) as usize] &= !(1 << (n % WORD));
    }

    /// The smallest member that is at least `from`.
    pub(super) fn next_from(&self, from: u32) -> Option<u32> {
        if from >= self.bound {
            return None;
        }
        let first = (from / WORD) as usize;
        let mut word = self.words[first] & (u64::MAX << (from % WORD));
        let mut at = first;
        while word == 0 {
            at += 1;
            word = *self.words.get(at)?;
        }
        Some(at as u32 * WORD + word.trailing_zeros())
    }

    /// The first member from `from` on, going round to the smallest ones.
    pub(super) fn next_round(&self, from: u32) -> Option<u32> {
        self.next_from(from).or_else(|| self.next_from(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_in_order() {
        let mut set = BitSet::new(200);
        for n in [3, 64, 130, 199] {
            set.insert(n);
        }
        assert_eq!(set.next_from(0), Some(3));
        assert_eq!(set.next_from(4), Some(64));
        assert_eq!(set.next_from(65), Some(130));
        set.remove(199);
        assert_eq!((set.next_from(131), set.next_from(1000)), (None, None));
        assert_eq!(set.next_round(131), Some(3));
        assert!(set.contains(64) && !set.contains(65));
        assert_eq!(BitSet::new(0).next_round(0), None);
    }
}
