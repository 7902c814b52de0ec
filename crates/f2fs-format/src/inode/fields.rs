//! The attributes that every inode has.

use super::raw::RawExtent;
use super::{Advise, DEF_NIDS_PER_INODE, InlineFlags, InodeBlock, InodeFlags};
use crate::addr::{BlockAddr, Ino, Nid};
use crate::dentry::{FileType, NAME_LEN};
use crate::hash::MAX_DIR_HASH_DEPTH;

/// A time stamp.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timespec {
    /// Seconds since 1970, negative before.
    pub sec: i64,
    /// Nanoseconds past the second; whether below 10^9 is not checked.
    pub nsec: u32,
}

/// The cached largest run of blocks of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    /// First block of the run in the file.
    pub fofs: u32,
    /// First block of the run on the volume.
    pub blk: BlockAddr,
    /// Blocks of the run, at least 1.
    pub len: u32,
}

macro_rules! plain_field {
    ($($(#[$doc:meta])* $get:ident, $set:ident: $ty:ty = $field:ident;)*) => {
        impl InodeBlock {
            $(
                $(#[$doc])*
                pub fn $get(&self) -> $ty {
                    self.raw().$field.into()
                }

                #[doc = concat!("Stores what `", stringify!($get), "` gives.")]
                pub fn $set(&mut self, value: $ty) {
                    self.raw_mut().$field = value.into();
                }
            )*
        }
    };
}

plain_field! {
    /// The owner.
    uid, set_uid: u32 = uid;
    /// The group.
    gid, set_gid: u32 = gid;
    /// The number of names; 0 while the inode is an orphan.
    links, set_links: u32 = links;
    /// Bytes of the file.
    size, set_size: u64 = size;
    /// Blocks that the file takes, all its nodes included: at least 1.
    blocks, set_blocks: u64 = blocks;
    /// A random number that tells inodes with the same number apart.
    generation, set_generation: u32 = generation;
    /// How much larger than usual the first hash level of the directory is.
    dir_level, set_dir_level: u8 = dir_level;
}

impl InodeBlock {
    /// Type and permissions.
    pub fn mode(&self) -> u16 {
        self.raw().mode.get()
    }

    /// Stores type and permissions; the type must be one.
    pub fn set_mode(&mut self, mode: u16) {
        assert!(
            FileType::from_mode(mode).is_some(),
            "mode {mode:#o} has no file type"
        );
        self.raw_mut().mode = mode.into();
    }

    /// Hints and states of the file system.
    pub fn advise(&self) -> Advise {
        Advise::from_bits_retain(self.raw().advise)
    }

    /// Stores hints and states.
    pub fn set_advise(&mut self, advise: Advise) {
        self.raw_mut().advise = advise.bits();
    }

    /// What lies inside the inode.
    pub fn inline(&self) -> InlineFlags {
        InlineFlags::from_bits_retain(self.raw().inline)
    }

    /// Stores what lies inside the inode. Some bits move the areas: see
    /// [`inline_xattr_words`](Self::inline_xattr_words). [`InlineFlags::EXTRA_ATTR`] never changes.
    pub fn set_inline(&mut self, inline: InlineFlags) {
        let same = (self.inline() ^ inline)
            .intersection(InlineFlags::EXTRA_ATTR)
            .is_empty();
        assert!(
            same,
            "an inode keeps or lacks its extra attributes for ever"
        );
        self.raw_mut().inline = inline.bits();
    }

    /// Attributes that users can set.
    pub fn flags(&self) -> InodeFlags {
        InodeFlags::from_bits_retain(self.raw().flags.get())
    }

    /// Stores attributes. [`InodeFlags::COMPR`] changes the slot counts of a regular file, so it
    /// may only change while the file has no blocks.
    pub fn set_flags(&mut self, flags: InodeFlags) {
        self.raw_mut().flags = flags.bits().into();
    }

    /// Time of the last access.
    pub fn atime(&self) -> Timespec {
        let raw = self.raw();
        Timespec {
            sec: raw.atime.get().cast_signed(),
            nsec: raw.atime_nsec.get(),
        }
    }

    /// Stores the time of the last access.
    pub fn set_atime(&mut self, time: Timespec) {
        let raw = self.raw_mut();
        (raw.atime, raw.atime_nsec) = (time.sec.cast_unsigned().into(), time.nsec.into());
    }

    /// Time of the last change of the inode.
    pub fn ctime(&self) -> Timespec {
        let raw = self.raw();
        Timespec {
            sec: raw.ctime.get().cast_signed(),
            nsec: raw.ctime_nsec.get(),
        }
    }

    /// Stores the time of the last change of the inode.
    pub fn set_ctime(&mut self, time: Timespec) {
        let raw = self.raw_mut();
        (raw.ctime, raw.ctime_nsec) = (time.sec.cast_unsigned().into(), time.nsec.into());
    }

    /// Time of the last change of the content.
    pub fn mtime(&self) -> Timespec {
        let raw = self.raw();
        Timespec {
            sec: raw.mtime.get().cast_signed(),
            nsec: raw.mtime_nsec.get(),
        }
    }

    /// Stores the time of the last change of the content.
    pub fn set_mtime(&mut self, time: Timespec) {
        let raw = self.raw_mut();
        (raw.mtime, raw.mtime_nsec) = (time.sec.cast_unsigned().into(), time.nsec.into());
    }

    /// Hash levels of a directory, at most [`MAX_DIR_HASH_DEPTH`]: a larger value on disk is cut
    /// down.
    pub fn current_depth(&self) -> u32 {
        self.raw().current_depth.get().min(MAX_DIR_HASH_DEPTH)
    }

    /// Stores the hash levels of a directory.
    pub fn set_current_depth(&mut self, depth: u32) {
        assert!(
            depth <= MAX_DIR_HASH_DEPTH,
            "a directory has at most 63 levels"
        );
        self.raw_mut().current_depth = depth.into();
    }

    /// The xattr node, if there is one.
    pub fn xattr_nid(&self) -> Option<Nid> {
        let raw = self.raw().xattr_nid.get();
        (raw != 0).then(|| Nid::new(raw))
    }

    /// Stores the xattr node.
    pub fn set_xattr_nid(&mut self, nid: Option<Nid>) {
        self.raw_mut().xattr_nid = nid.map_or(0, Nid::get).into();
    }

    /// The directory that the inode was last linked into; a hint.
    pub fn pino(&self) -> Ino {
        Ino::new(self.raw().pino.get())
    }

    /// Stores the directory that the inode is linked into.
    pub fn set_pino(&mut self, ino: Ino) {
        self.raw_mut().pino = ino.get().into();
    }

    /// The name that the inode was last linked under; a hint.
    pub fn name(&self) -> &[u8] {
        let raw = self.raw();
        let len = (raw.namelen.get() as usize).min(NAME_LEN);
        &raw.name[..len]
    }

    /// The hash that an inode with an encrypted name that ignores case keeps behind the name; 0 if the name leaves no
    /// room for it. Means nothing elsewhere.
    pub fn kept_hash(&self) -> u32 {
        let raw = self.raw();
        let behind = raw.name.get(raw.namelen.get() as usize..);
        let hash = behind.and_then(<[u8]>::first_chunk);
        hash.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    /// Stores the name, at most 255 bytes.
    pub fn set_name(&mut self, name: &[u8]) {
        assert!(name.len() <= NAME_LEN, "a name has at most 255 bytes");
        let raw = self.raw_mut();
        raw.namelen = (name.len() as u32).into();
        raw.name.fill(0);
        raw.name[..name.len()].copy_from_slice(name);
    }

    /// The cached largest run of blocks, if there is one.
    pub fn ext(&self) -> Option<Extent> {
        let RawExtent { fofs, blk, len } = self.raw().ext;
        let extent = Extent {
            fofs: fofs.get(),
            blk: BlockAddr::new(blk.get()),
            len: len.get(),
        };
        (extent.len > 0).then_some(extent)
    }

    /// Forgets the cached run of blocks, which is always right.
    pub fn clear_ext(&mut self) {
        self.raw_mut().ext = RawExtent {
            fofs: 0.into(),
            blk: 0.into(),
            len: 0.into(),
        };
    }

    /// Nid number `index`: two direct nodes, two indirect ones, a double indirect one.
    pub fn nid(&self, index: usize) -> Option<Nid> {
        assert!(index < DEF_NIDS_PER_INODE, "an inode has 5 nids");
        let raw = self.raw().nid[index].get();
        (raw != 0).then(|| Nid::new(raw))
    }

    /// Stores nid number `index`.
    pub fn set_nid(&mut self, index: usize, nid: Option<Nid>) {
        assert!(index < DEF_NIDS_PER_INODE, "an inode has 5 nids");
        self.raw_mut().nid[index] = nid.map_or(0, Nid::get).into();
    }
}
