//! Making bytes that are there dirty, so that they are written anew (iomap of Linux: `iomap_file_unshare`).

use crate::fill::fill_locked;
use crate::iter::{Step, for_each_extent};
use crate::map::{Intent, Iomap, IomapKind};
use crate::ops::WriteOps;
use pagecache::folio_state::blocks_touched;
use std::ops::Range;

/// Marks the blocks of `range` dirty, read if need be. Their bytes, and the file's size, stay; holes stay holes.
///
/// # Errors
/// The first error; blocks before it are dirty.
pub fn rewrite_range<O: WriteOps>(ops: &O, range: Range<u64>) -> Result<(), O::Error> {
    let done = for_each_extent(ops, range, Intent::Zero, |iomap, part| {
        rewrite_extent(ops, iomap, part)
    });
    done.map(|_| ()).map_err(|(_, error)| error)
}

fn rewrite_extent<O: WriteOps>(ops: &O, iomap: &Iomap, part: Range<u64>) -> Step<O::Error> {
    if iomap.kind == IomapKind::Hole {
        return Step::Used(part.end - part.start);
    }
    let mut pos = part.start;
    while pos < part.end {
        let used = pos - part.start;
        let folio = match ops.get_folio(iomap, pos..part.end) {
            Ok(folio) => folio,
            Err(error) => return Step::Failed(used, error),
        };
        folio.wait_writeback();
        if !ops.iomap_valid(iomap) {
            ops.put_folio(folio, pos..pos);
            return Step::Stale(used);
        }
        let base = folio.pos();
        let end = part.end.min(base + folio.len() as u64);
        let blocks = blocks_touched(&((pos - base) as usize..(end - base) as usize));
        let (folio, filled) = fill_locked(ops, folio, std::slice::from_ref(&blocks), Some(*iomap));
        if filled.is_ok() {
            folio.mark_dirty(blocks);
        }
        ops.put_folio(folio, pos..pos);
        if let Err(error) = filled {
            return Step::Failed(used, error);
        }
        pos = end;
    }
    Step::Used(pos - part.start)
}
