//! Names: create, link, unlink, rename (kernel: `fs/f2fs/namei.c`).
//!
//! # Locking
//! The directory is locked exclusively, then OP. A rename between directories takes the volume's rename lock first,
//! so that no two of them form a cycle, and locks the two directories ancestor first, else in ascending order.

use super::attr::inherit_list;
use super::file::{LINK_MAX, check_free, check_key, touch_modified};
use super::handle::OpenInode;
use super::path;
use super::tmpfile;
use crate::data::DataOps;
use crate::data::flush::flush_pages_in_op;
use crate::data::{inline, truncate};
use crate::dir::{self, Found};
use crate::error::{Error, Inconsistent, Result};
use crate::fs::{Fs, OpGuard};
use crate::fsync::sync_names;
use crate::inode::{Inode, NewFile, to_disk};
use crate::quota::check_same_project;
use f2fs_format::{Advise, FileType, Ino, InodeFlags};
use std::sync::Arc;

/// Most links of one file (kernel: `F2FS_LINK_MAX`): what the field holds.
const LINKS_MAX: u32 = u32::MAX;

/// What to do if the new name of a rename exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RenameTo {
    Replace,
    KeepExisting,
}

/// What a rename leaves under the old name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leave<'a> {
    Nothing,
    /// A whiteout, by which an overlay hides what lies below: a character device 0:0.
    Whiteout(&'a NewFile<'a>),
}

/// Makes a file, directory or special file; for a symbolic link, `target` is what it names.
pub(crate) fn create(
    fs: &Arc<Fs>,
    parent: &Arc<Inode>,
    new: &NewFile<'_>,
    target: &[u8],
) -> Result<OpenInode> {
    let open = make(fs, parent, new, target)?;
    sync_names(fs, &[parent])?;
    Ok(open)
}

fn make(fs: &Arc<Fs>, parent: &Arc<Inode>, new: &NewFile<'_>, target: &[u8]) -> Result<OpenInode> {
    dir::check_name(new.name)?;
    if new.file_type == FileType::Symlink && target.len() as u64 > LINK_MAX {
        return Err(Error::NameTooLong);
    }
    fs.check_writable()?;
    fs.balance()?;
    fs.check_room(1)?;
    let _alone = parent.rwsem.write();
    check_parent(parent)?;
    if dir::lookup(fs, parent, new.name)?.is_some() {
        return Err(Error::Exists);
    }
    check_key(parent)?;
    let is_dir = new.file_type == FileType::Directory;
    if is_dir {
        check_links(parent)?;
    }
    let op = fs.start_op();
    let inode = Inode::create(fs, &op, parent, new)?;
    let linked = match new.file_type {
        FileType::Directory => start_dir(fs, &op, &inode, parent.ino),
        FileType::Symlink => store_target(fs, &op, &inode, target),
        _ => Ok(()),
    }
    .and_then(|()| match new.file_type {
        FileType::Symlink => Ok(()),
        _ => inherit_list(fs, parent, &inode, new.umask),
    })
    .and_then(|()| dir::insert(fs, &op, parent, new.name, &inode));
    if let Err(error) = linked {
        inode.free(fs, &op)?;
        return Err(error);
    }
    if is_dir {
        add_links(parent, 1);
    }
    touch_modified(fs, parent);
    Ok(OpenInode::new(fs, inode))
}

/// Gives a new directory its first entries, in its inode block or, if the volume's options say so, outside.
fn start_dir(fs: &Fs, op: &OpGuard<'_>, inode: &Arc<Inode>, parent: Ino) -> Result<()> {
    dir::init_dots(inode, parent)?;
    if fs.options.inline.dentry {
        Ok(())
    } else {
        dir::spill(fs, op, inode)
    }
}

