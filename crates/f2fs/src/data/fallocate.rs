//! Space without bytes: slots reserved ahead, freed, or set back to "reserved, never written"
//! (kernel: `f2fs_expand_inode_data`, `f2fs_punch_hole`, `f2fs_zero_range`).
//!
//! Slots are changed whole nodes at a time. A range of any length goes in steps, one operation each, so that a
//! checkpoint can write the nodes of one step before the next makes more of them dirty.
//!
//! # Locking
//! The caller holds the inode's lock exclusively, so nobody reads or dirties the file meanwhile; others may write
//! its folios back. Each step takes OP, then TREE.

use crate::data::flush::flush_pages;
use crate::data::ops::DataOps;
use crate::data::writeback::free_old;
use crate::error::Result;
use crate::fs::Fs;
use crate::inode::Inode;
use crate::node::{Emptied, Missing, Tree};
use f2fs_format::{BLOCK_SIZE, Slot};
use std::ops::Range;
use std::sync::Arc;

const BLOCK: u64 = BLOCK_SIZE as u64;

/// Nodes of one step: a segment of them.
const STEP_NODES: u64 = 512;

/// Reserves the holes in a range of file blocks; all of them or, with an error, none. The caller has seen that there
/// are enough free blocks.
pub(crate) fn reserve(fs: &Fs, inode: &Arc<Inode>, blocks: Range<u64>) -> Result<()> {
    let mut made = Vec::new();
    let reserved = in_steps(fs, inode, blocks, |tree, step| {
        reserve_holes(fs, tree, step, &mut made)
    });
    if reserved.is_err() {
        let _op = fs.start_op();
        let mut tree = inode.tree.lock();
        for run in made {
            tree.free_blocks(fs, &run, Emptied::Free)?;
        }
    }
    reserved
}

/// Frees whole blocks, or whole clusters of a compressed file.
pub(crate) fn free(fs: &Fs, inode: &Arc<Inode>, blocks: &Range<u64>) -> Result<()> {
    settle_size(fs, inode, blocks)?;
    let _op = fs.start_op();
    fs.note_dirty(inode);
    inode.mapping.forget_pages(blocks.clone());
    let mut tree = inode.tree.lock();
    clear_ext(&mut tree);
    let freed = tree.free_blocks(fs, blocks, Emptied::Free);
    inode.bump_cookie();
    freed
}

/// Makes whole blocks, or whole clusters, read as zeros without writing them: what they hold is freed, the slots stay
/// reserved. Holes stay holes.
pub(crate) fn unwrite(fs: &Fs, inode: &Arc<Inode>, blocks: Range<u64>) -> Result<()> {
    settle_size(fs, inode, &blocks)?;
    let cluster = inode.clusters().map_or(1, |c| c.blocks) as usize;
    // Nobody makes new ones while the inode is locked.
    inode.mapping.forget_pages(blocks.clone());
    in_steps(fs, inode, blocks, |tree, step| {
        clear_ext(tree);
        for_each_node(fs, tree, step, |tree, part| {
            unwrite_in_node(fs, tree, part, cluster)
        })
    })
}

/// Lets the volume's size grow over blocks that are about to be dropped: no writeback of theirs will do it.
fn settle_size(fs: &Fs, inode: &Arc<Inode>, blocks: &Range<u64>) -> Result<()> {
    let end = inode.size().min(blocks.end * BLOCK);
    if blocks.is_empty() || inode.tree.lock().inode.size() >= end {
        return Ok(());
    }
    // The bytes before them first, so that the size never says more than there is.
    flush_pages(fs, inode, 0..blocks.start)?;
    let _op = fs.start_op();
    fs.note_dirty(inode);
    let mut tree = inode.tree.lock();
    // Writing a large folio back has written what lies behind the range, too.
    if tree.inode.size() < end {
        tree.inode_mut().set_size(end);
    }
    Ok(())
}

/// Zeroes the bytes of `range` that lie outside `whole`, through their folios. Bytes behind the end of the file are
/// nobody's.
pub(crate) fn zero_edges(
    fs: &Fs,
    inode: &Arc<Inode>,
    range: &Range<u64>,
    whole: &Range<u64>,
) -> Result<()> {
    let ops = DataOps::new(fs, inode);
    let end = range.end.min(inode.size());
    for edge in [
        range.start..whole.start.min(end),
        whole.end.max(range.start)..end,
    ] {
        if !edge.is_empty() {
            iomap::zero_range(&ops, edge)?;
        }
    }
    Ok(())
}

