//! Zeroing a range of a file: holes stay holes, everything else is zeroed in its folio and becomes dirty.

use crate::BLOCK_SIZE;
use crate::fill::fill_locked;
use crate::iter::{Step, for_each_extent};
use crate::map::{Intent, Iomap};
use crate::ops::WriteOps;
use pagecache::folio_state::blocks_touched;
use std::ops::Range;

/// Zeroes the bytes of `range`.
///
/// # Errors
/// The first error; bytes before it are zero.
pub fn zero_range<O: WriteOps>(ops: &O, range: Range<u64>) -> Result<(), O::Error> {
    let done = for_each_extent(ops, range, Intent::Zero, |iomap, part| {
        zero_extent(ops, iomap, part)
    });
    done.map(|_| ()).map_err(|(_, error)| error)
}

fn zero_extent<O: WriteOps>(ops: &O, iomap: &Iomap, part: Range<u64>) -> Result<Step, O::Error> {
    let mut pos = part.start;
    while pos < part.end {
        // Space that was never written is zero unless the cache has newer bytes.
        if iomap.is_zero() && ops.mapping().lookup(pos / BLOCK_SIZE).is_none() {
            pos = (pos / BLOCK_SIZE + 1) * BLOCK_SIZE;
            continue;
        }
        let folio = ops.get_folio(iomap, pos..part.end)?;
        if !ops.iomap_valid(iomap) {
            ops.put_folio(folio, 0);
            return Ok(if pos == part.start {
                Step::Stale
            } else {
                Step::Used(pos - part.start)
            });
        }
        folio.wait_writeback();
        let end = part.end.min(folio.pos() + folio.len() as u64);
        let bytes = (pos - folio.pos()) as usize..(end - folio.pos()) as usize;
        let blocks = blocks_touched(&bytes);
        if iomap.is_zero() && !folio.dirty().intersects(blocks.clone()) {
            ops.put_folio(folio, 0);
            pos = end;
            continue;
        }
        let (folio, filled) = fill_locked(ops, folio, std::slice::from_ref(&blocks), Some(*iomap));
        if filled.is_ok() {
            folio.write(bytes.clone()).fill(0);
            folio.mark_dirty(blocks);
        }
        ops.put_folio(folio, bytes.len());
        filled?;
        pos = end;
    }
    Ok(Step::Used(part.end - part.start))
}
