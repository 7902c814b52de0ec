//! New inodes (kernel: `f2fs_new_inode`, `f2fs_init_inode_metadata`).

use super::Inode;
use super::info::to_disk;
use crate::data::policy;
use crate::error::Result;
use crate::fs::{Fs, OpGuard};
use crate::options::Inline;
use crate::quota::Usage;
use f2fs_format::{FileType, InlineFlags, InodeBlock, InodeFlags, NewInode, Nid};
use std::sync::Arc;

/// What a new inode is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewFile<'a> {
    pub(crate) file_type: FileType,
    /// Permission bits, without the type.
    pub(crate) permissions: u16,
    /// Permission bits to leave out, unless the directory has a default access list (umask(2)).
    pub(crate) umask: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Major and minor number of a character or block device.
    pub(crate) device: Option<(u32, u32)>,
    pub(crate) name: &'a [u8],
}

/// Flags a child takes over from its directory.
const INHERITED: InodeFlags = InodeFlags::SYNC
    .union(InodeFlags::NODUMP)
    .union(InodeFlags::NOATIME)
    .union(InodeFlags::DIRSYNC)
    .union(InodeFlags::PROJINHERIT)
    .union(InodeFlags::CASEFOLD);
/// Of these, what only a directory has a use for.
const DIR_ONLY: InodeFlags = InodeFlags::DIRSYNC
    .union(InodeFlags::PROJINHERIT)
    .union(InodeFlags::CASEFOLD);
/// Words of the inline attribute area (the kernel's default).
const INLINE_XATTR_WORDS: u16 = 50;
/// Set-group-id bit of a mode.
const S_ISGID: u16 = 0o2000;

impl Inode {
    /// Makes an inode in `parent`: nid, counts, block in memory. It has no entry yet: the caller adds one, or
    /// gives the inode back with [`Inode::free`].
    pub(crate) fn create(
        fs: &Fs,
        op: &OpGuard<'_>,
        parent: &Self,
        new: &NewFile<'_>,
    ) -> Result<Arc<Self>> {
        let ino = fs.take_nid()?;
        let block = new_block(fs, &parent.tree.lock().inode, ino, new);
        Self::adopt(fs, op, block)
    }

    /// Makes an inode of a block whose nid was taken for it.
    pub(crate) fn adopt(fs: &Fs, _op: &OpGuard<'_>, block: InodeBlock) -> Result<Arc<Self>> {
        let ino = block.ino();
        if let Err(error) = fs.charge_quota(&block, Usage::INODE) {
            fs.release_node_block(ino)?;
            return Err(error);
        }
        fs.meta.space.add_inode();
        let inode = Self::new(fs, ino, block, true)?;
        fs.inodes.insert(Arc::clone(&inode));
        fs.note_dirty(&inode);
        Ok(inode)
    }
}

fn new_block(fs: &Fs, parent: &InodeBlock, ino: Nid, new: &NewFile<'_>) -> InodeBlock {
    let is_dir = new.file_type == FileType::Directory;
    // A set-group-id directory passes its group on, and the bit itself to directories.
    let inherits_group = parent.mode() & S_ISGID != 0;
    let gid = if inherits_group {
        parent.gid()
    } else {
        new.gid
    };
    let setgid = if inherits_group && is_dir { S_ISGID } else { 0 };
    let mut flags = parent.flags() & INHERITED;
    if is_dir {
        flags |= InodeFlags::INDEX;
    } else {
        flags -= DIR_ONLY;
    }
    let choice = policy::compression_of(fs, parent, new);
    flags |= choice.flags;
    let mut block = InodeBlock::new(
        &NewInode {
            parent: parent.ino(),
            name: new.name,
            uid: new.uid,
            gid,
            links: if is_dir { 2 } else { 1 },
            now: to_disk(fs.now()),
            generation: fs.random_u32(),
            advise: policy::advise_of(fs, new),
            inline: inline_flags(fs.options.inline, new.file_type, choice.info.is_some()),
            flags,
            inline_xattr_words: INLINE_XATTR_WORDS,
            projid: inherited_projid(parent),
            compress: choice.info,
            ..NewInode::bare(ino, new.file_type.mode_bits() | new.permissions | setgid)
        },
        &fs.meta.sb,
    );
    if let Some((major, minor)) = new.device.filter(|_| new.file_type.is_device()) {
        block.set_device(major, minor);
    }
    block
}

fn inherited_projid(parent: &InodeBlock) -> u32 {
    if parent.flags().contains(InodeFlags::PROJINHERIT) {
        parent.projid().unwrap_or(0)
    } else {
        0
    }
}

/// Small files and directories start inside their inode block; compressed files never do.
fn inline_flags(inline: Inline, file_type: FileType, is_compressed: bool) -> InlineFlags {
    let content = match file_type {
        // One that must not stay inline leaves when it has its first entries.
        FileType::Directory => InlineFlags::INLINE_DENTRY,
        FileType::Regular if is_compressed => InlineFlags::empty(),
        FileType::Regular | FileType::Symlink if inline.data => InlineFlags::INLINE_DATA,
        _ => InlineFlags::empty(),
    };
    if inline.xattr {
        InlineFlags::INLINE_XATTR | content
    } else {
        content
    }
}
