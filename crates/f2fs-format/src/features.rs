//! The feature word of the superblock.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

bitflags::bitflags! {
    /// Features of a volume. Bits that nobody knows are kept as they are.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct Features: u32 {
        /// Files may be encrypted.
        const ENCRYPT = 0x1;
        /// The volume lies on a zoned device.
        const BLKZONED = 0x2;
        /// The device writes several blocks atomically.
        const ATOMIC_WRITE = 0x4;
        /// Inodes carry extra attributes.
        const EXTRA_ATTR = 0x8;
        /// Inodes carry a project id.
        const PRJQUOTA = 0x10;
        /// Inodes carry a checksum.
        const INODE_CHKSUM = 0x20;
        /// The inline xattr area has a size of its own in each inode.
        const FLEXIBLE_INLINE_XATTR = 0x40;
        /// Quota lives in hidden inodes that the superblock names.
        const QUOTA_INO = 0x80;
        /// Inodes carry their time of creation.
        const INODE_CRTIME = 0x100;
        /// The root directory has a `lost+found`.
        const LOST_FOUND = 0x200;
        /// Files may be sealed with fs-verity.
        const VERITY = 0x400;
        /// The superblock carries a checksum.
        const SB_CHKSUM = 0x800;
        /// Directories may ignore case.
        const CASEFOLD = 0x1000;
        /// Files may be compressed.
        const COMPRESSION = 0x2000;
        /// The volume is made to be read only: no SSA, two open logs.
        const RO = 0x4000;
        /// A file may stand for a whole device (newer kernels).
        const DEVICE_ALIAS = 0x8000;
        /// Several summaries share a block, which changes the SSA's geometry (newer kernels).
        const PACKED_SSA = 0x1_0000;
        const _ = !0;
    }
}

impl Features {
    /// The features whose effect on the format this crate implements.
    pub const KNOWN: Self = Self::from_bits_retain(0x7FFF);

    /// The features that an inode can only hold if [`Features::EXTRA_ATTR`] is on too.
    pub const NEED_EXTRA_ATTR: Self = Self::PRJQUOTA
        .union(Self::INODE_CHKSUM)
        .union(Self::FLEXIBLE_INLINE_XATTR)
        .union(Self::INODE_CRTIME)
        .union(Self::COMPRESSION);

    /// The bits that are not in [`Features::KNOWN`].
    #[must_use]
    pub const fn unknown(self) -> Self {
        self.difference(Self::KNOWN)
    }

    /// The names of the set bits in lower case, joined by commas; nameless bits in hexadecimal.
    pub fn names(self) -> String {
        let mut rest = self.bits();
        let mut names: Vec<String> = Vec::new();
        for (name, flag) in self.iter_names() {
            rest &= !flag.bits();
            names.push(name.to_ascii_lowercase());
        }
        if rest != 0 {
            names.push(format!("{rest:#x}"));
        }
        names.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_list_known_and_unknown_bits() {
        let features = Features::from_bits_retain(0x8 | 0x2000 | 0x8000_0000);
        assert_eq!(features.names(), "extra_attr,compression,0x80000000");
        assert_eq!(features.unknown().bits(), 0x8000_0000);
        assert_eq!(Features::empty().names(), "");
        assert_eq!(
            (Features::PACKED_SSA | Features::RO).unknown(),
            Features::PACKED_SSA
        );
    }
}
