//! The codecs of compressed clusters: bytes in, bytes out.
//!
//! A cluster of 16 KiB to 1 MiB is encoded as a header, a payload and zero fill, in whole blocks,
//! exactly as the kernel stores it and accepts it. Below lies `f2fs-format` with the header and the
//! checksum; above, the engine decides which clusters to encode and where the blocks go.
//!
//! | type | is |
//! |---|---|
//! | [`CodecParams`] | algorithm, level, cluster size and checksum flag: the fields of an inode |
//! | [`Encoder`] | cluster to blocks; answers [`Encoded::Incompressible`] if none is saved |
//! | [`Decoder`] | blocks to cluster, with [`Verify`] to say what a wrong checksum means |
//!
//! # Invariants
//! - No I/O, no threads, no state besides scratch memory: the same input gives the same bytes.
//! - A decoder given hostile bytes fills its output exactly or returns an error, and takes no
//!   memory that depends on them.

#![forbid(unsafe_code)]

mod decode;
mod encode;
mod error;
mod header;
mod lz4;
mod lzo;
mod params;
mod zstd;

pub use decode::Decoder;
pub use encode::{Encoded, Encoder};
pub use error::{CodecError, CorruptReason};
pub use f2fs_format::CompressAlgorithm;
pub use params::{CodecParams, LOG_CLUSTER_SIZES, Verify};
