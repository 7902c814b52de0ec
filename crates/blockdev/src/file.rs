//! Image files and block devices.
//!
//! A device opened for writing is locked with `flock`, exclusively; one opened for reading is locked shared, so
//! a writer and a reader of one image never meet. Block devices are opened with `O_EXCL` for writing, which
//! refuses a device that the kernel has mounted.

use crate::BlockDevice;
use crate::bio::{Bio, BioOp, BioVec};
use crate::error::{DeviceError, DeviceOp};
use runtime::workers::WorkerPool;
use rustix::fs::{FallocateFlags, FlockOperation, OFlags};
use rustix::io::{Errno, ReadWriteFlags, preadv, pwritev, pwritev2};
use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, IoSliceMut, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Pieces passed to one vectored system call; the system's own limit is 1024.
const VECS_MAX: usize = 512;

/// How a device is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading, shared with other readers.
    ReadOnly,
    /// Reading and writing, alone.
    ReadWrite,
    /// The same for a block device that the caller claimed already, by a mount of its own.
    ReadWriteClaimed,
}

/// A file or block device of the host.
#[derive(Debug)]
pub struct FileDevice {
    inner: Arc<Inner>,
    queue: Option<WorkerPool>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    size: u64,
    access: Access,
    is_block_device: bool,
    /// Set when the system refused a discard for good.
    keeps_all: AtomicBool,
}

impl FileDevice {
    /// Opens and locks `path`. Transfers run on `threads` threads of the device; with 0 they run inside `submit`.
    ///
    /// # Errors
    /// The system's; `WouldBlock` if another process uses the device.
    pub fn open(path: &Path, access: Access, threads: usize) -> io::Result<Self> {
        let file_type = std::fs::metadata(path)?.file_type();
        let is_block_device = file_type.is_block_device();
        if !is_block_device && !file_type.is_file() {
            let what = "neither a file nor a block device";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let mut options = OpenOptions::new();
        options.read(true).write(access != Access::ReadOnly);
        if access == Access::ReadWrite && is_block_device {
            options.custom_flags(OFlags::EXCL.bits().cast_signed());
        }
        let file = options.open(path)?;
        lock(&file, access)?;
        Self::from_locked(file, access, is_block_device, threads)
    }

    /// Creates an image file of `size` bytes, or empties and resizes an existing one, and opens it for writing.
    pub fn create(path: &Path, size: u64, threads: usize) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        lock(&file, Access::ReadWrite)?;
        // Emptied only under the lock: never below another process.
        file.set_len(0)?;
        file.set_len(size)?;
        Self::from_locked(file, Access::ReadWrite, false, threads)
    }

    fn from_locked(
        mut file: File,
        access: Access,
        is_block_device: bool,
        threads: usize,
    ) -> io::Result<Self> {
        let size = file.seek(SeekFrom::End(0))?;
        let queue = (threads > 0)
            .then(|| WorkerPool::new("device", threads))
            .transpose()?;
        Ok(Self {
            inner: Arc::new(Inner {
                file,
                size,
                access,
                is_block_device,
                keeps_all: AtomicBool::new(false),
            }),
            queue,
        })
    }
}

/// Locks a file: shared with other readers, or for one writer alone.
fn lock(file: &File, access: Access) -> io::Result<()> {
    let operation = match access {
        Access::ReadOnly => FlockOperation::NonBlockingLockShared,
        Access::ReadWrite | Access::ReadWriteClaimed => FlockOperation::NonBlockingLockExclusive,
    };
    rustix::fs::flock(file, operation).map_err(|e| {
        if e == Errno::WOULDBLOCK {
            io::Error::new(io::ErrorKind::WouldBlock, "in use by another process")
        } else {
            e.into()
        }
    })
}