/// The bytes that are to be handled as whole blocks, or whole clusters of a compressed file: those that lie in `range`,
/// and the one at the end of the file if nothing of the file is left in it.
pub(crate) fn whole_units(inode: &Inode, range: &Range<u64>) -> Range<u64> {
    let unit = inode.clusters().map_or(1, |c| c.blocks) * BLOCK;
    let size = inode.size();
    let is_behind = range.start >= size.next_multiple_of(unit);
    let start = if is_behind {
        range.start / unit * unit
    } else {
        range.start.next_multiple_of(unit)
    };
    let end = if range.end >= size {
        range.end.next_multiple_of(unit)
    } else {
        range.end / unit * unit
    };
    start..end.max(start)
}

/// Makes slots that follow each other dirty: `work` gets the tree and the blocks of each step.
fn in_steps(
    fs: &Fs,
    inode: &Arc<Inode>,
    blocks: Range<u64>,
    mut work: impl FnMut(&mut Tree, Range<u64>) -> Result<()>,
) -> Result<()> {
    let per_node = u64::from(inode.tree.lock().inode.addrs_per_dnode());
    let mut at = blocks.start;
    while at < blocks.end {
        let step = at..blocks.end.min(at + STEP_NODES * per_node);
        at = step.end;
        let nodes = (step.end - step.start).div_ceil(per_node) + 1;
        make_room(fs, nodes)?;
        let _op = fs.start_op();
        fs.note_dirty(inode);
        let worked = work(&mut inode.tree.lock(), step);
        inode.bump_cookie();
        worked?;
    }
    Ok(())
}

/// Makes room for the blocks of nodes that are about to become dirty together.
pub(crate) fn make_room(fs: &Fs, nodes: u64) -> Result<()> {
    fs.make_room(0)?;
    fs.check_room(nodes)
}

/// Walks over the nodes that hold a range of slots; makes those that are missing.
pub(super) fn for_each_node(
    fs: &Fs,
    tree: &mut Tree,
    blocks: Range<u64>,
    mut work: impl FnMut(&mut Tree, Range<u64>) -> Result<()>,
) -> Result<()> {
    let mut at = blocks.start;
    while at < blocks.end {
        let len = tree.change(fs, at, Missing::Create)?.len() as u64;
        let end = blocks.end.min(at + len);
        work(tree, at..end)?;
        at = end;
    }
    Ok(())
}

/// Reserves the holes of a range; adds what it reserved to `made`, also before an error.
fn reserve_holes(
    fs: &Fs,
    tree: &mut Tree,
    blocks: Range<u64>,
    made: &mut Vec<Range<u64>>,
) -> Result<()> {
    for_each_node(fs, tree, blocks, |tree, part| {
        let slots = tree.change(fs, part.start, Missing::Fail)?;
        let is_hole = |raw: u32| Slot::from_raw(raw) == Slot::Hole;
        let indices = 0..(part.end - part.start) as usize;
        let holes: Vec<usize> = indices.filter(|&i| is_hole(slots.get(i))).collect();
        tree.reserve_blocks(fs, holes.len() as u32)?;
        let mut slots = tree.change(fs, part.start, Missing::Fail)?;
        for &i in &holes {
            slots.set(i, Slot::New.to_raw());
            let block = part.start + i as u64;
            match made.last_mut() {
                Some(run) if run.end == block => run.end += 1,
                _ => made.push(block..block + 1),
            }
        }
        Ok(())
    })
}

/// Sets the slots of one node back to reserved and frees their blocks.
fn unwrite_in_node(fs: &Fs, tree: &mut Tree, blocks: Range<u64>, cluster: usize) -> Result<()> {
    let mut slots = tree.change(fs, blocks.start, Missing::Fail)?;
    let mut is_compressed = false;
    let mut saved = 0;
    for i in 0..(blocks.end - blocks.start) as usize {
        let slot = Slot::from_raw(slots.get(i));
        if i.is_multiple_of(cluster) {
            is_compressed = slot == Slot::Compress;
        }
        match slot {
            Slot::Hole => continue,
            Slot::Block(_) => free_old(fs, slot.to_raw())?,
            Slot::New | Slot::Compress => saved += u64::from(is_compressed),
        }
        slots.set(i, Slot::New.to_raw());
    }
    forget_saved(tree, saved);
    Ok(())
}

/// Takes blocks from the count of those that compression saves.
fn forget_saved(tree: &mut Tree, count: u64) {
    if let Some(info) = tree.inode.compress().filter(|_| count > 0) {
        let left = info.compr_blocks.saturating_sub(count);
        tree.inode_mut().set_compr_blocks(left);
    }
}

/// Drops the largest extent that the inode block remembers: it may name what is moved or freed.
pub(crate) fn clear_ext(tree: &mut Tree) {
    if tree.inode.ext().is_some() {
        tree.inode_mut().clear_ext();
    }
}
