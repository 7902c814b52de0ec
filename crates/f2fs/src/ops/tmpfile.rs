//! Files without a name (kernel: `f2fs_tmpfile`): in the orphan list until they are linked, so that they vanish
//! with their last handle or with a crash.

use super::file::check_changeable;
use super::handle::OpenInode;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::{Inode, NewFile};
use std::sync::Arc;

/// Makes a regular file in a directory's place, without an entry.
pub(crate) fn create(fs: &Arc<Fs>, parent: &Arc<Inode>, new: &NewFile<'_>) -> Result<OpenInode> {
    assert!(
        new.name.is_empty(),
        "the file gets its name when it is linked"
    );
    fs.check_writable()?;
    fs.balance()?;
    fs.check_room(1)?;
    let _shared = parent.rwsem.read();
    parent.check_dir()?;
    check_changeable(parent)?;
    let op = fs.start_op();
    let inode = Inode::create(fs, &op, parent, new)?;
    let listed = super::attr::inherit_list(fs, parent, &inode, new.umask)
        .and_then(|()| fs.meta.orphans.add(inode.ino));
    if let Err(error) = listed {
        inode.free(fs, &op)?;
        return Err(error);
    }
    inode.tree.lock().inode_mut().set_links(0);
    Ok(OpenInode::new(fs, inode))
}

/// Whether a file waits for its first name.
///
/// # Errors
/// `NotFound` for one that lost its last name: it does not come back.
pub(super) fn is_unnamed(inode: &Inode) -> Result<bool> {
    let tree = inode.tree.lock();
    if tree.inode.links() > 0 {
        return Ok(false);
    }
    if tree.inode.name().is_empty() {
        Ok(true)
    } else {
        Err(Error::NotFound)
    }
}
