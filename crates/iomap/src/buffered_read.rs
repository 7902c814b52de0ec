//! Reading through the cache, and ahead of it.

use crate::BLOCK_SIZE;
use crate::fill::{fill_locked, start_fill};
use crate::ops::ReadOps;
use crate::read_batch::ReadBatch;
use pagecache::mapping::pages_touched;
use pagecache::{FolioRef, PageIndex, Readahead};
use runtime::PAGE_SIZE;
use std::ops::Range;

/// Reads bytes at `pos` into `dst`, up to the end of the file; returns how many.
///
/// # Errors
/// The first error that kept a byte of the range from being read. Bytes that are not returned were not read; none
/// is ever made up.
pub fn buffered_read<O: ReadOps>(
    ops: &O,
    pos: u64,
    dst: &mut [u8],
    ahead: &mut Readahead,
) -> Result<usize, O::Error> {
    let size = ops.size();
    if pos >= size || dst.is_empty() {
        return Ok(0);
    }
    let len = (size - pos).min(dst.len() as u64) as usize;
    let pages = pages_touched(pos, len as u64);
    let wanted = ahead.on_read(pages.clone(), size.div_ceil(BLOCK_SIZE));
    // An error here belongs to pages that may never be asked for; the loop below meets its own.
    let _ = readahead(ops, wanted);

    let mut done = 0;
    while done < len {
        let at = pos + done as u64;
        let folio = uptodate_folio(ops, at, pages.end)?;
        let offset = (at - folio.pos()) as usize;
        let bytes = (folio.len() - offset).min(len - done);
        // Only blocks up to the request's end were made uptodate.
        let bytes = bytes.min(uptodate_bytes(&folio, offset));
        dst[done..done + bytes].copy_from_slice(&folio.read(offset..offset + bytes));
        done += bytes;
    }
    Ok(len)
}

/// Bytes from `offset` on whose blocks are uptodate.
fn uptodate_bytes(folio: &FolioRef, offset: usize) -> usize {
    let from = offset / PAGE_SIZE;
    let run = folio.uptodate().runs(from..folio.page_count()).next();
    run.filter(|r| r.start == from)
        .map_or(0, |r| r.end * PAGE_SIZE - offset)
}

/// The folio that has the block at byte `pos`, with that block uptodate, to look at it in its place. The file reaches
/// beyond `pos`.
///
/// # Errors
/// Why the block cannot be read.
pub fn read_folio<O: ReadOps>(ops: &O, pos: u64) -> Result<FolioRef, O::Error> {
    uptodate_folio(ops, pos, pos / BLOCK_SIZE + 1)
}

/// The folio at byte `pos` with at least that byte's block uptodate.
fn uptodate_folio<O: ReadOps>(
    ops: &O,
    pos: u64,
    pages_end: PageIndex,
) -> Result<FolioRef, O::Error> {
    let page = pos / BLOCK_SIZE;
    let block_in = |folio: &FolioRef| (page - folio.pages().start) as usize;
    if let Some(folio) = ops.mapping().lookup(page)
        && uptodate_bytes(&folio, block_in(&folio) * PAGE_SIZE) > 0
    {
        return Ok(folio);
    }
    let locked = ops
        .mapping()
        .grab(page..pages_end)
        .map_err(|e| ops.memory_error(e))?;
    let last = (pages_end - locked.pages().start).min(locked.page_count() as u64) as usize;
    let blocks = block_in(&locked)..last;
    let (locked, result) = fill_locked(ops, locked, &[blocks], None);
    // A later block may have failed alone; this one is what the caller copies next.
    if uptodate_bytes(&locked, block_in(&locked) * PAGE_SIZE) == 0 {
        result?;
    }
    Ok(FolioRef::clone(&locked))
}

/// Starts reading pages that are not cached yet, without waiting. Each folio is unlocked by its last read.
pub fn readahead<O: ReadOps>(ops: &O, pages: Range<PageIndex>) -> Result<(), O::Error> {
    let submit = |bio| ops.submit(bio);
    let mut batch = ReadBatch::new(&submit);
    let mut last = None;
    let horizon = pages.end * BLOCK_SIZE;
    let mut page = pages.start;
    while page < pages.end {
        let new = ops
            .mapping()
            .grab_new(page..pages.end)
            .map_err(|e| ops.memory_error(e))?;
        let Some(folio) = new else {
            let Some(cached) = ops.mapping().next_cached(page, page + 1) else {
                break; // no memory to spare
            };
            page = cached.pages().end;
            continue;
        };
        let start = (page - folio.pages().start) as usize;
        let end = (pages.end - folio.pages().start).min(folio.page_count() as u64) as usize;
        page = folio.pages().end;
        let reading = folio.start_read();
        let started = start_fill(ops, &reading, start..end, &mut last, horizon, &mut batch);
        reading.detach();
        started?;
    }
    Ok(())
}
