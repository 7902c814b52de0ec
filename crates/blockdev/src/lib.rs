//! Block devices: where volumes live.
//!
//! [`BlockDevice`] is the seam. Data goes through [`Bio`]s, which own their memory and tell a completion how they
//! ended; metadata, which is small and waited for at once, goes through `read_at` and `write_at`.
//!
//! | module | what |
//! |---|---|
//! | [`bio`] | one transfer: position, pieces of memory, completion |
//! | [`mod@file`] | image files and block devices, with an exclusive lock |
//! | [`mem`] | a sparse device in memory |
#![deny(unsafe_code)]

pub mod bio;
pub mod error;
pub mod file;
pub mod mem;

pub use bio::{Bio, BioOp, BioVec};
pub use error::{DeviceError, DeviceOp};
pub use file::{Access, FileDevice};
pub use mem::MemDevice;

/// A device of fixed size, addressed in bytes.
///
/// Every method may be called from several threads at once. Transfers may complete in any order; only `flush`
/// orders them.
pub trait BlockDevice: Send + Sync + std::fmt::Debug {
    /// Size in bytes.
    fn size_bytes(&self) -> u64;

    /// Whether writes are refused.
    fn is_read_only(&self) -> bool;

    /// Starts a transfer. Its completion is called exactly once, on any thread, possibly before this returns.
    fn submit(&self, bio: Bio);

    /// Reads exactly `buf.len()` bytes at `pos`.
    fn read_at(&self, pos: u64, buf: &mut [u8]) -> Result<(), DeviceError>;

    /// Writes all of `data` at `pos`. Durable after the next `flush`.
    fn write_at(&self, pos: u64, data: &[u8]) -> Result<(), DeviceError>;

    /// Writes all of `data` at `pos`; it is durable when this returns (FUA). Says nothing about other writes.
    fn write_durable(&self, pos: u64, data: &[u8]) -> Result<(), DeviceError> {
        self.write_at(pos, data)?;
        self.flush()
    }

    /// Makes every completed write durable.
    fn flush(&self) -> Result<(), DeviceError>;

    /// Whether a discard does anything, as far as is known: some devices tell only when they are asked to.
    fn supports_discard(&self) -> bool {
        true
    }

    /// Says that the content of `[pos, pos + len)` is no longer needed; it may read back as anything. Where nothing can
    /// be discarded, nothing happens.
    fn discard(&self, pos: u64, len: u64) -> Result<(), DeviceError>;
}
