//! An open inode: it stays in memory, and on the volume if it is unlinked, until the last handle goes.

use crate::fs::Fs;
use crate::inode::Inode;
use std::sync::Arc;

/// One open handle.
#[derive(Debug)]
pub(crate) struct OpenInode {
    pub(crate) fs: Arc<Fs>,
    pub(crate) inode: Arc<Inode>,
}

impl OpenInode {
    /// Opens an inode. The caller holds the lock of the directory it was found in, so that it is not freed
    /// meanwhile.
    pub(crate) fn new(fs: &Arc<Fs>, inode: Arc<Inode>) -> Self {
        inode.add_open();
        Self {
            fs: Arc::clone(fs),
            inode,
        }
    }
}

impl Clone for OpenInode {
    fn clone(&self) -> Self {
        Self::new(&self.fs, Arc::clone(&self.inode))
    }
}

impl Drop for OpenInode {
    fn drop(&mut self) {
        if !self.inode.drop_open() {
            return;
        }
        if let Some(seal) = &self.inode.seal {
            seal.clear();
        }
        if self.inode.info().links > 0 {
            return;
        }
        if !self.fs.meta.orphans.contains(self.inode.ino) {
            return; // Damage, not an unlink, took its links.
        }
        if self.fs.check_writable().is_err() {
            return; // It stays in the orphan list; the next mount frees it.
        }
        let op = self.fs.start_op();
        // Freed half way, it must not vanish from memory with what it still holds.
        self.fs.note_dirty(&self.inode);
        if let Err(error) = self.inode.free(&self.fs, &op) {
            tracing::error!(ino = %self.inode.ino, %error, "an unlinked file could not be freed");
        }
    }
}
