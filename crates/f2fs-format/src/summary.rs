//! Summaries: for each block of a segment, which node points at it. A summary block ends a segment
//! in the SSA; those of the open logs lie in the checkpoint pack, the data ones perhaps in
//! [`compact`] form.
//!
//! The journal area of a summary in the pack holds late NAT or SIT entries: see [`NatJournal`],
//! [`SitJournal`].

pub mod compact;
mod journal;

use alloc::boxed::Box;
use core::mem::size_of;

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::bytes::{self, truncated, zeroed};
use crate::error::{CorruptKind, Result};
use crate::{BLOCK_SIZE, BLOCKS_PER_SEGMENT, Block};

pub use compact::CompactSummaries;
pub use journal::{NatJournal, SitJournal};

/// Entries in a summary block.
pub const ENTRIES_IN_SUM: usize = BLOCKS_PER_SEGMENT as usize;
/// Bytes of a summary entry.
pub const SUMMARY_ENTRY_LEN: usize = 7;
/// Bytes of the journal area.
pub const JOURNAL_LEN: usize = 507;
/// Most entries of a NAT journal.
pub const NAT_JOURNAL_ENTRIES: usize = 38;
/// Most entries of a SIT journal.
pub const SIT_JOURNAL_ENTRIES: usize = 6;

/// The journal area of a summary.
pub type JournalBytes = [u8; JOURNAL_LEN];

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawSummary {
    nid: U32,
    version: u8,
    ofs_in_node: U16,
}

const _: () = assert!(size_of::<RawSummary>() == SUMMARY_ENTRY_LEN);

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawSummaryBlock {
    entries: [RawSummary; ENTRIES_IN_SUM],
    journal: JournalBytes,
    entry_type: u8,
    check_sum: U32,
}

const _: () = assert!(size_of::<RawSummaryBlock>() == BLOCK_SIZE);

/// Who points at a block. The entries of invalid blocks mean nothing, so nothing is checked here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SummaryEntry {
    /// The node that holds the pointer to a data block, or the node itself.
    pub nid: u32,
    /// The version of that nid in the NAT.
    pub version: u8,
    /// Which address slot of the node, counted behind the extra attributes of an inode.
    pub ofs_in_node: u16,
}

impl SummaryEntry {
    /// Reads the entry at the start of `bytes`.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let (raw, _) = RawSummary::ref_from_prefix(bytes)
            .map_err(|_| truncated("summary entry", SUMMARY_ENTRY_LEN, bytes.len()))?;
        Ok(Self::from_raw(*raw))
    }

    const fn from_raw(raw: RawSummary) -> Self {
        Self {
            nid: raw.nid.get(),
            version: raw.version,
            ofs_in_node: raw.ofs_in_node.get(),
        }
    }

    fn to_raw(self) -> RawSummary {
        RawSummary {
            nid: self.nid.into(),
            version: self.version,
            ofs_in_node: self.ofs_in_node.into(),
        }
    }

    /// The bytes of the entry.
    pub fn encode(&self) -> [u8; SUMMARY_ENTRY_LEN] {
        zerocopy::transmute!(self.to_raw())
    }
}

/// What the blocks of a segment hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SummaryKind {
    /// File and directory data.
    Data = 0,
    /// Nodes.
    Node = 1,
}

/// The summary of one segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SummaryBlock {
    /// One entry a block.
    pub entries: Box<[SummaryEntry; ENTRIES_IN_SUM]>,
    /// The journal area; what it holds depends on the log.
    pub journal: JournalBytes,
    /// What the segment holds.
    pub kind: SummaryKind,
}

impl SummaryBlock {
    /// A summary without entries and with an empty journal.
    pub fn new(kind: SummaryKind) -> Self {
        let entries = Box::new([SummaryEntry::default(); ENTRIES_IN_SUM]);
        Self {
            entries,
            journal: [0; JOURNAL_LEN],
            kind,
        }
    }

    /// Reads a summary block.
    pub fn parse(block: &[u8]) -> Result<Self> {
        let block = bytes::block(block, "summary block")?;
        let raw: &RawSummaryBlock = zerocopy::transmute_ref!(block);
        let kind = match raw.entry_type {
            0 => SummaryKind::Data,
            1 => SummaryKind::Node,
            value => return Err(CorruptKind::SummaryType { value }.into()),
        };
        let mut summary = Self::new(kind);
        for (to, from) in summary.entries.iter_mut().zip(&raw.entries) {
            *to = SummaryEntry::from_raw(*from);
        }
        summary.journal = raw.journal;
        Ok(summary)
    }

    /// The bytes of the block.
    pub fn encode(&self) -> Box<Block> {
        let mut raw = RawSummaryBlock::new_zeroed();
        for (to, from) in raw.entries.iter_mut().zip(self.entries.iter()) {
            *to = from.to_raw();
        }
        raw.journal = self.journal;
        raw.entry_type = self.kind as u8;
        let mut block = zeroed();
        block.copy_from_slice(raw.as_bytes());
        block
    }
}
