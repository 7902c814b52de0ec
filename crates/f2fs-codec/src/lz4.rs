//! lz4 and lz4hc: one raw block, without a frame, as the kernel stores it.
//!
//! The encoder of the library keeps no state between clusters; neither does this module.

use crate::error::CorruptReason;
use lz4::block::{self, CompressionMode};

/// Encodes `src` into `out` and returns the length, or `None` if it does not fit.
///
/// Level 0 is the fast encoder, any other one lz4hc.
pub(crate) fn encode(level: u8, src: &[u8], out: &mut [u8]) -> Option<usize> {
    let mode = match level {
        0 => CompressionMode::DEFAULT,
        level => CompressionMode::HIGHCOMPRESSION(i32::from(level)),
    };
    // A cluster is never too long, so lack of room is the only error left.
    block::compress_to_buffer(src, Some(mode), false, out).ok()
}

/// Decodes the block into `out` and returns how many bytes it holds.
pub(crate) fn decode(payload: &[u8], out: &mut [u8]) -> Result<usize, CorruptReason> {
    let size = i32::try_from(out.len()).expect("a cluster is at most 1 MiB");
    block::decompress_to_buffer(payload, Some(size), out).map_err(|_| CorruptReason::Malformed)
}
