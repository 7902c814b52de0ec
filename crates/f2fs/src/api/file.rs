//! An open file.

use super::metadata::{ClusterCounts, Metadata, count_clusters};
use super::open_options::OpenOptions;
use crate::data::DataOps;
use crate::error::{Error, Result};
use crate::fsync::{SyncScope, sync_file, sync_write};
use crate::idle::Writer;
use crate::ops::attr::SetAttr;
use crate::ops::fallocate::{self, Fallocate};
use crate::ops::handle::OpenInode;
use crate::ops::privileges::{Privileges, kill_privileges};
use crate::ops::{attr, extents, file};
use crate::verity::{self, VerityDigest};
use pagecache::{ErrSeqCursor, Readahead};
use runtime::sync::{Mutex, Rank};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;

/// A file of a [`crate::Volume`], as in `std::fs::File`.
///
/// Bytes that were written are on the volume after [`File::sync_all`], or after [`crate::Volume::sync`] or
/// [`crate::Volume::close`]; dropping a file does not write it. Several threads may use `read_at` and `write_at`.
#[derive(Debug)]
pub struct File {
    /// First, so that it ends before the handle does.
    _writer: Option<Writer>,
    pub(super) open: OpenInode,
    may_read: bool,
    may_write: bool,
    append: bool,
    sync: Option<SyncScope>,
    pos: u64,
    seen: Mutex<Seen>,
}

/// What one open file remembers between calls.
#[derive(Debug)]
struct Seen {
    ahead: Readahead,
    errors: ErrSeqCursor,
}

impl File {
    pub(crate) fn new(open: OpenInode, options: &OpenOptions) -> Self {
        let window = open.fs.options.readahead_bytes / iomap::BLOCK_SIZE;
        let seen = Seen {
            ahead: Readahead::new(window),
            errors: open.inode.mapping.errors().cursor(),
        };
        Self {
            _writer: options
                .may_write()
                .then(|| Writer::of(&open.fs, &open.inode)),
            may_read: options.read,
            may_write: options.may_write(),
            append: options.append,
            sync: options.sync,
            pos: 0,
            seen: Mutex::new(Rank::LEAF, seen),
            open,
        }
    }

    pub(super) fn check_may_write(&self) -> Result<()> {
        if self.may_write {
            Ok(())
        } else {
            Err(Error::NotPermitted("the file is not open for writing"))
        }
    }

    /// Reads at byte `pos`; fewer bytes than asked at the end of the file.
    pub fn read_at(&self, pos: u64, dst: &mut [u8]) -> Result<usize> {
        if !self.may_read {
            return Err(Error::NotPermitted("the file is not open for reading"));
        }
        // A copy: the state is a hint, and reads of one handle must not wait for each other.
        let mut ahead = self.seen.lock().ahead.clone();
        let result = file::read_at(&self.open.fs, &self.open.inode, pos, dst, &mut ahead);
        self.seen.lock().ahead = ahead;
        result
    }

    /// Writes at byte `pos`; the number of bytes written, fewer than given only if the volume is full.
    pub fn write_at(&self, pos: u64, src: &[u8]) -> Result<usize> {
        self.check_may_write()?;
        let pos = if self.append {
            self.open.inode.size()
        } else {
            pos
        };
        let (fs, inode) = (&self.open.fs, &self.open.inode);
        let written = file::write_at(fs, inode, pos, src)?;
        sync_write(fs, inode, self.sync)?;
        Ok(written)
    }

    /// Writes all of `src` at byte `pos`.
    pub fn write_all_at(&self, mut pos: u64, mut src: &[u8]) -> Result<()> {
        while !src.is_empty() {
            let n = self.write_at(pos, src)?;
            pos += n as u64;
            src = &src[n..];
        }
        Ok(())
    }

    /// Cuts or extends the file. What is added is a hole.
    pub fn set_len(&self, size: u64) -> Result<()> {
        self.check_may_write()?;
        file::set_len(&self.open.fs, &self.open.inode, size)
    }

