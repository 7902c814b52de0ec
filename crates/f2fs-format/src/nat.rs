//! The node address table: where the block of a nid lies.
//!
//! The copy of a NAT block to use is chosen by the checkpoint's version bitmap; the journal of the
//! hot data summary ([`crate::summary::NatJournal`]) overrides the blocks.

use core::mem::size_of;

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::addr::{BlockAddr, Nid, Slot};
use crate::bytes::truncated;
use crate::error::{CorruptKind, Result, ensure};
use crate::geometry::Geometry;
use crate::{BLOCK_SIZE, Block};

/// Entries in a NAT block.
pub const NAT_ENTRIES_PER_BLOCK: usize = 455;
/// Bytes of a NAT entry.
pub const NAT_ENTRY_LEN: usize = 9;
/// The address that nids 1 and 2 carry, which have no block.
pub const NAT_PLACEHOLDER: u32 = 1;

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawNatEntry {
    version: u8,
    ino: U32,
    block_addr: U32,
}

const _: () = assert!(size_of::<RawNatEntry>() == NAT_ENTRY_LEN);

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawNatBlock {
    entries: [RawNatEntry; NAT_ENTRIES_PER_BLOCK],
    slack: u8,
}

const _: () = assert!(size_of::<RawNatBlock>() == BLOCK_SIZE);

/// One NAT entry, as it lies on disk. [`check`](Self::check) validates it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NatEntry {
    /// Counts how often the nid was freed.
    pub version: u8,
    /// The inode that owns the node; meaningless if the entry is free.
    pub ino: u32,
    /// The node's block: 0 if the nid is free, 1 for the reserved nids.
    pub addr: u32,
}

impl NatEntry {
    /// Reads the entry at the start of `bytes`.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let (raw, _) = RawNatEntry::ref_from_prefix(bytes)
            .map_err(|_| truncated("NAT entry", NAT_ENTRY_LEN, bytes.len()))?;
        Ok(Self::from_raw(*raw))
    }

    const fn from_raw(raw: RawNatEntry) -> Self {
        Self {
            version: raw.version,
            ino: raw.ino.get(),
            addr: raw.block_addr.get(),
        }
    }

    fn to_raw(self) -> RawNatEntry {
        RawNatEntry {
            version: self.version,
            ino: self.ino.into(),
            block_addr: self.addr.into(),
        }
    }

    /// The bytes of the entry.
    pub fn encode(&self) -> [u8; NAT_ENTRY_LEN] {
        zerocopy::transmute!(self.to_raw())
    }

    /// Whether the nid is free.
    pub const fn is_free(&self) -> bool {
        self.addr == Slot::NULL_ADDR
    }

    /// Checks the entry of an ordinary nid and gives its inode and block, or `None` if the nid is
    /// free.
    pub fn check(&self, nid: Nid, geometry: &Geometry) -> Result<Option<(Nid, BlockAddr)>> {
        if self.is_free() {
            return Ok(None);
        }
        let nid = nid.get();
        let addr = geometry
            .main_addr(self.addr)
            .map_err(|_| CorruptKind::NatAddr {
                nid,
                addr: self.addr,
            })?;
        let ino = geometry.nid(self.ino);
        ensure(ino.is_ok(), CorruptKind::NatIno { nid, ino: self.ino })?;
        Ok(Some((ino?, addr)))
    }
}

/// Access to the entries of a NAT block.
#[derive(Clone, Copy, Debug)]
pub struct NatBlock;

impl NatBlock {
    /// The entry of `nid` in its block.
    pub fn entry(block: &Block, nid: Nid) -> NatEntry {
        let raw: &RawNatBlock = zerocopy::transmute_ref!(block);
        NatEntry::from_raw(raw.entries[Self::slot(nid)])
    }

    /// Stores the entry of `nid` in its block.
    pub fn put(block: &mut Block, nid: Nid, entry: NatEntry) {
        let raw: &mut RawNatBlock = zerocopy::transmute_mut!(block);
        raw.entries[Self::slot(nid)] = entry.to_raw();
    }

    /// The place of a nid's entry in its block.
    pub const fn slot(nid: Nid) -> usize {
        nid.get() as usize % NAT_ENTRIES_PER_BLOCK
    }
}
