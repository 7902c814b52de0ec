//! From dirty folios to the file system's writeback.
//!
//! Dirty folios are taken in file order. Each goes from locked to under writeback at once, so no two folio locks
//! are ever held, and its dirty runs are handed over, one call a run. When the batch is full the file system
//! writes it and waits; then the folios end their writeback.

use crate::ops::WritebackOps;
use pagecache::{FolioError, Mapping, PageIndex};
use std::ops::Range;
use std::sync::Arc;

/// Writes back the dirty folios of `pages`, at most about `pages_max` pages; returns where the next batch starts,
/// or None when nothing dirty is left.
///
/// # Errors
/// The first error. It is also recorded in the mapping, for `fsync`. The folios of the batch are clean afterwards
/// unless the file system declares them dirty again; then it must bound what a failing device leaves in memory.
pub fn writeback_batch<O: WritebackOps>(
    mapping: &Arc<Mapping>,
    pages: Range<PageIndex>,
    pages_max: usize,
    ops: &mut O,
) -> Result<Option<PageIndex>, O::Error> {
    let mut next = pages.start;
    let mut taken = 0;
    let mut result = Ok(());
    let mut folios = Vec::new();
    while taken < pages_max {
        let Some(locked) = mapping.lock_next_dirty(next, pages.end) else {
            break;
        };
        next = locked.pages().end;
        let Some(folio) = locked.start_writeback() else {
            continue;
        };
        let folio = Arc::new(folio);
        taken += folio.page_count();
        for run in folio.taken().runs(0..folio.page_count()) {
            let started = ops.writeback_range(&folio, run);
            result = result.and(started);
        }
        folios.push(folio);
    }
    let result = result.and(ops.submit());
    // Before the folios end: whoever waits for them looks for errors next.
    if let Err(error) = &result {
        mapping
            .errors()
            .record(Arc::new(error.clone()) as FolioError);
    }
    drop(folios);
    result.map(|()| (taken > 0).then_some(next))
}
