//! What the cleaner asks of the segments: victims, what is valid in them, and when they are free for the logs again.

use super::Segments;
use super::curseg::summary_kind;
use super::entry::{Class, SEGMENT_BLOCKS};
use super::table::Table;
use super::victims::VictimPolicy;
use crate::error::Result;
use f2fs_format::summary::SummaryBlock;
use f2fs_format::{BLOCKS_PER_SEGMENT, Corrupt, CorruptKind, SegmentNo};

/// Logs that the cleaner and a checkpoint write to: of data (moved blocks, directories), of nodes.
const DATA_LOGS: u64 = 2;
const NODE_LOGS: u64 = 3;

/// A segment whose blocks are to move; no log opens it.
#[derive(Debug)]
pub(crate) struct Victim {
    pub(crate) segno: SegmentNo,
    /// Whether it holds nodes.
    pub(crate) is_node: bool,
}

impl Segments {
    /// Takes the segments with valid blocks of a section that is worth cleaning, with at most `most` valid blocks a
    /// segment. They are kept from the logs until [`Segments::let_go`].
    pub(crate) fn take_victims(&self, policy: VictimPolicy, most: u16) -> Vec<Victim> {
        // A victim may be held for discarding for a moment.
        let _calm = self.calm();
        let mut table = self.table.lock();
        let per_section = self.geometry.segs_per_sec();
        let now = self.elapsed.secs();
        let Some(section) = table.victims.choose(
            policy,
            u32::from(most) * per_section,
            now,
            |section| is_closed(&table, section),
            |section| mtime(&table, section),
        ) else {
            return Vec::new();
        };
        let mut victims = Vec::new();
        for segno in segments_of(&table, section) {
            let segment = table.get(segno);
            let is_node = segment.kind.is_node();
            if segment.valid() > 0 && table.hold(segno) {
                victims.push(Victim { segno, is_node });
            }
        }
        victims
    }

    /// Never takes the section of a segment again.
    pub(crate) fn refuse_victim(&self, segno: SegmentNo) {
        let section = self.geometry.section_of(segno);
        self.table.lock().victims.refuse(section);
    }

    /// The valid blocks of a segment, as offsets.
    pub(crate) fn valid_offsets(&self, segno: SegmentNo) -> Vec<u16> {
        let table = self.table.lock();
        let segment = table.get(segno);
        (0..SEGMENT_BLOCKS)
            .filter(|&offset| segment.is_valid(offset))
            .collect()
    }

    /// The summary of a segment that no log has open.
    ///
    /// # Errors
    /// The device's; `Corrupt` if it is not one of a segment of its kind.
    pub(crate) fn closed_summary(&self, victim: &Victim) -> Result<SummaryBlock> {
        let summary = self.read_ssa(victim.segno)?;
        let kind = self.table.lock().get(victim.segno).kind;
        if summary.kind != summary_kind(kind) {
            let value = summary.kind as u8;
            return Err(Corrupt::from(CorruptKind::SummaryType { value }).into());
        }
        Ok(summary)
    }

    /// Blocks freed since the volume was opened.
    pub(crate) fn freed(&self) -> u64 {
        self.table.lock().freed()
    }

    /// Whether more than `percent` of the room that is left lies in holes, and less than that in free segments
    /// (kernel: `has_enough_invalid_blocks`).
    pub(crate) fn is_fragmented(&self, percent: u64) -> bool {
        let table = self.table.lock();
        let holes = table.hole_blocks(false) + table.hole_blocks(true);
        let free = u64::from(table.free_count()) * u64::from(BLOCKS_PER_SEGMENT);
        let limit = (holes + free) * percent / 100;
        holes > limit && free < limit
    }

    /// Free segments, and those that become free with the next checkpoint.
    pub(crate) fn free_soon(&self) -> u32 {
        self.table.lock().empty_segments()
    }

    /// Whether the cleaner can move so many blocks of data, and a checkpoint write so many nodes. It may use what is
    /// kept from others: it gives more back.
    pub(crate) fn has_cleaning_room(&self, data: u64, nodes: u64) -> bool {
        let table = self.table.lock();
        // Each log that leaves its segment may need one of its own.
        let needed = |blocks: u64, holes: u64, logs: u64| {
            let beyond = blocks.saturating_sub(holes);
            beyond.div_ceil(u64::from(BLOCKS_PER_SEGMENT)) + if beyond > 0 { logs } else { 0 }
        };
        let segments = needed(data, table.hole_blocks(false), DATA_LOGS)
            + needed(nodes, table.hole_blocks(true), NODE_LOGS);
        u64::from(table.free_count()) >= segments
    }
}

fn segments_of(table: &Table, section: u32) -> impl Iterator<Item = SegmentNo> + use<> {
    let per_section = table.geometry.segs_per_sec();
    (section * per_section..(section + 1) * per_section).map(SegmentNo::new)
}

/// Whether no log is in a section, and nobody keeps a segment of it.
fn is_closed(table: &Table, section: u32) -> bool {
    segments_of(table, section)
        .all(|segno| !matches!(table.get(segno).class(), Class::Open | Class::Held))
}

/// When a section changed last.
fn mtime(table: &Table, section: u32) -> u64 {
    segments_of(table, section)
        .map(|segno| table.get(segno).mtime)
        .max()
        .unwrap_or(0)
}
