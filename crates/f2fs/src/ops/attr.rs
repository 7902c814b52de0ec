//! Attributes: mode, owner, times, flags, compression, extended attributes.

use super::file::check_changeable;
use super::privileges::{self, Privileges};
use crate::acl::AccessList;
use crate::data::policy;
use crate::dir;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::{Inode, to_disk};
use crate::node::Tree;
use crate::options::CompressDefaults;
use crate::quota;
use crate::untrusted;
use crate::xattr::{self, SetXattr};
use f2fs_format::xattr::{
    INDEX_ADVISE, INDEX_ENCRYPTION, INDEX_POSIX_ACL_ACCESS, INDEX_POSIX_ACL_DEFAULT, INDEX_USER,
    INDEX_VERITY, full_name, split_name,
};
use f2fs_format::{Advise, Features, FileType, InlineFlags, InodeFlags};
use runtime::clock::Timestamp;
use std::sync::Arc;

/// Changes to the attributes of one inode; `None` leaves a field as it is. A new owner or group takes set-id bits and
/// capabilities from what is no directory (chown(2)); new permissions count after that.
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
    /// Change time; the time of this change if it is not given.
    pub changed: Option<Timestamp>,
}

impl SetAttr {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.permissions.is_none()
            && self.uid.is_none()
            && self.gid.is_none()
            && self.accessed.is_none()
            && self.modified.is_none()
            && self.changed.is_none()
    }
}

/// Permission bits of a mode.
const PERMISSIONS: u16 = 0o7777;
/// Most nanoseconds of a time.
const NANOS_MAX: u32 = 999_999_999;
/// Those that an access list stands for.
const RWX: u16 = 0o777;

/// Changes something in the inode block, inside an operation, and sets the change time.
pub(super) fn change<R>(
    fs: &Fs,
    inode: &Arc<Inode>,
    edit: impl FnOnce(&mut Tree) -> Result<R>,
) -> Result<R> {
    change_if(fs, inode, || Ok(()), edit)
}

/// The same, if `check` allows it, which runs under the inode's lock.
pub(super) fn change_if<R>(
    fs: &Fs,
    inode: &Arc<Inode>,
    check: impl FnOnce() -> Result<()>,
    edit: impl FnOnce(&mut Tree) -> Result<R>,
) -> Result<R> {
    change_alone(fs, inode, check, |tree| {
        let result = edit(tree)?;
        tree.inode_mut().set_ctime(to_disk(fs.now()));
        Ok(result)
    })
}

/// Changes something in the inode block, inside an operation.
fn change_untimed<R>(
    fs: &Fs,
    inode: &Arc<Inode>,
    edit: impl FnOnce(&mut Tree) -> Result<R>,
) -> Result<R> {
    change_alone(fs, inode, || Ok(()), edit)
}

fn change_alone<R>(
    fs: &Fs,
    inode: &Arc<Inode>,
    check: impl FnOnce() -> Result<()>,
    edit: impl FnOnce(&mut Tree) -> Result<R>,
) -> Result<R> {
    fs.check_writable()?;
    fs.balance()?;
    let _alone = inode.rwsem.write();
    check()?;
    let _op = fs.start_op();
    // Before the change, for one that fails half way has changed something too.
    fs.note_dirty(inode);
    edit(&mut inode.tree.lock())
}

/// Sets mode, owner and times.
pub(crate) fn set_attr(fs: &Fs, inode: &Arc<Inode>, set: &SetAttr) -> Result<()> {
    check_times(set)?;
    check_mutable(inode)?;
    change_untimed(fs, inode, |tree| {
        quota::set_owner(fs, tree, set.uid, set.gid)?;
        let is_new_owner = set.uid.is_some() || set.gid.is_some();
        if is_new_owner && !inode.is_dir() {
            privileges::kill(fs, tree, Privileges::All)?;
        }
        if let Some(permissions) = set.permissions {
            if let Some(mut list) = load_list(fs, tree, INDEX_POSIX_ACL_ACCESS)? {
                list.set_mode_bits(permissions);
                store_list(fs, tree, INDEX_POSIX_ACL_ACCESS, Some(&list))?;
            }
            let mode = tree.inode.mode() & !PERMISSIONS | permissions & PERMISSIONS;
            tree.inode_mut().set_mode(mode);
        }
        let block = tree.inode_mut();
        if let Some(time) = set.accessed {
            block.set_atime(to_disk(time));
        }
        if let Some(time) = set.modified {
            block.set_mtime(to_disk(time));
        }
        block.set_ctime(to_disk(set.changed.unwrap_or_else(|| fs.now())));
        Ok(())
    })
}