fn store_target(fs: &Fs, op: &OpGuard<'_>, inode: &Arc<Inode>, target: &[u8]) -> Result<()> {
    let outgrows = {
        let tree = inode.tree.lock();
        inline::is_inline(&tree) && target.len() > tree.inode.inline_data_len()
    };
    if outgrows {
        truncate::convert_inline(fs, inode, op)?;
    }
    let ops = DataOps::with_op(fs, inode, op);
    inode.set_size(target.len() as u64);
    iomap::buffered_write(&ops, 0..target.len() as u64, &mut &target[..])
        .map_err(|(_, error)| error)?;
    flush_pages_in_op(fs, inode, 0..1, op)
}

/// Refuses a directory whose entries do not change.
pub(super) fn check_parent(parent: &Inode) -> Result<()> {
    parent.check_dir()?;
    check_free(parent)?;
    if parent.tree.lock().inode.links() == 0 {
        return Err(Error::NotFound);
    }
    Ok(())
}

pub(super) fn check_links(inode: &Inode) -> Result<()> {
    if inode.tree.lock().inode.links() == LINKS_MAX {
        Err(Error::TooManyLinks)
    } else {
        Ok(())
    }
}

pub(super) fn add_links(inode: &Inode, count: u32) {
    let mut tree = inode.tree.lock();
    let links = tree.inode.links().saturating_add(count);
    tree.inode_mut().set_links(links);
}

/// Makes another name for a file.
pub(crate) fn link(fs: &Fs, inode: &Arc<Inode>, parent: &Arc<Inode>, name: &[u8]) -> Result<()> {
    add_name(fs, inode, parent, name)?;
    sync_names(fs, &[parent])
}

fn add_name(fs: &Fs, inode: &Arc<Inode>, parent: &Arc<Inode>, name: &[u8]) -> Result<()> {
    dir::check_name(name)?;
    if inode.is_dir() {
        return Err(Error::NotPermitted("a directory has one name"));
    }
    fs.check_writable()?;
    fs.balance()?;
    let _alone = parent.rwsem.write();
    check_parent(parent)?;
    check_removable(inode)?;
    check_links(inode)?;
    check_same_project(parent, inode)?;
    if dir::lookup(fs, parent, name)?.is_some() {
        return Err(Error::Exists);
    }
    check_key(parent)?;
    let is_first = tmpfile::is_unnamed(inode)?;
    let op = fs.start_op();
    dir::insert(fs, &op, parent, name, inode)?;
    if is_first {
        fs.meta.orphans.remove(inode.ino);
    }
    let now = to_disk(fs.now());
    let mut tree = inode.tree.lock();
    let links = tree.inode.links().saturating_add(1);
    let advise = tree.inode.advise() | Advise::LOST_PINO;
    let block = tree.inode_mut();
    block.set_links(links);
    block.set_advise(advise);
    block.set_name(name);
    block.set_ctime(now);
    drop(tree);
    fs.note_dirty(inode);
    touch_modified(fs, parent);
    Ok(())
}

/// What an unlink may remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remove {
    /// Anything but a directory.
    File,
    /// An empty directory.
    Directory,
}

/// Removes a name; the file goes with its last name and its last handle.
pub(crate) fn unlink(fs: &Arc<Fs>, parent: &Arc<Inode>, name: &[u8], what: Remove) -> Result<()> {
    remove(fs, parent, name, what)?;
    sync_names(fs, &[parent])
}

fn remove(fs: &Arc<Fs>, parent: &Arc<Inode>, name: &[u8], what: Remove) -> Result<()> {
    dir::check_name(name)?;
    fs.check_writable()?;
    fs.balance()?;
    let _alone = parent.rwsem.write();
    check_parent(parent)?;
    let found = dir::lookup(fs, parent, name)?.ok_or(Error::NotFound)?;
    check_gives_up(parent)?;
    let inode = fs.inodes.get(fs, found.ino)?;
    match (what, inode.is_dir()) {
        (Remove::File, true) => return Err(Error::IsADirectory),
        (Remove::Directory, false) => return Err(Error::NotADirectory),
        _ => {}
    }
    check_removable(&inode)?;
    check_not_itself(parent, &inode)?;
    // Held over the removal: nobody adds an entry to a directory that is going.
    let _victim = inode.is_dir().then(|| inode.rwsem.write());
    if inode.is_dir() && !dir::is_empty(fs, &inode)? {
        return Err(Error::NotEmpty);
    }
    let op = fs.start_op();
    note_leaving(fs, Name { dir: parent, name }, &inode)?;
    drop_link(fs, &op, &inode, |fs, op| {
        dir::remove(fs, op, parent, &found)
    })?;
    if inode.is_dir() {
        sub_link(parent);
    }
    touch_modified(fs, parent);
    Ok(())
}

