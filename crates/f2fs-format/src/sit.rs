//! The segment information table: which blocks of a segment are valid, and what log it belongs to.
//!
//! The copy of a SIT block to use is chosen by the checkpoint's version bitmap; the journal of the
//! cold data summary ([`crate::summary::SitJournal`]) overrides the blocks.

use core::mem::size_of;

use zerocopy::little_endian::{U16, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::addr::SegmentNo;
use crate::bitmap;
use crate::bytes::truncated;
use crate::error::{CorruptKind, Result, ensure};
use crate::{BLOCK_SIZE, BLOCKS_PER_SEGMENT, Block};

/// Entries in a SIT block.
pub const SIT_ENTRIES_PER_BLOCK: usize = 55;
/// Bytes of a SIT entry.
pub const SIT_ENTRY_LEN: usize = 74;
/// Bytes of a segment's valid map.
pub const VALID_MAP_LEN: usize = 64;

/// Bits of the count in `vblocks`; the type lies above.
const COUNT_BITS: u32 = 10;

/// The six logs, whose number is also the segment type in the SIT.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CursegType {
    /// Dentry blocks and hot files.
    HotData = 0,
    /// Plain files.
    WarmData = 1,
    /// Cold files, compressed clusters and what cleaning moved.
    ColdData = 2,
    /// Inodes and direct nodes of directories.
    HotNode = 3,
    /// Inodes, direct nodes and xattr nodes of the rest.
    WarmNode = 4,
    /// Indirect nodes.
    ColdNode = 5,
}

impl CursegType {
    /// All logs in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::HotData,
        Self::WarmData,
        Self::ColdData,
        Self::HotNode,
        Self::WarmNode,
        Self::ColdNode,
    ];

    /// The log with this number.
    pub const fn from_raw(raw: u8) -> Option<Self> {
        match raw {
            0 => Some(Self::HotData),
            1 => Some(Self::WarmData),
            2 => Some(Self::ColdData),
            3 => Some(Self::HotNode),
            4 => Some(Self::WarmNode),
            5 => Some(Self::ColdNode),
            _ => None,
        }
    }

    /// The log's number.
    pub const fn to_raw(self) -> u8 {
        self as u8
    }

    /// The log's number as an index.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether the log takes node blocks.
    pub const fn is_node(self) -> bool {
        self as u8 >= Self::HotNode as u8
    }
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawSitEntry {
    vblocks: U16,
    valid_map: [u8; VALID_MAP_LEN],
    mtime: U64,
}

const _: () = assert!(size_of::<RawSitEntry>() == SIT_ENTRY_LEN);

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawSitBlock {
    entries: [RawSitEntry; SIT_ENTRIES_PER_BLOCK],
    slack: [u8; BLOCK_SIZE - SIT_ENTRIES_PER_BLOCK * SIT_ENTRY_LEN],
}

/// What the SIT says of one segment.
///
/// # Invariants
/// `valid_blocks` is the number of set bits in `valid_map`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SitEntry {
    /// The log that filled the segment.
    pub kind: CursegType,
    /// Valid blocks, at most 512.
    pub valid_blocks: u16,
    /// One bit a block, MSB first.
    pub valid_map: [u8; VALID_MAP_LEN],
    /// Mean time of the last changes, in seconds of the checkpoint's `elapsed_time`.
    pub mtime: u64,
}

impl SitEntry {
    /// An entry without valid blocks.
    pub const fn empty(kind: CursegType) -> Self {
        Self {
            kind,
            valid_blocks: 0,
            valid_map: [0; VALID_MAP_LEN],
            mtime: 0,
        }
    }

    /// Reads the entry of segment `segno` at the start of `bytes`.
    pub fn parse(bytes: &[u8], segno: SegmentNo) -> Result<Self> {
        let (raw, _) = RawSitEntry::ref_from_prefix(bytes)
            .map_err(|_| truncated("SIT entry", SIT_ENTRY_LEN, bytes.len()))?;
        Self::from_raw(raw, segno)
    }

    fn from_raw(raw: &RawSitEntry, segno: SegmentNo) -> Result<Self> {
        let segno = segno.get();
        let vblocks = raw.vblocks.get();
        let value = (vblocks >> COUNT_BITS) as u8;
        let kind = CursegType::from_raw(value).ok_or(CorruptKind::SitType { segno, value })?;
        let count = vblocks & ((1 << COUNT_BITS) - 1);
        // The map has 512 bits, so equality also bounds the count.
        let bits = bitmap::count_ones(&raw.valid_map) as u16;
        ensure(count == bits, CorruptKind::SitCount { segno, count, bits })?;
        let mtime = raw.mtime.get();
        Ok(Self {
            kind,
            valid_blocks: count,
            valid_map: raw.valid_map,
            mtime,
        })
    }

    fn to_raw(self) -> RawSitEntry {
        assert!(
            u32::from(self.valid_blocks) <= BLOCKS_PER_SEGMENT,
            "a segment has 512 blocks"
        );
        let kind = u16::from(self.kind.to_raw());
        RawSitEntry {
            vblocks: (kind << COUNT_BITS | self.valid_blocks).into(),
            valid_map: self.valid_map,
            mtime: self.mtime.into(),
        }
    }

    /// The bytes of the entry.
    pub fn encode(&self) -> [u8; SIT_ENTRY_LEN] {
        zerocopy::transmute!(self.to_raw())
    }
}

/// Access to the entries of a SIT block.
#[derive(Clone, Copy, Debug)]
pub struct SitBlock;

impl SitBlock {
    /// The entry of segment `segno` in its block.
    pub fn entry(block: &Block, segno: SegmentNo) -> Result<SitEntry> {
        let raw: &RawSitBlock = zerocopy::transmute_ref!(block);
        SitEntry::from_raw(&raw.entries[Self::slot(segno)], segno)
    }

    /// Stores the entry of segment `segno` in its block.
    pub fn put(block: &mut Block, segno: SegmentNo, entry: &SitEntry) {
        let raw: &mut RawSitBlock = zerocopy::transmute_mut!(block);
        raw.entries[Self::slot(segno)] = entry.to_raw();
    }

    /// The place of a segment's entry in its block.
    pub const fn slot(segno: SegmentNo) -> usize {
        segno.get() as usize % SIT_ENTRIES_PER_BLOCK
    }
}