/// Refuses times that would not come back as they are.
fn check_times(set: &SetAttr) -> Result<()> {
    let times = [set.accessed, set.modified, set.changed];
    if times.into_iter().flatten().any(|t| t.nanos > NANOS_MAX) {
        return Err(Error::Invalid(
            "a time with a second's worth of nanoseconds",
        ));
    }
    Ok(())
}

/// Gives the inode to another project.
pub(crate) fn set_project(fs: &Fs, inode: &Arc<Inode>, project: u32) -> Result<()> {
    check_mutable(inode)?;
    change(fs, inode, |tree| quota::set_project(fs, tree, project))
}

/// Immutable and append-only files keep their attributes; other obstacles to writing do not matter here.
fn check_mutable(inode: &Inode) -> Result<()> {
    let kept = InodeFlags::IMMUTABLE | InodeFlags::APPEND;
    if inode.tree.lock().inode.flags().intersects(kept) {
        return Err(Error::NotPermitted("the file is immutable or append-only"));
    }
    Ok(())
}

/// Flags that users may change as they are.
pub(super) const PLAIN_FLAGS: InodeFlags = InodeFlags::SYNC
    .union(InodeFlags::IMMUTABLE)
    .union(InodeFlags::APPEND)
    .union(InodeFlags::NODUMP)
    .union(InodeFlags::NOATIME)
    .union(InodeFlags::DIRSYNC)
    .union(InodeFlags::PROJINHERIT)
    .union(InodeFlags::CASEFOLD);

/// Those of them that only directories have.
const DIR_FLAGS: InodeFlags = InodeFlags::DIRSYNC
    .union(InodeFlags::PROJINHERIT)
    .union(InodeFlags::CASEFOLD);

