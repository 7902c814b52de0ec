//! The three flag words of an inode. Bits that nobody knows are kept.

bitflags::bitflags! {
    /// `i_flags`: attributes that users can set, and what they inherit.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct InodeFlags: u32 {
        /// The file is compressed; in a directory, new files will be.
        const COMPR = 0x4;
        /// Writes are synchronous.
        const SYNC = 0x8;
        /// Nothing may change.
        const IMMUTABLE = 0x10;
        /// Writes only append.
        const APPEND = 0x20;
        /// Backups skip the file.
        const NODUMP = 0x40;
        /// Reads do not change the access time.
        const NOATIME = 0x80;
        /// The file is never compressed.
        const NOCOMP = 0x400;
        /// The directory is hashed; the kernel sets it on every directory.
        const INDEX = 0x1000;
        /// Changes of the directory are synchronous.
        const DIRSYNC = 0x1_0000;
        /// New children take the project id.
        const PROJINHERIT = 0x2000_0000;
        /// The directory ignores case.
        const CASEFOLD = 0x4000_0000;
        /// The file stands for a device (newer kernels).
        const DEVICE_ALIAS = 0x8000_0000;
        const _ = !0;
    }
}

bitflags::bitflags! {
    /// `i_advise`: hints and states of the file system itself.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct Advise: u8 {
        /// The data is rarely changed.
        const COLD = 0x1;
        /// `i_pino` and `i_name` may not tell the file's place.
        const LOST_PINO = 0x2;
        /// The content is encrypted.
        const ENCRYPT = 0x4;
        /// The name is encrypted.
        const ENC_NAME = 0x8;
        /// There are blocks past the end of the file.
        const KEEP_SIZE = 0x10;
        /// The data is often changed.
        const HOT = 0x20;
        /// The file is sealed with fs-verity.
        const VERITY = 0x40;
        /// Blocks past the end are to be freed at the next open.
        const TRUNCATE = 0x80;
    }
}

bitflags::bitflags! {
    /// `i_inline`: what lies inside the inode block, and some more states.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct InlineFlags: u8 {
        /// The inline xattr area is in use.
        const INLINE_XATTR = 0x1;
        /// The data lies in the inode.
        const INLINE_DATA = 0x2;
        /// The dentries lie in the inode.
        const INLINE_DENTRY = 0x4;
        /// Data was written into the inline area.
        const DATA_EXIST = 0x8;
        /// Obsolete.
        const INLINE_DOTS = 0x10;
        /// The inode has extra attributes.
        const EXTRA_ATTR = 0x20;
        /// The blocks must stay where they are.
        const PIN_FILE = 0x40;
        /// The blocks that compression saved were given back.
        const COMPRESS_RELEASED = 0x80;
    }
}
