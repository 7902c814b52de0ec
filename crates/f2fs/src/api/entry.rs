//! Listing a directory.

use crate::dir;
use crate::error::Result;
use crate::ops::access_time::note_access;
use crate::ops::handle::OpenInode;
use f2fs_format::FileType;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;

/// Entries fetched under one lock of the directory.
const BATCH: usize = 256;

/// One entry of a directory.
#[derive(Clone, Debug)]
pub struct DirEntry {
    name: OsString,
    ino: u32,
    file_type: FileType,
}

impl DirEntry {
    /// Name in the directory.
    pub fn file_name(&self) -> &OsStr {
        &self.name
    }

    /// Inode number.
    pub fn ino(&self) -> u32 {
        self.ino
    }

    /// Type.
    pub fn file_type(&self) -> FileType {
        self.file_type
    }
}

/// Iterator over the entries of a directory, without `.` and `..`, in the order they are stored.
///
/// The directory may change meanwhile; entries that stay are returned once. A damaged entry is an error; entries
/// behind it follow.
#[derive(Debug)]
pub struct ReadDir {
    dir: OpenInode,
    batch: VecDeque<Result<DirEntry>>,
    next: u64,
    ended: bool,
}

impl ReadDir {
    pub(crate) fn new(dir: OpenInode) -> Self {
        Self {
            dir,
            batch: VecDeque::new(),
            next: 0,
            ended: false,
        }
    }

    fn fetch(&mut self) -> Result<()> {
        let _shared = self.dir.inode.rwsem.read();
        let listed = dir::list(&self.dir.fs, &self.dir.inode, self.next, BATCH)?;
        note_access(&self.dir.fs, &self.dir.inode);
        self.ended = listed.is_empty();
        for step in listed {
            self.next = step.next;
            self.batch.push_back(step.record.map(|record| DirEntry {
                name: OsString::from_vec(record.name),
                ino: record.ino.get(),
                file_type: record.file_type,
            }));
        }
        Ok(())
    }
}

impl Iterator for ReadDir {
    type Item = Result<DirEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.batch.is_empty()
            && !self.ended
            && let Err(error) = self.fetch()
        {
            self.ended = true;
            return Some(Err(error));
        }
        self.batch.pop_front()
    }
}
