//! The extents of a file, as a report.

use crate::iter::look_up;
use crate::map::{Intent, Iomap, IomapKind};
use crate::ops::IomapOps;
use std::ops::Range;

/// One reported extent. Holes are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// First byte in the file.
    pub pos: u64,
    /// Bytes.
    pub len: u64,
    /// What is behind it.
    pub kind: IomapKind,
}

/// The extents of `range`, neighbours joined.
pub fn fiemap<O: IomapOps>(ops: &O, range: Range<u64>) -> Result<Vec<Extent>, O::Error> {
    let mut extents: Vec<Extent> = Vec::new();
    let mut pos = range.start;
    while pos < range.end {
        let iomap = look_up(ops, pos..range.end, Intent::Report)?;
        if iomap.kind != IomapKind::Hole {
            match extents.last_mut().filter(|last| continues(last, &iomap)) {
                Some(last) => last.len += iomap.len,
                None => extents.push(Extent {
                    pos: iomap.pos,
                    len: iomap.len,
                    kind: iomap.kind,
                }),
            }
        }
        pos = iomap.end();
    }
    Ok(extents)
}

fn continues(last: &Extent, next: &Iomap) -> bool {
    let adjacent = last.pos + last.len == next.pos;
    adjacent
        && match (last.kind, next.kind) {
            (IomapKind::Mapped(a), IomapKind::Mapped(b)) => a + last.len == b,
            (a, b) => a == b,
        }
}
