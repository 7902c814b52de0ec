//! The ioctls of F2FS, for programs that work on a mount.
//!
//! A number means nothing by itself: another driver may take it for something else, and write more than is expected.
//! So they go only through a [`OnF2fs`], which is a regular file or directory on F2FS, or on a FUSE file system;
//! there the kernel itself moves the bytes, as many as the number says.
//!
//! # Invariants
//! 1. Each number stands once, in the function that knows the type behind it.
#![expect(
    unsafe_code,
    reason = "ioctl(2) takes a number and a pointer; the types below are those of the kernel"
)]

use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{FileType, fstat, fstatfs};
use rustix::ioctl::{Getter, Ioctl, NoArg, Opcode, Setter, ioctl};
use std::io::Result;

const F2FS_MAGIC: u64 = 0xf2f5_2010;
const FUSE_MAGIC: u64 = 0x6573_5546;

const GARBAGE_COLLECT: Opcode = 0x4004_f506;
const WRITE_CHECKPOINT: Opcode = 0xf507;
const GET_FEATURES: Opcode = 0x8004_f50c;
const GET_COMPRESS_BLOCKS: Opcode = 0x8008_f511;
const RELEASE_COMPRESS_BLOCKS: Opcode = 0x8008_f512;
const RESERVE_COMPRESS_BLOCKS: Opcode = 0x8008_f513;
const GET_COMPRESS_OPTION: Opcode = 0x8002_f515;
const DECOMPRESS_FILE: Opcode = 0xf517;
const COMPRESS_FILE: Opcode = 0xf518;
/// Ours: the kernel's numbers end far below.
const RECOMPRESS_FILE: Opcode = RECOMPRESS_NUMBER;

/// The number of [`OnF2fs::recompress`]: `_IOW(0xf5, 0xe0, __u8[4])`.
pub const RECOMPRESS_NUMBER: u32 = 0x4004_f5e0;

/// A file or directory that F2FS's ioctls may be tried on.
#[derive(Clone, Copy, Debug)]
pub struct OnF2fs<'a>(BorrowedFd<'a>);

impl<'a> OnF2fs<'a> {
    /// Takes an open file or directory; None if it is no such thing, or lies on another file system.
    pub fn new(file: &'a impl AsFd) -> Result<Option<Self>> {
        let fd = file.as_fd();
        let file_type = FileType::from_raw_mode(fstat(fd)?.st_mode);
        let magic = fstatfs(fd)?.f_type as u64;
        let is_known = matches!(file_type, FileType::RegularFile | FileType::Directory)
            && matches!(magic, F2FS_MAGIC | FUSE_MAGIC);
        Ok(is_known.then_some(Self(fd)))
    }

    /// Whether it lies on F2FS, the kernel's or a mount of ours. Other FUSE file systems do not answer.
    pub fn is_f2fs(self) -> bool {
        // SAFETY: (1) `new` saw that the number reaches F2FS or FUSE. F2FS writes a u32; FUSE at most the four bytes
        // that the number says, and zeroes what it does not get.
        self.run(unsafe { Getter::<GET_FEATURES, [u8; 4]>::new() })
            .is_ok()
    }

    /// Blocks that compression saved and the file holds (`F2FS_IOC_GET_COMPRESS_BLOCKS`).
    pub fn saved_blocks(self) -> Result<u64> {
        // SAFETY: (2) as 1; the answer is a u64.
        self.run(unsafe { Getter::<GET_COMPRESS_BLOCKS, [u8; 8]>::new() })
            .map(u64::from_ne_bytes)
    }

    /// Gives them to the volume; how many (`F2FS_IOC_RELEASE_COMPRESS_BLOCKS`).
    pub fn release(self) -> Result<u64> {
        // SAFETY: (3) as 1; the answer is a u64.
        self.run(unsafe { Getter::<RELEASE_COMPRESS_BLOCKS, [u8; 8]>::new() })
            .map(u64::from_ne_bytes)
    }

    /// Takes them again; how many (`F2FS_IOC_RESERVE_COMPRESS_BLOCKS`).
    pub fn reserve(self) -> Result<u64> {
        // SAFETY: (4) as 1; the answer is a u64.
        self.run(unsafe { Getter::<RESERVE_COMPRESS_BLOCKS, [u8; 8]>::new() })
            .map(u64::from_ne_bytes)
    }

    /// Number of the algorithm and logarithm of the blocks of a cluster (`F2FS_IOC_GET_COMPRESS_OPTION`).
    pub fn option(self) -> Result<[u8; 2]> {
        // SAFETY: (5) as 1; `struct f2fs_comp_option` is two bytes.
        self.run(unsafe { Getter::<GET_COMPRESS_OPTION, [u8; 2]>::new() })
    }

    /// Compresses what is stored raw (`F2FS_IOC_COMPRESS_FILE`).
    pub fn compress(self) -> Result<()> {
        // SAFETY: (6) F2FS and FUSE read and write nothing for a number without a size.
        self.run(unsafe { NoArg::<COMPRESS_FILE>::new() })
    }

    /// Stores all clusters raw (`F2FS_IOC_DECOMPRESS_FILE`).
    pub fn decompress(self) -> Result<()> {
        // SAFETY: (7) as 6.
        self.run(unsafe { NoArg::<DECOMPRESS_FILE>::new() })
    }

    /// Compresses the file another way: number of the algorithm, logarithm of the blocks of a cluster (0 keeps it),
    /// level, and a zero. The kernel's F2FS does not know it.
    pub fn recompress(self, new: [u8; 4]) -> Result<()> {
        // SAFETY: (8) FUSE reads four bytes, as the number says; the kernel's F2FS refuses the number.
        self.run(unsafe { Setter::<RECOMPRESS_FILE, [u8; 4]>::new(new) })
    }

    /// Cleans one section and waits for it (`F2FS_IOC_GARBAGE_COLLECT`); root only.
    ///
    /// # Errors
    /// The system's; `ENODATA` if there is nothing to clean.
    pub fn collect_section(self) -> Result<()> {
        // SAFETY: (9) as 8: a u32 is read, which says whether to wait.
        self.run(unsafe { Setter::<GARBAGE_COLLECT, u32>::new(1) })
    }

    /// Takes a checkpoint (`F2FS_IOC_WRITE_CHECKPOINT`); root only.
    pub fn write_checkpoint(self) -> Result<()> {
        // SAFETY: (10) as 6.
        self.run(unsafe { NoArg::<WRITE_CHECKPOINT>::new() })
    }

    fn run<I: Ioctl>(self, request: I) -> Result<I::Output> {
        // SAFETY: (11) the request was made above, where number and type were said to go together; `new` saw who
        // answers.
        let result = unsafe { ioctl(self.0, request) };
        Ok(result?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn other_files_are_not_taken() {
        let null = File::open("/dev/null").unwrap();
        assert!(OnF2fs::new(&null).unwrap().is_none());
        let proc = File::open("/proc/self/stat").unwrap();
        assert!(OnF2fs::new(&proc).unwrap().is_none());
    }
}
