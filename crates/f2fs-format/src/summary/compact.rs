//! The compact form of the three data summaries in a checkpoint pack: both journals, then only the
//! entries in use.
//!
//! # On disk
//! Bytes 0..507 are the NAT journal, 507..1014 the SIT journal; then come the entries of the hot,
//! warm and cold log. An entry never reaches into the last 5 bytes of a block, where a full summary
//! has its footer.

use alloc::vec;
use alloc::vec::Vec;

use super::{ENTRIES_IN_SUM, JOURNAL_LEN, JournalBytes, SUMMARY_ENTRY_LEN, SummaryEntry};
use crate::BLOCK_SIZE;
use crate::bytes::truncated;
use crate::error::{CorruptKind, Result, ensure};

/// Bytes of a block that entries may fill.
const USABLE: usize = BLOCK_SIZE - 5;
/// Entries in the first block, behind the journals.
const FIRST_ENTRIES: usize = (USABLE - 2 * JOURNAL_LEN) / SUMMARY_ENTRY_LEN;
/// Entries in the second block.
const SECOND_ENTRIES: usize = USABLE / SUMMARY_ENTRY_LEN;

const _: () = assert!(FIRST_ENTRIES == 439 && SECOND_ENTRIES == 584);

/// What compact summaries hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CompactSummaries {
    /// The journal area of the hot data log.
    pub nat_journal: JournalBytes,
    /// The journal area of the cold data log.
    pub sit_journal: JournalBytes,
    /// The entries of the hot, warm and cold log.
    pub entries: [Vec<SummaryEntry>; 3],
}

/// The blocks that compact summaries with these numbers of entries take, or `None` if they must be
/// written in full. The number of a log is its next offset, or 512 if it fills holes.
pub fn fits(counts: [u16; 3]) -> Option<usize> {
    let total: usize = counts.iter().map(|&count| usize::from(count)).sum();
    match total {
        0..=FIRST_ENTRIES => Some(1),
        _ if total <= FIRST_ENTRIES + SECOND_ENTRIES => Some(2),
        _ => None,
    }
}

/// The byte position of entry number `index`, over both blocks.
const fn position(index: usize) -> usize {
    if index < FIRST_ENTRIES {
        2 * JOURNAL_LEN + index * SUMMARY_ENTRY_LEN
    } else {
        BLOCK_SIZE + (index - FIRST_ENTRIES) * SUMMARY_ENTRY_LEN
    }
}

/// Reads compact summaries from the one or two `blocks` that [`fits`] tells.
pub fn parse(blocks: &[u8], counts: [u16; 3]) -> Result<CompactSummaries> {
    let too_many = counts
        .into_iter()
        .find(|&count| usize::from(count) > ENTRIES_IN_SUM);
    let total = counts
        .iter()
        .fold(0, |sum: u16, &count| sum.saturating_add(count));
    let value = too_many.unwrap_or(total);
    ensure(too_many.is_none(), CorruptKind::SummaryCount { value })?;
    let need = fits(counts).ok_or(CorruptKind::SummaryCount { value })? * BLOCK_SIZE;
    let short = || truncated("compact summaries", need, blocks.len());
    let blocks = blocks.get(..need).ok_or_else(short)?;
    let (nat_journal, rest) = blocks.split_first_chunk().ok_or_else(short)?;
    let (sit_journal, _) = rest.split_first_chunk().ok_or_else(short)?;
    let mut next = 0;
    let mut take = |count: u16| -> Result<Vec<SummaryEntry>> {
        let first = next;
        next += usize::from(count);
        (first..next)
            .map(|index| SummaryEntry::parse(&blocks[position(index)..]))
            .collect()
    };
    Ok(CompactSummaries {
        nat_journal: *nat_journal,
        sit_journal: *sit_journal,
        entries: [take(counts[0])?, take(counts[1])?, take(counts[2])?],
    })
}

/// The blocks of compact summaries, whose entries must fit.
pub fn encode(
    nat_journal: &JournalBytes,
    sit_journal: &JournalBytes,
    entries: [&[SummaryEntry]; 3],
) -> Vec<u8> {
    assert!(
        entries.iter().all(|log| log.len() <= ENTRIES_IN_SUM),
        "a log has 512 entries"
    );
    let blocks = fits(entries.map(|log| log.len() as u16)).expect("the entries fit two blocks");
    let mut bytes = vec![0; blocks * BLOCK_SIZE];
    bytes[..JOURNAL_LEN].copy_from_slice(nat_journal);
    bytes[JOURNAL_LEN..2 * JOURNAL_LEN].copy_from_slice(sit_journal);
    for (index, entry) in entries.into_iter().flatten().enumerate() {
        let at = position(index);
        bytes[at..at + SUMMARY_ENTRY_LEN].copy_from_slice(&entry.encode());
    }
    bytes
}
