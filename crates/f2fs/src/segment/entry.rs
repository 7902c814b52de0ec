//! One segment in memory: its valid blocks, and those that must not be written before the next
//! checkpoint.
//!
//! # Invariants
//! Every valid block is busy. A block is busy if it is valid now, was valid at the last checkpoint,
//! or was allocated since; the last case keeps the chain of nodes that an fsync wrote from being
//! overwritten. The maps are left out while they say nothing that the counts do not: all clear or
//! all set.

use f2fs_format::bitmap::msb;
use f2fs_format::sit::VALID_MAP_LEN;
use f2fs_format::{BLOCKS_PER_SEGMENT, CursegType, SitEntry};

/// Blocks of a segment, in the type of counts and offsets within it.
pub(super) const SEGMENT_BLOCKS: u16 = BLOCKS_PER_SEGMENT as u16;

#[derive(Clone, Debug)]
struct Maps {
    valid: [u8; VALID_MAP_LEN],
    busy: [u8; VALID_MAP_LEN],
}

/// What a segment can be used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    /// Empty, and was so at the last checkpoint: can be opened as a whole.
    Free,
    /// Empty, but not at the last checkpoint: free after the next one.
    Prefree,
    /// Has valid blocks and others that can be written.
    Partial,
    /// Has valid blocks and nothing that can be written.
    Full,
    /// A log is open in it.
    Open,
    /// Kept from all logs for a while: its blocks are being moved, or discarded.
    Held,
}

impl Class {
    pub(super) const COUNT: usize = 6;
}

/// A segment.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) kind: CursegType,
    pub(super) is_open: bool,
    /// No log may open it.
    pub(super) is_held: bool,
    /// Changed since the last checkpoint.
    pub(super) is_dirty: bool,
    valid: u16,
    busy: u16,
    pub(super) mtime: u64,
    maps: Option<Box<Maps>>,
}

impl Segment {
    /// The segment as a checkpoint has it.
    pub(super) fn new(entry: &SitEntry) -> Self {
        let mut segment = Self {
            kind: entry.kind,
            is_open: false,
            is_held: false,
            is_dirty: false,
            valid: entry.valid_blocks,
            busy: entry.valid_blocks,
            mtime: entry.mtime,
            maps: Some(Box::new(Maps {
                valid: entry.valid_map,
                busy: entry.valid_map,
            })),
        };
        segment.pack();
        segment
    }

    /// The segment's entry for the SIT.
    pub(super) fn entry(&self) -> SitEntry {
        let valid_map = match &self.maps {
            Some(maps) => maps.valid,
            None => [self.uniform(); VALID_MAP_LEN],
        };
        SitEntry {
            kind: self.kind,
            valid_blocks: self.valid,
            valid_map,
            mtime: self.mtime,
        }
    }

    pub(super) fn class(&self) -> Class {
        match (self.valid, self.busy) {
            _ if self.is_open => Class::Open,
            _ if self.is_held => Class::Held,
            (_, 0) => Class::Free,
            (0, _) => Class::Prefree,
            (_, SEGMENT_BLOCKS) => Class::Full,
            _ => Class::Partial,
        }
    }

    /// Valid blocks.
    pub(super) const fn valid(&self) -> u16 {
        self.valid
    }

    /// Busy blocks.
    pub(super) const fn busy(&self) -> u16 {
        self.busy
    }

    /// Blocks that a log could fill if it opened the segment for its holes.
    pub(super) fn holes(&self) -> u64 {
        let is_partial = self.class() == Class::Partial;
        if is_partial {
            u64::from(SEGMENT_BLOCKS - self.busy)
        } else {
            0
        }
    }

    pub(super) fn is_valid(&self, offset: u16) -> bool {
        match &self.maps {
            Some(maps) => msb::test(&maps.valid, offset.into()),
            None => self.valid != 0,
        }
    }

    /// Whether a block must not be written before the next checkpoint.
    pub(super) fn is_busy(&self, offset: u16) -> bool {
        match &self.maps {
            Some(maps) => msb::test(&maps.busy, offset.into()),
            None => self.busy != 0,
        }
    }

    /// The end of the last busy block; 0 if there is none.
    pub(super) fn busy_end(&self) -> u16 {
        (0..SEGMENT_BLOCKS)
            .rev()
            .find(|&offset| self.is_busy(offset))
            .map_or(0, |last| last + 1)
    }

    /// The first block from `from` on that can be written.
    pub(super) fn next_writable(&self, from: u16) -> Option<u16> {
        match &self.maps {
            _ if from >= SEGMENT_BLOCKS => None,
            Some(maps) => msb::find_zero_from(&maps.busy, from.into()).map(|at| at as u16),
            None => (self.busy == 0).then_some(from),
        }
    }

    /// How many blocks from `from` on can be written without a gap, at most `max`.
    pub(super) fn writable_run(&self, from: u16, max: u16) -> u16 {
        let end = from.saturating_add(max).min(SEGMENT_BLOCKS);
        let busy = match &self.maps {
            Some(maps) => msb::find_one_from(&maps.busy, from.into()).map_or(end, |at| at as u16),
            None if self.busy == 0 => end,
            None => from,
        };
        busy.min(end) - from
    }

