//! Taking blocks from the logs.
//!
//! # Locking
//! The lock of the log for the whole allocation, the table's for each run. Logs do not wait for one
//! another beyond that.

use super::choose::{Choice, Demand};
use super::curseg::{Curseg, summary_kind};
use super::{BlockRun, Segments};
use crate::error::{Error, Result};
use f2fs_format::checkpoint::AllocType;
use f2fs_format::summary::{SummaryBlock, SummaryEntry};
use f2fs_format::{
    BLOCKS_PER_SEGMENT, BlockAddr, Corrupt, CorruptKind, CursegType, Nid, SegmentNo,
};

/// Segments with a bad summary that one allocation passes over before it gives up.
const MAX_BAD_VICTIMS: u32 = 16;

impl Segments {
    /// Takes one block of `log` for each owner, in order, in as few contiguous runs as the log
    /// allows. The blocks are valid from now on.
    ///
    /// # Errors
    /// `NoSpace` if the log finds no room; then nothing is taken.
    pub(crate) fn allocate(
        &self,
        log: CursegType,
        owners: &[SummaryEntry],
    ) -> Result<Vec<BlockRun>> {
        self.allocate_for(log, Demand::Block, owners)
    }

    /// Like [`Segments::allocate`], for blocks that the cleaner moves: it may use what is kept for nodes, since it
    /// gives more back.
    ///
    /// # Errors
    /// As [`Segments::allocate`].
    pub(crate) fn allocate_for_cleaning(&self, owners: &[SummaryEntry]) -> Result<Vec<BlockRun>> {
        self.allocate_for(CursegType::ColdData, Demand::Cleaning, owners)
    }

    fn allocate_for(
        &self,
        log: CursegType,
        demand: Demand,
        owners: &[SummaryEntry],
    ) -> Result<Vec<BlockRun>> {
        let mut curseg = self.logs[log.index()].lock();
        let mut runs: Vec<BlockRun> = Vec::new();
        let mut rest = owners;
        while !rest.is_empty() {
            match self.take(&mut curseg, demand, rest) {
                Ok(run) => {
                    rest = &rest[run.count as usize..];
                    append(&mut runs, run);
                }
                Err(error) => {
                    self.undo(&mut curseg, &runs);
                    return Err(error);
                }
            }
        }
        Ok(runs)
    }

    /// Takes a block of `log` for the node `nid`. Returns its address, and the address that the
    /// same log takes next, which the node's footer records.
    ///
    /// # Errors
    /// `NoSpace` if the log finds no room for this or the next block; then nothing is taken.
    pub(crate) fn allocate_node(
        &self,
        log: CursegType,
        nid: Nid,
    ) -> Result<(BlockAddr, BlockAddr)> {
        let owner = SummaryEntry {
            nid: nid.get(),
            version: 0,
            ofs_in_node: 0,
        };
        let mut curseg = self.logs[log.index()].lock();
        let run = self.take(&mut curseg, Demand::Block, &[owner])?;
        if curseg.is_full()
            && let Err(error) = self.switch(&mut curseg, Demand::Block)
        {
            self.undo(&mut curseg, &[run]);
            return Err(error);
        }
        Ok((run.start, self.address(curseg.segno, curseg.next)))
    }

    /// Opens a new segment for every log that has filled its own, so that a checkpoint can name
    /// where each goes on.
    pub(crate) fn open_full_logs(&self) -> Result<()> {
        for log in &self.logs {
            let mut curseg = log.lock();
            if curseg.is_full() {
                self.switch(&mut curseg, Demand::Checkpoint)?;
            }
        }
        Ok(())
    }

    /// Takes the next run of at most `owners.len()` blocks.
    fn take(
        &self,
        curseg: &mut Curseg,
        demand: Demand,
        owners: &[SummaryEntry],
    ) -> Result<BlockRun> {
        if curseg.is_full() {
            self.switch(curseg, demand)?;
        }
        let now = self.elapsed.secs();
        let (segno, from) = (curseg.segno, curseg.next);
        let mut table = self.table.lock();
        let wanted = owners.len().min(BLOCKS_PER_SEGMENT as usize) as u16;
        let count = table.get(segno).writable_run(from, wanted);
        assert!(count > 0, "a log stands at a block that is in use");
        table.allocate(segno, from, count, now);
        curseg.next = table
            .get(segno)
            .next_writable(from + count)
            .unwrap_or(BLOCKS_PER_SEGMENT as u16);
        drop(table);
        let slots = &mut curseg.summary.entries[usize::from(from)..usize::from(from + count)];
        slots.copy_from_slice(&owners[..usize::from(count)]);
        Ok(BlockRun {
            start: self.address(segno, from),
            count: count.into(),
        })
    }

