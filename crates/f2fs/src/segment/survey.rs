//! What the segments hold, and where the next blocks of a log would go. Nothing here changes anything.

use super::Segments;
use super::entry::{Class, SEGMENT_BLOCKS, Segment};
use super::table::Table;
use f2fs_format::checkpoint::CursegPos;
use f2fs_format::{BLOCKS_PER_SEGMENT, CursegType, SegmentNo};

/// What a segment can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SegmentState {
    /// A log can open it.
    Free,
    /// Free after the next checkpoint.
    Prefree,
    /// Holds valid blocks, or a log is open in it.
    Used,
}

/// One segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentUse {
    pub(crate) segno: SegmentNo,
    pub(crate) kind: CursegType,
    pub(crate) state: SegmentState,
    pub(crate) valid: u16,
    /// Blocks that were written and hold nothing any more.
    pub(crate) dead: u16,
}

impl Segments {
    /// Calls `visit` for all segments in order.
    pub(crate) fn survey(&self, mut visit: impl FnMut(SegmentUse)) {
        let logs = self.counts().logs;
        let table = self.table.lock();
        for (segno, segment) in (0..).map(SegmentNo::new).zip(table.iter()) {
            let (state, dead) = match segment.class() {
                Class::Free => (SegmentState::Free, 0),
                // One that is being cleaned or discarded is about to be.
                Class::Held if segment.valid() == 0 => (SegmentState::Prefree, 0),
                Class::Prefree => (SegmentState::Prefree, 0),
                Class::Partial | Class::Full | Class::Held => {
                    (SegmentState::Used, SEGMENT_BLOCKS - segment.valid())
                }
                Class::Open => (SegmentState::Used, dead_in_open(segno, segment, &logs)),
            };
            visit(SegmentUse {
                segno,
                kind: segment.kind,
                state,
                valid: segment.valid(),
                dead,
            });
        }
    }

    /// The log whose blocks a segment holds, or held last.
    pub(crate) fn kind_of(&self, segno: SegmentNo) -> CursegType {
        self.table.lock().get(segno).kind
    }

    /// In how many runs `blocks` blocks of a log of data would lie if they were written now; None if the log would
    /// have to fill holes between others' blocks, where nothing lies together.
    pub(crate) fn outlook(&self, log: CursegType, blocks: u64) -> Option<u64> {
        let curseg = self.logs[log.index()].lock();
        let table = self.table.lock();
        let mut outlook = Outlook {
            left: blocks,
            runs: 0,
            end: None,
        };
        let start = |segno: SegmentNo| u64::from(segno.get()) * u64::from(BLOCKS_PER_SEGMENT);
        let mut next = Some(curseg.next).filter(|&next| next < SEGMENT_BLOCKS);
        while let Some(at) = next.filter(|_| outlook.left > 0) {
            let open = table.get(curseg.segno);
            let count = open.writable_run(at, SEGMENT_BLOCKS);
            outlook.take(start(curseg.segno) + u64::from(at), count);
            next = open.next_writable(at + count);
        }
        table.fill_free(curseg.segno, &mut outlook);
        (outlook.left == 0).then_some(outlook.runs)
    }
}

/// Blocks that a log wrote, or passed over, and that hold nothing any more.
fn dead_in_open(segno: SegmentNo, segment: &Segment, logs: &[CursegPos; 6]) -> u16 {
    let log = logs.iter().find(|log| log.segno == segno);
    let written = log.map_or(SEGMENT_BLOCKS, |log| log.blkoff.min(SEGMENT_BLOCKS));
    (0..written)
        .filter(|&offset| !segment.is_valid(offset))
        .count() as u16
}

/// Blocks on their way into runs.
struct Outlook {
    left: u64,
    runs: u64,
    end: Option<u64>,
}

impl Outlook {
    fn take(&mut self, start: u64, count: u16) {
        let count = u64::from(count).min(self.left);
        if count > 0 {
            self.runs += u64::from(self.end != Some(start));
            self.end = Some(start + count);
            self.left -= count;
        }
    }
}

impl Table {
    /// The segments that a log of data opens after `current` while enough sections are free, in its order.
    fn fill_free(&self, current: SegmentNo, outlook: &mut Outlook) {
        let per_section = self.geometry.segs_per_sec();
        let take = |segno: u32, outlook: &mut Outlook| {
            let start = u64::from(segno) * u64::from(BLOCKS_PER_SEGMENT);
            outlook.take(start, SEGMENT_BLOCKS);
        };
        let section = self.geometry.section_of(current);
        for segno in current.get() + 1..(section + 1) * per_section {
            if self.free_segments.contains(segno) {
                take(segno, outlook);
            }
        }
        let mut from = section;
        let openable = self
            .free_section_count
            .saturating_sub(self.reserved_sections);
        for _ in 0..openable {
            if outlook.left == 0 {
                return;
            }
            let Some(section) = self.free_sections.next_round(from) else {
                return;
            };
            for segno in section * per_section..(section + 1) * per_section {
                take(segno, outlook);
            }
            from = section + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::tests::{fresh, open};
    use f2fs_format::SummaryEntry;

    fn owners(count: usize) -> Vec<SummaryEntry> {
        let owner = SummaryEntry {
            nid: 9,
            version: 0,
            ofs_in_node: 0,
        };
        vec![owner; count]
    }

    #[test]
    fn an_outlook_is_what_comes_then() {
        let meta = open(&fresh(&[]));
        let segments = &meta.segments;
        let (mut checked, mut most) = (0, 0);
        for (n, count) in [1, 300, 211, 1, 700, 1500, 512, 4000, 4000, 4000]
            .into_iter()
            .enumerate()
        {
            let log = [CursegType::WarmData, CursegType::ColdData][n % 2];
            let Some(runs) = segments.outlook(log, count as u64) else {
                break;
            };
            let taken = segments.allocate(log, &owners(count)).unwrap();
            assert_eq!(taken.len() as u64, runs, "{count} blocks");
            checked += 1;
            most = most.max(runs);
        }
        assert!(checked > 5 && most > 1, "{checked} {most}");
        // More than free sections hold, data would fill holes.
        assert_eq!(segments.outlook(CursegType::WarmData, 1 << 20), None);
        assert_eq!(segments.outlook(CursegType::WarmData, 0), Some(0));
    }

    #[test]
    fn a_survey_agrees_with_the_counters() {
        let meta = open(&fresh(&[]));
        let segments = &meta.segments;
        let runs = segments
            .allocate(CursegType::WarmData, &owners(1300))
            .unwrap();
        for n in 0..100 {
            let block = runs[0].start.checked_add(2 * n).unwrap();
            segments.invalidate(block).unwrap();
        }
        let counts = segments.counts();
        let (mut valid, mut dead, mut free, mut prefree) = (0, 0, 0, 0);
        let mut next = 0;
        segments.survey(|segment| {
            assert_eq!(segment.segno.get(), next);
            next += 1;
            valid += u64::from(segment.valid);
            dead += u64::from(segment.dead);
            free += u32::from(segment.state == SegmentState::Free);
            prefree += u32::from(segment.state == SegmentState::Prefree);
        });
        assert_eq!(next, counts.total);
        assert_eq!((valid, dead), (counts.valid_blocks, 100));
        assert_eq!((free, prefree), (counts.free, counts.prefree));
    }
}
