//! All segments of MAIN in memory, sorted by what they can be used for.
//!
//! # Invariants
//! Every change of a segment goes through [`Table::change`], which keeps the counts and sets below
//! in step. A section is free if all its segments are.

use super::bit_set::BitSet;
use super::discard::Lent;
use super::entry::{Class, Segment};
use super::victims::VictimIndex;
use crate::error::{Inconsistent, Result};
use f2fs_format::{BLOCKS_PER_SEGMENT, BlockAddr, CursegType, Geometry, SegmentNo};

/// The segments, under the lock of rank [`SIT`](crate::locks::SIT).
#[derive(Debug)]
pub(super) struct Table {
    pub(super) geometry: Geometry,
    segments: Vec<Segment>,
    classes: [u32; Class::COUNT],
    pub(super) free_segments: BitSet,
    used_in_section: Vec<u32>,
    pub(super) free_sections: BitSet,
    pub(super) free_section_count: u32,
    /// Segments with holes, of data and of nodes.
    pub(super) partial: [BitSet; 2],
    /// Writable blocks in the holes of those segments, of data and of nodes.
    pub(super) holes: [u64; 2],
    /// Where the next search for holes starts, for data and for nodes.
    pub(super) victim_from: [u32; 2],
    /// Sections by how full they are.
    pub(super) victims: VictimIndex,
    /// Blocks freed since the volume was opened.
    freed: u64,
    /// Sections that only nodes and checkpoints may open.
    pub(super) reserved_sections: u32,
    valid_blocks: u64,
    busy_blocks: u64,
    dirty: Vec<SegmentNo>,
    /// Segments that no log may open now; few.
    held: Vec<SegmentNo>,
    /// Segments of which checkpoints freed blocks that were not discarded since.
    pub(super) undiscarded: BitSet,
    /// Of what is held, what will be back in a moment.
    pub(super) lent: Lent,
    /// Segments in the SIT journal of the last checkpoint.
    pub(super) journal: Vec<SegmentNo>,
    /// Which copy of each SIT block is current.
    pub(super) bitmap: Vec<u8>,
}

impl Table {
    /// The table of `segments`, one for each of MAIN, of which none is open or changed.
    pub(super) fn new(geometry: Geometry, segments: Vec<Segment>, reserved_segments: u32) -> Self {
        assert_eq!(segments.len(), geometry.main_segments() as usize);
        let (count, sections) = (geometry.main_segments(), geometry.sections());
        let mut table = Self {
            geometry,
            segments: Vec::new(),
            classes: [0; Class::COUNT],
            free_segments: BitSet::new(count),
            used_in_section: vec![geometry.segs_per_sec(); sections as usize],
            free_sections: BitSet::new(sections),
            free_section_count: 0,
            partial: [BitSet::new(count), BitSet::new(count)],
            holes: [0; 2],
            victim_from: [0; 2],
            victims: VictimIndex::new(sections, geometry.segs_per_sec() * BLOCKS_PER_SEGMENT),
            freed: 0,
            reserved_sections: reserved_segments / geometry.segs_per_sec(),
            valid_blocks: 0,
            busy_blocks: 0,
            dirty: Vec::new(),
            held: Vec::new(),
            undiscarded: BitSet::new(count),
            lent: Lent::default(),
            journal: Vec::new(),
            bitmap: Vec::new(),
        };
        for (segno, segment) in (0..count).zip(&segments) {
            table.enter(segno, segment.class(), segment.kind);
            let section = segno / geometry.segs_per_sec();
            table.victims.change(section, segment.valid().into());
            table.holes[usize::from(segment.kind.is_node())] += segment.holes();
            table.valid_blocks += u64::from(segment.valid());
            table.busy_blocks += u64::from(segment.busy());
        }
        table.segments = segments;
        table
    }

    /// A segment.
    pub(super) fn get(&self, segno: SegmentNo) -> &Segment {
        &self.segments[segno.get() as usize]
    }

