//! Why a cluster could not be encoded or decoded.

use f2fs_format::CompressAlgorithm;
use thiserror::Error;

/// An error of [`Encoder`](crate::Encoder) or [`Decoder`](crate::Decoder).
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodecError {
    /// The cluster size is none that F2FS knows.
    #[error("log cluster size {log_cluster_size} is outside 2..=8")]
    ClusterSize {
        /// Logarithm of the cluster size in blocks.
        log_cluster_size: u8,
    },
    /// The algorithm has no such level.
    #[error("{} has no level {level}", algorithm.name())]
    Level {
        /// The algorithm.
        algorithm: CompressAlgorithm,
        /// The level asked for.
        level: u8,
    },
    /// A buffer of the caller has the wrong length, in bytes.
    #[error("buffer of {got} bytes, {expected} needed")]
    BufferLength {
        /// Bytes needed.
        expected: usize,
        /// Bytes given.
        got: usize,
    },
    /// The compressed blocks are not whole blocks, or not fewer than the cluster has.
    #[error("{bytes} bytes are not the compressed blocks of a cluster")]
    BlocksLength {
        /// Bytes given.
        bytes: usize,
    },
    /// The header names a payload that is empty or ends behind the compressed blocks.
    #[error("payload of {clen} bytes, the compressed blocks have room for {room}")]
    HeaderLength {
        /// Payload length of the header, in bytes.
        clen: u32,
        /// Bytes behind the header.
        room: usize,
    },
    /// The payload is not what was written.
    #[error("checksum {stored:#010x} stored, {computed:#010x} computed")]
    Checksum {
        /// Checksum of the header.
        stored: u32,
        /// Checksum of the payload.
        computed: u32,
    },
    /// The payload decodes to something else than one cluster.
    #[error("decodes to {got} bytes, {expected} expected")]
    DecodedSize {
        /// Bytes in a cluster.
        expected: usize,
        /// Bytes decoded or, where the stream states it, announced.
        got: u64,
    },
    /// The payload is no stream of the algorithm.
    #[error("corrupt {} stream: {reason}", algorithm.name())]
    Corrupt {
        /// The algorithm.
        algorithm: CompressAlgorithm,
        /// What is wrong.
        reason: CorruptReason,
    },
    /// A zstd frame asks for a larger window than the kernel gives it.
    #[error("zstd window of {window} bytes, at most {max} allowed")]
    WindowTooLarge {
        /// Window of the frame, in bytes.
        window: u64,
        /// Bytes in a cluster.
        max: u64,
    },
    /// The codec library failed for a reason that does not lie in the data, such as lack of memory.
    #[error("{} library: {message}", algorithm.name())]
    Library {
        /// The algorithm.
        algorithm: CompressAlgorithm,
        /// Message of the library.
        message: &'static str,
    },
}

/// What is wrong with a compressed stream.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CorruptReason {
    /// It ends within an instruction or without an end mark.
    #[error("cut off")]
    Truncated,
    /// It holds more than one cluster.
    #[error("longer than a cluster")]
    Overrun,
    /// It refers to bytes before its start.
    #[error("reference before the start")]
    Lookbehind,
    /// Its end mark has a wrong length operand.
    #[error("bad end mark")]
    EndMark,
    /// It goes on behind its end.
    #[error("bytes after the end")]
    TrailingBytes,
    /// It does not begin as a frame of the algorithm does.
    #[error("no frame header")]
    FrameHeader,
    /// It breaks a rule of the format that is not told apart.
    #[error("malformed")]
    Malformed,
    /// It breaks a rule of the format; the message of the library names it.
    #[error("{0}")]
    Library(&'static str),
}
