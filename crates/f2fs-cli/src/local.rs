//! Reads files of the host: data and holes, extended attributes, owners and times.

use f2fs::{SetAttr, Timestamp};
use rustix::fs::{OFlags, SeekFrom};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// The system's limit for the list of names and for a value.
const XATTR_MAX: usize = 64 << 10;

/// Opens a regular file that `found` describes, and refuses if another one took its place.
pub(crate) fn open(path: &Path, found: &Metadata) -> io::Result<File> {
    // A pipe that took the file's place must not block.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    let now = file.metadata()?;
    if (now.dev(), now.ino()) == (found.dev(), found.ino()) && now.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("replaced while it was opened"))
    }
}

/// The parts of a file's first `len` bytes that hold data, in order.
#[derive(Debug)]
pub(crate) struct DataRuns<'a> {
    file: &'a File,
    next: u64,
    len: u64,
}

impl<'a> DataRuns<'a> {
    /// Of an open file.
    pub(crate) fn new(file: &'a File, len: u64) -> Self {
        Self { file, next: 0, len }
    }

    fn next_run(&self) -> io::Result<Option<Range<u64>>> {
        let start = match rustix::fs::seek(self.file, SeekFrom::Data(self.next)) {
            Ok(start) => start,
            Err(Errno::NXIO) => return Ok(None),
            // A file system that does not know holes: all is data.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(Some(self.next..self.len)),
            Err(error) => return Err(error.into()),
        };
        let end = rustix::fs::seek(self.file, SeekFrom::Hole(start))?.min(self.len);
        Ok((start < end).then_some(start..end))
    }
}

impl Iterator for DataRuns<'_> {
    type Item = io::Result<Range<u64>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.len {
            return None;
        }
        let found = self.next_run();
        self.next = match &found {
            Ok(Some(run)) => run.end,
            Ok(None) | Err(_) => self.len,
        };
        found.transpose()
    }
}

/// Reads at `pos` until `dst` is full or the file ends.
pub(crate) fn read_full(file: &File, mut dst: &mut [u8], mut pos: u64) -> io::Result<usize> {
    let mut done = 0;
    while !dst.is_empty() {
        match file.read_at(dst, pos) {
            Ok(0) => break,
            Ok(n) => {
                done += n;
                pos += n as u64;
                dst = &mut dst[n..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// One extended attribute.
#[derive(Clone, Debug)]
pub(crate) struct Xattr {
    /// Name with its prefix, such as `user.note`.
    pub(crate) name: OsString,
    /// Value in the system's form.
    pub(crate) value: Vec<u8>,
}

/// The extended attributes of a file; of a symbolic link itself. None where the file system has
/// none.
pub(crate) fn xattrs(path: &Path) -> io::Result<Vec<Xattr>> {
    let mut list = vec![0; XATTR_MAX];
    let len = match rustix::fs::llistxattr(path, &mut list[..]) {
        Ok(len) => len,
        Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut xattrs = Vec::new();
    for name in list[..len]
        .split(|&b| b == 0)
        .filter(|name| !name.is_empty())
    {
        let mut value = vec![0; XATTR_MAX];
        match rustix::fs::lgetxattr(path, name, &mut value[..]) {
            Ok(len) => value.truncate(len),
            // Removed meanwhile, or listed but not for us.
            Err(Errno::NODATA | Errno::PERM | Errno::ACCESS) => continue,
            Err(error) => return Err(error.into()),
        }
        xattrs.push(Xattr {
            name: OsString::from_vec(name.to_vec()),
            value,
        });
    }
    Ok(xattrs)
}

/// Permissions and times, for the volume.
pub(crate) fn attributes(found: &Metadata) -> SetAttr {
    SetAttr {
        permissions: Some((found.mode() & 0o7777) as u16),
        accessed: Some(timestamp(found.atime(), found.atime_nsec())),
        modified: Some(timestamp(found.mtime(), found.mtime_nsec())),
        ..SetAttr::default()
    }
}

fn timestamp(secs: i64, nanos: i64) -> Timestamp {
    let nanos = u32::try_from(nanos).unwrap_or(0);
    Timestamp { secs, nanos }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_data_leave_holes_out() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 20).unwrap();
        file.write_all_at(&[1; 4096], 256 << 10).unwrap();
        let runs: Vec<_> = DataRuns::new(&file, 1 << 20).map(Result::unwrap).collect();
        let covered = runs.iter().any(|run| run.contains(&(256 << 10)));
        assert!(
            covered && runs.iter().all(|run| run.end <= 1 << 20),
            "{runs:?}"
        );
        assert_eq!(DataRuns::new(&file, 0).count(), 0);
    }
}
