//! From a path to an inode (kernel: `namei`).

use super::handle::OpenInode;
use super::namei::Name;
use crate::dir;
use crate::error::{Error, Inconsistent, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use crate::ops::file;
use f2fs_format::{FileType, Nid};
use std::sync::Arc;

/// Symbolic links followed in one path.
const LINKS_MAX: usize = 40;

/// What to do with a symbolic link at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Final {
    Follow,
    Keep,
}

/// The directory of a path's last part, and that part.
#[derive(Debug)]
pub(crate) struct Parent {
    pub(crate) dir: OpenInode,
    pub(crate) name: Vec<u8>,
    /// Whether the path ended with a slash, so that only a directory fits.
    pub(crate) must_be_dir: bool,
}

impl Parent {
    /// The name in the directory, for the operations on names.
    pub(crate) fn as_name(&self) -> Name<'_> {
        Name {
            dir: &self.dir.inode,
            name: &self.name,
        }
    }
}

/// The inode of one name in a directory.
pub(crate) fn step(fs: &Arc<Fs>, dir: &OpenInode, name: &[u8]) -> Result<OpenInode> {
    dir.inode.check_dir()?;
    let _shared = dir.inode.rwsem.read();
    let found = dir::lookup(fs, &dir.inode, name)?.ok_or(Error::NotFound)?;
    let inode = fs.inodes.get(fs, found.ino)?;
    check_entry(&inode, found.file_type)?;
    if let Some(places) = fs
        .places
        .as_ref()
        .filter(|_| inode.is_dir() && name != b"..")
    {
        places.check(dir.inode.ino, &found)?;
    }
    Ok(OpenInode::new(fs, inode))
}

/// The parent of a directory, without the directory's lock: the caller holds the rename lock. The inode block says it,
/// as `..` does, and keeps saying it while the entries move.
pub(crate) fn step_up(fs: &Arc<Fs>, dir: &OpenInode) -> Result<OpenInode> {
    let parent = dir.inode.tree.lock().inode.pino();
    let parent = fs.meta.geometry.nid(parent.get())?;
    let inode = fs.inodes.get(fs, parent)?;
    inode.check_dir()?;
    Ok(OpenInode::new(fs, inode))
}

/// An entry whose type is not its inode's is damage; following it could make a cycle of directories.
/// So is a name of an inode without links: it would be freed with its last handle.
fn check_entry(inode: &Inode, file_type: FileType) -> Result<()> {
    if inode.file_type != file_type {
        return Err(Error::Invalid("a directory entry contradicts its inode"));
    }
    if inode.tree.lock().inode.links() == 0 {
        return Err(Inconsistent::NoLinks { ino: inode.ino }.into());
    }
    Ok(())
}

/// The root directory.
pub(crate) fn root(fs: &Arc<Fs>) -> Result<OpenInode> {
    Ok(OpenInode::new(fs, fs.inodes.get(fs, Nid::ROOT)?))
}

/// The inode of a path from the root.
pub(crate) fn resolve(fs: &Arc<Fs>, path: &[u8], last: Final) -> Result<OpenInode> {
    let mut walk = Walk { fs, links: 0 };
    let start = root(fs)?;
    let found = walk.walk(start, path, last)?;
    if path.ends_with(b"/") {
        found.inode.check_dir()?;
    }
    Ok(found)
}

/// The directory that holds, or is to hold, the last part of a path.
pub(crate) fn resolve_parent(fs: &Arc<Fs>, path: &[u8]) -> Result<Parent> {
    let trimmed = trim_slashes(path);
    let must_be_dir = trimmed.len() < path.len();
    let (front, name) = match trimmed.iter().rposition(|&b| b == b'/') {
        Some(at) => (&trimmed[..at], &trimmed[at + 1..]),
        None => (&trimmed[..0], trimmed),
    };
    if name.is_empty() {
        return Err(Error::Invalid("the path names the root directory"));
    }
    let dir = Walk { fs, links: 0 }.walk(root(fs)?, front, Final::Follow)?;
    dir.inode.check_dir()?;
    Ok(Parent {
        dir,
        name: name.to_vec(),
        must_be_dir,
    })
}

fn trim_slashes(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|&b| b != b'/').map_or(0, |at| at + 1);
    &path[..end]
}

struct Walk<'a> {
    fs: &'a Arc<Fs>,
    links: usize,
}

impl Walk<'_> {
    fn walk(&mut self, start: OpenInode, path: &[u8], last: Final) -> Result<OpenInode> {
        let mut at = if path.starts_with(b"/") {
            root(self.fs)?
        } else {
            start
        };
        let mut parts = path
            .split(|&b| b == b'/')
            .filter(|p| !p.is_empty())
            .peekable();
        while let Some(part) = parts.next() {
            if part.contains(&0) {
                return Err(Error::Invalid("a path holds a NUL byte"));
            }
            at.inode.check_dir()?;
            if part == b"." {
                continue;
            }
            let next = step(self.fs, &at, part)?;
            let follow = parts.peek().is_some() || last == Final::Follow;
            at = if next.inode.file_type == FileType::Symlink && follow {
                self.links += 1;
                if self.links > LINKS_MAX {
                    return Err(Error::SymlinkLoop);
                }
                let target = file::read_link(self.fs, &next.inode)?;
                self.walk(at, &target, Final::Follow)?
            } else {
                next
            };
        }
        Ok(at)
    }
}
