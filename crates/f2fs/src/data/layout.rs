//! Where the bytes of a file lie on the volume, node by node.
//!
//! [`look`] tells what one node says and never more, so a walk over a file of any size holds one node's extents at a
//! time. [`Walk`] joins what goes on in the next node.
//!
//! # Locking
//! A step takes TREE. Between steps the file may change, unless the caller holds the inode's lock.

use crate::data::cluster_read::device_runs;
use crate::data::{DataOps, extent, inline};
use crate::error::Result;
use crate::fs::Fs;
use crate::inode::Inode;
use crate::node::{Span, Tree};
use f2fs_format::path::mappable_blocks;
use f2fs_format::{BlockAddr, ClusterSlots, Slot};
use iomap::IomapKind;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

const BLOCK: u64 = iomap::BLOCK_SIZE;

/// More slots than any node holds; whole clusters of any size.
const SLOTS_MAX: u64 = 1024;

/// Nodes looked at before those that are not needed any more leave memory, and how many stay then.
pub(crate) const NODES_KEPT: usize = 256;

/// What is behind a range of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtentKind {
    /// Blocks that hold the bytes as they are.
    Plain,
    /// Compressed clusters.
    Compressed,
    /// Reserved blocks that were never written; they read as zeros and lie nowhere yet.
    Reserved,
    /// Nothing; reads as zeros.
    Hole,
    /// Bytes in the inode block.
    Inline,
}

/// Blocks that lie one behind the other on the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceRun {
    /// The first block.
    pub block: u32,
    /// How many.
    pub blocks: u32,
}

impl DeviceRun {
    /// The block behind the last.
    pub const fn end(&self) -> u32 {
        self.block + self.blocks
    }
}

/// A range of a file with what is behind it: whole blocks, of compressed files whole clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileExtent {
    /// First byte in the file.
    pub pos: u64,
    /// Bytes in the file.
    pub len: u64,
    /// What is behind it.
    pub kind: ExtentKind,
    /// Where its blocks lie. Plain extents have one run, and so do compressed clusters that were written together; a
    /// cluster that was written in pieces is an extent of its own. None for the other kinds.
    pub runs: Vec<DeviceRun>,
}

impl FileExtent {
    fn new(blocks: Range<u64>, kind: ExtentKind, runs: Vec<DeviceRun>) -> Self {
        Self {
            pos: blocks.start * BLOCK,
            len: (blocks.end - blocks.start) * BLOCK,
            kind,
            runs,
        }
    }

    /// First byte behind it.
    pub const fn end(&self) -> u64 {
        self.pos + self.len
    }

    /// Blocks that it takes on the device.
    pub fn stored_blocks(&self) -> u64 {
        self.runs.iter().map(|run| u64::from(run.blocks)).sum()
    }

    /// Whether it has blocks on the device.
    pub fn is_stored(&self) -> bool {
        !self.runs.is_empty()
    }

    /// Takes over `next` if it goes on where this ends, in the file and on the volume.
    fn join(&mut self, next: &Self) -> bool {
        if self.kind != next.kind || self.end() != next.pos {
            return false;
        }
        match (&mut self.runs[..], &next.runs[..]) {
            ([], []) => {}
            ([last], [first]) if last.end() == first.block => last.blocks += first.blocks,
            _ => return false,
        }
        self.len += next.len;
        true
    }
}

/// The extents of a file, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayoutSummary {
    /// Extents that are no holes.
    pub extents: u64,
    /// Runs of blocks on the device, in the order of the file. Blocks that follow one another on the device are one
    /// run even if there is a hole between them in the file.
    pub runs: u64,
    /// Blocks on the device.
    pub blocks: u64,
    /// Bytes of the file that are stored compressed.
    pub compressed_len: u64,
    /// Those of [`Self::blocks`] that hold compressed clusters.
    pub compressed_blocks: u64,
    /// Bytes that are reserved and were never written.
    pub reserved_len: u64,
    /// Bytes before the end of the file that have no blocks.
    pub hole_len: u64,
    end: Option<u32>,
}

