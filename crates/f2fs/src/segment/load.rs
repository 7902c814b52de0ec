//! Reads the SIT into memory when a volume is opened.
//!
//! # On disk
//! The checkpoint's version bitmap selects one of two copies of each SIT block, half an area apart.
//! The journal overrides the blocks.

use super::curseg::Curseg;
use super::entry::{SEGMENT_BLOCKS, Segment};
use super::table::Table;
use super::{Segments, summary_kind};
use crate::device::Device;
use crate::error::{Inconsistent, Result};
use crate::locks;
use crate::meta::elapsed::Elapsed;
use f2fs_format::bitmap::msb;
use f2fs_format::checkpoint::AllocType;
use f2fs_format::summary::{SitJournal, SummaryBlock};
use f2fs_format::{
    BLOCK_SIZE, Block, Checkpoint, CursegType, Geometry, SIT_ENTRIES_PER_BLOCK, SegmentNo, SitBlock,
};
use runtime::sync::Mutex;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

/// SIT blocks read in one transfer.
const MAX_READ: u32 = 128;

/// What the segments are loaded from, besides the SIT.
#[derive(Debug)]
pub(crate) struct LoadedLogs {
    /// The SIT journal of the checkpoint.
    pub sit_journal: SitJournal,
    /// The summaries of the open segments, by log.
    pub summaries: [SummaryBlock; 6],
}

impl Segments {
    /// The segments as `checkpoint` has them.
    pub(crate) fn load(
        device: Arc<Device>,
        geometry: Geometry,
        checkpoint: &Checkpoint,
        loaded: LoadedLogs,
        elapsed: Arc<Elapsed>,
    ) -> Result<Self> {
        let mut segments = read_sit(&device, &geometry, &checkpoint.sit_bitmap)?;
        let mut journal = Vec::new();
        for (segno, entry) in loaded.sit_journal.0 {
            segments[segno.get() as usize] = Segment::new(&entry);
            journal.push(segno);
        }
        let mut table = Table::new(geometry, segments, checkpoint.reserved_segments);
        table.journal = journal;
        table.bitmap.clone_from(&checkpoint.sit_bitmap);
        let mut summaries = loaded.summaries.into_iter();
        let logs = CursegType::ALL.map(|log| {
            let pos = checkpoint.curseg(log);
            table.reopen(pos.segno);
            let summary = summaries
                .next()
                .unwrap_or_else(|| SummaryBlock::new(summary_kind(log)));
            Mutex::new(locks::CURSEG, Curseg::new(log, pos, summary))
        });
        let table = Mutex::new(locks::SIT, table);
        Ok(Self {
            device,
            geometry,
            elapsed,
            logs,
            table,
            discards: Mutex::new(locks::DISCARD, ()),
            waiting: AtomicU32::new(0),
        })
    }

    /// Checks the SIT against the checkpoint: totals, and that the logs stand at free blocks.
    ///
    /// # Errors
    /// `Inconsistent` for the first contradiction; nothing may be allocated then.
    pub(crate) fn check(&self, checkpoint: &Checkpoint) -> Result<()> {
        let table = self.table.lock();
        let nodes = table.iter().filter(|segment| segment.kind.is_node());
        let sit: u64 = nodes.map(|segment| u64::from(segment.valid())).sum();
        let counted = u64::from(checkpoint.valid_nodes);
        if sit != counted {
            return Err(Inconsistent::NodeTotal {
                sit,
                checkpoint: counted,
            }
            .into());
        }
        let (sit, counted) = (table.valid_blocks(), checkpoint.valid_block_count);
        if sit > counted {
            return Err(Inconsistent::BlockTotal {
                sit,
                checkpoint: counted,
            }
            .into());
        }
        for log in CursegType::ALL {
            let pos = checkpoint.curseg(log);
            let segment = table.get(pos.segno);
            let wanted = match pos.alloc {
                AllocType::Lfs => SEGMENT_BLOCKS - pos.blkoff,
                AllocType::Ssr => 1,
            };
            if segment.writable_run(pos.blkoff, wanted) != wanted {
                let (segno, blkoff) = (pos.segno, pos.blkoff);
                return Err(Inconsistent::CursegNotFree { segno, blkoff }.into());
            }
            if segment.kind.is_node() != log.is_node() {
                let (segno, kind, log) = (pos.segno, segment.kind.to_raw(), log.to_raw());
                return Err(Inconsistent::CursegKind { segno, kind, log }.into());
            }
        }
        Ok(())
    }
}

fn read_sit(device: &Device, geometry: &Geometry, bitmap: &[u8]) -> Result<Vec<Segment>> {
    let blocks = geometry.sit_blocks();
    let mut segments = Vec::with_capacity(geometry.main_segments() as usize);
    let mut index = 0;
    while index < blocks {
        let is_second = msb::test(bitmap, index as usize);
        let limit = blocks.min(index + MAX_READ);
        let end = (index..limit)
            .find(|&i| msb::test(bitmap, i as usize) != is_second)
            .unwrap_or(limit);
        let first = SegmentNo::new(index * SIT_ENTRIES_PER_BLOCK as u32);
        let bytes = device.read_blocks(geometry.sit_block(first, is_second), end - index)?;
        let (blocks, _) = bytes.as_chunks::<BLOCK_SIZE>();
        for block in blocks {
            parse_block(block, geometry, &mut segments)?;
        }
        index = end;
    }
    Ok(segments)
}

/// Adds the segments of one SIT block, as far as they exist.
fn parse_block(block: &Block, geometry: &Geometry, segments: &mut Vec<Segment>) -> Result<()> {
    for _ in 0..SIT_ENTRIES_PER_BLOCK {
        let segno = segments.len() as u32;
        if segno == geometry.main_segments() {
            break;
        }
        segments.push(Segment::new(&SitBlock::entry(
            block,
            SegmentNo::new(segno),
        )?));
    }
    Ok(())
}