    /// Reserves, frees, zeroes, takes out or inserts a range of bytes, as `fallocate(2)` on Linux.
    ///
    /// # Errors
    /// `NoSpace` leaves nothing reserved. Taking out and inserting need whole blocks; in a compressed file, whole
    /// clusters.
    pub fn fallocate(&self, what: Fallocate, range: Range<u64>) -> Result<()> {
        self.check_may_write()?;
        fallocate::fallocate(&self.open.fs, &self.open.inode, what, range)
    }

    /// Makes content and attributes durable. Reports an error of earlier writing-back once.
    pub fn sync_all(&self) -> Result<()> {
        self.sync(SyncScope::All)
    }

    /// Makes the content durable, and what is needed to read it: fdatasync(2). Reports an error as
    /// [`File::sync_all`].
    pub fn sync_data(&self) -> Result<()> {
        self.sync(SyncScope::Data)
    }

    fn sync(&self, scope: SyncScope) -> Result<()> {
        let (fs, inode) = (&self.open.fs, &self.open.inode);
        let synced = sync_file(fs, inode, scope);
        // A copy: the cursor's lock and the record's are both leaves.
        let mut seen = self.seen.lock().errors;
        let told = inode.mapping.errors().check(&mut seen);
        self.seen.lock().errors = seen;
        let ops = DataOps::new(fs, inode);
        synced.and(told.map_err(|e| iomap::IomapOps::read_error(&ops, e)))
    }

    /// Attributes now.
    pub fn metadata(&self) -> Metadata {
        Metadata::of(&self.open.inode)
    }

    /// What fs-verity measures (`FS_IOC_MEASURE_VERITY`); None if the file is not sealed.
    pub fn verity_digest(&self) -> Result<Option<VerityDigest>> {
        let verity = verity::of(&self.open.fs, &self.open.inode)?;
        Ok(verity.map(|verity| verity.measurement()))
    }

    /// How its clusters are stored; None if it is not compressed. Reads the file's address slots.
    pub fn clusters(&self) -> Result<Option<ClusterCounts>> {
        count_clusters(&self.open.fs, &self.open.inode)
    }

    /// Takes set-id bits and the capability from the file, as a write or a truncation does in Linux. The engine does
    /// not know who writes, so whoever does calls this.
    pub fn kill_privileges(&self, what: Privileges) -> Result<()> {
        kill_privileges(&self.open.fs, &self.open.inode, what)
    }

    /// Changes mode, owner or times.
    pub fn set_attr(&self, set: &SetAttr) -> Result<()> {
        attr::set_attr(&self.open.fs, &self.open.inode, set)
    }

    /// The first byte of data at or after `pos`; None if only holes follow.
    pub fn seek_data(&self, pos: u64) -> Result<Option<u64>> {
        let _shared = self.open.inode.rwsem.read();
        iomap::seek_data(&DataOps::new(&self.open.fs, &self.open.inode), pos)
    }

    /// The first byte of a hole at or after `pos`; the end of the file counts as one.
    pub fn seek_hole(&self, pos: u64) -> Result<u64> {
        let _shared = self.open.inode.rwsem.read();
        iomap::seek_hole(&DataOps::new(&self.open.fs, &self.open.inode), pos)
    }

    /// Where the file's bytes lie, space reserved behind its end too; holes are left out.
    pub fn extents(&self) -> Result<Vec<iomap::Extent>> {
        extents::extents(&self.open.fs, &self.open.inode)
    }

    /// The block of the volume that holds one of the file's blocks; None if none does on its own: in holes, reserved
    /// space, compressed clusters, files kept in their inode. What is dirty is written first.
    pub fn block_address(&self, file_block: u64) -> Result<Option<u32>> {
        extents::bmap(&self.open.fs, &self.open.inode, file_block)
    }
}

impl Read for File {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.read_at(self.pos, buf)?;
        self.pos += n as u64;
        Ok(n)
    }
}

impl Write for File {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.append {
            self.pos = self.open.inode.size();
        }
        let n = self.write_at(self.pos, buf)?;
        self.pos += n as u64;
        Ok(n)
    }

    /// Nothing to do: bytes are in the volume's cache already. See [`File::sync_all`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let pos = match to {
            SeekFrom::Start(pos) => Some(pos),
            SeekFrom::End(by) => self.open.inode.size().checked_add_signed(by),
            SeekFrom::Current(by) => self.pos.checked_add_signed(by),
        };
        self.pos = pos.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.pos)
    }
}