impl LayoutSummary {
    /// Counts the next extent of the file.
    pub fn add(&mut self, extent: &FileExtent) {
        match extent.kind {
            ExtentKind::Hole => self.hole_len += extent.len,
            ExtentKind::Reserved => self.reserved_len += extent.len,
            ExtentKind::Compressed => {
                self.compressed_len += extent.len;
                self.compressed_blocks += extent.stored_blocks();
            }
            ExtentKind::Plain | ExtentKind::Inline => {}
        }
        self.extents += u64::from(extent.kind != ExtentKind::Hole);
        for run in &extent.runs {
            self.runs += u64::from(self.end != Some(run.block));
            self.blocks += u64::from(run.blocks);
            self.end = Some(run.end());
        }
    }

    /// Blocks of a run, on the average; 0 for a file without blocks.
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub fn average_run(&self) -> f64 {
        self.blocks as f64 / self.runs.max(1) as f64
    }

    /// How often the next block of the file is not the next on the device, from 0 (one run) to 1 (no two blocks lie
    /// together).
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub fn fragmentation(&self) -> f64 {
        let (breaks, most) = (self.runs.saturating_sub(1), self.blocks.saturating_sub(1));
        breaks as f64 / most.max(1) as f64
    }
}

/// The end of all that a file may have, in blocks.
pub(crate) fn end_of(tree: &Tree) -> u64 {
    mappable_blocks(tree.inode.addrs_in_inode(), tree.inode.addrs_per_dnode())
}

/// What the node that holds block `at` says of the blocks from there on, up to `end`, and the block behind what was
/// looked at. `at` is the first block of a cluster, if the file has clusters; each compressed one is an extent of its
/// own. The file is not inline.
pub(crate) fn look(
    ops: &DataOps<'_>,
    tree: &mut Tree,
    at: u64,
    end: u64,
) -> Result<(Vec<FileExtent>, u64)> {
    let most = (end - at).min(SLOTS_MAX) as usize;
    let slots = match tree.slots(ops.fs, at, most)? {
        Span::Hole(len) => {
            let next = at.saturating_add(len).min(end);
            let hole = FileExtent::new(at..next, ExtentKind::Hole, Vec::new());
            return Ok((vec![hole], next));
        }
        Span::Slots(slots) => slots,
    };
    let next = at + slots.len() as u64;
    let mut found = Vec::new();
    match ops.inode.clusters() {
        None => raw(ops, at, &slots, &mut found)?,
        Some(clusters) => {
            let mut first = at;
            for slots in slots.chunks(clusters.blocks as usize) {
                cluster(ops, first, slots, &mut found)?;
                first += slots.len() as u64;
            }
        }
    }
    Ok((found, next))
}

fn cluster(
    ops: &DataOps<'_>,
    first: u64,
    slots: &[u32],
    found: &mut Vec<FileExtent>,
) -> Result<()> {
    let ClusterSlots::Compressed { blocks, .. } = ClusterSlots::classify(slots)? else {
        return raw(ops, first, slots, found);
    };
    let stored = &slots[1..=blocks];
    let addrs: Vec<BlockAddr> = stored
        .iter()
        .filter_map(|&raw| Slot::from_raw(raw).block())
        .collect();
    let mut runs = Vec::new();
    for (start, part) in device_runs(&addrs) {
        let count = part.len() as u32;
        let start = ops.fs.meta.geometry.main_run(start.get(), count)?;
        ops.fs.meta.segments.check_valid(start, count)?;
        runs.push(DeviceRun {
            block: start.get(),
            blocks: count,
        });
    }
    let blocks = first..first + slots.len() as u64;
    found.push(FileExtent::new(blocks, ExtentKind::Compressed, runs));
    Ok(())
}