/// Refuses a directory that damage made an entry of its own: it would be locked twice.
pub(super) fn check_not_itself(dir: &Inode, inode: &Inode) -> Result<()> {
    if inode.ino == dir.ino {
        return Err(Inconsistent::DirLoop { ino: dir.ino }.into());
    }
    Ok(())
}

/// Refuses to take an entry from an append-only directory.
pub(super) fn check_gives_up(dir: &Inode) -> Result<()> {
    if dir.tree.lock().inode.flags().contains(InodeFlags::APPEND) {
        return Err(Error::NotPermitted("the directory is append-only"));
    }
    Ok(())
}

/// Refuses to move, remove or link a file that keeps its place.
pub(super) fn check_removable(inode: &Inode) -> Result<()> {
    let tree = inode.tree.lock();
    let kept = InodeFlags::IMMUTABLE | InodeFlags::APPEND;
    if tree.inode.flags().intersects(kept) {
        return Err(Error::NotPermitted("the file is immutable or append-only"));
    }
    Ok(())
}

pub(super) fn sub_link(inode: &Inode) {
    let mut tree = inode.tree.lock();
    let links = tree.inode.links().saturating_sub(1);
    tree.inode_mut().set_links(links);
}

/// Notes, inside the operation, that a file is about to leave a name, or to lose one of several: see
/// [`crate::fsync`].
pub(super) fn note_leaving(fs: &Fs, from: Name<'_>, inode: &Inode) -> Result<()> {
    from.dir.epochs.names.note(fs.epoch());
    if !inode.is_dir() && inode.tree.lock().inode.links() == 1 {
        return Ok(()); // The file goes with its name.
    }
    note_vacated(fs, from)
}

/// Notes that a file that lives on leaves a name.
pub(super) fn note_vacated(fs: &Fs, from: Name<'_>) -> Result<()> {
    from.dir.epochs.names.note(fs.epoch());
    fs.vacated
        .add(from.dir.ino, dir::hash_of(fs, from.dir, from.name)?);
    Ok(())
}

/// Takes one link (a directory: all) from an inode whose entry `remove` removes or replaces. An inode without
/// links goes to the orphan list, and is freed if it is not open.
fn drop_link(
    fs: &Fs,
    op: &OpGuard<'_>,
    inode: &Arc<Inode>,
    remove: impl FnOnce(&Fs, &OpGuard<'_>) -> Result<()>,
) -> Result<()> {
    let links = inode.tree.lock().inode.links();
    let left = if inode.is_dir() {
        0
    } else {
        links.saturating_sub(1)
    };
    if left == 0 {
        fs.meta.orphans.add(inode.ino)?;
    }
    if let Err(error) = remove(fs, op) {
        fs.meta.orphans.remove(inode.ino);
        return Err(error);
    }
    {
        let now = to_disk(fs.now());
        let mut tree = inode.tree.lock();
        let block = tree.inode_mut();
        block.set_links(left);
        block.set_ctime(now);
    }
    fs.note_dirty(inode);
    if left == 0 && !inode.is_open() {
        return inode.free(fs, op);
    }
    Ok(())
}

/// Takes a name from a file: see [`crate::recovery`].
pub(crate) fn take_name(
    fs: &Arc<Fs>,
    op: &OpGuard<'_>,
    parent: &Arc<Inode>,
    found: &Found,
    inode: &Arc<Inode>,
) -> Result<()> {
    drop_link(fs, op, inode, |fs, op| dir::remove(fs, op, parent, found))
}

/// One side of a rename.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name<'a> {
    pub(crate) dir: &'a Arc<Inode>,
    pub(crate) name: &'a [u8],
}

