//! Newtypes for every address and id of the format, and the meaning of an address slot.
//!
//! The constructors do not check ranges: [`crate::Geometry`] does, because only it knows the
//! volume.

use core::fmt;

use crate::BLOCK_BITS;

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(u32);

        impl $name {
            /// Wraps a raw value; no range is checked.
            pub const fn new(raw: u32) -> Self {
                Self(raw)
            }

            /// The raw value.
            pub const fn get(self) -> u32 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

id_type! {
    /// An absolute 4 KiB block number on the volume.
    BlockAddr
}
id_type! {
    /// The id of a node block, which the NAT turns into an address.
    Nid
}
id_type! {
    /// A segment of the MAIN area, counted from its start.
    SegmentNo
}

/// An inode's number is the nid of its inode block.
pub type Ino = Nid;

impl BlockAddr {
    /// The address `blocks` further on, or `None` past the 32-bit range.
    pub const fn checked_add(self, blocks: u32) -> Option<Self> {
        match self.0.checked_add(blocks) {
            Some(raw) => Some(Self(raw)),
            None => None,
        }
    }

    /// The byte position of the block on the volume.
    pub const fn byte_pos(self) -> u64 {
        (self.0 as u64) << BLOCK_BITS
    }
}

impl Nid {
    /// The pseudo inode whose mapping holds all node blocks; it has no inode block.
    pub const NODE: Self = Self(1);
    /// The pseudo inode whose mapping holds all meta blocks; it has no inode block.
    pub const META: Self = Self(2);
    /// The root directory.
    pub const ROOT: Self = Self(3);
}

/// What one address slot of an inode or direct node says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Slot {
    /// No block: reads as zeros (`NULL_ADDR`).
    Hole,
    /// A block is reserved and counted, but not written: reads as zeros (`NEW_ADDR`).
    New,
    /// The first slot of a compressed cluster (`COMPRESS_ADDR`).
    Compress,
    /// A block; whether it lies inside MAIN is not yet checked.
    Block(BlockAddr),
}

impl Slot {
    /// The raw value of [`Slot::Hole`].
    pub const NULL_ADDR: u32 = 0;
    /// The raw value of [`Slot::New`].
    pub const NEW_ADDR: u32 = 0xFFFF_FFFF;
    /// The raw value of [`Slot::Compress`].
    pub const COMPRESS_ADDR: u32 = 0xFFFF_FFFE;

    /// Reads a raw slot value.
    pub const fn from_raw(raw: u32) -> Self {
        match raw {
            Self::NULL_ADDR => Self::Hole,
            Self::NEW_ADDR => Self::New,
            Self::COMPRESS_ADDR => Self::Compress,
            addr => Self::Block(BlockAddr(addr)),
        }
    }

    /// The raw value to store.
    pub const fn to_raw(self) -> u32 {
        match self {
            Self::Hole => Self::NULL_ADDR,
            Self::New => Self::NEW_ADDR,
            Self::Compress => Self::COMPRESS_ADDR,
            Self::Block(addr) => addr.0,
        }
    }

    /// Whether the slot is a hole.
    pub const fn is_hole(self) -> bool {
        matches!(self, Self::Hole)
    }

    /// Whether the slot is reserved but not written.
    pub const fn is_new(self) -> bool {
        matches!(self, Self::New)
    }

    /// Whether the slot opens a compressed cluster.
    pub const fn is_compress(self) -> bool {
        matches!(self, Self::Compress)
    }

    /// The block address, if the slot holds one.
    pub const fn block(self) -> Option<BlockAddr> {
        match self {
            Self::Block(addr) => Some(addr),
            _ => None,
        }
    }
}
