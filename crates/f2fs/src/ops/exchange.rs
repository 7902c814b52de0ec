//! Two names change places (kernel: `f2fs_cross_rename`).
//!
//! # Locking
//! As a rename: the volume's rename lock if the directories differ, both directories, then OP.

use super::file::{check_key, touch_modified};
use super::namei::{
    Name, add_links, check_gives_up, check_links, check_not_itself, check_parent, check_removable,
    is_below, lock_order, note_vacated, sub_link,
};
use crate::dir::{self, Found};
use crate::error::{Error, Result};
use crate::fs::{Fs, OpGuard};
use crate::fsync::sync_names;
use crate::inode::{Inode, to_disk};
use crate::quota::check_same_project;
use f2fs_format::Advise;
use std::sync::Arc;

/// One of the two: where it is named, and what.
struct Side<'a> {
    dir: &'a Arc<Inode>,
    entry: Found,
    inode: Arc<Inode>,
}

/// Lets each of two names name what the other did. Both exist.
pub(crate) fn exchange(fs: &Arc<Fs>, a: Name<'_>, b: Name<'_>) -> Result<()> {
    swap(fs, a, b)?;
    sync_names(fs, &[a.dir, b.dir])
}

fn swap(fs: &Arc<Fs>, a: Name<'_>, b: Name<'_>) -> Result<()> {
    dir::check_name(a.name)?;
    dir::check_name(b.name)?;
    fs.check_writable()?;
    fs.balance()?;
    let across = a.dir.ino != b.dir.ino;
    let _renames = across.then(|| fs.rename.lock());
    let (first, second) = lock_order(fs, a.dir, b.dir)?;
    let _first = first.rwsem.write();
    let _second = across.then(|| second.rwsem.write());
    let names = [a, b];
    let (a, b) = (find(fs, a)?, find(fs, b)?);
    if a.inode.ino == b.inode.ino {
        return Ok(());
    }
    check_key(a.dir)?;
    check_key(b.dir)?;
    check_place(fs, &a, b.dir)?;
    check_place(fs, &b, a.dir)?;
    if across && a.inode.is_dir() != b.inode.is_dir() {
        check_links(if a.inode.is_dir() { b.dir } else { a.dir })?;
    }
    // Their `..` change, and nobody adds an entry beside it meanwhile. In ascending order, as everywhere.
    let mut moved = [&a, &b];
    moved.sort_by_key(|side| side.inode.ino);
    let locked =
        moved.map(|side| (side.inode.is_dir() && across).then(|| side.inode.rwsem.write()));
    let op = fs.start_op();
    note_vacated(fs, names[0])?;
    note_vacated(fs, names[1])?;
    dir::replace(fs, &op, a.dir, &a.entry, &b.inode)?;
    let done = swap_back(fs, &op, &a, &b);
    drop(locked);
    // Half of it must not reach the volume.
    done.inspect_err(|error| fs.meta.device.stop(format!("exchange of names: {error}")))
}

/// The second half, after the first name names the second file.
fn swap_back(fs: &Arc<Fs>, op: &OpGuard<'_>, a: &Side<'_>, b: &Side<'_>) -> Result<()> {
    dir::replace(fs, op, b.dir, &b.entry, &a.inode)?;
    settle(fs, op, a, b.dir)?;
    settle(fs, op, b, a.dir)?;
    touch_modified(fs, a.dir);
    touch_modified(fs, b.dir);
    Ok(())
}

fn find<'a>(fs: &Arc<Fs>, name: Name<'a>) -> Result<Side<'a>> {
    check_parent(name.dir)?;
    check_gives_up(name.dir)?;
    let entry = dir::lookup(fs, name.dir, name.name)?.ok_or(Error::NotFound)?;
    let inode = fs.inodes.get(fs, entry.ino)?;
    check_removable(&inode)?;
    check_not_itself(name.dir, &inode)?;
    Ok(Side {
        dir: name.dir,
        entry,
        inode,
    })
}

/// A directory must not come to lie below itself, nor a file in another project's directory.
fn check_place(fs: &Arc<Fs>, side: &Side<'_>, new_parent: &Arc<Inode>) -> Result<()> {
    if side.inode.is_dir() && is_below(fs, new_parent, side.inode.ino)? {
        return Err(Error::Invalid("a directory cannot move into itself"));
    }
    check_same_project(new_parent, &side.inode)
}

/// Parent, link counts and change time of one of the two at its new place.
fn settle(fs: &Arc<Fs>, op: &OpGuard<'_>, side: &Side<'_>, new_parent: &Arc<Inode>) -> Result<()> {
    let inode = &side.inode;
    if inode.is_dir() && side.dir.ino != new_parent.ino {
        dir::set_parent(fs, op, inode, new_parent.ino)?;
        add_links(new_parent, 1);
        sub_link(side.dir);
    }
    let now = to_disk(fs.now());
    let is_dir = inode.is_dir();
    let mut tree = inode.tree.lock();
    let advise = tree.inode.advise() | Advise::LOST_PINO;
    let block = tree.inode_mut();
    block.set_ctime(now);
    if !is_dir {
        // Its hints name the old place.
        block.set_advise(advise);
    }
    drop(tree);
    fs.note_dirty(inode);
    Ok(())
}