/// Moves a name. An existing file, or empty directory, of the new name is replaced, or refused.
pub(crate) fn rename(
    fs: &Arc<Fs>,
    from: Name<'_>,
    to: Name<'_>,
    how: RenameTo,
    leave: Leave<'_>,
) -> Result<()> {
    move_name(fs, from, to, how, leave)?;
    sync_names(fs, &[from.dir, to.dir])
}

fn move_name(
    fs: &Arc<Fs>,
    from: Name<'_>,
    to: Name<'_>,
    how: RenameTo,
    leave: Leave<'_>,
) -> Result<()> {
    dir::check_name(from.name)?;
    dir::check_name(to.name)?;
    fs.check_writable()?;
    fs.balance()?;
    let across = from.dir.ino != to.dir.ino;
    let _renames = across.then(|| fs.rename.lock());
    let (first, second) = lock_order(fs, from.dir, to.dir)?;
    let _first = first.rwsem.write();
    let _second = across.then(|| second.rwsem.write());
    check_parent(from.dir)?;
    check_parent(to.dir)?;

    let source = dir::lookup(fs, from.dir, from.name)?.ok_or(Error::NotFound)?;
    let target = dir::lookup(fs, to.dir, to.name)?;
    check_gives_up(from.dir)?;
    if target.is_some() {
        check_gives_up(to.dir)?;
    }
    if target.as_ref().is_some_and(|t| t.ino == source.ino) {
        return Ok(()); // Two names of one file: nothing to do, says POSIX.
    }
    if target.is_some() && how == RenameTo::KeepExisting {
        return Err(Error::Exists);
    }
    check_key(from.dir)?;
    check_key(to.dir)?;
    let inode = fs.inodes.get(fs, source.ino)?;
    check_not_itself(from.dir, &inode)?;
    check_removable(&inode)?;
    check_same_project(to.dir, &inode)?;
    if inode.is_dir() && is_below(fs, to.dir, inode.ino)? {
        return Err(Error::Invalid("a directory cannot move into itself"));
    }
    if inode.is_dir() && across && target.is_none() {
        check_links(to.dir)?;
    }
    let victim = match &target {
        Some(target) => Some(find_victim(fs, &inode, target, from.dir)?),
        None => None,
    };
    // Held over the removal: nobody adds an entry to a directory that is going.
    let dir = victim.as_ref().filter(|victim| victim.is_dir());
    if let Some(dir) = dir {
        check_not_itself(to.dir, dir)?;
    }
    let _victim = dir.map(|dir| dir.rwsem.write());
    if let Some(dir) = dir
        && !dir::is_empty(fs, dir)?
    {
        return Err(Error::NotEmpty);
    }
    // Its `..` changes, and nobody adds an entry beside it meanwhile.
    let _moved = (inode.is_dir() && across).then(|| inode.rwsem.write());
    let op = fs.start_op();
    let whiteout = match leave {
        Leave::Nothing => None,
        Leave::Whiteout(new) => Some(Inode::create(fs, &op, from.dir, new)?),
    };
    note_vacated(fs, from)?;
    if let Some(victim) = &victim {
        note_leaving(fs, to, victim)?;
    }
    let moved = match (&target, &victim) {
        // The entry of the existing file names the moved one.
        (Some(target), Some(victim)) => drop_link(fs, &op, victim, |fs, op| {
            dir::replace(fs, op, to.dir, target, &inode)
        }),
        _ => dir::insert(fs, &op, to.dir, to.name, &inode),
    };
    if let Err(error) = moved {
        if let Some(whiteout) = whiteout {
            whiteout.free(fs, &op)?;
        }
        return Err(error);
    }
    let old = clear_old_name(fs, &op, from, whiteout.as_deref());
    let done = old.and_then(|()| finish_rename(fs, &op, &inode, from, to, target.is_some()));
    done.inspect_err(|error| fs.meta.device.stop(format!("rename: {error}")))
}

