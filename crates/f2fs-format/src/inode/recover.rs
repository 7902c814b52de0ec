//! What roll-forward recovery takes from an inode block of the chain (kernel: `f2fs_recover_inode_page`,
//! `recover_inode`).

use super::raw::ADDR_END;
use super::{DEF_NIDS_PER_INODE, InlineFlags, InodeBlock};

/// Flags of the inline word that tell what the inode block has room for.
const LAYOUT: InlineFlags = InlineFlags::INLINE_XATTR.union(InlineFlags::EXTRA_ATTR);
/// Flags of the inline word that are a file's state.
const STATE: InlineFlags = InlineFlags::PIN_FILE.union(InlineFlags::DATA_EXIST);

impl InodeBlock {
    /// The inode as recovery makes it for one that the last checkpoint does not have: its name and attributes, but no
    /// content yet.
    #[must_use]
    pub fn without_content(&self) -> Self {
        let mut base = Self {
            block: self.block.clone(),
            features: self.features,
        };
        base.set_size(0);
        base.set_blocks(1);
        base.set_links(1);
        base.set_xattr_nid(None);
        base.clear_ext();
        let words = super::raw::ADDR_OFFSET + usize::from(self.extra_isize());
        base.block[words..ADDR_END].fill(0);
        (0..DEF_NIDS_PER_INODE).for_each(|index| base.set_nid(index, None));
        base.set_inline(self.inline() & LAYOUT);
        if base.compress().is_some() {
            base.set_compr_blocks(0);
        }
        base
    }

    /// Takes over the attributes of a newer block of the same inode; not its owners, its links, or anything that says
    /// where content lies.
    pub fn recover_attributes(&mut self, newer: &Self) {
        self.set_mode(newer.mode());
        self.set_size(newer.size());
        self.set_atime(newer.atime());
        self.set_ctime(newer.ctime());
        self.set_mtime(newer.mtime());
        self.set_advise(newer.advise());
        self.set_flags(newer.flags());
        self.raw_mut().current_depth = newer.raw().current_depth;
        self.set_inline((self.inline() - STATE) | (newer.inline() & STATE));
    }
}
