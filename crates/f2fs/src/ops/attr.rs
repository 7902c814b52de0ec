//! Attributes: mode, owner, times, flags, compression, extended attributes.

use super::file::check_changeable;
use crate::acl;
use crate::data::policy;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::{Inode, to_disk};
use crate::node::Tree;
use crate::options::CompressDefaults;
use crate::xattr::{self, SetXattr};
use f2fs_format::xattr::{
    INDEX_ENCRYPTION, INDEX_POSIX_ACL_ACCESS, INDEX_POSIX_ACL_DEFAULT, INDEX_VERITY, full_name,
    split_name,
};
use f2fs_format::{Features, FileType, InlineFlags, InodeFlags};
use runtime::clock::Timestamp;
use std::sync::Arc;

/// Changes to the attributes of one inode; `None` leaves a field as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetAttr {
    /// Permission bits with set-id and sticky bits (12 bits).
    pub permissions: Option<u16>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Access time.
    pub accessed: Option<Timestamp>,
    /// Modification time.
    pub modified: Option<Timestamp>,
}

/// Permission bits of a mode.
const PERMISSIONS: u16 = 0o7777;

/// Changes something in the inode block, inside an operation, and sets the change time.
fn change<R>(fs: &Fs, inode: &Arc<Inode>, edit: impl FnOnce(&mut Tree) -> Result<R>) -> Result<R> {
    fs.check_writable()?;
    fs.balance()?;
    let _alone = inode.rwsem.write();
    let _op = fs.start_op();
    let now = to_disk(fs.now());
    let mut tree = inode.tree.lock();
    let result = edit(&mut tree)?;
    tree.inode_mut().set_ctime(now);
    drop(tree);
    fs.note_dirty(inode);
    Ok(result)
}

/// Sets mode, owner and times.
pub(crate) fn set_attr(fs: &Fs, inode: &Arc<Inode>, set: &SetAttr) -> Result<()> {
    check_mutable(inode)?;
    change(fs, inode, |tree| {
        let block = tree.inode_mut();
        if let Some(permissions) = set.permissions {
            block.set_mode(block.mode() & !PERMISSIONS | permissions & PERMISSIONS);
        }
        if let Some(uid) = set.uid {
            block.set_uid(uid);
        }
        if let Some(gid) = set.gid {
            block.set_gid(gid);
        }
        if let Some(time) = set.accessed {
            block.set_atime(to_disk(time));
        }
        if let Some(time) = set.modified {
            block.set_mtime(to_disk(time));
        }
        Ok(())
    })
}

/// Immutable files keep their attributes; other obstacles to writing do not matter here.
fn check_mutable(inode: &Inode) -> Result<()> {
    if inode
        .tree
        .lock()
        .inode
        .flags()
        .contains(InodeFlags::IMMUTABLE)
    {
        return Err(Error::NotPermitted("the file is immutable"));
    }
    Ok(())
}

/// Flags that users may change as they are.
const PLAIN_FLAGS: InodeFlags = InodeFlags::SYNC
    .union(InodeFlags::IMMUTABLE)
    .union(InodeFlags::APPEND)
    .union(InodeFlags::NODUMP)
    .union(InodeFlags::NOATIME)
    .union(InodeFlags::DIRSYNC)
    .union(InodeFlags::PROJINHERIT);

/// Sets and clears flags other than compression.
pub(crate) fn set_flags(
    fs: &Fs,
    inode: &Arc<Inode>,
    set: InodeFlags,
    clear: InodeFlags,
) -> Result<()> {
    if !PLAIN_FLAGS.contains(set | clear) {
        return Err(Error::Invalid("a flag that cannot be changed this way"));
    }
    change(fs, inode, |tree| {
        let flags = (tree.inode.flags() - clear) | set;
        tree.inode_mut().set_flags(flags);
        Ok(())
    })
}

/// Turns compression on with these parameters, or off. A file must be empty; a directory passes them on to what
/// is made in it from then on.
pub(crate) fn set_compression(
    fs: &Fs,
    inode: &Arc<Inode>,
    compress: Option<CompressDefaults>,
) -> Result<()> {
    let needed = Features::COMPRESSION | Features::EXTRA_ATTR;
    if !fs.meta.sb.features.contains(needed) {
        return Err(Error::Unsupported(
            "compression on a volume made without it".to_owned(),
        ));
    }
    if !matches!(inode.file_type, FileType::Regular | FileType::Directory) {
        return Err(Error::Invalid("only files and directories are compressed"));
    }
    if compress.is_some_and(|c| c.params().is_none()) {
        return Err(Error::Invalid(
            "algorithm, level and cluster size do not go together",
        ));
    }
    check_changeable(inode)?;
    change(fs, inode, |tree| {
        let is_file = inode.file_type == FileType::Regular;
        if is_file && (inode.size() > 0 || has_blocks(tree)) {
            return Err(Error::NotPermitted(
                "compression of a file changes only while it is empty",
            ));
        }
        if !tree.inode.can_compress() {
            return Err(Error::Unsupported(
                "compression of an inode without room for it".to_owned(),
            ));
        }
        if is_file {
            let inline = tree.inode.inline() - (InlineFlags::INLINE_DATA | InlineFlags::DATA_EXIST);
            tree.inode_mut().set_inline(inline);
        }
        let flags = tree.inode.flags() - InodeFlags::NOCOMP;
        tree.inode_mut().set_flags(flags);
        tree.inode_mut().set_compress(compress.map(policy::info_of));
        inode.reload_layout(fs, tree)
    })
}

