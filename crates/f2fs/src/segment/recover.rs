//! Blocks that roll-forward finds behind the last checkpoint (kernel: `f2fs_replace_block`).
//!
//! # On disk
//! The logs were at these blocks when the crash came, so a log must not take them again, and the summaries of their
//! segments are behind: those of open segments in memory, those of closed ones in the SSA.

use super::Segments;
use super::curseg::{Curseg, summary_kind};
use super::entry::SEGMENT_BLOCKS;
use crate::error::{Inconsistent, Result};
use crate::meta::batch::MetaBatch;
use f2fs_format::checkpoint::AllocType;
use f2fs_format::summary::{SummaryBlock, SummaryEntry};
use f2fs_format::{BlockAddr, CursegType, SegmentNo};
use std::collections::BTreeMap;

/// Summaries of segments without a log that got blocks.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    summaries: BTreeMap<SegmentNo, SummaryBlock>,
}

impl Segments {
    /// Keeps a block from being written before the next checkpoint, though nothing names it.
    ///
    /// # Errors
    /// `Inconsistent` if it is valid: then something else was there before.
    pub(crate) fn keep(&self, addr: BlockAddr) -> Result<()> {
        let addr = self.geometry.main_addr(addr.get())?;
        let (segno, offset) = (
            self.geometry.segno_of(addr),
            self.geometry.offset_in_segment(addr),
        );
        let mut table = self.table.lock();
        if table.get(segno).is_valid(offset) {
            return Err(Inconsistent::ChainBlockInUse { addr }.into());
        }
        table.keep(segno, offset);
        Ok(())
    }

    /// Whether a block has content that something points at.
    pub(crate) fn is_valid(&self, addr: BlockAddr) -> bool {
        let Ok(addr) = self.geometry.main_addr(addr.get()) else {
            return false;
        };
        let (segno, offset) = (
            self.geometry.segno_of(addr),
            self.geometry.offset_in_segment(addr),
        );
        self.table.lock().get(segno).is_valid(offset)
    }

    /// Makes a block of data valid that is not.
    ///
    /// # Errors
    /// `Inconsistent` if it is in use, or lies among nodes.
    pub(crate) fn claim(
        &self,
        claims: &mut Claims,
        addr: BlockAddr,
        log: CursegType,
        owner: SummaryEntry,
    ) -> Result<()> {
        let addr = self.geometry.main_addr(addr.get())?;
        let (segno, offset) = (
            self.geometry.segno_of(addr),
            self.geometry.offset_in_segment(addr),
        );
        let mut table = self.table.lock();
        let segment = table.get(segno);
        let is_fresh = segment.valid() == 0 && !segment.is_open;
        let is_of_data = is_fresh || !segment.kind.is_node();
        if segment.is_valid(offset) || !is_of_data {
            return Err(Inconsistent::ChainBlockInUse { addr }.into());
        }
        if is_fresh {
            table.set_kind(segno, log);
        }
        table.claim(segno, offset);
        drop(table);
        self.note_owner(claims, segno, offset, owner, is_fresh)
    }

    fn note_owner(
        &self,
        claims: &mut Claims,
        segno: SegmentNo,
        offset: u16,
        owner: SummaryEntry,
        is_fresh: bool,
    ) -> Result<()> {
        for log in &self.logs {
            let mut curseg = log.lock();
            if curseg.segno == segno {
                curseg.summary.entries[usize::from(offset)] = owner;
                return Ok(());
            }
        }
        let summary = match claims.summaries.remove(&segno) {
            Some(summary) => summary,
            None if is_fresh => SummaryBlock::new(summary_kind(CursegType::WarmData)),
            None => self.read_ssa(segno)?,
        };
        claims.summaries.entry(segno).or_insert(summary).entries[usize::from(offset)] = owner;
        Ok(())
    }

    pub(super) fn read_ssa(&self, segno: SegmentNo) -> Result<SummaryBlock> {
        let block = self.device.read_block(self.geometry.ssa_block(segno))?;
        Ok(SummaryBlock::parse(&block[..])?)
    }

    /// Which node points at a valid block, or is the block. For other blocks the answer means nothing.
    ///
    /// # Errors
    /// `Corrupt` if the address is not in MAIN or the summary block has no valid kind; the device's.
    pub(crate) fn owner(&self, claims: &Claims, addr: BlockAddr) -> Result<SummaryEntry> {
        let addr = self.geometry.main_addr(addr.get())?;
        let (segno, offset) = (
            self.geometry.segno_of(addr),
            self.geometry.offset_in_segment(addr),
        );
        for log in &self.logs {
            let curseg = log.lock();
            if curseg.segno == segno {
                return Ok(curseg.summary.entries[usize::from(offset)]);
            }
        }
        if let Some(summary) = claims.summaries.get(&segno) {
            return Ok(summary.entries[usize::from(offset)]);
        }
        // A log that left the segment since wrote its summary before it unlocked.
        Ok(self.read_ssa(segno)?.entries[usize::from(offset)])
    }

    /// Lets the logs go on behind all blocks that were kept or claimed.
    pub(crate) fn pass_claims(&self) {
        for log in &self.logs {
            let mut curseg = log.lock();
            self.pass(&mut curseg);
        }
    }

    fn pass(&self, curseg: &mut Curseg) {
        let table = self.table.lock();
        let segment = table.get(curseg.segno);
        let next = match curseg.alloc {
            // Behind the place of such a log everything is free.
            AllocType::Lfs => Some(segment.busy_end().max(curseg.next)),
            AllocType::Ssr => segment.next_writable(curseg.next),
        };
        curseg.next = next.unwrap_or(SEGMENT_BLOCKS);
    }

    /// Writes the summaries of segments that no log has open. Entries of blocks that the last checkpoint knows stay as
    /// they are.
    pub(crate) fn write_claims(&self, claims: &Claims) -> Result<()> {
        let mut batch = MetaBatch::new(&self.device);
        for (segno, summary) in &claims.summaries {
            batch.push(self.geometry.ssa_block(*segno), &summary.encode())?;
        }
        batch.finish()
    }
}
