//! Where files lie, and files written anew in fewer pieces.

use super::file::File;
use super::node::Node;
use super::volume::Volume;
use crate::data::layout::{FileExtent, Walk};
use crate::error::Result;
use crate::ops::defrag::{Defragment, Defragmented, defragment};
use crate::ops::map::{VolumeMap, map};
use crate::ops::path::Final;
use std::ops::Range;
use std::path::Path;

impl File {
    /// Where the file's bytes lie, extent by extent: see [`FileExtents`].
    pub fn layout(&self) -> FileExtents<'_> {
        FileExtents {
            file: self,
            walk: Walk::default(),
        }
    }
}

/// The extents of a file in order, holes and space reserved behind its end too.
///
/// One node of the file is looked at when its extents are asked for, so files of any size need little memory. If the
/// file changes meanwhile, what was told already is not told again. What is dirty in memory lies where it was, until
/// it is written.
#[derive(Debug)]
pub struct FileExtents<'a> {
    file: &'a File,
    walk: Walk,
}

impl Iterator for FileExtents<'_> {
    type Item = Result<FileExtent>;

    fn next(&mut self) -> Option<Self::Item> {
        let (fs, inode) = (&self.file.open.fs, &self.file.open.inode);
        let _shared = inode.rwsem.read();
        self.walk.next(fs, inode).transpose()
    }
}

impl File {
    /// Writes what is fragmented in a range of bytes anew, so that it lies in as few runs as the free space allows.
    /// Content, times and the form of clusters stay, and what lies in runs of about a segment (2 MiB) stays where it
    /// is. Others may use the file meanwhile.
    pub fn defragment(&self, range: Range<u64>) -> Result<Defragmented> {
        self.check_may_write()?;
        defragment(&self.open.fs, &self.open.inode, range, Defragment::Write)
    }
}

impl Node {
    /// As [`File::defragment`].
    pub fn defragment(&self, range: Range<u64>) -> Result<Defragmented> {
        defragment(&self.open.fs, &self.open.inode, range, Defragment::Write)
    }
}

impl Volume {
    /// As [`File::defragment`] for a whole file, or what that would do.
    pub fn defragment(&self, path: impl AsRef<Path>, how: Defragment) -> Result<Defragmented> {
        let open = self.resolve(path.as_ref(), Final::Follow)?;
        defragment(&open.fs, &open.inode, 0..u64::MAX, how)
    }

    /// What the areas and segments of the volume hold, in at most `cells` cells (at least one). Reads every inode of
    /// the volume and the nodes of compressed files, one after the other; what is dirty in memory is not shown.
    pub fn map(&self, cells: u32) -> Result<VolumeMap> {
        map(&self.fs, cells)
    }
}