    /// All segments in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter()
    }

    /// How many segments are of a class.
    pub(super) fn count(&self, class: Class) -> u32 {
        self.classes[class as usize]
    }

    /// Valid blocks of all segments.
    pub(super) fn valid_blocks(&self) -> u64 {
        self.valid_blocks
    }

    /// Blocks that were freed since the last checkpoint and can be written after the next.
    pub(super) fn pending_blocks(&self) -> u64 {
        self.busy_blocks - self.valid_blocks
    }

    /// Blocks freed since the volume was opened.
    pub(super) fn freed(&self) -> u64 {
        self.freed
    }

    /// Blocks that could be written now, wherever they are.
    pub(super) fn writable_blocks(&self) -> u64 {
        self.geometry.main_blocks() - self.busy_blocks
    }

    /// Segments changed since the last checkpoint.
    pub(super) fn dirty(&self) -> &[SegmentNo] {
        &self.dirty
    }

    /// A log opens a segment.
    pub(super) fn open(&mut self, segno: SegmentNo, log: CursegType) {
        self.change(segno, |segment| {
            segment.is_open = true;
            segment.kind = log;
        });
    }

    /// A log that the checkpoint names is open in a segment.
    pub(super) fn reopen(&mut self, segno: SegmentNo) {
        self.update(segno, |segment| segment.is_open = true);
    }

    /// No log is open in a segment any more.
    pub(super) fn close(&mut self, segno: SegmentNo) {
        self.update(segno, |segment| segment.is_open = false);
    }

    /// Keeps all logs out of a segment; false if one is open in it, or it is kept already.
    pub(super) fn hold(&mut self, segno: SegmentNo) -> bool {
        let segment = self.get(segno);
        if segment.is_open || segment.is_held {
            return false;
        }
        self.update(segno, |segment| segment.is_held = true);
        self.held.push(segno);
        true
    }

    /// Ends [`Table::hold`].
    pub(super) fn let_go(&mut self, segno: SegmentNo) {
        self.held.retain(|held| *held != segno);
        self.update(segno, |segment| segment.is_held = false);
    }

    /// Segments without valid blocks that no log has open, as a checkpoint counts them.
    pub(super) fn empty_segments(&self) -> u32 {
        let is_empty = |segno: &&SegmentNo| self.get(**segno).valid() == 0;
        let held = self.held.iter().filter(is_empty).count() as u32;
        self.count(Class::Free) + self.count(Class::Prefree) + held
    }

    /// Makes `count` writable blocks of a segment valid, at the time `now`.
    pub(super) fn allocate(&mut self, segno: SegmentNo, from: u16, count: u16, now: u64) {
        self.change(segno, |segment| {
            let (old, new) = (u64::from(segment.valid()), u64::from(count));
            let weighted = (u128::from(segment.mtime) * u128::from(old)
                + u128::from(now) * u128::from(new))
                / u128::from(old + new).max(1);
            segment.mtime = weighted as u64;
            segment.allocate(from, count);
        });
    }

    /// Keeps an invalid block from being written before the next checkpoint.
    pub(super) fn keep(&mut self, segno: SegmentNo, offset: u16) {
        self.change(segno, |segment| segment.keep(offset));
    }

    /// Lets a segment without valid blocks be one of a log's.
    pub(super) fn set_kind(&mut self, segno: SegmentNo, log: CursegType) {
        self.change(segno, |segment| segment.kind = log);
    }

    /// Makes an invalid block valid.
    pub(super) fn claim(&mut self, segno: SegmentNo, offset: u16) {
        self.change(segno, |segment| segment.claim(offset));
    }

    /// Takes back an allocation.
    pub(super) fn undo(&mut self, segno: SegmentNo, from: u16, count: u16) {
        self.change(segno, |segment| segment.undo(from, count));
    }

    /// Makes a block of MAIN invalid.
    pub(super) fn invalidate(&mut self, addr: BlockAddr) -> Result<()> {
        let segno = self.geometry.segno_of(addr);
        let offset = self.geometry.offset_in_segment(addr);
        if !self.change(segno, |segment| segment.invalidate(offset)) {
            return Err(Inconsistent::BlockNotValid { addr }.into());
        }
        self.freed += 1;
        Ok(())
    }

    /// A checkpoint has been made.
    pub(super) fn settle(&mut self) {
        for segno in std::mem::take(&mut self.dirty) {
            let segment = self.get(segno);
            if segment.busy() > segment.valid() {
                self.undiscarded.insert(segno.get());
            }
            self.update(segno, Segment::settle);
        }
    }

    /// Changes a segment in a way that the next checkpoint has to record.
    fn change<R>(&mut self, segno: SegmentNo, f: impl FnOnce(&mut Segment) -> R) -> R {
        let segment = &mut self.segments[segno.get() as usize];
        if !std::mem::replace(&mut segment.is_dirty, true) {
            self.dirty.push(segno);
        }
        self.update(segno, f)
    }

    fn update<R>(&mut self, segno: SegmentNo, f: impl FnOnce(&mut Segment) -> R) -> R {
        let segment = &mut self.segments[segno.get() as usize];
        let (class, kind) = (segment.class(), segment.kind);
        let valid = i32::from(segment.valid().cast_signed());
        self.valid_blocks -= u64::from(segment.valid());
        self.busy_blocks -= u64::from(segment.busy());
        self.holes[usize::from(kind.is_node())] -= segment.holes();
        let result = f(segment);
        self.valid_blocks += u64::from(segment.valid());
        self.busy_blocks += u64::from(segment.busy());
        let (new_class, new_kind) = (segment.class(), segment.kind);
        let grown = i32::from(segment.valid().cast_signed()) - valid;
        if grown != 0 {
            let section = segno.get() / self.geometry.segs_per_sec();
            self.victims.change(section, grown);
        }
        self.holes[usize::from(new_kind.is_node())] += segment.holes();
        if (class, kind) != (new_class, new_kind) {
            self.leave(segno.get(), class, kind);
            self.enter(segno.get(), new_class, new_kind);
        }
        result
    }

    fn enter(&mut self, segno: u32, class: Class, kind: CursegType) {
        self.classes[class as usize] += 1;
        match class {
            Class::Free => {
                self.free_segments.insert(segno);
                let section = segno / self.geometry.segs_per_sec();
                let used = &mut self.used_in_section[section as usize];
                *used -= 1;
                if *used == 0 {
                    self.free_sections.insert(section);
                    self.free_section_count += 1;
                }
            }
            Class::Partial => self.partial[usize::from(kind.is_node())].insert(segno),
            Class::Prefree | Class::Full | Class::Open | Class::Held => {}
        }
    }

    fn leave(&mut self, segno: u32, class: Class, kind: CursegType) {
        self.classes[class as usize] -= 1;
        match class {
            Class::Free => {
                self.free_segments.remove(segno);
                let section = segno / self.geometry.segs_per_sec();
                let used = &mut self.used_in_section[section as usize];
                if *used == 0 {
                    self.free_sections.remove(section);
                    self.free_section_count -= 1;
                }
                *used += 1;
            }
            Class::Partial => self.partial[usize::from(kind.is_node())].remove(segno),
            Class::Prefree | Class::Full | Class::Open | Class::Held => {}
        }
    }
}