/// Whether the file has blocks beside its inode and its attribute node.
fn has_blocks(tree: &Tree) -> bool {
    let own = 1 + u64::from(tree.inode.xattr_nid().is_some());
    tree.inode.blocks() > own
}

/// Marks files of a directory to stay uncompressed, or no longer.
pub(crate) fn set_nocompress(fs: &Fs, inode: &Arc<Inode>, on: Toggle) -> Result<()> {
    change(fs, inode, |tree| {
        let flags = match on {
            Toggle::On if tree.inode.flags().contains(InodeFlags::COMPR) => {
                return Err(Error::Invalid("the file is marked for compression"));
            }
            Toggle::On => tree.inode.flags() | InodeFlags::NOCOMP,
            Toggle::Off => tree.inode.flags() - InodeFlags::NOCOMP,
        };
        tree.inode_mut().set_flags(flags);
        Ok(())
    })
}

/// A mark that is set or cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toggle {
    /// Set.
    On,
    /// Cleared.
    Off,
}

/// Names of all extended attributes that users see.
pub(crate) fn list_xattrs(fs: &Fs, inode: &Inode) -> Result<Vec<Vec<u8>>> {
    let mut tree = inode.tree.lock();
    let entries = xattr::load(fs, &mut tree)?;
    Ok(entries
        .iter()
        .filter_map(|e| full_name(e.index, &e.name))
        .collect())
}

/// One extended attribute, in the system's form.
pub(crate) fn get_xattr(fs: &Fs, inode: &Inode, name: &str) -> Result<Vec<u8>> {
    let (index, name) = known_name(name)?;
    let mut tree = inode.tree.lock();
    let entries = xattr::load(fs, &mut tree)?;
    let entry = entries
        .into_iter()
        .find(|e| e.index == index && e.name == name.as_bytes());
    let value = entry.ok_or(Error::NoAttribute)?.value;
    if is_acl(index) {
        acl::to_system(&value)
    } else {
        Ok(value)
    }
}

/// Sets an extended attribute given in the system's form.
pub(crate) fn set_xattr(
    fs: &Fs,
    inode: &Arc<Inode>,
    name: &str,
    value: &[u8],
    how: SetXattr,
) -> Result<()> {
    let (index, name) = known_name(name)?;
    check_mutable(inode)?;
    if index == INDEX_POSIX_ACL_DEFAULT && !inode.is_dir() {
        return Err(Error::NotPermitted(
            "only directories have a default access list",
        ));
    }
    let stored = if is_acl(index) {
        acl::to_volume(value)?
    } else {
        value.to_vec()
    };
    change(fs, inode, |tree| {
        xattr::change(fs, tree, (index, name.as_bytes()), Some(&stored), how)?;
        if index == INDEX_POSIX_ACL_ACCESS {
            let mode = tree.inode.mode() & !0o777 | acl::mode_bits(value)?;
            tree.inode_mut().set_mode(mode);
        }
        Ok(())
    })
}

/// Removes an extended attribute.
pub(crate) fn remove_xattr(fs: &Fs, inode: &Arc<Inode>, name: &str) -> Result<()> {
    let (index, name) = known_name(name)?;
    check_mutable(inode)?;
    change(fs, inode, |tree| {
        xattr::change(fs, tree, (index, name.as_bytes()), None, SetXattr::Any)
    })
}

fn is_acl(index: u8) -> bool {
    matches!(index, INDEX_POSIX_ACL_ACCESS | INDEX_POSIX_ACL_DEFAULT)
}

/// Index and stored part of a name that users may use.
fn known_name(name: &str) -> Result<(u8, &str)> {
    match split_name(name) {
        Some((INDEX_ENCRYPTION | INDEX_VERITY, _)) | None => Err(Error::Unsupported(format!(
            "the extended attribute name '{name}'"
        ))),
        Some(known) => Ok(known),
    }
}
