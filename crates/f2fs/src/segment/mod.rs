//! Segments: which blocks of MAIN are in use, and the six logs that take new ones.
//!
//! Above are the node and data paths, which take blocks with [`Segments::allocate`] and
//! [`Segments::allocate_node`] and free them with [`Segments::invalidate`]; the checkpoint writes
//! what changed.
//!
//! | module | what |
//! |---|---|
//! | [`entry`] | one segment: valid and busy blocks |
//! | [`table`] | all segments, sorted by use |
//! | [`choose`] | which segment a log opens next |
//! | [`curseg`] | an open log |
//! | [`alloc`] | taking blocks |
//! | [`hold`] | segments that no log may open for a while |
//! | [`discard`] | telling the device about free blocks |
//! | [`load`], [`sit_flush`] | reading and writing the SIT |
//! | [`victims`], [`clean`] | sections by how full they are; what the cleaner asks |
//! | [`survey`] | what all segments hold; where the next blocks would go |
//! | [`recover`] | blocks found behind the last checkpoint |
//!
//! # Invariants
//! A block that the last checkpoint knows, or that was written since, is never written again before
//! the next checkpoint: see [`entry`].
//!
//! # Locking
//! Each log has a lock of rank [`CURSEG`](crate::locks::CURSEG), the table one of rank
//! [`SIT`](crate::locks::SIT). A log's lock is held while summary blocks are read and written, the
//! table's never during I/O.

mod alloc;
mod bit_set;
mod choose;
mod clean;
mod curseg;
pub(crate) mod discard;
mod entry;
mod hold;
mod load;
mod recover;
mod sit_flush;
mod survey;
mod table;
#[cfg(test)]
mod tests;
mod victims;

use crate::device::Device;
use crate::error::{Inconsistent, Result};
use crate::meta::elapsed::Elapsed;
use curseg::Curseg;
use entry::Class;
use f2fs_format::checkpoint::CursegPos;
use f2fs_format::summary::SummaryBlock;
#[cfg(test)]
use f2fs_format::summary::SummaryEntry;
use f2fs_format::{BLOCKS_PER_SEGMENT, BlockAddr, CursegType, Geometry};
use runtime::sync::Mutex;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use table::Table;

pub(crate) use clean::Victim;
pub(crate) use curseg::summary_kind;
pub(crate) use load::LoadedLogs;
pub(crate) use recover::Claims;
pub(crate) use sit_flush::SitFlush;
pub(crate) use survey::{SegmentState, SegmentUse};
pub(crate) use victims::VictimPolicy;

/// Contiguous blocks that were taken for one owner after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockRun {
    /// The first block.
    pub start: BlockAddr,
    /// How many.
    pub count: u32,
}

/// What the segments are used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentCounts {
    /// Segments of MAIN.
    pub total: u32,
    /// Segments that a log can open.
    pub free: u32,
    /// Segments that become free with the next checkpoint.
    pub prefree: u32,
    /// Segments with valid blocks and holes, without the open ones.
    pub dirty: u32,
    /// Sections of MAIN.
    pub sections: u32,
    /// Sections whose segments are all free.
    pub free_sections: u32,
    /// Blocks with content.
    pub valid_blocks: u64,
    /// Blocks that can be written again only after the next checkpoint.
    pub pending_blocks: u64,
    /// Where the logs stand, by their number; offset 512 means that the segment is full.
    pub logs: [CursegPos; 6],
}

/// The segments of a volume.
#[derive(Debug)]
pub(crate) struct Segments {
    device: Arc<Device>,
    geometry: Geometry,
    elapsed: Arc<Elapsed>,
    logs: [Mutex<Curseg>; 6],
    table: Mutex<Table>,
    /// Held while segments are held for discarding.
    discards: Mutex<()>,
    /// Logs that wait for those segments.
    waiting: AtomicU32,
}

/// What could be written before the next checkpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) data: u64,
    pub(crate) nodes: u64,
}

impl Segments {
    /// Frees a block. It is not written again before the next checkpoint.
    ///
    /// # Errors
    /// `Corrupt` if the address is not in MAIN, `Inconsistent` if the block was not valid; nothing
    /// changes then.
    pub(crate) fn invalidate(&self, addr: BlockAddr) -> Result<()> {
        let addr = self.geometry.main_addr(addr.get())?;
        self.table.lock().invalidate(addr)
    }

