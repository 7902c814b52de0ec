//! Writes the changes of the NAT at a checkpoint: into the journal if all of them fit, else into
//! the NAT blocks' other copies.
//!
//! # On disk
//! A block is written whole, for its other copy holds old or no entries. The journal is empty
//! whenever blocks are written, so no entry in it is older than its block.

use super::batch::MetaBatch;
use super::nat::Nat;
use crate::error::Result;
use f2fs_format::bitmap::msb;
use f2fs_format::summary::NAT_JOURNAL_ENTRIES;
use f2fs_format::{Block, NatBlock, NatEntry, Nid};
use std::collections::BTreeMap;

/// Written blocks that stay in memory for the next lookups.
const KEPT_BLOCKS: usize = 512;

/// What a checkpoint has to record about the NAT.
#[derive(Debug)]
pub(crate) struct NatFlush {
    /// The entries of the new journal.
    pub journal: Vec<(u32, NatEntry)>,
    /// The new version bitmap.
    pub bitmap: Vec<u8>,
    /// The blocks that were written, some with their content.
    pub(super) blocks: Vec<(u32, Option<Box<Block>>)>,
}

impl Nat {
    /// Writes what changed since the last checkpoint. Nothing of it counts before [`Nat::commit`].
    pub(crate) fn flush(&self) -> Result<NatFlush> {
        let (entries, bitmap) = self.late_entries();
        let mut flush = NatFlush {
            journal: Vec::new(),
            bitmap,
            blocks: Vec::new(),
        };
        if entries.len() <= NAT_JOURNAL_ENTRIES {
            flush.journal = entries
                .into_iter()
                .map(|(nid, entry)| (nid.get(), entry))
                .collect();
            return Ok(flush);
        }
        let entries: Vec<(Nid, NatEntry)> = entries.into_iter().collect();
        let mut batch = MetaBatch::new(&self.device);
        for group in
            entries.chunk_by(|a, b| self.geometry.nat_index(a.0) == self.geometry.nat_index(b.0))
        {
            let index = self.geometry.nat_index(group[0].0);
            let mut block = self.block(index)?;
            for (nid, entry) in group {
                NatBlock::put(&mut block, *nid, *entry);
            }
            let to_second = !msb::test(&flush.bitmap, index as usize);
            batch.push(self.geometry.nat_block(index, to_second), &block)?;
            flip(&mut flush.bitmap, index);
            let kept = (flush.blocks.len() < KEPT_BLOCKS).then_some(block);
            flush.blocks.push((index, kept));
        }
        batch.finish()?;
        Ok(flush)
    }

    /// Everything that is not in the blocks, by nid, and the bitmap of the last checkpoint.
    fn late_entries(&self) -> (BTreeMap<Nid, NatEntry>, Vec<u8>) {
        let state = self.state.read();
        let late = state.journal.iter().chain(&state.dirty);
        (
            late.map(|(nid, entry)| (*nid, *entry)).collect(),
            state.bitmap.clone(),
        )
    }
}

/// Makes the other copy of block `index` the current one.
pub(crate) fn flip(bitmap: &mut [u8], index: u32) {
    if !msb::clear(bitmap, index as usize) {
        msb::set(bitmap, index as usize);
    }
}