/// Sets and clears flags. Turning compression on and off is more than a flag: see [`set_compression`].
pub(crate) fn set_flags(
    fs: &Fs,
    inode: &Arc<Inode>,
    set: InodeFlags,
    clear: InodeFlags,
) -> Result<()> {
    let known = PLAIN_FLAGS | InodeFlags::NOCOMP;
    if !known.contains(set | clear) {
        return Err(Error::Invalid("a flag that cannot be changed this way"));
    }
    if !inode.is_dir() && set.intersects(DIR_FLAGS) {
        return Err(Error::Unsupported(
            "a directory's flag on a file".to_owned(),
        ));
    }
    let check_case = || {
        let old = inode.tree.lock().inode.flags();
        let changed = old ^ ((old - clear) | set);
        if changed.contains(InodeFlags::CASEFOLD) {
            dir::check_case_change(fs, inode)?;
        }
        Ok(())
    };
    change_if(fs, inode, check_case, |tree| {
        let flags = (tree.inode.flags() - clear) | set;
        if flags.contains(InodeFlags::COMPR | InodeFlags::NOCOMP) {
            return Err(Error::Invalid("the file is marked for compression"));
        }
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
    let is_on = inode.tree.lock().inode.flags().contains(InodeFlags::COMPR);
    if compress.is_none() && !is_on {
        return Ok(()); // It keeps its bytes inline, and its mark against compression.
    }
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
    let forget = || {
        forget_holes(inode);
        Ok(())
    };
    change_if(fs, inode, forget, |tree| {
        let is_file = inode.file_type == FileType::Regular;
        if is_file && (inode.size() > 0 || has_blocks(tree)) {
            return Err(Error::Invalid(
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
        tree.note_unfit(fs);
        tree.inode_mut().set_compress(compress.map(policy::info_of));
        inode.reload_layout(fs, tree)
    })
}

/// Takes what is cached of a file without bytes, or of one hole, out of the cache: the size of its folios changes.
pub(super) fn forget_holes(inode: &Inode) {
    // Bytes kept in the inode block may be newer in the cache; a compressed file has none.
    let has_no_bytes = inode.size() == 0 || inode.clusters().is_some();
    if has_no_bytes && !has_blocks(&inode.tree.lock()) {
        inode.mapping.truncate(0);
    }
}

/// Whether the file has blocks beside its inode and its attribute node.
pub(super) fn has_blocks(tree: &Tree) -> bool {
    let own = 1 + u64::from(tree.inode.xattr_nid().is_some());
    tree.inode.blocks() > own
}

/// Marks files of a directory to stay uncompressed, or no longer.
pub(crate) fn set_nocompress(fs: &Fs, inode: &Arc<Inode>, on: Toggle) -> Result<()> {
    let (none, mark) = (InodeFlags::empty(), InodeFlags::NOCOMP);
    match on {
        Toggle::On => set_flags(fs, inode, mark, none),
        Toggle::Off => set_flags(fs, inode, none, mark),
    }
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
        .filter(|e| !is_hidden(fs, e.index))
        .filter_map(|e| full_name(e.index, &e.name))
        .collect())
}

/// One extended attribute, in the system's form.
pub(crate) fn get_xattr(fs: &Fs, inode: &Inode, name: &str) -> Result<Vec<u8>> {
    let (index, name) = known_name(name)?;
    let mut tree = inode.tree.lock();
    if index == INDEX_ADVISE {
        return Ok(vec![tree.inode.advise().bits()]);
    }
    let entries = xattr::load(fs, &mut tree)?;
    let entry = entries
        .into_iter()
        .find(|e| e.index == index && e.name == name.as_bytes());
    let entry = entry.filter(|e| !is_hidden(fs, e.index));
    let value = entry.ok_or(Error::NoAttribute)?.value;
    if is_acl(index) {
        Ok(AccessList::from_volume(&value)?.to_system())
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
    check_holder(inode, index)?;
    if index == INDEX_ADVISE {
        return set_advise(fs, inode, value);
    }
    if !is_acl(index) {
        return change(fs, inode, |tree| {
            note_xattrs(fs, inode);
            xattr::change(fs, tree, (index, name.as_bytes()), Some(value), how)
        });
    }
    let list = AccessList::from_system(value)?;
    change(fs, inode, |tree| {
        note_xattrs(fs, inode);
        if index == INDEX_POSIX_ACL_DEFAULT {
            return store_list(fs, tree, index, Some(&list));
        }
        // What the mode tells already is not stored twice.
        store_list(
            fs,
            tree,
            index,
            Some(&list).filter(|list| !list.is_minimal()),
        )?;
        let mode = tree.inode.mode() & !RWX | list.mode_bits();
        tree.inode_mut().set_mode(mode);
        Ok(())
    })
}

/// Sets the hints of how long the data lives; its other bits are states (kernel: `f2fs_xattr_advise_set`).
fn set_advise(fs: &Fs, inode: &Arc<Inode>, value: &[u8]) -> Result<()> {
    let hints = Advise::COLD | Advise::HOT;
    let new = Advise::from_bits_retain(value.first().copied().unwrap_or(0));
    if !hints.contains(new) {
        return Err(Error::Invalid("a hint that nobody may set"));
    }
    change_untimed(fs, inode, |tree| {
        let advise = (tree.inode.advise() - hints) | new;
        tree.inode_mut().set_advise(advise);
        Ok(())
    })
}

/// Refuses attributes that files of this type do not have.
fn check_holder(inode: &Inode, index: u8) -> Result<()> {
    let is_plain = matches!(inode.file_type, FileType::Regular | FileType::Directory);
    match index {
        INDEX_USER if !is_plain => Err(Error::NotPermitted(
            "only files and directories have user attributes",
        )),
        INDEX_POSIX_ACL_DEFAULT if !inode.is_dir() => Err(Error::AccessDenied(
            "only directories have a default access list",
        )),
        INDEX_POSIX_ACL_ACCESS if inode.file_type == FileType::Symlink => Err(Error::Unsupported(
            "an access list of a symbolic link".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// Stores or removes an access list.
fn store_list(fs: &Fs, tree: &mut Tree, index: u8, list: Option<&AccessList>) -> Result<()> {
    let Some(list) = list else {
        return match xattr::change(fs, tree, (index, b""), None, SetXattr::Any) {
            Err(Error::NoAttribute) => Ok(()),
            result => result,
        };
    };
    xattr::change(
        fs,
        tree,
        (index, b""),
        Some(&list.to_volume()),
        SetXattr::Any,
    )
}

fn load_list(fs: &Fs, tree: &mut Tree, index: u8) -> Result<Option<AccessList>> {
    let entries = xattr::load(fs, tree)?;
    let entry = entries
        .iter()
        .find(|entry| entry.index == index && entry.name.is_empty());
    entry
        .map(|entry| AccessList::from_volume(&entry.value))
        .transpose()
}

/// Gives a new inode what its directory's default access list says, or takes the bits of `umask` if there is none
/// (kernel: `f2fs_init_acl`).
pub(crate) fn inherit_list(fs: &Fs, parent: &Inode, inode: &Inode, umask: u16) -> Result<()> {
    let Some(default) = load_list(fs, &mut parent.tree.lock(), INDEX_POSIX_ACL_DEFAULT)? else {
        let mut tree = inode.tree.lock();
        let mode = tree.inode.mode() & !(umask & RWX);
        tree.inode_mut().set_mode(mode);
        return Ok(());
    };
    let mut tree = inode.tree.lock();
    let mut access = default.clone();
    access.limit(tree.inode.mode());
    let mode = tree.inode.mode() & !RWX | access.mode_bits();
    tree.inode_mut().set_mode(mode);
    if inode.is_dir() {
        store_list(fs, &mut tree, INDEX_POSIX_ACL_DEFAULT, Some(&default))?;
    }
    if access.is_minimal() {
        return Ok(());
    }
    store_list(fs, &mut tree, INDEX_POSIX_ACL_ACCESS, Some(&access))
}

/// Removes an extended attribute.
pub(crate) fn remove_xattr(fs: &Fs, inode: &Arc<Inode>, name: &str) -> Result<()> {
    let (index, name) = known_name(name)?;
    check_mutable(inode)?;
    if index == INDEX_ADVISE {
        return Err(Error::Invalid("the hints can be cleared, not removed"));
    }
    change(fs, inode, |tree| {
        note_xattrs(fs, inode);
        if is_acl(index) {
            return store_list(fs, tree, index, None);
        }
        xattr::change(fs, tree, (index, name.as_bytes()), None, SetXattr::Any)
    })
}

/// Notes that attributes of an inode change: what is made in a directory may inherit them.
fn note_xattrs(fs: &Fs, inode: &Inode) {
    inode.epochs.xattrs.note(fs.epoch());
}

fn is_hidden(fs: &Fs, index: u8) -> bool {
    fs.options.untrusted && untrusted::is_hidden(index)
}

fn is_acl(index: u8) -> bool {
    matches!(index, INDEX_POSIX_ACL_ACCESS | INDEX_POSIX_ACL_DEFAULT)
}

/// Longest name of an extended attribute, its prefix included (the system's limit).
const XATTR_NAME_MAX: usize = 255;

/// Index and stored part of a name that users may use.
fn known_name(name: &str) -> Result<(u8, &str)> {
    if name.len() > XATTR_NAME_MAX {
        return Err(Error::AttributeNameTooLong);
    }
    match split_name(name) {
        Some((INDEX_ENCRYPTION | INDEX_VERITY, _)) | None => Err(Error::Unsupported(format!(
            "the extended attribute name '{name}'"
        ))),
        Some(known) => Ok(known),
    }
}
