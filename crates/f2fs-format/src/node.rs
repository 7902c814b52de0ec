//! Node blocks: the footer that all have, and the bodies of direct and indirect nodes.
//!
//! Inodes are [`crate::InodeBlock`]; which node maps which file block is in [`crate::path`].

use core::mem::{offset_of, size_of};

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::addr::{Ino, Nid};
use crate::error::{CorruptKind, Result, ensure};
use crate::{BLOCK_SIZE, Block};

/// Address slots of a direct node.
pub const ADDRS_PER_BLOCK: usize = 1018;
/// Nids of an indirect node.
pub const NIDS_PER_BLOCK: usize = 1018;
/// Byte position of the footer.
pub const FOOTER_OFFSET: usize = 4072;

/// Node offset of the inode.
pub const INODE_OFFSET: u32 = 0;
/// Node offset of the xattr node.
pub const XATTR_NODE_OFFSET: u32 = 0x1FFF_FFFF;
/// Node offset of the first direct node.
pub const DIRECT_NODE_1: u32 = 1;
/// Node offset of the second direct node.
pub const DIRECT_NODE_2: u32 = 2;
/// Node offset of the first indirect node.
pub const INDIRECT_NODE_1: u32 = 3;
/// Node offset of the second indirect node.
pub const INDIRECT_NODE_2: u32 = INDIRECT_NODE_1 + 1 + NIDS_PER_BLOCK as u32;
/// Node offset of the double indirect node.
pub const DOUBLE_INDIRECT_NODE: u32 = INDIRECT_NODE_2 + 1 + NIDS_PER_BLOCK as u32;

const FLAG_COLD: u32 = 0x1;
const FLAG_FSYNC: u32 = 0x2;
const FLAG_DENTRY: u32 = 0x4;
const OFFSET_SHIFT: u32 = 3;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawNodeFooter {
    nid: U32,
    ino: U32,
    flag: U32,
    cp_ver: U64,
    next_blkaddr: U32,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawNode {
    slots: [U32; ADDRS_PER_BLOCK],
    footer: RawNodeFooter,
}

const _: () = {
    assert!(size_of::<RawNode>() == BLOCK_SIZE);
    assert!(offset_of!(RawNode, footer) == FOOTER_OFFSET);
};

/// The last 24 bytes of every node block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NodeFooter {
    /// The node's own id.
    pub nid: Nid,
    /// The inode it belongs to; the same as `nid` in an inode block.
    pub ino: Ino,
    /// Place in the inode's tree of nodes, below 2^29.
    pub offset: u32,
    /// Set on the nodes of everything but directories.
    pub cold: bool,
    /// The node was written by an fsync.
    pub fsync: bool,
    /// The inode's name must be recovered too.
    pub dentry: bool,
    /// Version of the checkpoint before the write, perhaps with its checksum above.
    pub cp_ver: u64,
    /// The block that the same log takes next.
    pub next_blkaddr: u32,
}

impl NodeFooter {
    /// Reads the footer; nothing is checked.
    pub fn read(block: &Block) -> Self {
        let raw: &RawNode = zerocopy::transmute_ref!(block);
        let raw = &raw.footer;
        let flag = raw.flag.get();
        Self {
            nid: Nid::new(raw.nid.get()),
            ino: Ino::new(raw.ino.get()),
            offset: flag >> OFFSET_SHIFT,
            cold: flag & FLAG_COLD != 0,
            fsync: flag & FLAG_FSYNC != 0,
            dentry: flag & FLAG_DENTRY != 0,
            cp_ver: raw.cp_ver.get(),
            next_blkaddr: raw.next_blkaddr.get(),
        }
    }

