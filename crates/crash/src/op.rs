//! Operations of a workload.

use crate::stamp::Texture;
use f2fs::{CompressAlgorithm, Fallocate};
use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

/// How a file that is made keeps its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One block after the other; in the inode if it is small.
    Plain,
    /// In clusters of 16 KiB that are compressed.
    Compressed(CompressAlgorithm),
}

/// What a write writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// So many bytes that say where they belong.
    Stamp(usize, Texture),
    /// These.
    Bytes(Arc<[u8]>),
}

/// What is made durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Durable {
    /// Content and attributes of a file.
    File(String),
    /// Content of a file.
    Data(String),
    /// A directory and the names in it.
    Directory(String),
    /// Everything.
    Volume,
}

/// One operation. Paths start at the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Makes an empty file.
    Create(String, Layout),
    /// Writes into a file at a byte.
    Write(String, u64, Data),
    /// Cuts or extends a file.
    Truncate(String, u64),
    /// Reserves, punches or zeroes bytes of a file: start and length.
    Allocate(String, Fallocate, u64, u64),
    /// Writes the pieces of a file anew where they lie together.
    Defragment(String),
    /// Moves a name; what has the new one is replaced.
    Rename(String, String),
    /// Gives a file another name.
    Link(String, String),
    /// Removes a name.
    Unlink(String),
    /// Makes a directory.
    Mkdir(String),
    /// Removes an empty directory.
    Rmdir(String),
    /// Makes a symbolic link: target, path.
    Symlink(String, String),
    /// Changes permission bits.
    Chmod(String, u16),
    /// Sets an extended attribute to so many bytes.
    SetXattr(String, String, usize),
    /// Removes an extended attribute.
    RemoveXattr(String, String),
    /// Cleans a section, without a checkpoint.
    Clean,
    /// Discards free segments without a checkpoint, then all that is free after one.
    Discard,
    /// Makes something durable.
    Sync(Durable),
}

impl Op {
    /// A stamped write.
    pub fn write(path: &str, pos: u64, len: usize, texture: Texture) -> Self {
        Self::Write(path.to_owned(), pos, Data::Stamp(len, texture))
    }

    /// A write of these bytes.
    pub fn put(path: &str, pos: u64, bytes: Vec<u8>) -> Self {
        Self::Write(path.to_owned(), pos, Data::Bytes(bytes.into()))
    }

    /// An fsync of a file.
    pub fn fsync(path: &str) -> Self {
        Self::Sync(Durable::File(path.to_owned()))
    }

    /// A sync of the volume.
    pub const SYNC: Self = Self::Sync(Durable::Volume);
}

impl Display for Data {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stamp(len, texture) => write!(f, "{len} bytes of {texture:?}"),
            Self::Bytes(bytes) => write!(f, "{} given bytes", bytes.len()),
        }
    }
}

impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(path, layout) => write!(f, "create {path} {layout:?}"),
            Self::Write(path, pos, data) => write!(f, "write {path} at {pos}: {data}"),
            Self::Truncate(path, size) => write!(f, "truncate {path} to {size}"),
            Self::Allocate(path, how, start, len) => write!(f, "{how:?} {path} {start}+{len}"),
            Self::Defragment(path) => write!(f, "defragment {path}"),
            Self::Rename(from, to) => write!(f, "rename {from} to {to}"),
            Self::Link(from, to) => write!(f, "link {from} as {to}"),
            Self::Unlink(path) => write!(f, "unlink {path}"),
            Self::Mkdir(path) => write!(f, "mkdir {path}"),
            Self::Rmdir(path) => write!(f, "rmdir {path}"),
            Self::Symlink(target, path) => write!(f, "symlink {path} to {target}"),
            Self::Chmod(path, mode) => write!(f, "chmod {path} {mode:o}"),
            Self::SetXattr(path, name, len) => write!(f, "set {name} of {path}: {len} bytes"),
            Self::RemoveXattr(path, name) => write!(f, "remove {name} of {path}"),
            Self::Clean => f.write_str("clean a section"),
            Self::Discard => f.write_str("discard"),
            Self::Sync(Durable::File(path)) => write!(f, "fsync {path}"),
            Self::Sync(Durable::Data(path)) => write!(f, "fdatasync {path}"),
            Self::Sync(Durable::Directory(path)) => write!(f, "fsync directory {path}"),
            Self::Sync(Durable::Volume) => f.write_str("sync"),
        }
    }
}
