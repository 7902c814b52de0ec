//! LZO1X and LZO-RLE: the byte-oriented codec of `compress_algorithm=lzo` and `lzo-rle`.
//!
//! Written from the description of the stream in the Linux documentation (`staging/lzo.rst`). A
//! stream is a row of instructions. Each copies a match from the bytes already decoded (or, in
//! LZO-RLE, writes a run of zeros) and then up to three literals; longer literals have an
//! instruction of their own. The neighbours above are `encode.rs` and `decode.rs`.
//!
//! | first byte | meaning |
//! |---|---|
//! | `0000LLLL` after no literals | 4 or more literals |
//! | `0000DDSS` after 1..=3 literals | match of 2 bytes, distance up to 1 KiB |
//! | `0000DDSS` after a long literal | match of 3 bytes, distance 2..=3 KiB |
//! | `0001HLLL` | match, distance 16 KiB + 1 ..= 48 KiB - 1; also the end mark and the zero run |
//! | `001LLLLL` | match, distance up to 16 KiB |
//! | `LLLDDDSS` | match of 3..=8 bytes, distance up to 2 KiB |
//!
//! # Invariants
//! - No input makes the decoder write outside its output, read outside its input or loop without
//!   consuming input.
//! - What the encoder writes never contains the pattern that a version 1 decoder takes for a zero
//!   run unless it is one.

mod decode;
mod encode;
mod instructions;
mod scan;
#[cfg(test)]
mod tests;

pub(crate) use decode::decode;
pub(crate) use encode::LzoEncoder;

/// Version of the bit stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// Plain LZO1X, without a version mark.
    Lzo1x,
    /// LZO1X with zero runs, marked by `VERSION_MARK` and `VERSION_RLE`.
    Rle,
}

/// First byte of a stream that states its version.
const VERSION_MARK: u8 = 17;
/// Version byte of a stream with zero runs.
const VERSION_RLE: u8 = 1;
/// A shorter stream states no version, whatever its first byte.
const VERSIONED_LEN_MIN: usize = 5;
/// The instruction that ends a stream.
const END_MARK: [u8; 3] = [17, 0, 0];
/// A first byte above this one counts literals; it is also what is subtracted from it.
const FIRST_LITERALS_BASE: usize = 17;

/// Longest distance of the one-byte-operand match (`LLLDDDSS`).
const SHORT_DISTANCE_MAX: usize = 0x800;
/// Longest match of that instruction.
const SHORT_LEN_MAX: usize = 8;
/// Longest distance of `001LLLLL`.
const MIDDLE_DISTANCE_MAX: usize = 0x4000;
/// Longest distance of `0001HLLL`. In LZO-RLE this one stands for a zero run.
const FAR_DISTANCE_MAX: usize = 0xbfff;
/// Shortest zero run that can be written.
const ZERO_RUN_BASE: usize = 4;
/// Longest zero run of one instruction.
const ZERO_RUN_MAX: usize = 0x7ff + ZERO_RUN_BASE;
/// The distance bits of a zero run (all ones), in place above the two literal bits.
const ZERO_RUN_DISTANCE_BITS: u16 = 0xfffc;
