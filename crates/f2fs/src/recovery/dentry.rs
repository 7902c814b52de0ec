//! The name of a new file (kernel: `recover_dentry`).

use crate::dir;
use crate::error::{Inconsistent, Result};
use crate::fs::{Fs, OpGuard};
use crate::inode::Inode;
use crate::ops::file::touch_modified;
use crate::ops::namei::take_name;
use f2fs_format::InodeBlock;
use std::sync::Arc;

/// Gives a file its name. Whoever has it in the last checkpoint loses it.
pub(super) fn recover(
    fs: &Arc<Fs>,
    op: &OpGuard<'_>,
    inode: &Arc<Inode>,
    newer: &InodeBlock,
) -> Result<()> {
    let (name, hash) = (newer.name(), newer.kept_hash());
    let pino = fs.meta.geometry.nid(newer.pino().get())?;
    let parent = fs.inodes.get(fs, pino)?;
    parent.check_dir()?;
    {
        let mut tree = inode.tree.lock();
        if tree.inode.name() != name {
            // Otherwise the hash behind it stays.
            tree.inode_mut().set_name(name);
        }
        tree.inode_mut().set_pino(pino);
    }
    match dir::lookup_stored(fs, &parent, name, hash)? {
        Some(found) if found.ino == inode.ino => return Ok(()),
        Some(found) => {
            let other = fs.inodes.get(fs, found.ino)?;
            if other.is_dir() {
                // Nothing that an fsync leaves: a directory would be lost with all that is in it.
                return Err(Inconsistent::ChainNameOfDir { ino: other.ino }.into());
            }
            take_name(fs, op, &parent, &found, &other)?;
        }
        None => {}
    }
    dir::insert_stored(fs, op, &parent, (name, hash), inode)?;
    touch_modified(fs, &parent);
    Ok(())
}