    /// Checks that `count` blocks from `start` on, all in MAIN, have content.
    ///
    /// # Errors
    /// `Inconsistent` for the first that has none: somebody may overwrite it any time.
    pub(crate) fn check_valid(&self, start: BlockAddr, count: u32) -> Result<()> {
        let table = self.table.lock();
        let run = start.get()..start.get() + count;
        for addr in run.map(BlockAddr::new) {
            let segno = self.geometry.segno_of(addr);
            if !table
                .get(segno)
                .is_valid(self.geometry.offset_in_segment(addr))
            {
                return Err(Inconsistent::BlockFree { addr }.into());
            }
        }
        Ok(())
    }

    /// Which node points at a valid block.
    #[cfg(test)]
    pub(crate) fn owner_of(&self, addr: BlockAddr) -> Result<SummaryEntry> {
        self.owner(&Claims::default(), addr)
    }

    /// Whether so few sections are free that a checkpoint should free some before more is written.
    /// At most `dirty_blocks` blocks are waiting to be written already.
    pub(crate) fn wants_checkpoint(&self, dirty_blocks: u64) -> bool {
        let table = self.table.lock();
        let per_section = u64::from(BLOCKS_PER_SEGMENT * self.geometry.segs_per_sec());
        let needed = dirty_blocks.div_ceil(per_section) + u64::from(table.reserved_sections);
        if u64::from(table.free_section_count) > needed {
            return false;
        }
        // A checkpoint helps by what was freed since the last one: whole segments, or so many holes
        // that they count against those there are.
        let pending = table.pending_blocks();
        let writable = table.writable_blocks();
        table.count(Class::Prefree) > 0
            || pending > u64::from(BLOCKS_PER_SEGMENT).max(writable / 8)
            || (pending > 0 && dirty_blocks > writable / 2)
    }

    /// Whether `data` blocks and `nodes` nodes can be taken now, and a checkpoint be made
    /// afterwards. Holes in segments of one kind are no room for the other, so this may be false
    /// long before the volume is full.
    pub(crate) fn has_room(&self, data: u64, nodes: u64) -> bool {
        let table = self.table.lock();
        let in_segments = |blocks: u64, holes: u64| {
            blocks
                .saturating_sub(holes)
                .div_ceil(u64::from(BLOCKS_PER_SEGMENT))
        };
        let needed = in_segments(data, table.hole_blocks(false))
            + in_segments(nodes, table.hole_blocks(true));
        // Every log may have to leave a segment that is not full, and data leaves some sections
        // alone.
        let kept = u64::from(table.kept_segments()).max(self.logs.len() as u64);
        needed == 0 || u64::from(table.free_count()) >= needed + kept
    }

    /// Blocks of data, and nodes, that could be written now, if only the one or the other were. Each log may have to
    /// leave a segment that is not full.
    pub(crate) fn room(&self) -> Room {
        let table = self.table.lock();
        let free = u64::from(table.free_count()).saturating_sub(self.logs.len() as u64);
        let in_free = free * u64::from(BLOCKS_PER_SEGMENT);
        Room {
            data: table.hole_blocks(false) + in_free,
            nodes: table.hole_blocks(true) + in_free,
        }
    }

    /// What the segments are used for now.
    pub(crate) fn counts(&self) -> SegmentCounts {
        let logs = CursegType::ALL.map(|log| self.logs[log.index()].lock().position());
        let table = self.table.lock();
        SegmentCounts {
            total: self.geometry.main_segments(),
            free: table.free_count(),
            prefree: table.count(Class::Prefree),
            dirty: table.count(Class::Partial),
            sections: self.geometry.sections(),
            free_sections: table.free_section_count,
            valid_blocks: table.valid_blocks(),
            pending_blocks: table.pending_blocks(),
            logs,
        }
    }

    /// Segments without valid blocks that no log has open, as a checkpoint counts them.
    pub(crate) fn free_segment_count(&self) -> u32 {
        self.table.lock().empty_segments()
    }

    /// Where a log stands, and the summary of its segment.
    pub(crate) fn log_state(&self, log: CursegType) -> (CursegPos, SummaryBlock) {
        let curseg = self.logs[log.index()].lock();
        (curseg.position(), curseg.summary.clone())
    }
}
