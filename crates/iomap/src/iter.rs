//! The walk over the extents of a byte range.

use crate::map::{Intent, Iomap};
use crate::ops::IomapOps;
use std::ops::Range;

/// Calls `body` for each extent of `range`, in order, with the part of the range that lies in it; `body` answers
/// what it did with it. Returns the bytes used.
///
/// # Errors
/// The first error, with the bytes used before it.
pub fn for_each_extent<O: IomapOps>(
    ops: &O,
    range: Range<u64>,
    intent: Intent,
    mut body: impl FnMut(&Iomap, Range<u64>) -> Step<O::Error>,
) -> Result<u64, (u64, O::Error)> {
    let mut pos = range.start;
    while pos < range.end {
        let done = pos - range.start;
        let iomap = look_up(ops, pos..range.end, intent).map_err(|e| (done, e))?;
        let part = pos..iomap.end().min(range.end);
        let offered = part.end - part.start;
        let (used, goes_on) = match body(&iomap, part) {
            Step::Used(n) => (n, Ok(n == offered)),
            Step::Stale(n) => (n, Ok(true)),
            Step::Failed(n, error) => (n, Err(error)),
        };
        let ended = ops.end(&iomap, used, intent);
        pos += used;
        let done = pos - range.start;
        let goes_on = goes_on.map_err(|e| (done, e))?;
        ended.map_err(|e| (done, e))?;
        if !goes_on {
            break;
        }
    }
    Ok(pos - range.start)
}

/// The extent at the start of `range`. An answer for something else would make a walk go on for ever.
pub(crate) fn look_up<O: IomapOps>(
    ops: &O,
    range: Range<u64>,
    intent: Intent,
) -> Result<Iomap, O::Error> {
    let pos = range.start;
    let iomap = ops.begin(range, intent)?;
    assert!(
        iomap.range().contains(&pos),
        "begin answers for the start of the range"
    );
    Ok(iomap)
}

/// What a body did with an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<E> {
    /// Used so many bytes. Fewer than offered ends the walk.
    Used(u64),
    /// Used so many bytes, then found under the folio lock that the extent no longer holds: the rest is looked up
    /// anew.
    Stale(u64),
    /// Used so many bytes, then failed.
    Failed(u64, E),
}
