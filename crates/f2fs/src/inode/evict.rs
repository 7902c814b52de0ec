//! The end of an inode (kernel: `f2fs_evict_inode`).

use super::Inode;
use crate::error::Result;
use crate::fs::{Fs, OpGuard};
use crate::quota::Usage;
use f2fs_format::{InlineFlags, XATTR_NODE_OFFSET};
use std::sync::Arc;

impl Inode {
    /// Frees everything an inode without links and open handles has: blocks, nodes, nid, place in the orphan list.
    pub(crate) fn free(self: &Arc<Self>, fs: &Fs, _op: &OpGuard<'_>) -> Result<()> {
        if self.note_freed() {
            return Ok(());
        }
        self.set_size(0);
        self.mapping.truncate(0);
        let mut tree = self.tree.lock();
        let xattr_nid = tree.inode.xattr_nid();
        if let Some(nid) = xattr_nid {
            // Another file's node is not ours to free.
            tree.load(fs, nid, XATTR_NODE_OFFSET)?;
        }
        let inline = InlineFlags::INLINE_DATA | InlineFlags::INLINE_DENTRY;
        // A device number and inline bytes lie where other files have their slots.
        if !self.file_type.is_device() && !tree.inode.inline().intersects(inline) {
            tree.truncate(fs, 0)?;
        }
        if let Some(nid) = xattr_nid {
            tree.free_node(fs, nid)?;
            tree.inode_mut().set_xattr_nid(None);
        }
        tree.dirty.clear();
        fs.meta.space.remove_inode()?;
        fs.release_quota(&tree.inode, Usage::of(&tree.inode));
        fs.meta.orphans.remove(self.ino);
        fs.forget_dirty(self);
        fs.saving.remove(self.ino);
        fs.inodes.remove(self.ino);
        // Last: from here on another thread may make an inode of this number, and put it into the lists above.
        fs.release_node_block(self.ino)
    }
}
