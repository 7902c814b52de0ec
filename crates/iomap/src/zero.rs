//! Zeroing a range of a file: holes stay holes, everything else is zeroed in its folio and becomes dirty.

use crate::BLOCK_SIZE;
use crate::buffered_write::{Source, write_folio};
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

/// A source of zeros without end.
struct Zeros;

impl Source for Zeros {
    fn copy_to(&mut self, dst: &mut [u8]) -> usize {
        dst.fill(0);
        dst.len()
    }
}

fn zero_extent<O: WriteOps>(ops: &O, iomap: &Iomap, part: Range<u64>) -> Step<O::Error> {
    let mut pos = part.start;
    while pos < part.end {
        let used = |pos: u64| pos - part.start;
        if iomap.is_zero() {
            // Space that was never written is zero unless the cache has newer bytes, or had them until it wrote
            // them back just now, which the extent's validity tells.
            let next = next_cached(ops, pos..part.end);
            if !ops.iomap_valid(iomap) {
                return Step::Stale(used(pos));
            }
            match next {
                Some(next) => pos = next,
                None => break,
            }
        }
        let folio = match ops.get_folio(iomap, pos..part.end) {
            Ok(folio) => folio,
            Err(error) => return Step::Failed(used(pos), error),
        };
        folio.wait_writeback();
        if !ops.iomap_valid(iomap) {
            ops.put_folio(folio, pos..pos);
            return Step::Stale(used(pos));
        }
        let end = part.end.min(folio.pos() + folio.len() as u64);
        let bytes = (pos - folio.pos()) as usize..(end - folio.pos()) as usize;
        if iomap.is_zero() && !folio.dirty().intersects(blocks_touched(&bytes)) {
            ops.put_folio(folio, pos..pos);
        } else {
            let (folio, zeroed) = write_folio(ops, iomap, folio, pos..end, end, &mut Zeros);
            ops.put_folio(folio, pos..pos);
            if let Err(error) = zeroed {
                return Step::Failed(used(pos), error);
            }
        }
        pos = end;
    }
    Step::Used(part.end - part.start)
}

/// The first byte of `range` that is cached.
fn next_cached<O: WriteOps>(ops: &O, range: Range<u64>) -> Option<u64> {
    let pages = range.start / BLOCK_SIZE..range.end.div_ceil(BLOCK_SIZE);
    let folio = ops.mapping().next_cached(pages.start, pages.end)?;
    Some(folio.pos().max(range.start))
}
