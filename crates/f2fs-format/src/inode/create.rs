//! Fresh inodes, as the kernel makes them.

use alloc::boxed::Box;

use super::{
    Advise, CompressInfo, InlineFlags, InodeBlock, InodeFlags, TOTAL_EXTRA_ATTR_SIZE, Timespec,
};
use crate::BLOCK_SIZE;
use crate::addr::Ino;
use crate::dentry::FileType;
use crate::features::Features;
use crate::node::{INODE_OFFSET, NodeFooter};
use crate::super_block::SuperBlock;

/// What a fresh inode is to be.
#[derive(Clone, Copy, Debug)]
pub struct NewInode<'a> {
    /// Its number.
    pub ino: Ino,
    /// The directory it is linked into.
    pub parent: Ino,
    /// Its name there.
    pub name: &'a [u8],
    /// Type and permissions.
    pub mode: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The number of names.
    pub links: u32,
    /// All its times.
    pub now: Timespec,
    /// A random number.
    pub generation: u32,
    /// Hints.
    pub advise: Advise,
    /// What lies inside; the bit for extra attributes follows the volume's features.
    pub inline: InlineFlags,
    /// Attributes that users can set.
    pub flags: InodeFlags,
    /// How large the first hash level of a directory is.
    pub dir_level: u8,
    /// Words of the inline xattr area, where the volume lets each inode choose.
    pub inline_xattr_words: u16,
    /// The project id, stored if the volume has them.
    pub projid: u32,
    /// Compression settings; [`InodeFlags::COMPR`] follows them.
    pub compress: Option<CompressInfo>,
}

impl NewInode<'_> {
    /// An inode with nothing but its number, type and permissions.
    pub fn bare(ino: Ino, mode: u16) -> Self {
        Self {
            ino,
            parent: Ino::new(0),
            name: &[],
            mode,
            uid: 0,
            gid: 0,
            links: 1,
            now: Timespec::default(),
            generation: 0,
            advise: Advise::empty(),
            inline: InlineFlags::empty(),
            flags: InodeFlags::empty(),
            dir_level: 0,
            inline_xattr_words: 0,
            projid: 0,
            compress: None,
        }
    }
}

impl InodeBlock {
    /// Makes a fresh inode of one block, with all extra attributes if the volume has any. The
    /// footer lacks version and next block, and the checksum is not set.
    pub fn new(new: &NewInode<'_>, sb: &SuperBlock) -> Self {
        let mut inode = Self {
            block: Box::new([0; BLOCK_SIZE]),
            features: sb.features,
        };
        let kind = FileType::from_mode(new.mode).expect("a fresh inode has a file type");
        inode.set_mode(new.mode);
        inode.put_extra(new);
        inode.set_uid(new.uid);
        inode.set_gid(new.gid);
        inode.set_links(new.links);
        inode.set_blocks(1);
        inode.set_atime(new.now);
        inode.set_ctime(new.now);
        inode.set_mtime(new.now);
        inode.set_generation(new.generation);
        inode.set_advise(new.advise);
        inode.set_pino(new.parent);
        inode.set_name(new.name);
        let is_dir = kind == FileType::Directory;
        if is_dir {
            inode.set_current_depth(1);
            inode.set_dir_level(new.dir_level);
        }
        inode.set_footer(&NodeFooter {
            nid: new.ino,
            ino: new.ino,
            offset: INODE_OFFSET,
            cold: !is_dir,
            fsync: false,
            dentry: false,
            cp_ver: 0,
            next_blkaddr: 0,
        });
        inode
    }

    fn put_extra(&mut self, new: &NewInode<'_>) {
        let has_extra = self.features.contains(Features::EXTRA_ATTR);
        let mut inline = new.inline;
        inline.set(InlineFlags::EXTRA_ATTR, has_extra);
        self.raw_mut().inline = inline.bits();
        if has_extra {
            self.raw_mut().extra.extra_isize = TOTAL_EXTRA_ATTR_SIZE.into();
        }
        if self.features.contains(Features::FLEXIBLE_INLINE_XATTR) {
            self.raw_mut().extra.inline_xattr_size = new.inline_xattr_words.into();
        }
        self.set_projid(new.projid);
        self.set_crtime(new.now);
        self.set_flags(new.flags);
        self.set_compress(new.compress);
    }
}
