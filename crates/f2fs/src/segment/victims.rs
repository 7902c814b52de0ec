//! Sections by how full they are, so that the cleaner finds one without looking at all of them
//! (kernel: `dirty_seglist_info`, `get_victim_by_default`).
//!
//! # Invariants
//! A section is in the list of its utilisation if some of its blocks, not all, are valid. A change of a section costs
//! a few instructions, a choice looks at a bounded number of sections, however many there are.
//!
//! Lists are in the order in which sections came, so those at a list's head have not changed much for longest.

use super::bit_set::BitSet;

/// Lists: utilisation in steps of 1/64.
const LISTS: usize = 64;
/// Sections looked at in one list: for the fewest valid blocks, and for age.
const LOOK_FULLNESS: usize = 64;
const LOOK_AGE: usize = 16;
const NONE: u32 = u32::MAX;

/// How the cleaner chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VictimPolicy {
    /// The fewest valid blocks: most room for the least work, now.
    Greedy,
    /// Few valid blocks that have not changed for long: what changes soon frees itself.
    CostBenefit,
}

/// All sections, sorted by their valid blocks.
#[derive(Debug)]
pub(super) struct VictimIndex {
    section_blocks: u32,
    valid: Vec<u32>,
    /// The neighbours in a list.
    next: Vec<u32>,
    prev: Vec<u32>,
    heads: [u32; LISTS],
    tails: [u32; LISTS],
    /// Sections that cannot be cleaned.
    unfit: BitSet,
}

impl VictimIndex {
    /// Sections without valid blocks.
    pub(super) fn new(sections: u32, section_blocks: u32) -> Self {
        let count = sections as usize;
        Self {
            section_blocks,
            valid: vec![0; count],
            next: vec![NONE; count],
            prev: vec![NONE; count],
            heads: [NONE; LISTS],
            tails: [NONE; LISTS],
            unfit: BitSet::new(sections),
        }
    }

    /// Valid blocks of a section.
    pub(super) fn valid(&self, section: u32) -> u32 {
        self.valid[section as usize]
    }

    /// So many blocks of a section became valid, or invalid if negative.
    pub(super) fn change(&mut self, section: u32, by: i32) {
        let old = self.valid(section);
        let new = old
            .checked_add_signed(by)
            .expect("a section has no fewer than no valid blocks");
        self.valid[section as usize] = new;
        let (from, to) = (self.list_of(old), self.list_of(new));
        if from != to {
            if let Some(list) = from {
                self.unlink(list, section);
            }
            if let Some(list) = to {
                self.append(list, section);
            }
        }
    }

    /// Never offers a section again.
    pub(super) fn refuse(&mut self, section: u32) {
        self.unfit.insert(section);
    }

    /// The section to clean: one that is `eligible` and has at most `most` valid blocks. `mtime` is when it changed.
    pub(super) fn choose(
        &self,
        policy: VictimPolicy,
        most: u32,
        now: u64,
        eligible: impl Fn(u32) -> bool,
        mtime: impl Fn(u32) -> u64,
    ) -> Option<u32> {
        let fits = |section: &u32| {
            self.valid(*section) <= most && !self.unfit.contains(*section) && eligible(*section)
        };
        match policy {
            VictimPolicy::Greedy => (0..LISTS).find_map(|list| {
                let some = self.members(list).filter(fits).take(LOOK_FULLNESS);
                some.min_by_key(|section| self.valid(*section))
            }),
            VictimPolicy::CostBenefit => (0..LISTS)
                .flat_map(|list| self.members(list).filter(fits).take(LOOK_AGE))
                .max_by_key(|section| self.benefit(*section, now.saturating_sub(mtime(*section)))),
        }
    }

    /// Room gained, times age, against the work of reading and writing (Rosenblum and Ousterhout, 1992).
    fn benefit(&self, section: u32, age: u64) -> u128 {
        let (all, used) = (
            u128::from(self.section_blocks),
            u128::from(self.valid(section)),
        );
        (all - used) * 1024 * (u128::from(age) + 1) / (all + used)
    }

    fn list_of(&self, valid: u32) -> Option<usize> {
        let is_partial = valid != 0 && valid < self.section_blocks;
        let list = u64::from(valid) * LISTS as u64 / u64::from(self.section_blocks);
        is_partial.then_some(list as usize)
    }

    fn members(&self, list: usize) -> impl Iterator<Item = u32> {
        let known = |section: u32| (section != NONE).then_some(section);
        std::iter::successors(known(self.heads[list]), move |&at| {
            known(self.next[at as usize])
        })
    }

    fn append(&mut self, list: usize, section: u32) {
        let last = std::mem::replace(&mut self.tails[list], section);
        self.prev[section as usize] = last;
        self.next[section as usize] = NONE;
        if last == NONE {
            self.heads[list] = section;
        } else {
            self.next[last as usize] = section;
        }
    }

    fn unlink(&mut self, list: usize, section: u32) {
        let (prev, next) = (self.prev[section as usize], self.next[section as usize]);
        if prev == NONE {
            self.heads[list] = next;
        } else {
            self.next[prev as usize] = next;
        }
        if next == NONE {
            self.tails[list] = prev;
        } else {
            self.prev[next as usize] = prev;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(index: &VictimIndex) -> Vec<Vec<u32>> {
        (0..LISTS)
            .map(|list| index.members(list).collect())
            .collect()
    }

    #[test]
    fn sections_are_listed_by_their_fullness() {
        let mut index = VictimIndex::new(5, 512);
        for (section, valid) in [(0, 512), (1, 300), (2, 8), (3, 301)] {
            index.change(section, valid);
        }
        let lists = all(&index);
        assert_eq!((&lists[1][..], &lists[37][..]), (&[2][..], &[1, 3][..]));
        assert_eq!(lists.iter().map(Vec::len).sum::<usize>(), 3);
        index.change(1, -299);
        index.change(3, 211);
        index.change(0, -512);
        let lists = all(&index);
        assert_eq!((&lists[0][..], &lists[1][..]), (&[1][..], &[2][..]));
        assert_eq!(lists.iter().map(Vec::len).sum::<usize>(), 2);
    }

    #[test]
    fn greed_takes_the_emptiest_that_may_be_taken() {
        let mut index = VictimIndex::new(4, 512);
        for (section, valid) in [(0, 20), (1, 17), (2, 16), (3, 400)] {
            index.change(section, valid);
        }
        let choose = |index: &VictimIndex, most, not: u32| {
            index.choose(VictimPolicy::Greedy, most, 0, |s| s != not, |_| 0)
        };
        assert_eq!(choose(&index, 512, 9), Some(2));
        assert_eq!(choose(&index, 512, 2), Some(1));
        index.refuse(1);
        assert_eq!(choose(&index, 512, 2), Some(0));
        assert_eq!(choose(&index, 15, 9), None);
    }

    #[test]
    fn age_counts_against_fullness() {
        let mut index = VictimIndex::new(3, 512);
        for (section, valid) in [(0, 100), (1, 200), (2, 500)] {
            index.change(section, valid);
        }
        let choose = |times: [u64; 3]| {
            let mtime = move |section: u32| times[section as usize];
            index.choose(VictimPolicy::CostBenefit, 511, 1000, |_| true, mtime)
        };
        assert_eq!(choose([500, 500, 500]), Some(0));
        assert_eq!(choose([990, 500, 990]), Some(1));
        assert_eq!(choose([1000, 1000, 0]), Some(2));
    }
}
