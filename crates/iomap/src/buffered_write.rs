//! Writing through the cache: the one way bytes enter a file (row S1).
//!
//! Folio by folio: a folio as large as the rest of the write is taken (S3), the blocks or clusters at its edges
//! that keep old bytes are read with one wait for all of them (S4, S6), the bytes are copied, exactly their blocks
//! become dirty. A cluster that the write covers whole is not read (S9).

use crate::BLOCK_SIZE;
use crate::fill::fill_locked;
use crate::iter::{Step, for_each_extent};
use crate::map::{Intent, Iomap};
use crate::ops::WriteOps;
use pagecache::LockedFolio;
use pagecache::folio_state::blocks_touched;
use runtime::PAGE_SIZE;
use std::ops::Range;

/// Where written bytes come from.
pub trait Source {
    /// Copies the next bytes into `dst`; fewer than asked if the source cannot give more.
    fn copy_to(&mut self, dst: &mut [u8]) -> usize;
}

impl Source for &[u8] {
    fn copy_to(&mut self, dst: &mut [u8]) -> usize {
        let n = dst.len().min(self.len());
        let (front, rest) = self.split_at(n);
        dst[..n].copy_from_slice(front);
        *self = rest;
        n
    }
}

/// Writes `[range)` from `src`; returns the bytes written, fewer if the source ran short.
///
/// # Errors
/// The first error with the bytes written before it.
pub fn buffered_write<O: WriteOps>(
    ops: &O,
    range: Range<u64>,
    src: &mut dyn Source,
) -> Result<u64, (u64, O::Error)> {
    for_each_extent(ops, range.clone(), Intent::Write, |iomap, part| {
        write_extent(ops, iomap, part, range.end, src)
    })
}

/// Writes the part of the range that lies in one extent.
fn write_extent<O: WriteOps>(
    ops: &O,
    iomap: &Iomap,
    part: Range<u64>,
    write_end: u64,
    src: &mut dyn Source,
) -> Step<O::Error> {
    let mut pos = part.start;
    while pos < part.end {
        let used = pos - part.start;
        let folio = match ops.get_folio(iomap, pos..write_end) {
            Ok(folio) => folio,
            Err(error) => return Step::Failed(used, error),
        };
        // In this order: a writeback that ends while we wait changes what maps here.
        folio.wait_writeback();
        if !ops.iomap_valid(iomap) {
            ops.put_folio(folio, pos..pos);
            return Step::Stale(used);
        }
        let end = part.end.min(folio.pos() + folio.len() as u64);
        let (folio, copied) = write_folio(ops, iomap, folio, pos..end, write_end, src);
        let written = *copied.as_ref().unwrap_or(&0) as u64;
        ops.put_folio(folio, pos..pos + written);
        match copied {
            Err(error) => return Step::Failed(used, error),
            Ok(n) => pos += n as u64,
        }
        if pos < end {
            break;
        }
    }
    Step::Used(pos - part.start)
}

/// Copies into the part of one folio that lies in one extent; bytes copied. `write_end` is where the whole write ends.
pub(crate) fn write_folio<O: WriteOps>(
    ops: &O,
    iomap: &Iomap,
    folio: LockedFolio,
    range: Range<u64>,
    write_end: u64,
    src: &mut dyn Source,
) -> (LockedFolio, Result<usize, O::Error>) {
    let base = folio.pos();
    assert!(
        base <= range.start && range.end <= base + folio.len() as u64,
        "get_folio gives the folio at the start of the range"
    );
    let edges = edges_with_old_bytes(iomap, &folio, range.start..write_end, ops.size());
    let (folio, filled) = fill_locked(ops, folio, &edges, Some(*iomap));
    if let Err(error) = filled {
        return (folio, Err(error));
    }
    let bytes = (range.start - base) as usize..(range.end - base) as usize;
    let units = units_around(iomap, &folio, &bytes);
    zero_around(&folio, &units, &bytes);
    let copied = src.copy_to(&mut folio.write(bytes.clone()));
    let copied = whole_units(iomap, &folio, &bytes, copied);
    if copied > 0 {
        let stop = bytes.start + copied;
        let valid_end = if stop == bytes.end { units.end } else { stop };
        folio.mark_uptodate(blocks_touched(&(units.start..valid_end)));
        folio.mark_dirty(blocks_touched(&(bytes.start..stop)));
    }
    (folio, Ok(copied))
}

/// The bytes of the folio that lie in the units that `bytes` touch.
fn units_around(iomap: &Iomap, folio: &LockedFolio, bytes: &Range<usize>) -> Range<usize> {
    let base = folio.pos();
    let start = (base + bytes.start as u64) / iomap.unit * iomap.unit;
    let end = (base + bytes.end as u64).next_multiple_of(iomap.unit);
    (start.max(base) - base) as usize..(end - base).min(folio.len() as u64) as usize
}

/// The blocks of the units at the edges of a write that keep bytes of the file, as far as they lie in the folio. The
/// last edge may lie in a later extent (whose unit is the same); it is read together with the first.
fn edges_with_old_bytes(
    iomap: &Iomap,
    folio: &LockedFolio,
    write: Range<u64>,
    size: u64,
) -> Vec<Range<usize>> {
    let base = folio.pos();
    let range = write.start..write.end.min(base + folio.len() as u64);
    let unit_at = |pos: u64| {
        let start = pos / iomap.unit * iomap.unit;
        start..start + iomap.unit
    };
    let (first, last) = (unit_at(range.start), unit_at(range.end - 1));
    let keeps = |unit: &Range<u64>| {
        (unit.start < range.start && unit.start < size)
            || (unit.end > range.end && range.end < size)
    };
    let mut edges = Vec::with_capacity(2);
    if keeps(&first) {
        edges.push(first.clone());
    }
    if last != first && keeps(&last) {
        edges.push(last);
    }
    edges
        .into_iter()
        .map(|unit| {
            let start = unit.start.max(base) - base;
            let end = unit.end.min(base + folio.len() as u64) - base;
            (start / BLOCK_SIZE) as usize..(end / BLOCK_SIZE) as usize
        })
        .collect()
}

/// Zeros the rest of the first and last unit where it is not uptodate: nothing of the file is there (all blocks that
/// keep old bytes were filled before). So no unit is left half uptodate (row S7).
fn zero_around(folio: &LockedFolio, units: &Range<usize>, bytes: &Range<usize>) {
    for side in [units.start..bytes.start, bytes.end..units.end] {
        if side.is_empty() {
            continue;
        }
        for gap in folio.uptodate().gaps(blocks_touched(&side)) {
            let start = side.start.max(gap.start * PAGE_SIZE);
            let end = side.end.min(gap.end * PAGE_SIZE);
            folio.write(start..end).fill(0);
        }
    }
}

/// Of a short copy, what may count: a unit that was not uptodate and was not copied whole holds undefined bytes,
/// so the copy ends before it.
fn whole_units(iomap: &Iomap, folio: &LockedFolio, bytes: &Range<usize>, copied: usize) -> usize {
    if copied == bytes.len() {
        return copied;
    }
    let base = folio.pos();
    let stop = base + (bytes.start + copied) as u64;
    let unit_start = stop / iomap.unit * iomap.unit;
    let blocks = ((unit_start.max(base) - base) / BLOCK_SIZE) as usize
        ..(((unit_start + iomap.unit).min(base + folio.len() as u64) - base) / BLOCK_SIZE) as usize;
    if stop == unit_start || folio.is_uptodate(blocks) {
        return copied;
    }
    let kept = unit_start.max(base) - base;
    (kept as usize).saturating_sub(bytes.start)
}