    /// Takes back what an allocation that failed half way had taken.
    fn undo(&self, curseg: &mut Curseg, runs: &[BlockRun]) {
        let mut table = self.table.lock();
        for piece in runs.iter().flat_map(|run| self.by_segment(*run)) {
            let segno = self.geometry.segno_of(piece.start);
            let from = self.geometry.offset_in_segment(piece.start);
            table.undo(segno, from, piece.count as u16);
            if segno == curseg.segno {
                curseg.next = curseg.next.min(from);
            }
        }
    }

    /// Cuts a run where segments meet.
    fn by_segment(&self, run: BlockRun) -> impl Iterator<Item = BlockRun> {
        let mut rest = run;
        std::iter::from_fn(move || {
            if rest.count == 0 {
                return None;
            }
            let room = BLOCKS_PER_SEGMENT - u32::from(self.geometry.offset_in_segment(rest.start));
            let piece = BlockRun {
                start: rest.start,
                count: rest.count.min(room),
            };
            rest.count -= piece.count;
            rest.start = BlockAddr::new(rest.start.get() + piece.count);
            Some(piece)
        })
    }

    /// Moves a log to another segment and writes the summary of the one it leaves to the SSA. That
    /// may happen at any time: the entries of blocks that the last checkpoint knows are the same in
    /// the old and the new summary.
    fn switch(&self, curseg: &mut Curseg, demand: Demand) -> Result<()> {
        let (segno, alloc, mut summary) = self.open_next(curseg, demand)?;
        let leaving = self.geometry.ssa_block(curseg.segno);
        let written = self
            .device
            .write_meta(leaving, &curseg.summary.encode()[..]);
        let mut table = self.table.lock();
        if let Err(error) = written {
            table.close(segno);
            return Err(error);
        }
        table.close(curseg.segno);
        summary.journal = curseg.summary.journal;
        curseg.next = table
            .get(segno)
            .next_writable(0)
            .expect("only segments with room are opened");
        (curseg.segno, curseg.alloc, curseg.summary) = (segno, alloc, summary);
        Ok(())
    }

    /// Chooses the next segment of a log, marks it open and gets the summary to start with.
    fn open_next(
        &self,
        curseg: &Curseg,
        demand: Demand,
    ) -> Result<(SegmentNo, AllocType, SummaryBlock)> {
        let kind = summary_kind(curseg.log);
        for _ in 0..MAX_BAD_VICTIMS {
            let (choice, old_kind) = self.choose(curseg, demand).ok_or(Error::NoSpace)?;
            if choice.alloc == AllocType::Lfs {
                return Ok((choice.segno, choice.alloc, SummaryBlock::new(kind)));
            }
            match self.read_summary(choice.segno, curseg.log) {
                Ok(summary) => return Ok((choice.segno, choice.alloc, summary)),
                Err(error) => {
                    tracing::warn!(segno = %choice.segno, %error, "segment not filled up");
                    let mut table = self.table.lock();
                    table.open(choice.segno, old_kind);
                    table.close(choice.segno);
                    table.distrust(choice.segno);
                }
            }
        }
        Err(Error::NoSpace)
    }

    /// Chooses a segment and marks it open; also tells what it was used for before.
    fn choose(&self, curseg: &Curseg, demand: Demand) -> Option<(Choice, CursegType)> {
        let open = || {
            let mut table = self.table.lock();
            let choice = table.choose(curseg.log, curseg.segno, demand)?;
            let old_kind = table.get(choice.segno).kind;
            table.open(choice.segno, curseg.log);
            Some((choice, old_kind))
        };
        open().or_else(|| {
            // What is left may be held for a moment.
            let _calm = self.calm();
            open()
        })
    }

    /// The summary of a segment that is not open, which must be of the same kind as `log`.
    fn read_summary(&self, segno: SegmentNo, log: CursegType) -> Result<SummaryBlock> {
        let block = self.device.read_block(self.geometry.ssa_block(segno))?;
        let summary = SummaryBlock::parse(&block[..])?;
        if summary.kind != summary_kind(log) {
            let value = summary.kind as u8;
            return Err(Corrupt::from(CorruptKind::SummaryType { value }).into());
        }
        Ok(summary)
    }

    fn address(&self, segno: SegmentNo, offset: u16) -> BlockAddr {
        BlockAddr::new(self.geometry.segment_start(segno).get() + u32::from(offset))
    }
}

/// Adds a run, joined to the last one if it follows it.
pub(super) fn append(runs: &mut Vec<BlockRun>, run: BlockRun) {
    match runs.last_mut() {
        Some(last) if last.start.checked_add(last.count) == Some(run.start) => {
            last.count += run.count;
        }
        _ => runs.push(run),
    }
}
