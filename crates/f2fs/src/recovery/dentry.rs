//! The name of a new file (kernel: `recover_dentry`).

use crate::dir;
use crate::error::{Error, Inconsistent, Result};
use crate::fs::{Fs, OpGuard};
use crate::inode::Inode;
use crate::ops::file::touch_modified;
use crate::ops::namei::take_name;
use f2fs_format::{Advise, InodeBlock};
use std::sync::Arc;

/// Gives a file its name. Whoever has it in the last checkpoint loses it.
pub(super) fn recover(
    fs: &Arc<Fs>,
    op: &OpGuard<'_>,
    inode: &Arc<Inode>,
    newer: &InodeBlock,
) -> Result<()> {
    let name = newer.name();
    dir::check_name(name)?;
    let pino = fs.meta.geometry.nid(newer.pino().get())?;
    let parent = fs.inodes.get(fs, pino)?;
    parent.check_dir()?;
    if parent.tree.lock().inode.advise().contains(Advise::ENCRYPT) {
        return Err(Error::Unsupported(
            "recovering a name in an encrypted directory".to_owned(),
        ));
    }
    {
        let mut tree = inode.tree.lock();
        tree.inode_mut().set_name(name);
        tree.inode_mut().set_pino(pino);
    }
    match dir::lookup(fs, &parent, name)? {
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
    dir::insert(fs, op, &parent, name, inode)?;
    touch_modified(fs, &parent);
    Ok(())
}