    /// Makes `count` writable blocks valid.
    pub(super) fn allocate(&mut self, from: u16, count: u16) {
        let maps = self.maps_mut();
        for offset in from..from + count {
            let was_busy = msb::set(&mut maps.busy, offset.into());
            assert!(
                !was_busy,
                "block {offset} of a segment is allocated while in use"
            );
            msb::set(&mut maps.valid, offset.into());
        }
        self.valid += count;
        self.busy += count;
        self.pack();
    }

    /// Makes an invalid block busy.
    pub(super) fn keep(&mut self, offset: u16) {
        let was_busy = msb::set(&mut self.maps_mut().busy, offset.into());
        self.busy += u16::from(!was_busy);
    }

    /// Makes an invalid block valid, whether it is busy or not.
    pub(super) fn claim(&mut self, offset: u16) {
        let maps = self.maps_mut();
        let was_valid = msb::set(&mut maps.valid, offset.into());
        assert!(
            !was_valid,
            "block {offset} of a segment is claimed while valid"
        );
        let was_busy = msb::set(&mut maps.busy, offset.into());
        self.valid += 1;
        self.busy += u16::from(!was_busy);
        self.pack();
    }

    /// Makes a block invalid; false if it was not valid. It stays busy.
    pub(super) fn invalidate(&mut self, offset: u16) -> bool {
        let was_valid = msb::clear(&mut self.maps_mut().valid, offset.into());
        if was_valid {
            self.valid -= 1;
        }
        self.pack();
        was_valid
    }

    /// Takes back an allocation that was never used.
    pub(super) fn undo(&mut self, from: u16, count: u16) {
        let maps = self.maps_mut();
        for offset in from..from + count {
            let was_valid = msb::clear(&mut maps.valid, offset.into());
            assert!(was_valid, "block {offset} of a segment is taken back twice");
            msb::clear(&mut maps.busy, offset.into());
        }
        self.valid -= count;
        self.busy -= count;
        self.pack();
    }

    /// A checkpoint has been made: what is not valid can be written.
    pub(super) fn settle(&mut self) {
        self.is_dirty = false;
        self.busy = self.valid;
        if let Some(maps) = &mut self.maps {
            maps.busy = maps.valid;
        }
        self.pack();
    }

    const fn uniform(&self) -> u8 {
        if self.valid == 0 { 0 } else { 0xFF }
    }

    fn maps_mut(&mut self) -> &mut Maps {
        let byte = self.uniform();
        self.maps.get_or_insert_with(|| {
            Box::new(Maps {
                valid: [byte; VALID_MAP_LEN],
                busy: [byte; VALID_MAP_LEN],
            })
        })
    }

    fn pack(&mut self) {
        if self.busy == 0 || self.valid == SEGMENT_BLOCKS {
            self.maps = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Segment {
        Segment::new(&SitEntry::empty(CursegType::WarmData))
    }

    #[test]
    fn freed_blocks_stay_busy_until_a_checkpoint() {
        let mut segment = empty();
        assert_eq!(segment.class(), Class::Free);
        segment.allocate(10, 4);
        assert_eq!((segment.valid(), segment.class()), (4, Class::Partial));
        assert!(segment.invalidate(11) && !segment.invalidate(11) && !segment.invalidate(0));
        assert_eq!(
            (segment.next_writable(10), segment.writable_run(0, 512)),
            (Some(14), 10)
        );
        segment.settle();
        assert_eq!(
            (segment.next_writable(10), segment.writable_run(11, 9)),
            (Some(11), 1)
        );
        for offset in [10, 12, 13] {
            assert!(segment.invalidate(offset));
        }
        assert_eq!(segment.class(), Class::Prefree);
        segment.settle();
        assert_eq!(segment.class(), Class::Free);
        assert!(segment.maps.is_none());
    }

    #[test]
    fn kept_blocks_are_free_after_a_checkpoint() {
        let mut segment = empty();
        segment.keep(3);
        segment.keep(3);
        segment.claim(1);
        assert_eq!(
            (segment.valid(), segment.busy(), segment.busy_end()),
            (1, 2, 4)
        );
        assert!(segment.is_busy(3) && !segment.is_valid(3) && !segment.is_busy(2));
        assert_eq!(segment.next_writable(3), Some(4));
        segment.settle();
        assert_eq!((segment.next_writable(3), segment.busy_end()), (Some(3), 2));
    }

    #[test]
    fn full_segments_need_no_maps() {
        let mut segment = empty();
        segment.allocate(0, 512);
        assert_eq!(segment.class(), Class::Full);
        assert!(segment.maps.is_none() && segment.is_valid(511));
        assert_eq!(
            (segment.next_writable(0), segment.writable_run(0, 1)),
            (None, 0)
        );
        assert_eq!(segment.entry().valid_map, [0xFF; VALID_MAP_LEN]);
        assert!(segment.invalidate(7) && !segment.is_valid(7) && segment.is_valid(8));
        assert_eq!((segment.valid(), segment.busy()), (511, 512));
    }

    #[test]
    fn an_undone_allocation_leaves_no_trace() {
        let mut segment = empty();
        segment.allocate(5, 3);
        segment.undo(6, 2);
        assert_eq!((segment.valid(), segment.next_writable(5)), (1, Some(6)));
        segment.undo(5, 1);
        assert_eq!(segment.class(), Class::Free);
    }
}