    /// Stores the footer.
    pub fn write(&self, block: &mut Block) {
        assert!(
            self.offset <= XATTR_NODE_OFFSET,
            "node offset {} has 29 bits",
            self.offset
        );
        let raw: &mut RawNode = zerocopy::transmute_mut!(block);
        let bit = |set: bool, flag: u32| if set { flag } else { 0 };
        let flag = self.offset << OFFSET_SHIFT
            | bit(self.cold, FLAG_COLD)
            | bit(self.fsync, FLAG_FSYNC)
            | bit(self.dentry, FLAG_DENTRY);
        raw.footer = RawNodeFooter {
            nid: self.nid.get().into(),
            ino: self.ino.get().into(),
            flag: flag.into(),
            cp_ver: self.cp_ver.into(),
            next_blkaddr: self.next_blkaddr.into(),
        };
    }

    /// Whether the footer is that of an inode block.
    pub fn is_inode(&self) -> bool {
        self.nid == self.ino
    }

    /// Checks that the block is the node `nid`.
    pub fn check_nid(&self, nid: Nid) -> Result<()> {
        let kind = CorruptKind::FooterNid {
            nid: nid.get(),
            found: self.nid.get(),
        };
        ensure(self.nid == nid, kind)
    }

    /// Checks that the block is the inode `ino`.
    pub fn check_inode(&self, ino: Ino) -> Result<()> {
        self.check_nid(ino)?;
        self.check_ino(ino)?;
        self.check_offset(INODE_OFFSET)
    }

    /// Checks that the block is the node `nid` of inode `ino` at `offset` in its tree, and no
    /// inode.
    pub fn check_node(&self, nid: Nid, ino: Ino, offset: u32) -> Result<()> {
        self.check_nid(nid)?;
        ensure(
            !self.is_inode(),
            CorruptKind::NodeIsInode { nid: nid.get() },
        )?;
        self.check_ino(ino)?;
        self.check_offset(offset)
    }

    fn check_ino(&self, ino: Ino) -> Result<()> {
        let (nid, found) = (self.nid.get(), self.ino.get());
        ensure(
            self.ino == ino,
            CorruptKind::FooterIno {
                nid,
                ino: ino.get(),
                found,
            },
        )
    }

    fn check_offset(&self, expected: u32) -> Result<()> {
        let (nid, found) = (self.nid.get(), self.offset);
        ensure(
            self.offset == expected,
            CorruptKind::FooterOffset {
                nid,
                expected,
                found,
            },
        )
    }
}

/// Whether the node at `offset` holds something else than nids: a direct node, an inode or an xattr
/// node.
pub const fn is_direct(offset: u32) -> bool {
    if offset == XATTR_NODE_OFFSET {
        return true;
    }
    match offset {
        INDIRECT_NODE_1 | INDIRECT_NODE_2 | DOUBLE_INDIRECT_NODE => false,
        _ if offset < DOUBLE_INDIRECT_NODE => true,
        _ => !(offset - DOUBLE_INDIRECT_NODE - 1).is_multiple_of(NIDS_PER_BLOCK as u32 + 1),
    }
}

/// The body of a direct node: raw address slots.
pub mod dnode {
    use super::RawNode;
    use crate::Block;

    /// The raw value of slot `index`, below [`ADDRS_PER_BLOCK`](super::ADDRS_PER_BLOCK).
    pub fn slot(block: &Block, index: usize) -> u32 {
        let raw: &RawNode = zerocopy::transmute_ref!(block);
        raw.slots[index].get()
    }

    /// Stores the raw value of slot `index`.
    pub fn set_slot(block: &mut Block, index: usize, value: u32) {
        let raw: &mut RawNode = zerocopy::transmute_mut!(block);
        raw.slots[index] = value.into();
    }
}

/// The body of an indirect node: raw nids, 0 for absent ones.
pub mod indirect {
    use super::RawNode;
    use crate::Block;

    /// The raw nid at `index`, below [`NIDS_PER_BLOCK`](super::NIDS_PER_BLOCK).
    pub fn nid(block: &Block, index: usize) -> u32 {
        let raw: &RawNode = zerocopy::transmute_ref!(block);
        raw.slots[index].get()
    }

    /// Stores the raw nid at `index`.
    pub fn set_nid(block: &mut Block, index: usize, value: u32) {
        let raw: &mut RawNode = zerocopy::transmute_mut!(block);
        raw.slots[index] = value.into();
    }
}
