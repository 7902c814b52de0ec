//! Discarding on block devices and on mounts.
//!
//! # Invariants
//! A function here is sound whatever descriptor it is given: either the request's number says how much memory it
//! reads and writes, or what it is sent to is looked at first.

use rustix::fd::AsFd;
use rustix::fs::{FileType, fstat};
use rustix::io::{Errno, Result};
use rustix::ioctl::{Opcode, Setter, Updater, ioctl};

/// Number of `BLKDISCARD`.
const BLKDISCARD: Opcode = 0x1277;
/// Number of `FITRIM`: reads and writes 24 bytes.
const FITRIM: Opcode = 0xc018_5879;

/// Tells a block device that `[pos, pos + len)` is no longer needed; it may read back as anything.
///
/// # Errors
/// The system's: `OPNOTSUPP` if the device has no such command, `NOTTY` if this is no block device.
#[expect(unsafe_code, reason = "no safe wrapper exists")]
pub fn discard_blocks(device: impl AsFd, pos: u64, len: u64) -> Result<()> {
    let mode = fstat(&device)?.st_mode;
    if FileType::from_raw_mode(mode) != FileType::BlockDevice {
        return Err(Errno::NOTTY);
    }
    // SAFETY: on every block device this request reads two u64 and writes nothing.
    unsafe { ioctl(device, Setter::<BLKDISCARD, [u64; 2]>::new([pos, len])) }
}

/// Asks the file system that a directory is on to discard its free space within `[start, start + len)`, in runs of at
/// least `min_len` bytes. Returns how many bytes it discarded.
///
/// # Errors
/// The system's: `PERM` if only root may, `NOTTY` or `OPNOTSUPP` if the file system or its device cannot.
#[expect(unsafe_code, reason = "no safe wrapper exists")]
pub fn trim(dir: impl AsFd, start: u64, len: u64, min_len: u64) -> Result<u64> {
    let mut range = [start, len, min_len];
    // SAFETY: the number says that the request reads and writes 24 bytes, which `range` has.
    unsafe {
        ioctl(dir, Updater::<FITRIM, [u64; 3]>::new(&mut range))?;
    }
    Ok(range[1])
}
