//! Stretches of a file, and writing one anew where its log stands.
//!
//! A stretch has as many blocks as can be written under one lock, however far apart they are in the file, so that the
//! blocks of a sparse file come together too.
//!
//! # Locking
//! The caller holds the inode's lock; to write, exclusively.

use crate::data::DataOps;
use crate::data::compress::DecidedForm;
use crate::data::flush::flush_pages;
use crate::data::layout::{self, DeviceRun, ExtentKind, FileExtent, LayoutSummary};
use crate::error::Result;
use crate::fs::Fs;
use crate::inode::{ClusterForm, Inode};
use std::ops::Range;
use std::sync::Arc;

const BLOCK: u64 = iomap::BLOCK_SIZE;

/// Blocks of a stretch, in the file: 8 MiB, and at least a cluster of any size.
pub(crate) const STRETCH: u64 = 2048;

/// Blocks of a segment: what lies in runs of that length is contiguous enough.
const SEGMENT: u64 = 512;

/// Blocks of a file that could be written anew together.
#[derive(Debug, Default)]
pub(crate) struct Stretch {
    /// Ranges of file blocks that have blocks on the device.
    ranges: Vec<Range<u64>>,
    /// Blocks in the file.
    len: u64,
    /// How they lie.
    layout: LayoutSummary,
    /// First block on the device, and the one behind the last.
    first: Option<u32>,
    last: Option<u32>,
    /// Where the next stretch begins in the file.
    pub(crate) next: u64,
    /// The block on the device that the file goes on with there.
    follower: Option<u32>,
}

impl Stretch {
    /// Blocks on the device.
    pub(crate) fn stored(&self) -> u64 {
        self.layout.blocks
    }

    /// Bytes in the file.
    pub(crate) fn len_bytes(&self) -> u64 {
        self.len * BLOCK
    }

    /// Runs on the device.
    pub(crate) fn runs(&self) -> u64 {
        self.layout.runs
    }

    /// The block behind the last one on the device.
    pub(crate) fn end_on_device(&self) -> Option<u32> {
        self.last
    }

    /// Whether it lies in more runs than segments would hold it in.
    pub(crate) fn is_fragmented(&self) -> bool {
        self.layout.runs > self.layout.blocks.div_ceil(SEGMENT)
    }

    /// Runs that would be cut in two if it moved away, given the block behind the file's last one before it, if that
    /// one stays.
    pub(crate) fn cuts(&self, before: Option<u32>) -> u64 {
        let cuts = |end: Option<u32>, next: Option<u32>| u64::from(end.is_some() && end == next);
        cuts(before, self.first) + cuts(self.last, self.follower)
    }

    fn add(&mut self, extent: &FileExtent) {
        let blocks = extent.pos / BLOCK..extent.end() / BLOCK;
        self.len += blocks.end - blocks.start;
        self.layout.add(extent);
        self.first = self.first.or(extent.runs.first().map(|run| run.block));
        self.last = extent.runs.last().map(DeviceRun::end);
        match self.ranges.last_mut() {
            Some(last) if last.end == blocks.start => last.end = blocks.end,
            _ => self.ranges.push(blocks),
        }
    }
}

/// The stretch from block `at` on, a whole cluster's first, before `end`; None if no block is left there. The file is
/// not inline.
pub(crate) fn next_stretch(
    fs: &Fs,
    inode: &Arc<Inode>,
    mut at: u64,
    end: u64,
) -> Result<Option<Stretch>> {
    let ops = DataOps::new(fs, inode);
    let size_blocks = inode.size().div_ceil(BLOCK);
    // What the stretches before needed is not needed any more.
    inode.tree.lock().trim(layout::NODES_KEPT);
    let mut stretch = Stretch::default();
    while at < end.min(size_blocks) {
        let (found, next) = layout::look(&ops, &mut inode.tree.lock(), at, end)?;
        for extent in found.iter().filter(|extent| extent.is_stored()) {
            let is_movable = is_movable(extent, size_blocks);
            let is_full = stretch.len + extent.len / BLOCK > STRETCH;
            if stretch.len > 0 && (is_full || !is_movable) {
                stretch.next = extent.pos / BLOCK;
                stretch.follower = extent.runs.first().map(|run| run.block);
                return Ok(Some(stretch));
            }
            if is_movable {
                stretch.add(extent);
            }
        }
        at = next;
    }
    if stretch.len == 0 {
        return Ok(None);
    }
    stretch.next = end;
    stretch.follower = first_from(&ops, end)?;
    Ok(Some(stretch))
}

/// The block on the device that the file goes on with at block `at`, or behind a hole there.
fn first_from(ops: &DataOps<'_>, mut at: u64) -> Result<Option<u32>> {
    let mut tree = ops.inode.tree.lock();
    let end = layout::end_of(&tree);
    while at < end {
        let (found, next) = layout::look(ops, &mut tree, at, end)?;
        if let Some(run) = found.iter().find_map(|extent| extent.runs.first()) {
            return Ok(Some(run.block));
        }
        at = next;
    }
    Ok(None)
}

/// The block on the device behind the last one that the file has before block `end`, a whole cluster's first. The
/// file is not inline.
pub(crate) fn end_before(fs: &Fs, inode: &Arc<Inode>, end: u64) -> Result<Option<u32>> {
    let ops = DataOps::new(fs, inode);
    let (mut at, mut last) = (0, None);
    let end = end.min(layout::end_of(&inode.tree.lock()));
    while at < end {
        let (found, next) = {
            let mut tree = inode.tree.lock();
            let found = layout::look(&ops, &mut tree, at, end)?;
            tree.trim(layout::NODES_KEPT);
            found
        };
        let mut runs = found.iter().filter_map(|extent| extent.runs.last());
        last = runs.next_back().map(DeviceRun::end).or(last);
        at = next;
    }
    Ok(last)
}

/// Whether writing an extent anew keeps its form: a compressed cluster over the end of the file would become raw.
fn is_movable(extent: &FileExtent, size_blocks: u64) -> bool {
    match extent.kind {
        ExtentKind::Plain => extent.pos / BLOCK < size_blocks,
        ExtentKind::Compressed => extent.end() / BLOCK <= size_blocks,
        ExtentKind::Hole | ExtentKind::Reserved | ExtentKind::Inline => false,
    }
}

/// Writes a stretch anew: the same bytes in the same form. Nothing of the file is dirty, and there is room for it. If
/// that fails, the old blocks stay the file's.
pub(crate) fn rewrite(fs: &Fs, inode: &Arc<Inode>, stretch: &Stretch) -> Result<()> {
    let _form = DecidedForm::new(inode, ClusterForm::AsStored);
    make_dirty(fs, inode, stretch)?;
    fs.note_dirty(inode);
    let (Some(first), Some(last)) = (stretch.ranges.first(), stretch.ranges.last()) else {
        return Ok(());
    };
    flush_pages(fs, inode, first.start..last.end)
}

/// The view of the inode that looks blocks up ends here: nobody holds one while writing back.
fn make_dirty(fs: &Fs, inode: &Arc<Inode>, stretch: &Stretch) -> Result<()> {
    let ops = DataOps::new(fs, inode);
    for range in &stretch.ranges {
        let end = (range.end * BLOCK).min(inode.size());
        iomap::rewrite_range(&ops, range.start * BLOCK..end)?;
    }
    Ok(())
}
