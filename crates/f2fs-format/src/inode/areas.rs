//! Where address slots, inline data, inline dentries and inline xattrs lie in the block.
//!
//! # On disk
//! The address words start behind the extra attributes and end at the inline xattr area. Inline
//! data and dentries use the words from the second on; the first stays 0.

use core::ops::Range;

use super::raw::{ADDR_END, ADDR_OFFSET, RawInodeSlots};
use super::{DEF_ADDRS_PER_INODE, DEFAULT_INLINE_XATTR_ADDRS, InlineFlags, InodeBlock};
use crate::dentry::{FileType, Layout};
use crate::features::Features;
use crate::node::ADDRS_PER_BLOCK;

/// Bytes of an address word.
const WORD: usize = 4;

impl InodeBlock {
    /// Words of the inline xattr area, in use or not.
    pub fn inline_xattr_words(&self) -> u16 {
        if self.features.contains(Features::FLEXIBLE_INLINE_XATTR) {
            return self.raw().extra.inline_xattr_size.get();
        }
        let reserving = InlineFlags::INLINE_XATTR | InlineFlags::INLINE_DENTRY;
        if self.inline().intersects(reserving) {
            DEFAULT_INLINE_XATTR_ADDRS
        } else {
            0
        }
    }

    /// Slots of the inode before any rounding; small only in an inode that is not yet checked.
    pub(super) fn address_words(&self) -> usize {
        let taken = self.extra_words() + usize::from(self.inline_xattr_words());
        DEF_ADDRS_PER_INODE.saturating_sub(taken)
    }

    fn extra_words(&self) -> usize {
        usize::from(self.extra_isize()) / WORD
    }

    /// File blocks that the inode's own slots map.
    pub fn addrs_in_inode(&self) -> u32 {
        self.whole_clusters(self.address_words())
    }

    /// File blocks that a direct node of the file maps.
    pub fn addrs_per_dnode(&self) -> u32 {
        self.whole_clusters(ADDRS_PER_BLOCK)
    }

    fn whole_clusters(&self, slots: usize) -> u32 {
        let slots = slots as u32;
        if self.file_type() != FileType::Regular {
            return slots;
        }
        self.compress()
            .map_or(slots, |info| slots & !(info.cluster_blocks() - 1))
    }

    /// The raw value of slot `index`, which is below 923 less the extra attributes and the xattr
    /// area.
    pub fn slot(&self, index: usize) -> u32 {
        let at = self.slot_index(index);
        let raw: &RawInodeSlots = zerocopy::transmute_ref!(&*self.block);
        raw.addr[at].get()
    }

    /// Stores the raw value of slot `index`.
    pub fn set_slot(&mut self, index: usize, value: u32) {
        let at = self.slot_index(index);
        let raw: &mut RawInodeSlots = zerocopy::transmute_mut!(&mut *self.block);
        raw.addr[at] = value.into();
    }

    fn slot_index(&self, index: usize) -> usize {
        assert!(
            index < self.address_words(),
            "the inode has no slot {index}"
        );
        self.extra_words() + index
    }

    /// The inline xattr area, if it is in use.
    pub fn inline_xattr(&self) -> Option<&[u8]> {
        let used = self.inline().contains(InlineFlags::INLINE_XATTR);
        used.then(|| &self.block[self.xattr_range()])
    }

    /// The inline xattr area, if it is in use, to change.
    pub fn inline_xattr_mut(&mut self) -> Option<&mut [u8]> {
        let range = self.xattr_range();
        let used = self.inline().contains(InlineFlags::INLINE_XATTR);
        used.then(|| &mut self.block[range])
    }

    fn xattr_range(&self) -> Range<usize> {
        ADDR_END - usize::from(self.inline_xattr_words()) * WORD..ADDR_END
    }

    /// The area for inline data or dentries, whether it is in use or not.
    pub fn inline_data_area(&self) -> &[u8] {
        &self.block[self.inline_range()]
    }

    /// The area for inline data or dentries, to change.
    pub fn inline_data_area_mut(&mut self) -> &mut [u8] {
        let range = self.inline_range();
        &mut self.block[range]
    }

    /// Bytes of the area for inline data or dentries.
    pub fn inline_data_len(&self) -> usize {
        self.inline_range().len()
    }

    /// The layout of dentries in the inline area.
    pub fn inline_dentry_layout(&self) -> Layout {
        Layout::inline(self.inline_data_len())
    }

    fn inline_range(&self) -> Range<usize> {
        // The first word is reserved. An inode has one at least, or parse refused it.
        let start = ADDR_OFFSET + (self.extra_words() + 1) * WORD;
        start..start + self.address_words().saturating_sub(1) * WORD
    }

    /// Major and minor number of a device node; `None` for other files.
    pub fn device(&self) -> Option<(u32, u32)> {
        if !self.file_type().is_device() {
            return None;
        }
        let (old, new) = (self.slot(0), self.slot(1));
        Some(if old != 0 {
            (old >> 8 & 0xFF, old & 0xFF)
        } else {
            (new >> 8 & 0xFFF, new & 0xFF | new >> 12 & 0xF_FF00)
        })
    }

    /// Stores the number of a device node: `major` below 2^12, `minor` below 2^20.
    pub fn set_device(&mut self, major: u32, minor: u32) {
        assert!(
            self.file_type().is_device(),
            "only a device node has a device number"
        );
        assert!(
            major < 1 << 12 && minor < 1 << 20,
            "device {major}:{minor} is out of range"
        );
        let (old, new) = if major < 256 && minor < 256 {
            (major << 8 | minor, 0)
        } else {
            (0, minor & 0xFF | major << 8 | (minor & !0xFF) << 12)
        };
        self.set_slot(0, old);
        self.set_slot(1, new);
    }
}
