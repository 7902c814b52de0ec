//! Segments that are kept from all logs for a while.
//!
//! Whoever holds a segment knows that nothing in it becomes valid: what is writable stays unwritten, and what is freed
//! there is not written again before it is let go. Freeing goes on.

use super::Segments;
use super::entry::SEGMENT_BLOCKS;
use f2fs_format::SegmentNo;
use std::ops::Range;

impl Segments {
    /// Ends [`Table::hold`](super::table::Table::hold).
    pub(crate) fn let_go(&self, segno: SegmentNo) {
        self.table.lock().let_go(segno);
    }

    /// Runs of blocks of a held segment that the last checkpoint does not know and nobody has written since.
    pub(crate) fn writable_runs(&self, segno: SegmentNo) -> Vec<Range<u16>> {
        let table = self.table.lock();
        let segment = table.get(segno);
        let mut runs = Vec::new();
        let mut at = 0;
        while let Some(start) = segment.next_writable(at) {
            at = start + segment.writable_run(start, SEGMENT_BLOCKS - start);
            runs.push(start..at);
            if at == SEGMENT_BLOCKS {
                break;
            }
        }
        runs
    }
}
