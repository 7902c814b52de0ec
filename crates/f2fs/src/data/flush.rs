//! Writing an inode's dirty folios back in batches.

use crate::data::ops::DataOps;
use crate::data::writeback::DataWriteback;
use crate::error::Result;
use crate::fs::{Fs, OpGuard};
use crate::inode::Inode;
use std::ops::Range;
use std::sync::Arc;

/// Pages of one batch: large enough to keep all cores encoding, small enough that a checkpoint, which waits for
/// the batch, does not wait long (16 MiB).
const BATCH_PAGES: usize = 4096;

/// Writes the dirty folios of `pages` and waits for them. Room for each batch is made before it. The caller
/// holds no lock below an inode's.
pub(crate) fn flush_pages(fs: &Fs, inode: &Arc<Inode>, pages: Range<u64>) -> Result<()> {
    let mut next = pages.start;
    while inode.mapping.is_dirty() {
        fs.make_room(BATCH_PAGES as u64)?;
        let most = fs.batch_pages(BATCH_PAGES)?;
        let op = fs.start_op();
        match flush_batch(fs, inode, next..pages.end, most, &op)? {
            Some(after) => next = after,
            None => break,
        }
    }
    // Another thread may be writing what it took before.
    inode.mapping.wait_writeback();
    Ok(())
}

/// Writes the dirty folios of `pages` within one operation.
pub(crate) fn flush_pages_in_op(
    fs: &Fs,
    inode: &Arc<Inode>,
    pages: Range<u64>,
    op: &OpGuard<'_>,
) -> Result<()> {
    let mut next = pages.start;
    while let Some(after) = flush_batch(fs, inode, next..pages.end, BATCH_PAGES, op)? {
        next = after;
    }
    Ok(())
}

fn flush_batch(
    fs: &Fs,
    inode: &Arc<Inode>,
    pages: Range<u64>,
    most: usize,
    op: &OpGuard<'_>,
) -> Result<Option<u64>> {
    let mut writeback = DataWriteback::new(DataOps::with_op(fs, inode, op));
    iomap::writeback_batch(&inode.mapping, pages, most, &mut writeback)
}
