//! Where data and holes begin.
//!
//! Reserved space counts as data where the cache holds newer bytes for it, as a hole elsewhere.

use crate::BLOCK_SIZE;
use crate::map::{Intent, Iomap, IomapKind};
use crate::ops::ReadOps;

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
        let iomap = ops.begin(pos..size, Intent::Report)?;
        let end = iomap.end().min(size);
        while pos < end {
            let (content, content_end) = content_at(ops, &iomap, pos);
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
        IomapKind::Delalloc => {
            let page = pos / BLOCK_SIZE;
            let next = (page + 1) * BLOCK_SIZE;
            let newer = ops.mapping().lookup(page).is_some_and(|folio| {
                let block = (page - folio.pages().start) as usize;
                folio.dirty().intersects(block..block + 1)
            });
            (if newer { Content::Data } else { Content::Hole }, next)
        }
    }
}
