//! Files by inode instead of by path: what a mount works with.

use super::file::File;
use super::metadata::Metadata;
use super::open_options::OpenOptions;
use crate::dir;
use crate::error::{Error, Result};
use crate::fsync::{SyncScope, sync_file};
use crate::inode::NewFile;
use crate::ops::access_time::note_access;
use crate::ops::attr::{self, SetAttr};
use crate::ops::exchange::exchange;
use crate::ops::handle::OpenInode;
use crate::ops::namei::{self, Leave, Name, Remove, RenameTo};
use crate::ops::privileges::{Privileges, kill_privileges};
use crate::ops::recompress::{self, Recompress};
use crate::ops::{compress, extents, file, fileattr, path, tmpfile};
use crate::xattr::SetXattr;
use f2fs_format::{CompressAlgorithm, FileType, InodeFlags};

/// A file, directory or special file that is held: it stays in memory, and on the volume even without a name, as
/// long as a clone of it lives.
///
/// Names are bytes. Nothing here follows symbolic links or checks permissions; a mount's kernel does both.
#[derive(Clone, Debug)]
pub struct Node {
    pub(super) open: OpenInode,
}

/// What [`Node::create`] makes.
#[derive(Clone, Copy, Debug)]
pub struct NewNode<'a> {
    /// Its type.
    pub file_type: FileType,
    /// Permission bits as asked for (12 bits).
    pub permissions: u16,
    /// Those to leave out, unless the directory has a default access list.
    pub umask: u16,
    /// Owner.
    pub uid: u32,
    /// Group; a set-group-id directory passes on its own instead.
    pub gid: u32,
    /// Major and minor number of a device.
    pub device: Option<(u32, u32)>,
    /// What a symbolic link names.
    pub target: &'a [u8],
}

/// What a rename does with the new and the old name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenameMode {
    /// A file of the new name is replaced.
    Replace,
    /// The new name must not exist.
    NoReplace,
    /// Both exist and change places.
    Exchange,
    /// As `Replace`, and a whiteout (character device 0:0) of this owner and group takes the old name.
    Whiteout {
        /// Whether the new name must not exist.
        no_replace: bool,
        /// Owner of the whiteout.
        uid: u32,
        /// Its group.
        gid: u32,
    },
}

/// One listed entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeEntry {
    /// Name.
    pub name: Vec<u8>,
    /// Inode number.
    pub ino: u32,
    /// Type.
    pub file_type: FileType,
}

/// One step of a listing: an entry, or what is wrong with it.
#[derive(Clone, Debug)]
pub struct NodeStep {
    /// The entry.
    pub entry: Result<NodeEntry>,
    /// Where the listing goes on after it.
    pub next: u64,
}

impl Node {
    pub(crate) fn new(open: OpenInode) -> Self {
        Self { open }
    }

    /// Inode number.
    pub fn ino(&self) -> u32 {
        self.open.inode.ino.get()
    }

    /// Type.
    pub fn file_type(&self) -> FileType {
        self.open.inode.file_type
    }

    /// Whether it is a directory that ignores the case of names, so that one entry answers to many.
    pub fn ignores_case(&self) -> bool {
        let tree = self.open.inode.tree.lock();
        tree.inode.flags().contains(InodeFlags::CASEFOLD)
    }

    /// Attributes now.
    pub fn metadata(&self) -> Metadata {
        Metadata::of(&self.open.inode)
    }

    /// The inode of a name in this directory; of `..` too.
    pub fn lookup(&self, name: &[u8]) -> Result<Self> {
        if name == b"." {
            return Ok(self.clone());
        }
        if name.len() > f2fs_format::dentry::NAME_LEN {
            return Err(Error::NameTooLong);
        }
        path::step(&self.open.fs, &self.open, name).map(Self::new)
    }

    /// Makes something in this directory.
    pub fn create(&self, name: &[u8], new: &NewNode<'_>) -> Result<Self> {
        let target = new.target;
        let new = new.named(name);
        namei::create(&self.open.fs, &self.open.inode, &new, target).map(Self::new)
    }