impl Drop for Inner {
    /// Closing alone would leave the lock to a child that was just forked, until it runs its program.
    fn drop(&mut self) {
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

impl Inner {
    fn check(&self, op: DeviceOp, pos: u64, len: u64) -> Result<(), DeviceError> {
        if op != DeviceOp::Read && self.access == Access::ReadOnly {
            return Err(DeviceError::read_only(op, pos, len));
        }
        match pos.checked_add(len) {
            Some(end) if end <= self.size => Ok(()),
            _ => Err(DeviceError::past_end(op, pos, len, self.size)),
        }
    }

    fn run(&self, mut bio: Bio) {
        let (pos, len) = (bio.pos(), bio.len());
        let op = match bio.op() {
            BioOp::Read => DeviceOp::Read,
            BioOp::Write => DeviceOp::Write,
        };
        let result = self.check(op, pos, len).and_then(|()| {
            self.transfer(op, pos, bio.vecs_mut())
                .map_err(|error| DeviceError::new(op, pos, len, &error))
        });
        bio.complete(result);
    }

    fn transfer(&self, op: DeviceOp, pos: u64, vecs: &mut [BioVec]) -> io::Result<()> {
        let mut pos = pos;
        for group in vecs.chunks_mut(VECS_MAX) {
            let len: usize = group.iter().map(BioVec::len).sum();
            match op {
                DeviceOp::Read => self.read_group(pos, len, group)?,
                _ => self.write_group(pos, len, group)?,
            }
            pos += len as u64;
        }
        Ok(())
    }

    fn read_group(&self, pos: u64, len: usize, group: &mut [BioVec]) -> io::Result<()> {
        let mut slices: Vec<IoSliceMut<'_>> = group
            .iter_mut()
            .filter_map(|v| match v {
                BioVec::Into(slice) => Some(IoSliceMut::new(slice)),
                BioVec::From(_) | BioVec::Owned(_) => None,
            })
            .collect();
        let mut rest = &mut slices[..];
        let mut done = 0;
        while done < len {
            match preadv(&self.file, rest, pos + done as u64) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    done += n;
                    IoSliceMut::advance_slices(&mut rest, n);
                }
                Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    /// Writes past the host's cache (`RWF_DSYNC`), without waiting for what others wrote.
    fn write_through(&self, mut pos: u64, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            match pwritev2(
                &self.file,
                &[IoSlice::new(data)],
                pos,
                ReadWriteFlags::DSYNC,
            ) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    pos += n as u64;
                    data = &data[n..];
                }
                Err(Errno::INTR) => {}
                // An old kernel, or a file system of its own mind: then the long way.
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                    self.file.write_all_at(data, pos)?;
                    return self.file.sync_data();
                }
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    fn discard(&self, pos: u64, len: u64) -> Result<(), Errno> {
        loop {
            let result = if self.is_block_device {
                runtime::ioctl::discard_blocks(&self.file, pos, len)
            } else {
                let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                rustix::fs::fallocate(&self.file, flags, pos, len)
            };
            if result != Err(Errno::INTR) {
                return result;
            }
        }
    }

    fn write_group(&self, pos: u64, len: usize, group: &[BioVec]) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = group
            .iter()
            .filter_map(BioVec::source)
            .map(IoSlice::new)
            .collect();
        let mut rest = &mut slices[..];
        let mut done = 0;
        while done < len {
            match pwritev(&self.file, rest, pos + done as u64) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    done += n;
                    IoSlice::advance_slices(&mut rest, n);
                }
                Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }
}

impl BlockDevice for FileDevice {
    fn size_bytes(&self) -> u64 {
        self.inner.size
    }

    fn is_read_only(&self) -> bool {
        self.inner.access == Access::ReadOnly
    }

    fn submit(&self, bio: Bio) {
        match &self.queue {
            None => self.inner.run(bio),
            Some(queue) => {
                let inner = Arc::clone(&self.inner);
                queue.spawn(move || inner.run(bio));
            }
        }
    }

    fn read_at(&self, pos: u64, buf: &mut [u8]) -> Result<(), DeviceError> {
        let len = buf.len() as u64;
        self.inner.check(DeviceOp::Read, pos, len)?;
        self.inner
            .file
            .read_exact_at(buf, pos)
            .map_err(|e| DeviceError::new(DeviceOp::Read, pos, len, &e))
    }

    fn write_at(&self, pos: u64, data: &[u8]) -> Result<(), DeviceError> {
        let len = data.len() as u64;
        self.inner.check(DeviceOp::Write, pos, len)?;
        self.inner
            .file
            .write_all_at(data, pos)
            .map_err(|e| DeviceError::new(DeviceOp::Write, pos, len, &e))
    }

    fn write_durable(&self, pos: u64, data: &[u8]) -> Result<(), DeviceError> {
        let len = data.len() as u64;
        self.inner.check(DeviceOp::Write, pos, len)?;
        self.inner
            .write_through(pos, data)
            .map_err(|e| DeviceError::new(DeviceOp::Write, pos, len, &e))
    }

    fn flush(&self) -> Result<(), DeviceError> {
        self.inner
            .file
            .sync_data()
            .map_err(|e| DeviceError::new(DeviceOp::Flush, 0, 0, &e))
    }

    fn supports_discard(&self) -> bool {
        !self.is_read_only() && !self.inner.keeps_all.load(Ordering::Relaxed)
    }