fn raw(ops: &DataOps<'_>, first: u64, slots: &[u32], found: &mut Vec<FileExtent>) -> Result<()> {
    let (mut at, mut rest) = (first, slots);
    while !rest.is_empty() {
        let (kind, len) = extent::first_run(ops, rest)?;
        let (kind, runs) = match kind {
            IomapKind::Mapped(pos) => {
                let run = DeviceRun {
                    block: (pos / BLOCK) as u32,
                    blocks: len as u32,
                };
                (ExtentKind::Plain, vec![run])
            }
            IomapKind::Delalloc => (ExtentKind::Reserved, Vec::new()),
            IomapKind::Hole | IomapKind::Compressed | IomapKind::Inline => {
                (ExtentKind::Hole, Vec::new())
            }
        };
        found.push(FileExtent::new(at..at + len, kind, runs));
        at += len;
        rest = &rest[len as usize..];
    }
    Ok(())
}

/// A walk over the extents of a file, in order.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    at: u64,
    /// Extents that were found and not told; only the last may still grow.
    found: VecDeque<FileExtent>,
    nodes: usize,
    is_done: bool,
}

impl Walk {
    /// The next extent; holes behind the end of the file are left out.
    pub(crate) fn next(&mut self, fs: &Fs, inode: &Arc<Inode>) -> Result<Option<FileExtent>> {
        while self.found.len() < 2 && !self.is_done {
            if let Err(error) = self.step(fs, inode) {
                self.is_done = true;
                self.found.clear();
                return Err(error);
            }
        }
        let size = inode.size().next_multiple_of(BLOCK);
        while let Some(mut extent) = self.found.pop_front() {
            if extent.kind == ExtentKind::Hole {
                extent.len = extent.len.min(size.saturating_sub(extent.pos));
            }
            if extent.len > 0 {
                return Ok(Some(extent));
            }
        }
        Ok(None)
    }

    fn step(&mut self, fs: &Fs, inode: &Arc<Inode>) -> Result<()> {
        let ops = DataOps::new(fs, inode);
        let mut tree = inode.tree.lock();
        if inline::is_inline(&tree) {
            self.is_done = true;
            self.found.push_back(FileExtent {
                pos: 0,
                len: inode.size(),
                kind: ExtentKind::Inline,
                runs: Vec::new(),
            });
            return Ok(());
        }
        let end = end_of(&tree);
        let (found, next) = look(&ops, &mut tree, self.at, end)?;
        for extent in found {
            if !self.found.back_mut().is_some_and(|last| last.join(&extent)) {
                self.found.push_back(extent);
            }
        }
        self.at = next;
        self.is_done = next >= end;
        self.nodes += 1;
        if self.nodes.is_multiple_of(NODES_KEPT) {
            tree.trim(NODES_KEPT);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(blocks: Range<u64>, block: u32) -> FileExtent {
        let count = (blocks.end - blocks.start) as u32;
        let run = DeviceRun {
            block,
            blocks: count,
        };
        FileExtent::new(blocks, ExtentKind::Plain, vec![run])
    }

    #[test]
    fn extents_join_only_where_both_sides_go_on() {
        let mut first = plain(0..4, 100);
        assert!(!first.join(&plain(4..5, 105)), "a gap on the volume");
        assert!(!first.join(&plain(5..6, 104)), "a gap in the file");
        let reserved = FileExtent::new(4..5, ExtentKind::Reserved, Vec::new());
        assert!(!first.join(&reserved));
        assert!(first.join(&plain(4..6, 104)));
        assert_eq!(first, plain(0..6, 100));
    }

    #[test]
    fn a_summary_counts_runs_across_holes() {
        let mut sum = LayoutSummary::default();
        sum.add(&plain(0..4, 100));
        sum.add(&FileExtent::new(4..10, ExtentKind::Hole, Vec::new()));
        sum.add(&plain(10..12, 104));
        sum.add(&plain(12..14, 50));
        assert_eq!((sum.extents, sum.runs, sum.blocks), (3, 2, 8));
        assert_eq!(sum.hole_len, 6 * BLOCK);
        assert!((sum.average_run() - 4.0).abs() < 1e-9);
        assert!((sum.fragmentation() - 1.0 / 7.0).abs() < 1e-9);
        assert!(LayoutSummary::default().fragmentation().abs() < 1e-9);
    }
}
