//! Which segment a log opens next.
//!
//! While sections are free, a log takes a whole one (LFS). When few are left, it fills the holes of
//! segments in use (SSR), so that whole sections stay for what cannot fill holes: nodes, and the
//! checkpoint itself.

use super::entry::SEGMENT_BLOCKS;
use super::table::Table;
use f2fs_format::checkpoint::AllocType;
use f2fs_format::{CursegType, SegmentNo};

/// Segments looked at in one search for holes.
const MAX_VICTIM_SEARCH: usize = 4096;

/// A segment of another log of the same kind must have that many more holes to be preferred.
const OTHER_LOG_PENALTY: u16 = 64;

/// Blocks in use at most in a segment of nodes that is filled up again before a free one is opened.
const SPARSE_BUSY_MAX: u16 = SEGMENT_BLOCKS / 2;

/// Holes in segments of nodes below which there is no need to.
const SPARSE_HOLES_MIN: u64 = 8 * SEGMENT_BLOCKS as u64;

/// Sections that data leaves free even if nothing else is left.
const DATA_FLOOR: u32 = 8;

/// Why a log needs a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Demand {
    /// For a block that can wait for a checkpoint to free segments.
    Block,
    /// For a block that the cleaner moves: what it takes, it gives back.
    Cleaning,
    /// So that the checkpoint can name a place where the log goes on.
    Checkpoint,
}

/// A segment to open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Choice {
    pub(super) segno: SegmentNo,
    pub(super) alloc: AllocType,
}

impl Table {
    /// Picks the segment that `log`, now open in `current`, opens next; `None` if there is no room
    /// for it.
    pub(super) fn choose(
        &mut self,
        log: CursegType,
        current: SegmentNo,
        demand: Demand,
    ) -> Option<Choice> {
        let (comfort, floor) = self.thresholds(log, demand);
        if log.is_node()
            && let Some(choice) = self.sparse(log)
        {
            return Some(choice);
        }
        if self.free_section_count > comfort
            && let Some(choice) = self.whole(current)
        {
            return Some(choice);
        }
        if let Some(segno) = self.victim(log) {
            return Some(Choice {
                segno,
                alloc: AllocType::Ssr,
            });
        }
        let may_open = self.free_section_count > floor;
        self.next_in_section(current)
            .or_else(|| may_open.then(|| self.whole(current)).flatten())
            .or_else(|| self.leftover(floor))
    }

    /// A segment of nodes that is mostly holes. Each checkpoint writes nodes, and those that stay as they are keep
    /// their segments from becoming free: without this, a volume that is synced often would consist of such segments
    /// in the end, and have no room for data.
    fn sparse(&mut self, log: CursegType) -> Option<Choice> {
        let enough = self.holes[1] > SPARSE_HOLES_MIN;
        let segno = enough.then(|| self.victim(log)).flatten()?;
        (self.get(segno).busy() <= SPARSE_BUSY_MAX).then_some(Choice {
            segno,
            alloc: AllocType::Ssr,
        })
    }

    /// How many free sections there must be to open one without need, and how many to open one at
    /// all.
    fn thresholds(&self, log: CursegType, demand: Demand) -> (u32, u32) {
        let reserved = self.reserved_sections;
        match (demand, log.is_node()) {
            // Entries of directories are written by the checkpoint, too.
            (Demand::Block, false) if log == CursegType::HotData => {
                (reserved, self.data_floor() / 2)
            }
            (Demand::Block, false) => (reserved, self.data_floor()),
            (Demand::Block, true) | (Demand::Checkpoint | Demand::Cleaning, _) => (reserved / 2, 0),
        }
    }

    fn data_floor(&self) -> u32 {
        (self.reserved_sections / 2).min(DATA_FLOOR)
    }

    /// Free segments that data leaves for nodes and checkpoints.
    pub(super) fn kept_segments(&self) -> u32 {
        self.data_floor() * self.geometry.segs_per_sec()
    }

    fn whole(&self, current: SegmentNo) -> Option<Choice> {
        self.next_in_section(current).or_else(|| {
            let section = self.geometry.section_of(current);
            let section = self.free_sections.next_round(section)?;
            Some(lfs(section * self.geometry.segs_per_sec()))
        })
    }

    /// A large section is filled in order.
    fn next_in_section(&self, current: SegmentNo) -> Option<Choice> {
        let segno = self.free_segments.next_from(current.get() + 1)?;
        let same =
            self.geometry.section_of(SegmentNo::new(segno)) == self.geometry.section_of(current);
        (same && self.geometry.segs_per_sec() > 1).then(|| lfs(segno))
    }

    /// A free segment in a section that is otherwise in use.
    fn leftover(&self, floor: u32) -> Option<Choice> {
        let per_section = self.geometry.segs_per_sec();
        let mut from = 0;
        loop {
            let segno = self.free_segments.next_from(from)?;
            let section = segno / per_section;
            if floor == 0 || !self.free_sections.contains(section) {
                return Some(lfs(segno));
            }
            from = (section + 1) * per_section;
        }
    }

    /// The segment with the most holes that blocks of `log` may fill.
    fn victim(&mut self, log: CursegType) -> Option<SegmentNo> {
        let class = usize::from(log.is_node());
        let candidates = &self.partial[class];
        let first = candidates.next_round(self.victim_from[class])?;
        let (mut best, mut best_cost) = (first, u16::MAX);
        let mut at = first;
        for _ in 0..MAX_VICTIM_SEARCH {
            let segment = self.get(SegmentNo::new(at));
            let penalty = if segment.kind == log {
                0
            } else {
                OTHER_LOG_PENALTY
            };
            let cost = segment.busy().min(SEGMENT_BLOCKS) + penalty;
            if cost < best_cost {
                (best, best_cost) = (at, cost);
            }
            match candidates.next_round(at + 1) {
                Some(next) if next != first => at = next,
                _ => break,
            }
        }
        self.victim_from[class] = at + 1;
        Some(SegmentNo::new(best))
    }

    /// Leaves a segment alone whose summary is not to be trusted.
    pub(super) fn distrust(&mut self, segno: SegmentNo) {
        for candidates in &mut self.partial {
            candidates.remove(segno.get());
        }
    }
}

fn lfs(segno: u32) -> Choice {
    Choice {
        segno: SegmentNo::new(segno),
        alloc: AllocType::Lfs,
    }
}