    /// Punches a hole in an image file, and asks a block device.
    fn discard(&self, pos: u64, len: u64) -> Result<(), DeviceError> {
        self.inner.check(DeviceOp::Discard, pos, len)?;
        if !self.supports_discard() || len == 0 {
            return Ok(());
        }
        match self.inner.discard(pos, len) {
            Ok(()) => Ok(()),
            // A file system without holes or a device without the command keeps the old bytes, and always will.
            Err(Errno::OPNOTSUPP) => {
                self.inner.keeps_all.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(e) => Err(DeviceError::new(DeviceOp::Discard, pos, len, &e.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::pool::BufferPool;
    use std::sync::mpsc::channel;

    fn device(threads: usize) -> (tempfile::TempDir, FileDevice) {
        let dir = tempfile::tempdir().unwrap();
        let device = FileDevice::create(&dir.path().join("image"), 1 << 20, threads).unwrap();
        (dir, device)
    }

    #[test]
    fn bios_carry_bytes_both_ways() {
        for threads in [0, 2] {
            let (_dir, device) = device(threads);
            let buffer = Arc::new(BufferPool::default().alloc(1).unwrap());
            buffer
                .write(0..8192)
                .iter_mut()
                .enumerate()
                .for_each(|(n, b)| *b = n as u8);
            let (tx, rx) = channel();
            let pieces = vec![
                BioVec::From(buffer.read(0..4096)),
                BioVec::Owned(vec![9; 4096]),
                BioVec::From(buffer.read(4096..8192)),
            ];
            let sent = tx.clone();
            device.submit(Bio::write(4096, pieces, move |r| sent.send(r).unwrap()));
            rx.recv().unwrap().unwrap();
            let target = vec![buffer.write(0..4096)];
            device.submit(Bio::read(8192, target, move |r| tx.send(r).unwrap()));
            rx.recv().unwrap().unwrap();
            assert!(buffer.read(0..4096).iter().all(|&b| b == 9));
            let mut last = [0; 4096];
            device.read_at(12288, &mut last).unwrap();
            assert_eq!(last[..], buffer.read(4096..8192)[..]);
        }
    }

    #[test]
    fn what_is_written_through_is_there() {
        let (dir, device) = device(0);
        device.write_durable(8192, &[5; 4096]).unwrap();
        let bytes = std::fs::read(dir.path().join("image")).unwrap();
        assert_eq!(
            (bytes[8191], bytes[8192], bytes[12287], bytes[12288]),
            (0, 5, 5, 0)
        );
        assert!(device.write_durable(1 << 20, &[0]).is_err());
    }

    #[test]
    fn what_is_discarded_takes_no_room_in_the_image() {
        use std::os::unix::fs::MetadataExt;
        let (dir, device) = device(0);
        device.write_at(0, &vec![7; 1 << 20]).unwrap();
        device.flush().unwrap();
        let sectors = || {
            let found = std::fs::metadata(dir.path().join("image")).unwrap();
            assert_eq!(found.len(), 1 << 20);
            found.blocks()
        };
        let before = sectors();
        device.discard(64 << 10, 512 << 10).unwrap();
        assert!(
            device.supports_discard(),
            "the test's folder cannot hold sparse files"
        );
        assert!(
            sectors() + 900 <= before,
            "{before} before, {} after",
            sectors()
        );
        let mut around = vec![1; (512 << 10) + 2];
        device.read_at((64 << 10) - 1, &mut around).unwrap();
        assert_eq!((around[0], around[around.len() - 1]), (7, 7));
        assert!(around[1..around.len() - 1].iter().all(|&byte| byte == 0));
        assert!(device.discard(1 << 20, 1).is_err());
        device.discard(1 << 20, 0).unwrap();
    }

    #[test]
    fn a_reader_discards_nothing() {
        let (dir, device) = device(0);
        drop(device);
        let reader = FileDevice::open(&dir.path().join("image"), Access::ReadOnly, 0).unwrap();
        assert!(!reader.supports_discard());
        assert_eq!(
            reader.discard(0, 4096).unwrap_err().kind,
            io::ErrorKind::ReadOnlyFilesystem
        );
    }

    #[test]
    fn a_bio_past_the_end_fails() {
        let (_dir, device) = device(0);
        let buffer = Arc::new(BufferPool::default().alloc(0).unwrap());
        let (tx, rx) = channel();
        let pieces = vec![buffer.write(0..4096)];
        device.submit(Bio::read((1 << 20) - 100, pieces, move |r| {
            tx.send(r).unwrap();
        }));
        assert_eq!(
            rx.recv().unwrap().unwrap_err().kind,
            io::ErrorKind::UnexpectedEof
        );
    }

    #[test]
    fn a_second_writer_is_refused() {
        let (dir, first) = device(0);
        let path = dir.path().join("image");
        let error = FileDevice::open(&path, Access::ReadWrite, 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(FileDevice::open(&path, Access::ReadOnly, 0).is_err());
        drop(first);
        let reader = FileDevice::open(&path, Access::ReadOnly, 0).unwrap();
        assert!(FileDevice::open(&path, Access::ReadOnly, 0).is_ok());
        assert_eq!(
            reader.write_at(0, &[0]).unwrap_err().kind,
            io::ErrorKind::ReadOnlyFilesystem
        );
    }
}
