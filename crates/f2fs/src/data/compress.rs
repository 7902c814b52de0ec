//! The blocks that compressed clusters save, given back to the volume and taken again, and clusters written anew in the
//! other form (kernel: `release_compress_blocks`, `reserve_compress_blocks`, `f2fs_ioc_compress_file`).
//!
//! # On disk
//! A compressed cluster of `n` data blocks counts as whole: its first slot and the reserved ones behind its blocks
//! count one each. Released, these reserved slots are holes and the first slot no longer counts; a flag of the inode
//! says so.
//!
//! # Locking
//! The caller holds the inode's lock exclusively.

use crate::data::flush::flush_pages;
use crate::data::ops::DataOps;
use crate::error::Result;
use crate::fs::Fs;
use crate::inode::{ClusterForm, Inode};
use crate::node::{Missing, Span, Tree};
use f2fs_format::path::mappable_blocks;
use f2fs_format::{ClusterSlots, InlineFlags, Slot};
use std::ops::Range;
use std::sync::Arc;

/// More slots than any node holds.
const SLOTS_MAX: usize = 1024;

/// A cluster that has slots.
#[derive(Debug)]
struct Cluster {
    first: u64,
    slots: Vec<u32>,
}

impl Cluster {
    /// Blocks that it saves, if it is compressed.
    fn saved(&self) -> Result<u64> {
        Ok(match ClusterSlots::classify(&self.slots)? {
            ClusterSlots::Compressed { blocks, .. } => (self.slots.len() - blocks) as u64,
            ClusterSlots::Raw => 0,
        })
    }

    /// Whether the spare slots, those behind its blocks, are `slot`, or there are none.
    fn spare_are(&self, saved: u64, slot: Slot) -> bool {
        saved == 1 || self.slots.last() == Some(&slot.to_raw())
    }

    fn is_raw_and_whole(&self) -> Result<bool> {
        let has = |slot: &u32| Slot::from_raw(*slot).block().is_some();
        let is_full = !self.slots.contains(&Slot::Hole.to_raw());
        Ok(self.saved()? == 0 && is_full && self.slots.iter().any(has))
    }
}

/// Gives back what the clusters of a file save; the blocks given back. Nothing of the file is dirty.
pub(crate) fn release(fs: &Fs, inode: &Arc<Inode>) -> Result<u64> {
    let _op = fs.start_op();
    let mut tree = inode.tree.lock();
    let total = count_spare(fs, inode, &mut tree, Slot::New)?;
    fs.note_dirty(inode);
    tree.release_blocks(fs, total as u32)?;
    change_spare(fs, inode, &mut tree, Slot::New, Slot::Hole)?;
    tree.note_unfit(fs);
    let inline = tree.inode.inline() | InlineFlags::COMPRESS_RELEASED;
    tree.inode_mut().set_inline(inline);
    tree.inode_mut().set_compr_blocks(0);
    inode.bump_cookie();
    Ok(total)
}

/// Takes again what [`release`] gave back; the blocks taken.
///
/// # Errors
/// `NoSpace` or `QuotaExceeded` if they are not there any more; then nothing is taken.
pub(crate) fn reserve(fs: &Fs, inode: &Arc<Inode>) -> Result<u64> {
    let _op = fs.start_op();
    let mut tree = inode.tree.lock();
    let total = count_spare(fs, inode, &mut tree, Slot::Hole)?;
    fs.note_dirty(inode);
    tree.reserve_blocks(fs, total as u32)?;
    change_spare(fs, inode, &mut tree, Slot::Hole, Slot::New)?;
    tree.note_unfit(fs);
    let inline = tree.inode.inline() - InlineFlags::COMPRESS_RELEASED;
    tree.inode_mut().set_inline(inline);
    tree.inode_mut().set_compr_blocks(total);
    inode.bump_cookie();
    Ok(total)
}

/// An upper bound of the nodes that hold a file's slots.
pub(crate) fn nodes_of(inode: &Inode) -> u64 {
    let tree = inode.tree.lock();
    let by_size =
        inode.size().div_ceil(iomap::BLOCK_SIZE) / u64::from(tree.inode.addrs_per_dnode());
    tree.inode.blocks().min(by_size + 2)
}

/// Blocks saved by the compressed clusters whose spare slots are `slot`. Every cluster is looked at, so that none is
/// found to be damaged after others were changed.
fn count_spare(fs: &Fs, inode: &Inode, tree: &mut Tree, slot: Slot) -> Result<u64> {
    let mut total = 0;
    for_each_cluster(fs, inode, tree, |_, cluster| {
        let saved = cluster.saved()?;
        if cluster.spare_are(saved, slot) {
            total += saved;
        }
        Ok(())
    })?;
    Ok(total)
}

/// Changes the spare slots of all compressed clusters that have `from` there.
fn change_spare(fs: &Fs, inode: &Inode, tree: &mut Tree, from: Slot, to: Slot) -> Result<()> {
    for_each_cluster(fs, inode, tree, |tree, cluster| {
        let saved = cluster.saved()?;
        if saved > 1 && cluster.spare_are(saved, from) {
            set_spare(fs, tree, cluster, saved, to)?;
        }
        Ok(())
    })
}