/// The file that a rename replaces, if it may.
fn find_victim(
    fs: &Arc<Fs>,
    inode: &Inode,
    target: &Found,
    from: &Arc<Inode>,
) -> Result<Arc<Inode>> {
    let victim = fs.inodes.get(fs, target.ino)?;
    check_removable(&victim)?;
    match (inode.is_dir(), victim.is_dir()) {
        (true, false) => Err(Error::NotADirectory),
        (false, true) => Err(Error::IsADirectory),
        // Not empty, since the moved file is below it. Its lock comes before that of `from`, which is held.
        (true, true) if is_below(fs, from, victim.ino)? => Err(Error::NotEmpty),
        _ => Ok(victim),
    }
}

/// Takes the old name away, or lets it name the whiteout.
fn clear_old_name(
    fs: &Arc<Fs>,
    op: &OpGuard<'_>,
    from: Name<'_>,
    whiteout: Option<&Inode>,
) -> Result<()> {
    // The new entry may have moved the old one: a directory leaves its inode block when it is full.
    let old = dir::lookup(fs, from.dir, from.name)?.ok_or(Error::NotFound)?;
    match whiteout {
        Some(whiteout) => dir::replace(fs, op, from.dir, &old, whiteout),
        None => dir::remove(fs, op, from.dir, &old),
    }
}

/// After the entries: `..`, link counts, hints and times.
fn finish_rename(
    fs: &Arc<Fs>,
    op: &OpGuard<'_>,
    inode: &Arc<Inode>,
    from: Name<'_>,
    to: Name<'_>,
    replaced: bool,
) -> Result<()> {
    let across = from.dir.ino != to.dir.ino;
    if inode.is_dir() {
        if across {
            dir::set_parent(fs, op, inode, to.dir.ino)?;
        }
        match (across, replaced) {
            (true, false) => {
                sub_link(from.dir);
                add_links(to.dir, 1);
            }
            (_, true) => sub_link(from.dir),
            (false, false) => {}
        }
    }
    let now = to_disk(fs.now());
    let mut tree = inode.tree.lock();
    let advise = tree.inode.advise() | Advise::LOST_PINO;
    let is_dir = inode.is_dir();
    let block = tree.inode_mut();
    block.set_ctime(now);
    block.set_name(to.name);
    block.set_pino(to.dir.ino);
    if !is_dir {
        block.set_advise(advise);
    }
    drop(tree);
    fs.note_dirty(inode);
    touch_modified(fs, from.dir);
    touch_modified(fs, to.dir);
    Ok(())
}

/// The two directories of a rename in the order in which they are locked.
pub(super) fn lock_order<'a>(
    fs: &Arc<Fs>,
    a: &'a Arc<Inode>,
    b: &'a Arc<Inode>,
) -> Result<(&'a Arc<Inode>, &'a Arc<Inode>)> {
    if a.ino == b.ino || is_below(fs, b, a.ino)? {
        return Ok((a, b));
    }
    if is_below(fs, a, b.ino)? || b.ino < a.ino {
        return Ok((b, a));
    }
    Ok((a, b))
}

/// Whether a directory is `ancestor` or lies below it. The rename lock keeps the way up from changing.
pub(super) fn is_below(fs: &Arc<Fs>, dir: &Arc<Inode>, ancestor: Ino) -> Result<bool> {
    let mut at = OpenInode::new(fs, Arc::clone(dir));
    for _ in 0..DEPTH_MAX {
        if at.inode.ino == ancestor {
            return Ok(true);
        }
        if at.inode.ino == Ino::ROOT {
            return Ok(false);
        }
        at = path::step_up(fs, &at)?;
    }
    Err(Error::Invalid("directories form a cycle"))
}

/// Deepest tree that is walked up.
const DEPTH_MAX: usize = 1 << 20;
