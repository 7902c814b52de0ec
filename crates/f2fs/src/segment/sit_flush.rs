//! Writes the changes of the SIT at a checkpoint: into the journal if all of them fit, else into
//! the SIT blocks' other copies.
//!
//! # On disk
//! A block is made from memory alone and written whole. The journal is empty whenever blocks are
//! written.

use super::Segments;
use crate::error::Result;
use crate::meta::batch::MetaBatch;
use crate::meta::nat_flush::flip;
use f2fs_format::bitmap::msb;
use f2fs_format::summary::SIT_JOURNAL_ENTRIES;
use f2fs_format::{BLOCK_SIZE, Block, SIT_ENTRIES_PER_BLOCK, SegmentNo, SitBlock, SitEntry};

/// What a checkpoint has to record about the SIT.
#[derive(Debug)]
pub(crate) struct SitFlush {
    /// The entries of the new journal.
    pub journal: Vec<(SegmentNo, SitEntry)>,
    /// The new version bitmap.
    pub bitmap: Vec<u8>,
}

impl Segments {
    /// Writes what changed since the last checkpoint. Nothing of it counts before
    /// [`commit`](Self::commit).
    pub(crate) fn flush(&self) -> Result<SitFlush> {
        let table = self.table.lock();
        let mut late: Vec<SegmentNo> = table
            .dirty()
            .iter()
            .chain(&table.journal)
            .copied()
            .collect();
        late.sort_unstable();
        late.dedup();
        let mut flush = SitFlush {
            journal: Vec::new(),
            bitmap: table.bitmap.clone(),
        };
        if late.len() <= SIT_JOURNAL_ENTRIES {
            flush.journal = late
                .iter()
                .map(|&segno| (segno, table.get(segno).entry()))
                .collect();
            return Ok(flush);
        }
        drop(table);
        late.dedup_by_key(|segno| self.geometry.sit_index(*segno));
        let mut batch = MetaBatch::new(&self.device);
        for segno in late {
            let index = self.geometry.sit_index(segno);
            let to_second = !msb::test(&flush.bitmap, index as usize);
            let block = self.encode_sit_block(index);
            batch.push(self.geometry.sit_block(segno, to_second), &block)?;
            flip(&mut flush.bitmap, index);
        }
        batch.finish()?;
        Ok(flush)
    }

    /// The checkpoint that holds `flush` is on the device: what was freed before it can be written
    /// again.
    pub(crate) fn commit(&self, flush: SitFlush) {
        let mut table = self.table.lock();
        table.settle();
        table.journal = flush.journal.into_iter().map(|(segno, _)| segno).collect();
        table.bitmap = flush.bitmap;
    }

    fn encode_sit_block(&self, index: u32) -> Box<Block> {
        let mut block = Box::new([0; BLOCK_SIZE]);
        let first = index * SIT_ENTRIES_PER_BLOCK as u32;
        let end = (first + SIT_ENTRIES_PER_BLOCK as u32).min(self.geometry.main_segments());
        let table = self.table.lock();
        for segno in (first..end).map(SegmentNo::new) {
            SitBlock::put(&mut block, segno, &table.get(segno).entry());
        }
        block
    }
}
