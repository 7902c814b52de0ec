//! The structures of a quota file.

use core::mem::size_of;
use core::ops::Range;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{GRACE_DEFAULT, QUOTA_BLOCK_SIZE, QuotaGrace, QuotaLimits, QuotaRecord};

/// Revision 1: 64-bit numbers.
pub(super) const VERSION: u32 = 1;
/// References in a block of the tree.
pub(super) const REFS: u32 = 256;
/// Bytes in which limits of space are counted.
const LIMIT_UNIT: u64 = 1024;

/// What block 0 begins with.
#[derive(
    Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, PartialEq, Eq, Debug,
)]
#[repr(C)]
pub(super) struct Header {
    pub magic: U32,
    pub version: U32,
    pub info: Info,
}

/// The state of the file.
#[derive(
    Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, PartialEq, Eq, Debug,
)]
#[repr(C)]
pub(super) struct Info {
    block_grace: U32,
    inode_grace: U32,
    flags: U32,
    /// Blocks of the file.
    pub blocks: U32,
    /// First block of no use, 0 if there is none.
    pub free_block: U32,
    /// First leaf with room, 0 if there is none.
    pub free_entry: U32,
}

impl Info {
    pub(super) fn empty() -> Self {
        Self {
            block_grace: GRACE_DEFAULT.into(),
            inode_grace: GRACE_DEFAULT.into(),
            flags: 0.into(),
            blocks: 0.into(),
            free_block: 0.into(),
            free_entry: 0.into(),
        }
    }

    pub(super) fn grace(&self) -> QuotaGrace {
        QuotaGrace {
            space: self.block_grace.get(),
            inodes: self.inode_grace.get(),
        }
    }
}

/// The head of a leaf, and of a block of no use.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Default)]
#[repr(C)]
pub(super) struct LeafHead {
    pub next_free: U32,
    pub prev_free: U32,
    pub entries: U16,
    pad: [U16; 3],
}

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawRecord {
    id: U32,
    pad: U32,
    inode_hard: U64,
    inode_soft: U64,
    inodes: U64,
    block_hard: U64,
    block_soft: U64,
    space: U64,
    block_time: U64,
    inode_time: U64,
}

impl RawRecord {
    /// Takes over the bytes that have no meaning.
    pub(super) fn keep_pad(&mut self, old: &Self) {
        self.pad = old.pad;
    }
}

const _: () = assert!(size_of::<Header>() == 32);
const _: () = assert!(size_of::<LeafHead>() == 16);
const _: () = assert!(size_of::<RawRecord>() == 72);

/// Records of a leaf.
pub(super) const LEAF_RECORDS: usize =
    (QUOTA_BLOCK_SIZE - size_of::<LeafHead>()) / size_of::<RawRecord>();

/// Where record `index` of a leaf begins in the file.
pub(super) fn record_start(leaf: u32, index: usize) -> usize {
    block_start(leaf) + size_of::<LeafHead>() + index * size_of::<RawRecord>()
}

/// Where a block begins in the file.
pub(super) fn block_start(block: u32) -> usize {
    block as usize * QUOTA_BLOCK_SIZE
}

/// The structure at a byte; `None` if the file ends before its end.
pub(super) fn get<T: FromBytes>(bytes: &[u8], at: usize) -> Option<T> {
    T::read_from_prefix(bytes.get(at..)?).ok().map(|(t, _)| t)
}

/// Reference number `index` of a block of the tree.
pub(super) fn reference(bytes: &[u8], block: u32, index: u32) -> Option<u32> {
    get::<U32>(bytes, reference_start(block, index)).map(U32::get)
}

/// Where a reference lies.
pub(super) fn reference_start(block: u32, index: u32) -> usize {
    block_start(block) + index as usize * size_of::<U32>()
}

/// Which reference a level of the tree follows to an id, level 0 at the root.
pub(super) fn index_of(id: u32, level: u32) -> u32 {
    id >> (8 * (3 - level)) & 0xFF
}

/// The bytes of a record.
pub(super) fn record_range(at: usize) -> Range<usize> {
    at..at + size_of::<RawRecord>()
}

/// Whether a place for a record holds none.
pub(super) fn is_unused(bytes: &[u8], at: usize) -> bool {
    bytes
        .get(record_range(at))
        .is_some_and(|record| record.iter().all(|&byte| byte == 0))
}

/// The record at a byte.
pub(super) fn record_at(bytes: &[u8], at: usize) -> Option<QuotaRecord> {
    let raw: RawRecord = get(bytes, at)?;
    let space = |units: U64| units.get().saturating_mul(LIMIT_UNIT);
    let mut record = QuotaRecord {
        id: raw.id.get(),
        space: raw.space.get(),
        inodes: raw.inodes.get(),
        limits: QuotaLimits {
            space_hard: space(raw.block_hard),
            space_soft: space(raw.block_soft),
            inode_hard: raw.inode_hard.get(),
            inode_soft: raw.inode_soft.get(),
        },
        space_time: raw.block_time.get(),
        inode_time: raw.inode_time.get(),
    };
    if record == ESCAPED {
        record.inode_time = 0;
    }
    Some(record)
}

/// Stands for the record of id 0 that uses nothing: all zeros would be no record at all.
const ESCAPED: QuotaRecord = QuotaRecord {
    id: 0,
    space: 0,
    inodes: 0,
    limits: QuotaLimits {
        space_hard: 0,
        space_soft: 0,
        inode_hard: 0,
        inode_soft: 0,
    },
    space_time: 0,
    inode_time: 1,
};

/// The bytes of a record.
pub(super) fn encode(record: &QuotaRecord) -> RawRecord {
    let record = if *record == QuotaRecord::default() {
        &ESCAPED
    } else {
        record
    };
    RawRecord {
        id: record.id.into(),
        pad: 0.into(),
        inode_hard: record.limits.inode_hard.into(),
        inode_soft: record.limits.inode_soft.into(),
        inodes: record.inodes.into(),
        block_hard: record.limits.space_hard.div_ceil(LIMIT_UNIT).into(),
        block_soft: record.limits.space_soft.div_ceil(LIMIT_UNIT).into(),
        space: record.space.into(),
        block_time: record.space_time.into(),
        inode_time: record.inode_time.into(),
    }
}
