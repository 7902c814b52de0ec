//! Calls that are durable when they return without being asked each time: O_SYNC and O_DSYNC, `chattr +S` and `+D`,
//! the mount options `sync` and `dirsync`.

use super::{SyncScope, sync_file};
use crate::error::Result;
use crate::fs::Fs;
use crate::inode::Inode;
use crate::options::Synchronous;
use f2fs_format::InodeFlags;
use std::sync::Arc;

/// After a write through a handle that was opened for `opened`. The caller holds no lock.
pub(crate) fn sync_write(fs: &Fs, inode: &Arc<Inode>, opened: Option<SyncScope>) -> Result<()> {
    let by_inode = fs.options.synchronous == Synchronous::All || has_flag(inode, InodeFlags::SYNC);
    let scope = if by_inode {
        Some(SyncScope::All)
    } else {
        opened
    };
    scope.map_or(Ok(()), |scope| sync_file(fs, inode, scope))
}

/// After names changed in directories. The caller holds no lock.
pub(crate) fn sync_names(fs: &Fs, dirs: &[&Arc<Inode>]) -> Result<()> {
    let marks = InodeFlags::SYNC | InodeFlags::DIRSYNC;
    let asked = fs.options.synchronous != Synchronous::Nothing;
    if asked || dirs.iter().any(|dir| has_flag(dir, marks)) {
        fs.request_checkpoint()?;
    }
    Ok(())
}

fn has_flag(inode: &Inode, any_of: InodeFlags) -> bool {
    inode.tree.lock().inode.flags().intersects(any_of)
}
