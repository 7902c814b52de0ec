//! Filling block ranges of one folio (row S4): the walk is over the extents below the folio, so raw runs, holes
//! and compressed clusters may alternate in it.

use crate::BLOCK_SIZE;
use crate::iter::look_up;
use crate::map::{Intent, Iomap};
use crate::ops::ReadOps;
use crate::read_batch::ReadBatch;
use pagecache::{LockedFolio, ReadingFolio};
use std::ops::Range;

/// Starts reads for every block of `blocks` that is not uptodate, rounded out to the extents' units. `last` is
/// the extent that was looked up last; it is used again while it covers the next block. Extents are asked for up to
/// byte `horizon` of the file, so that neighbouring folios in one extent cost one look-up.
pub(crate) fn start_fill<O: ReadOps>(
    ops: &O,
    reading: &ReadingFolio,
    blocks: Range<usize>,
    last: &mut Option<Iomap>,
    horizon: u64,
    batch: &mut ReadBatch<'_>,
) -> Result<(), O::Error> {
    let base = reading.folio().pos();
    let mut at = blocks.start;
    while at < blocks.end {
        let Some(gap) = next_gap(reading, at..blocks.end) else {
            break;
        };
        let pos = base + gap.start as u64 * BLOCK_SIZE;
        let iomap = if let Some(iomap) = last.filter(|m| still_maps(ops, m, pos)) {
            iomap
        } else {
            let end = horizon.max(base + gap.end as u64 * BLOCK_SIZE);
            let iomap = look_up(ops, pos..end, Intent::Read)?;
            *last = Some(iomap);
            iomap
        };
        at = start_extent(ops, &iomap, reading, gap, batch)?;
    }
    Ok(())
}

/// Whether an extent that was looked up earlier answers for byte `pos` now, under the folio lock. It may not: the
/// page may have been cached and dirty then, and have been written and reclaimed since.
fn still_maps<O: ReadOps>(ops: &O, iomap: &Iomap, pos: u64) -> bool {
    iomap.range().contains(&pos) && ops.iomap_valid(iomap)
}

fn next_gap(reading: &ReadingFolio, blocks: Range<usize>) -> Option<Range<usize>> {
    reading.folio().uptodate().gaps(blocks).next()
}

/// Starts reads for the part of `blocks` below one extent; returns the block after that part.
fn start_extent<O: ReadOps>(
    ops: &O,
    iomap: &Iomap,
    reading: &ReadingFolio,
    blocks: Range<usize>,
    batch: &mut ReadBatch<'_>,
) -> Result<usize, O::Error> {
    let part = part_in(iomap, reading, &blocks);
    for gap in reading.folio().uptodate().gaps(part.clone()) {
        let range = reading.begin_range(gap);
        if iomap.is_zero() {
            ops.read_zeros(range)?;
        } else {
            ops.read_folio_range(iomap, range, batch)?;
        }
    }
    Ok(part.end)
}

/// The blocks of a folio that lie in an extent and in `blocks` rounded out to the extent's units.
fn part_in(iomap: &Iomap, reading: &ReadingFolio, blocks: &Range<usize>) -> Range<usize> {
    let folio = reading.folio();
    let (base, folio_end) = (folio.pos(), folio.pos() + folio.len() as u64);
    let start = (base + blocks.start as u64 * BLOCK_SIZE) / iomap.unit * iomap.unit;
    let end = (base + blocks.end as u64 * BLOCK_SIZE).next_multiple_of(iomap.unit);
    let start = start.max(iomap.pos).max(base);
    let end = end.min(iomap.end()).min(folio_end);
    ((start - base) / BLOCK_SIZE) as usize..((end - base) / BLOCK_SIZE) as usize
}

/// Makes blocks of a locked folio uptodate: all reads are submitted, then one wait (row S6). The folio comes back
/// locked, also with an error.
pub(crate) fn fill_locked<O: ReadOps>(
    ops: &O,
    folio: LockedFolio,
    ranges: &[Range<usize>],
    known: Option<Iomap>,
) -> (LockedFolio, Result<(), O::Error>) {
    if ranges.iter().all(|r| folio.is_uptodate(r.clone())) {
        return (folio, Ok(())); // row S8
    }
    let reading = folio.start_read();
    let submit = |bio| ops.submit(bio);
    let mut batch = ReadBatch::new(&submit);
    let mut last = known;
    let mut started = Ok(());
    for range in ranges {
        started = start_fill(ops, &reading, range.clone(), &mut last, 0, &mut batch);
        if started.is_err() {
            break;
        }
    }
    drop(batch);
    // What was started must end before the lock may go, also after an error (row S10).
    let (folio, read) = reading.wait();
    (folio, started.and(read.map_err(|e| ops.read_error(e))))
}
