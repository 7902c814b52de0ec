//! Small helpers over byte slices that cannot panic.

use alloc::boxed::Box;
use alloc::string::String;

use crate::error::{Corrupt, CorruptKind, Result};
use crate::{BLOCK_SIZE, Block};

/// The first block of `bytes`.
pub(crate) fn block<'a>(bytes: &'a [u8], what: &'static str) -> Result<&'a Block> {
    bytes
        .first_chunk()
        .ok_or_else(|| truncated(what, BLOCK_SIZE, bytes.len()))
}

pub(crate) fn truncated(what: &'static str, need: usize, have: usize) -> Corrupt {
    CorruptKind::Truncated { what, need, have }.into()
}

/// A block of zeros on the heap.
pub(crate) fn zeroed() -> Box<Block> {
    Box::new([0; BLOCK_SIZE])
}

/// The text before the first NUL; what is not UTF-8 is replaced.
pub(crate) fn text(bytes: &[u8]) -> String {
    let len = bytes
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..len]).into_owned()
}

/// Stores `text` and pads with NULs; what does not fit is cut off.
pub(crate) fn put_text(field: &mut [u8], text: &str) {
    field.fill(0);
    for (to, from) in field.iter_mut().zip(text.bytes()) {
        *to = from;
    }
}
