//! The walk over the extents of a byte range.

use crate::map::{Intent, Iomap};
use crate::ops::IomapOps;
use std::ops::Range;

/// Calls `body` for each extent of `range`, in order, with the part of the range that lies in it; `body` answers
/// how many bytes it used. Fewer than offered ends the walk, except that 0 bytes of a stale extent looks it up
/// anew ([`Step::Stale`]). Returns the bytes used.
///
/// # Errors
/// The first error, with the bytes used before it.
pub fn for_each_extent<O: IomapOps>(
    ops: &O,
    range: Range<u64>,
    intent: Intent,
    mut body: impl FnMut(&Iomap, Range<u64>) -> Result<Step, O::Error>,
) -> Result<u64, (u64, O::Error)> {
    let mut pos = range.start;
    while pos < range.end {
        let done = pos - range.start;
        let iomap = ops.begin(pos..range.end, intent).map_err(|e| (done, e))?;
        assert!(
            iomap.range().contains(&pos),
            "begin answers for the start of the range"
        );
        let part = pos..iomap.end().min(range.end);
        let offered = part.end - part.start;
        let step = body(&iomap, part);
        let used = match &step {
            Ok(Step::Used(n)) => *n,
            Ok(Step::Stale) | Err(_) => 0,
        };
        let ended = ops.end(&iomap, used, intent);
        pos += used;
        let done = pos - range.start;
        let step = step.map_err(|e| (done, e))?;
        ended.map_err(|e| (done, e))?;
        if step != Step::Stale && used < offered {
            break;
        }
    }
    Ok(pos - range.start)
}

/// What a body did with an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Used so many bytes.
    Used(u64),
    /// Found under the folio lock that the extent no longer holds.
    Stale,
}
