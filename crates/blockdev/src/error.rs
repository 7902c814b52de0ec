//! What a device answers when it fails.

use std::io;

/// The operation that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceOp {
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Making writes durable.
    Flush,
    /// Discarding.
    Discard,
}

impl std::fmt::Display for DeviceOp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Flush => "flush",
            Self::Discard => "discard",
        })
    }
}

/// A failed transfer: what, where, why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("device {op} of {len} bytes at byte {pos}: {reason}")]
pub struct DeviceError {
    /// What was tried.
    pub op: DeviceOp,
    /// First byte.
    pub pos: u64,
    /// Bytes.
    pub len: u64,
    /// Kind of the system's error.
    pub kind: io::ErrorKind,
    /// The system's message.
    pub reason: String,
}

impl DeviceError {
    /// From the system's error.
    pub fn new(op: DeviceOp, pos: u64, len: u64, error: &io::Error) -> Self {
        Self {
            op,
            pos,
            len,
            kind: error.kind(),
            reason: error.to_string(),
        }
    }

    /// A transfer past the end of the device (a short or shrunken image).
    pub fn past_end(op: DeviceOp, pos: u64, len: u64, size: u64) -> Self {
        let reason = format!("past the end of the device ({size} bytes)");
        Self {
            op,
            pos,
            len,
            kind: io::ErrorKind::UnexpectedEof,
            reason,
        }
    }

    /// A write to a device opened for reading.
    pub fn read_only(op: DeviceOp, pos: u64, len: u64) -> Self {
        let reason = "the device is read-only".to_owned();
        Self {
            op,
            pos,
            len,
            kind: io::ErrorKind::ReadOnlyFilesystem,
            reason,
        }
    }
}
