//! Where data and holes begin.
//!
//! Reserved space counts as data where the cache holds newer bytes for it, as a hole elsewhere.

use crate::BLOCK_SIZE;
use crate::iter::look_up;
use crate::map::{Intent, Iomap, IomapKind};
use crate::ops::ReadOps;
use std::ops::Range;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Data,
    Hole,
}

/// The first byte of data at or after `pos`; None if only holes follow.
pub fn seek_data<O: ReadOps>(ops: &O, pos: u64) -> Result<Option<u64>, O::Error> {
    find(ops, pos, Content::Data)
}

/// The first byte of a hole at or after `pos`, which is below the size; the end of the file is a hole.
pub fn seek_hole<O: ReadOps>(ops: &O, pos: u64) -> Result<u64, O::Error> {
    Ok(find(ops, pos, Content::Hole)?.unwrap_or_else(|| ops.size()))
}

fn find<O: ReadOps>(ops: &O, mut pos: u64, wanted: Content) -> Result<Option<u64>, O::Error> {
    let size = ops.size();
    while pos < size {
        let iomap = look_up(ops, pos..size, Intent::Report)?;
        let end = iomap.end().min(size);
        while pos < end {
            let (content, content_end) = content_at(ops, &iomap, pos);
            // The cache may have lost newer bytes to the volume since the look-up.
            if content == Content::Hole && !ops.iomap_valid(&iomap) {
                break;
            }
            if content == wanted {
                return Ok(Some(pos));
            }
            pos = content_end.min(end);
        }
    }
    Ok(None)
}

/// What is at `pos`, and up to where at least.
fn content_at<O: ReadOps>(ops: &O, iomap: &Iomap, pos: u64) -> (Content, u64) {
    match iomap.kind {
        IomapKind::Hole => (Content::Hole, iomap.end()),
        IomapKind::Mapped(_) | IomapKind::Compressed | IomapKind::Inline => {
            (Content::Data, iomap.end())
        }
        IomapKind::Delalloc => reserved_at(ops, pos, iomap.end()),
    }
}

/// What is at `pos` in reserved space.
fn reserved_at<O: ReadOps>(ops: &O, pos: u64, end: u64) -> (Content, u64) {
    let page = pos / BLOCK_SIZE;
    let Some(folio) = ops.mapping().next_cached(page, end.div_ceil(BLOCK_SIZE)) else {
        return (Content::Hole, end);
    };
    if folio.pos() > pos {
        return (Content::Hole, folio.pos());
    }
    let newer = folio.newer();
    let block = (page - folio.pages().start) as usize;
    let rest = block..folio.page_count();
    let end_of = |run: Option<Range<usize>>| {
        let run = run.expect("the block is in a run");
        folio.pos() + run.end as u64 * BLOCK_SIZE
    };
    if newer.contains(block..block + 1) {
        (Content::Data, end_of(newer.runs(rest).next()))
    } else {
        (Content::Hole, end_of(newer.gaps(rest).next()))
    }
}