    /// Makes a regular file without a name; it vanishes with its last handle unless it is linked.
    pub fn create_unnamed(&self, new: &NewNode<'_>) -> Result<Self> {
        if new.file_type != FileType::Regular {
            return Err(Error::Invalid("only regular files are made without a name"));
        }
        tmpfile::create(&self.open.fs, &self.open.inode, &new.named(b"")).map(Self::new)
    }

    /// Makes `name` in this directory another name of a file.
    pub fn link(&self, file: &Self, name: &[u8]) -> Result<()> {
        namei::link(&self.open.fs, &file.open.inode, &self.open.inode, name)
    }

    /// Removes a name of a file.
    pub fn unlink(&self, name: &[u8]) -> Result<()> {
        namei::unlink(&self.open.fs, &self.open.inode, name, Remove::File)
    }

    /// Removes an empty directory.
    pub fn rmdir(&self, name: &[u8]) -> Result<()> {
        namei::unlink(&self.open.fs, &self.open.inode, name, Remove::Directory)
    }

    /// Moves a name of this directory to `to`.
    pub fn rename(&self, name: &[u8], to: &Self, to_name: &[u8], mode: RenameMode) -> Result<()> {
        let (from, to) = (self.as_name(name), to.as_name(to_name));
        let rename = |how, leave: Leave<'_>| namei::rename(&self.open.fs, from, to, how, leave);
        match mode {
            RenameMode::Replace => rename(RenameTo::Replace, Leave::Nothing),
            RenameMode::NoReplace => rename(RenameTo::KeepExisting, Leave::Nothing),
            RenameMode::Exchange => exchange(&self.open.fs, from, to),
            RenameMode::Whiteout {
                no_replace,
                uid,
                gid,
            } => {
                let how = if no_replace {
                    RenameTo::KeepExisting
                } else {
                    RenameTo::Replace
                };
                let whiteout = NewNode {
                    file_type: FileType::CharDevice,
                    permissions: 0,
                    umask: 0,
                    uid,
                    gid,
                    device: Some((0, 0)),
                    target: b"",
                };
                rename(how, Leave::Whiteout(&whiteout.named(name)))
            }
        }
    }

    fn as_name<'a>(&'a self, name: &'a [u8]) -> Name<'a> {
        Name {
            dir: &self.open.inode,
            name,
        }
    }

    /// Up to `max` entries from a position on (0 is the start), without `.` and `..`. None means the end.
    pub fn list(&self, from: u64, max: usize) -> Result<Vec<NodeStep>> {
        self.open.inode.check_dir()?;
        let _shared = self.open.inode.rwsem.read();
        let listed = dir::list(&self.open.fs, &self.open.inode, from, max)?;
        note_access(&self.open.fs, &self.open.inode);
        let step = |listed: dir::Listed| NodeStep {
            entry: listed.record.map(|record| NodeEntry {
                name: record.name,
                ino: record.ino.get(),
                file_type: record.file_type,
            }),
            next: listed.next,
        };
        Ok(listed.into_iter().map(step).collect())
    }

    /// Opens a regular file. Of the options, only reading, writing and appending count.
    pub fn open(&self, options: &OpenOptions) -> Result<File> {
        file::check_open(&self.open.inode, options.may_write())?;
        Ok(File::new(self.open.clone(), options))
    }

    /// The block of the volume that holds a block of a regular file (`FIBMAP`); None for a hole and for bytes that
    /// have no block of their own.
    pub fn block_address(&self, block: u64) -> Result<Option<u32>> {
        extents::bmap(&self.open.fs, &self.open.inode, block)
    }

    /// The target of a symbolic link.
    pub fn read_link(&self) -> Result<Vec<u8>> {
        file::read_link(&self.open.fs, &self.open.inode)
    }

    /// Changes mode, owner or times.
    pub fn set_attr(&self, set: &SetAttr) -> Result<()> {
        attr::set_attr(&self.open.fs, &self.open.inode, set)
    }

