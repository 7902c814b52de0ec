//! Inode blocks: attributes, extra attributes, address slots and inline areas.
//!
//! [`InodeBlock`] owns the block and changes it in place, so every byte that nobody understands
//! survives. `raw` has the bytes, `check` the rules, `fields` the plain attributes, `extra` the
//! extra ones, `areas` the slots and inline areas, `create` fresh inodes. File blocks are mapped by
//! [`crate::path`].
//!
//! # Invariants
//! After [`InodeBlock::parse`] or [`InodeBlock::new`] all sizes that decide where things lie are in
//! range: the extra attributes, the inline xattr area and what is between them fit in the block.

mod areas;
mod check;
mod create;
mod extra;
mod fields;
mod flags;
mod raw;
mod recover;

use alloc::boxed::Box;

use crate::Block;
use crate::addr::Ino;
use crate::crc::crc32;
use crate::dentry::FileType;
use crate::error::Result;
use crate::features::Features;
use crate::node::NodeFooter;
use crate::super_block::SuperBlock;

pub use create::NewInode;
pub use extra::CompressInfo;
pub use fields::{Extent, Timespec};
pub use flags::{Advise, InlineFlags, InodeFlags};

/// Address slots of an inode without extra attributes and inline xattrs.
pub const DEF_ADDRS_PER_INODE: usize = 923;
/// Nids in an inode.
pub const DEF_NIDS_PER_INODE: usize = 5;
/// Words of the inline xattr area where it has no size of its own.
pub const DEFAULT_INLINE_XATTR_ADDRS: u16 = 50;
/// Fewest words of an inline xattr area in use: its header.
pub const MIN_INLINE_XATTR_WORDS: u16 = 6;
/// Most words of an inline xattr area.
pub const MAX_INLINE_XATTR_WORDS: u16 = 903;
/// Bytes of all extra attributes.
pub const TOTAL_EXTRA_ATTR_SIZE: u16 = 36;
/// Bytes of the fewest extra attributes.
pub const MIN_EXTRA_ATTR_SIZE: u16 = 4;

/// Where `i_inode_checksum` lies in the block, if there is one.
const CHECKSUM_AT: usize = 368;

/// A validated inode block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InodeBlock {
    block: Box<Block>,
    features: Features,
}

impl InodeBlock {
    /// Checks that `block` is the inode `expect` of the volume and keeps the rules that the kernel
    /// checks.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn parse(block: Box<Block>, expect: Ino, sb: &SuperBlock) -> Result<Self> {
        let inode = Self {
            block,
            features: sb.features,
        };
        check::inode(&inode, expect, sb)?;
        Ok(inode)
    }

    /// The bytes of the block.
    pub fn as_block(&self) -> &Block {
        &self.block
    }

    /// Gives the bytes of the block away.
    pub fn into_block(self) -> Box<Block> {
        self.block
    }

    /// The inode's number.
    pub fn ino(&self) -> Ino {
        self.footer().ino
    }

    /// The footer of the block.
    pub fn footer(&self) -> NodeFooter {
        NodeFooter::read(&self.block)
    }

    /// Stores the footer of the block. The checksum covers it: update that afterwards.
    pub fn set_footer(&mut self, footer: &NodeFooter) {
        footer.write(&mut self.block);
    }

    /// What the file is.
    pub fn file_type(&self) -> FileType {
        FileType::from_mode(self.mode()).expect("checked by parse and set_mode")
    }

    /// Whether the file is a directory.
    pub fn is_dir(&self) -> bool {
        self.file_type() == FileType::Directory
    }

    /// Whether the inode carries a checksum.
    pub fn has_checksum(&self) -> bool {
        self.has_extra(Features::INODE_CHKSUM, raw::CHECKSUM_END)
    }

    /// Sets the checksum, if the inode carries one. The last change before a write.
    pub fn update_checksum(&mut self, sb: &SuperBlock) {
        if self.has_checksum() {
            let sum = self.compute_checksum(&sb.uuid);
            self.raw_mut().extra.inode_checksum = sum.into();
        }
    }

    /// The checksum over the whole block with the sum's own place as zeros.
    fn compute_checksum(&self, uuid: &[u8; 16]) -> u32 {
        let ino = self.footer().ino.get().to_le_bytes();
        let seed = [&uuid[..], &ino, self.raw().generation.as_ref()]
            .into_iter()
            .fold(0xFFFF_FFFF, crc32);
        let (before, rest) = self.block.split_at(CHECKSUM_AT);
        [before, &[0; 4], &rest[4..]].into_iter().fold(seed, crc32)
    }

    fn raw(&self) -> &raw::RawInode {
        zerocopy::transmute_ref!(&*self.block)
    }

    fn raw_mut(&mut self) -> &mut raw::RawInode {
        zerocopy::transmute_mut!(&mut *self.block)
    }
}