/// Sets the slots behind the blocks of a compressed cluster.
fn set_spare(fs: &Fs, tree: &mut Tree, cluster: &Cluster, saved: u64, slot: Slot) -> Result<()> {
    let len = cluster.slots.len();
    let mut slots = tree.change(fs, cluster.first, Missing::Fail)?;
    for i in len + 1 - saved as usize..len {
        slots.set(i, slot.to_raw());
    }
    Ok(())
}

/// Calls `work` for all clusters of a file that have slots, also behind its end.
fn for_each_cluster(
    fs: &Fs,
    inode: &Inode,
    tree: &mut Tree,
    mut work: impl FnMut(&mut Tree, &Cluster) -> Result<()>,
) -> Result<()> {
    let all = 0..mappable_blocks(tree.inode.addrs_in_inode(), tree.inode.addrs_per_dnode());
    let mut at = all.start;
    while at < all.end {
        for cluster in next_clusters(fs, inode, tree, &mut at, all.end)? {
            work(tree, &cluster)?;
        }
    }
    Ok(())
}

/// The clusters of the node that holds block `at`, from there on; none if there is no node. `at` goes on behind them.
fn next_clusters(
    fs: &Fs,
    inode: &Inode,
    tree: &mut Tree,
    at: &mut u64,
    end: u64,
) -> Result<Vec<Cluster>> {
    let size = inode.clusters().map_or(1, |c| c.blocks) as usize;
    let left = (end - *at).min(SLOTS_MAX as u64) as usize;
    let slots = match tree.slots(fs, *at, left)? {
        Span::Hole(len) => {
            *at += len;
            return Ok(Vec::new());
        }
        Span::Slots(slots) => slots,
    };
    let clusters = slots.chunks(size).map(|slots| {
        let first = *at;
        *at += slots.len() as u64;
        let slots = slots.to_vec();
        Cluster { first, slots }
    });
    Ok(clusters.collect())
}

/// Which clusters are written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those that are not in the form yet.
    Differing,
    /// Those that are, too.
    All,
}

/// Writes clusters in `blocks` anew that are not in a form yet; the block behind the last one that was looked at. Room
/// for all of `blocks` was made.
pub(crate) fn rewrite(
    fs: &Fs,
    inode: &Arc<Inode>,
    blocks: Range<u64>,
    form: ClusterForm,
    which: Which,
) -> Result<u64> {
    let _form = DecidedForm::new(inode, form);
    // What is dirty takes the form on its way.
    flush_pages(fs, inode, blocks.clone())?;
    let mut at = blocks.start;
    let mut wanted = Vec::new();
    // A hole may lead far behind the range.
    while at < blocks.end {
        wanted.extend(next_wanted(fs, inode, (&mut at, blocks.end), form, which)?);
    }
    if wanted.is_empty() {
        return Ok(at);
    }
    let ops = DataOps::new(fs, inode);
    for run in wanted {
        let end = (run.end * iomap::BLOCK_SIZE).min(inode.size());
        iomap::rewrite_range(&ops, run.start * iomap::BLOCK_SIZE..end)?;
    }
    // What the cleaner leaves waits for readers.
    drop(ops);
    fs.note_dirty(inode);
    flush_pages(fs, inode, blocks)?;
    Ok(at)
}

/// The blocks of the next clusters that are to change their form.
fn next_wanted(
    fs: &Fs,
    inode: &Inode,
    (at, end): (&mut u64, u64),
    form: ClusterForm,
    which: Which,
) -> Result<Vec<Range<u64>>> {
    let size_blocks = inode.size().div_ceil(iomap::BLOCK_SIZE);
    let clusters = next_clusters(fs, inode, &mut inode.tree.lock(), at, end)?;
    let mut wanted = Vec::new();
    for cluster in clusters {
        let blocks = cluster.first..cluster.first + cluster.slots.len() as u64;
        let is_wanted = match form {
            // The end of the file, and clusters with holes, are never compressed.
            ClusterForm::Compressed if blocks.end > size_blocks => false,
            ClusterForm::Compressed if which == Which::All && cluster.saved()? > 0 => true,
            ClusterForm::Compressed => cluster.is_raw_and_whole()?,
            ClusterForm::Raw => cluster.saved()? > 0,
            ClusterForm::AsStored => false,
        };
        if is_wanted {
            wanted.push(blocks);
        }
    }
    Ok(wanted)
}

/// While one lives, whoever writes the file back stores clusters in its form.
pub(super) struct DecidedForm<'a>(&'a Inode);

impl<'a> DecidedForm<'a> {
    pub(super) fn new(inode: &'a Inode, form: ClusterForm) -> Self {
        inode.set_form(Some(form));
        Self(inode)
    }
}

impl Drop for DecidedForm<'_> {
    fn drop(&mut self) {
        self.0.set_form(None);
    }
}
