//! NAT and SIT entries that lie in the journal area of a summary and override the blocks of their
//! tables.
//!
//! The NAT journal lies with the hot data log, the SIT journal with the cold data log.

use alloc::vec::Vec;

use super::{JOURNAL_LEN, JournalBytes, NAT_JOURNAL_ENTRIES, SIT_JOURNAL_ENTRIES};
use crate::addr::{Nid, SegmentNo};
use crate::bytes::truncated;
use crate::error::{CorruptKind, Result, ensure};
use crate::geometry::Geometry;
use crate::nat::{NAT_ENTRY_LEN, NatEntry};
use crate::sit::{SIT_ENTRY_LEN, SitEntry};

/// Bytes of the count before the entries.
const COUNT_LEN: usize = 2;
/// Bytes of the id before each entry.
const ID_LEN: usize = 4;

const _: () = {
    assert!(COUNT_LEN + NAT_JOURNAL_ENTRIES * (ID_LEN + NAT_ENTRY_LEN) <= JOURNAL_LEN);
    assert!(COUNT_LEN + SIT_JOURNAL_ENTRIES * (ID_LEN + SIT_ENTRY_LEN) <= JOURNAL_LEN);
};

/// NAT entries by nid, in the order of the journal.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NatJournal(pub Vec<(u32, NatEntry)>);

/// SIT entries by segment, in the order of the journal.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SitJournal(pub Vec<(SegmentNo, SitEntry)>);

/// The count and the bytes behind it.
fn split_count(journal: &[u8]) -> Result<(u16, &[u8])> {
    let (count, rest) = journal
        .split_first_chunk()
        .ok_or_else(|| truncated("journal", JOURNAL_LEN, journal.len()))?;
    Ok((u16::from_le_bytes(*count), rest))
}

/// The id and the entry at position `index`.
fn item(items: &[u8], index: usize, entry_len: usize) -> Result<(u32, &[u8])> {
    let len = ID_LEN + entry_len;
    let bytes = items.get(index * len..(index + 1) * len);
    let bytes = bytes.ok_or_else(|| truncated("journal", (index + 1) * len, items.len()))?;
    let (id, entry) = bytes
        .split_first_chunk()
        .ok_or_else(|| truncated("journal", len, 0))?;
    Ok((u32::from_le_bytes(*id), entry))
}

impl NatJournal {
    /// Reads the journal; each entry must be for an ordinary nid and free or inside MAIN.
    pub fn parse(journal: &[u8], geometry: &Geometry) -> Result<Self> {
        let mut entries = Self::parse_raw(journal)?;
        for (index, (nid, entry)) in entries.0.iter_mut().enumerate() {
            let nid = geometry
                .nid(*nid)
                .map_err(|_| CorruptKind::NatJournalNid { index, nid: *nid })?;
            entry.check(nid, geometry)?;
        }
        Ok(entries)
    }

    /// Reads the journal and checks nothing but the count, for a checker that judges entry by
    /// entry.
    pub fn parse_raw(journal: &[u8]) -> Result<Self> {
        let (count, items) = split_count(journal)?;
        let entries = usize::from(count);
        ensure(
            entries <= NAT_JOURNAL_ENTRIES,
            CorruptKind::NatJournalCount { value: count },
        )?;
        let entry = |index| {
            let (nid, bytes) = item(items, index, NAT_ENTRY_LEN)?;
            Ok((nid, NatEntry::parse(bytes)?))
        };
        (0..entries).map(entry).collect::<Result<_>>().map(Self)
    }

    /// The bytes of the journal, whose entries must not be more than [`NAT_JOURNAL_ENTRIES`].
    pub fn encode(&self) -> JournalBytes {
        assert!(self.0.len() <= NAT_JOURNAL_ENTRIES, "NAT journal overflows");
        let items = self.0.iter().map(|(nid, entry)| (*nid, entry.encode()));
        encode(self.0.len(), items)
    }

    /// The entry of `nid`, if the journal has one.
    pub fn get(&self, nid: Nid) -> Option<NatEntry> {
        self.0
            .iter()
            .find(|(id, _)| *id == nid.get())
            .map(|(_, entry)| *entry)
    }
}

impl SitJournal {
    /// Reads the journal; each entry must be for a segment of MAIN and valid in itself.
    pub fn parse(journal: &[u8], geometry: &Geometry) -> Result<Self> {
        let (count, items) = split_count(journal)?;
        let entries = usize::from(count);
        ensure(
            entries <= SIT_JOURNAL_ENTRIES,
            CorruptKind::SitJournalCount { value: count },
        )?;
        let entry = |index| {
            let (segno, bytes) = item(items, index, SIT_ENTRY_LEN)?;
            let segno = geometry
                .segno(segno)
                .map_err(|_| CorruptKind::SitJournalSegno { index, segno })?;
            Ok((segno, SitEntry::parse(bytes, segno)?))
        };
        (0..entries).map(entry).collect::<Result<_>>().map(Self)
    }

    /// The bytes of the journal, whose entries must not be more than [`SIT_JOURNAL_ENTRIES`].
    pub fn encode(&self) -> JournalBytes {
        assert!(self.0.len() <= SIT_JOURNAL_ENTRIES, "SIT journal overflows");
        let items = self
            .0
            .iter()
            .map(|(segno, entry)| (segno.get(), entry.encode()));
        encode(self.0.len(), items)
    }

    /// The entry of `segno`, if the journal has one.
    pub fn get(&self, segno: SegmentNo) -> Option<SitEntry> {
        self.0
            .iter()
            .find(|(id, _)| *id == segno)
            .map(|(_, entry)| *entry)
    }
}

fn encode<const N: usize>(
    count: usize,
    items: impl Iterator<Item = (u32, [u8; N])>,
) -> JournalBytes {
    let mut journal = [0; JOURNAL_LEN];
    let (head, rest) = journal.split_at_mut(COUNT_LEN);
    head.copy_from_slice(&(count as u16).to_le_bytes());
    for (to, (id, entry)) in rest.chunks_exact_mut(ID_LEN + N).zip(items) {
        let (to_id, to_entry) = to.split_at_mut(ID_LEN);
        to_id.copy_from_slice(&id.to_le_bytes());
        to_entry.copy_from_slice(&entry);
    }
    journal
}
