//! The open log of one temperature: where it writes next, and the summary of the segment it is in.

use super::entry::SEGMENT_BLOCKS;
use f2fs_format::checkpoint::{AllocType, CursegPos};
use f2fs_format::summary::{SummaryBlock, SummaryKind};
use f2fs_format::{CursegType, SegmentNo};

/// An open log, under a lock of rank [`CURSEG`](crate::locks::CURSEG).
#[derive(Debug)]
pub(super) struct Curseg {
    pub(super) log: CursegType,
    pub(super) segno: SegmentNo,
    /// The next block to take; 512 if the segment is full.
    pub(super) next: u16,
    pub(super) alloc: AllocType,
    /// Owners of the blocks. Its journal area stays with the log when the segment changes.
    pub(super) summary: SummaryBlock,
}

impl Curseg {
    /// A log as a checkpoint has it.
    pub(super) fn new(log: CursegType, pos: CursegPos, summary: SummaryBlock) -> Self {
        Self {
            log,
            segno: pos.segno,
            next: pos.blkoff,
            alloc: pos.alloc,
            summary,
        }
    }

    /// Whether the log needs another segment for its next block.
    pub(super) const fn is_full(&self) -> bool {
        self.next >= SEGMENT_BLOCKS
    }

    /// Where the log stands; the offset is 512 if the segment is full.
    pub(super) const fn position(&self) -> CursegPos {
        CursegPos {
            segno: self.segno,
            blkoff: self.next,
            alloc: self.alloc,
        }
    }
}

/// What the segments of a log hold.
pub(crate) const fn summary_kind(log: CursegType) -> SummaryKind {
    if log.is_node() {
        SummaryKind::Node
    } else {
        SummaryKind::Data
    }
}
