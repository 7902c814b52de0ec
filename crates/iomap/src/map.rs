//! An extent of a file, as `begin` answers it.

use std::ops::Range;

/// Why a range is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// To read it.
    Read,
    /// To write it: holes are reserved before the answer.
    Write,
    /// To zero it, or to write anew what is there: nothing is reserved, holes stay as they are.
    Zero,
    /// To report it.
    Report,
}

/// What is behind an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IomapKind {
    /// Nothing; reads as zeros.
    Hole,
    /// Reserved space that was never written; reads as zeros.
    Delalloc,
    /// Blocks that lie in one run on the device, at this byte.
    Mapped(u64),
    /// Compressed clusters; the file system reads them itself.
    Compressed,
    /// Bytes kept in the inode; the file system reads them itself.
    Inline,
}

/// One extent: bytes `[pos, pos + len)` of the file, whole units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Iomap {
    /// First byte, a multiple of `unit`.
    pub pos: u64,
    /// Bytes, a multiple of `unit`, not 0.
    pub len: u64,
    /// What is behind it.
    pub kind: IomapKind,
    /// Bytes that are read or kept only together: a block, or a cluster of a compressed extent.
    pub unit: u64,
    /// Changes when the file's mapping changes, so that a stale answer is recognised.
    pub cookie: u64,
}

impl Iomap {
    /// First byte after it.
    pub fn end(&self) -> u64 {
        self.pos + self.len
    }

    /// Its bytes.
    pub fn range(&self) -> Range<u64> {
        self.pos..self.end()
    }

    /// Whether it reads as zeros without any I/O.
    pub fn is_zero(&self) -> bool {
        matches!(self.kind, IomapKind::Hole | IomapKind::Delalloc)
    }

    /// The device position of file byte `pos`, for a mapped extent.
    pub fn device_pos(&self, pos: u64) -> Option<u64> {
        match self.kind {
            IomapKind::Mapped(start) => Some(start + (pos - self.pos)),
            _ => None,
        }
    }
}