    /// Makes the node durable: a regular file as [`File::sync_all`] does; anything else with a checkpoint, which does
    /// not wait for file data that nobody asked for.
    pub fn sync(&self) -> Result<()> {
        sync_file(&self.open.fs, &self.open.inode, SyncScope::All)
    }

    /// Cuts or extends a regular file.
    pub fn set_len(&self, size: u64) -> Result<()> {
        file::set_len(&self.open.fs, &self.open.inode, size)
    }

    /// Sets and clears flags; see [`crate::Volume::set_flags`].
    pub fn set_flags(&self, set: InodeFlags, clear: InodeFlags) -> Result<()> {
        attr::set_flags(&self.open.fs, &self.open.inode, set, clear)
    }

    /// Sets all flags by the system's word (`FS_IOC_SETFLAGS`); [`Metadata::flag_word`] reads it.
    pub fn set_flag_word(&self, word: u32) -> Result<()> {
        fileattr::set_word(&self.open.fs, &self.open.inode, word)
    }

    /// Takes set-id bits and the capability, as a write or a truncation does in Linux.
    pub fn kill_privileges(&self, what: Privileges) -> Result<()> {
        kill_privileges(&self.open.fs, &self.open.inode, what)
    }

    /// Blocks that compression saved and the file still holds (`F2FS_IOC_GET_COMPRESS_BLOCKS`).
    pub fn saved_blocks(&self) -> Result<u64> {
        compress::saved_blocks(&self.open.fs, &self.open.inode)
    }

    /// Gives saved blocks back to the volume; how many.
    pub fn release_saved(&self) -> Result<u64> {
        compress::release(&self.open.fs, &self.open.inode)
    }

    /// Takes saved blocks from the volume again, so that the file can be written; how many.
    pub fn reserve_saved(&self) -> Result<u64> {
        compress::reserve(&self.open.fs, &self.open.inode)
    }

    /// Algorithm and logarithm of the cluster size in blocks.
    pub fn compress_option(&self) -> Result<(CompressAlgorithm, u8)> {
        compress::option(&self.open.fs, &self.open.inode)
    }

    /// Changes algorithm and cluster size of an empty compressed file.
    pub fn set_compress_option(&self, algorithm: CompressAlgorithm, log_size: u8) -> Result<()> {
        compress::set_option(&self.open.fs, &self.open.inode, algorithm, log_size)
    }

    /// Compresses every cluster of a file that is marked for it.
    pub fn compress(&self) -> Result<()> {
        compress::compress_file(&self.open.fs, &self.open.inode)
    }

    /// Stores every cluster raw; the file stays marked.
    pub fn decompress(&self) -> Result<()> {
        compress::decompress_file(&self.open.fs, &self.open.inode)
    }

    /// Gives a file another compression and writes it anew; see [`File::recompress`].
    pub fn recompress(&self, new: Recompress) -> Result<()> {
        recompress::recompress(&self.open.fs, &self.open.inode, new)
    }

    /// Names of the extended attributes.
    pub fn list_xattrs(&self) -> Result<Vec<Vec<u8>>> {
        attr::list_xattrs(&self.open.fs, &self.open.inode)
    }

    /// The value of an extended attribute.
    pub fn get_xattr(&self, name: &str) -> Result<Vec<u8>> {
        attr::get_xattr(&self.open.fs, &self.open.inode, name)
    }

    /// Sets an extended attribute.
    pub fn set_xattr(&self, name: &str, value: &[u8], how: SetXattr) -> Result<()> {
        attr::set_xattr(&self.open.fs, &self.open.inode, name, value, how)
    }

    /// Removes an extended attribute.
    pub fn remove_xattr(&self, name: &str) -> Result<()> {
        attr::remove_xattr(&self.open.fs, &self.open.inode, name)
    }
}

impl NewNode<'_> {
    fn named<'a>(&self, name: &'a [u8]) -> NewFile<'a> {
        NewFile {
            file_type: self.file_type,
            permissions: self.permissions,
            umask: self.umask,
            uid: self.uid,
            gid: self.gid,
            device: self.device,
            name,
        }
    }
}
