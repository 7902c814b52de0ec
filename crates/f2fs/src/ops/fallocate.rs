//! Reserving, freeing, zeroing, cutting out and inserting ranges of files (`fallocate(2)`).

use super::file::{check_changeable, check_free_for, check_regular, is_append_only, note_modified};
use crate::data::shift::{self, Shift};
use crate::data::{fallocate as space, inline, truncate};
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use crate::options::Space;
use f2fs_format::Advise;
use std::ops::Range;
use std::sync::Arc;

/// What [`crate::File::fallocate`] does with a range of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallocate {
    /// Reserves space for it; the file grows over it. What was not written reads as zeros.
    Allocate,
    /// Reserves space for it; the size stays.
    AllocateKeepSize,
    /// Makes it a hole. The size stays.
    PunchHole,
    /// Makes it read as zeros, with space reserved; the file grows over it.
    ZeroRange,
    /// Makes it read as zeros, with space reserved; the size stays.
    ZeroRangeKeepSize,
    /// Takes it out of the file: what is behind it moves down.
    CollapseRange,
    /// Puts a hole of its length before what is at its start, which moves up.
    InsertRange,
}

impl Fallocate {
    fn only_reserves(self) -> bool {
        matches!(self, Self::Allocate | Self::AllocateKeepSize)
    }

    fn fills_holes(self) -> bool {
        self.only_reserves() || matches!(self, Self::ZeroRange | Self::ZeroRangeKeepSize)
    }

    fn grows(self) -> bool {
        matches!(self, Self::Allocate | Self::ZeroRange)
    }

    fn keeps_size(self) -> bool {
        matches!(self, Self::AllocateKeepSize | Self::ZeroRangeKeepSize)
    }
}

/// Changes the space behind a range of a regular file.
///
/// # Errors
/// As `fallocate(2)` on F2FS: `Invalid` for an empty range, and for one that is to be taken out or inserted and is
/// not of whole blocks inside the file; `TooLarge`, `NoSpace`; `NotPermitted` for files that must not change;
/// `Unsupported` for parts of clusters.
pub(crate) fn fallocate(
    fs: &Fs,
    inode: &Arc<Inode>,
    what: Fallocate,
    range: Range<u64>,
) -> Result<()> {
    check_regular(inode)?;
    if range.is_empty() {
        return Err(Error::Invalid("an empty range"));
    }
    fs.check_writable()?;
    fs.balance()?;
    let _alone = inode.rwsem.write();
    check_allowed(inode, what)?;
    if !(what == Fallocate::PunchHole && fs.options.space == Space::Release) {
        fs.take_saved(inode)?;
    }
    truncate::check_limit(inode, range.end)?;
    if matches!(what, Fallocate::CollapseRange | Fallocate::InsertRange) {
        check_movable(inode, what, &range)?;
    }
    if what.fills_holes() {
        check_free_for(fs, inode, blocks_touched(&range))?;
    }
    leave_inline(fs, inode)?;
    match what {
        Fallocate::Allocate | Fallocate::AllocateKeepSize => {
            space::reserve(fs, inode, blocks_touched(&range))?;
        }
        Fallocate::ZeroRange | Fallocate::ZeroRangeKeepSize => zero(fs, inode, &range)?,
        Fallocate::PunchHole => punch(fs, inode, &range)?,
        Fallocate::CollapseRange => collapse(fs, inode, &range)?,
        Fallocate::InsertRange => insert(fs, inode, &range)?,
    }
    if what.keeps_size() {
        mark_kept_size(inode, range.end);
    } else if what.grows() && range.end > inode.size() {
        truncate::set_size(fs, inode, range.end)?;
    }
    note_modified(fs, inode);
    Ok(())
}

fn check_allowed(inode: &Inode, what: Fallocate) -> Result<()> {
    check_changeable(inode)?;
    if is_append_only(inode) && !what.only_reserves() {
        return Err(Error::NotPermitted("the file is append-only"));
    }
    Ok(())
}

/// Refuses what moves no whole blocks inside the file.
fn check_movable(inode: &Inode, what: Fallocate, range: &Range<u64>) -> Result<()> {
    let size = inode.size();
    if what == Fallocate::InsertRange {
        let len = range.end - range.start;
        truncate::check_limit(inode, size.checked_add(len).ok_or(Error::TooLarge)?)?;
    }
    let are_whole = |unit: u64| (range.start | range.end).is_multiple_of(unit);
    if inode.clusters().is_some() && !are_whole(iomap::BLOCK_SIZE * cluster_blocks(inode)) {
        return Err(Error::Unsupported(
            "moving a part of a compressed cluster".to_owned(),
        ));
    }
    let behind = match what {
        Fallocate::InsertRange => range.start,
        _ => range.end,
    };
    if behind >= size {
        return Err(Error::Invalid("the range does not end inside the file"));
    }
    if !are_whole(iomap::BLOCK_SIZE) {
        return Err(Error::Invalid("only whole blocks are moved"));
    }
    Ok(())
}

/// Blocks that are changed only together.
fn cluster_blocks(inode: &Inode) -> u64 {
    inode.clusters().map_or(1, |c| c.blocks)
}

/// The bytes of an inline file have no slots: they get a block.
fn leave_inline(fs: &Fs, inode: &Arc<Inode>) -> Result<()> {
    if inline::is_inline(&inode.tree.lock()) {
        let op = fs.start_op();
        truncate::convert_inline(fs, inode, &op)?;
        fs.note_dirty(inode);
    }
    Ok(())
}

fn blocks_touched(range: &Range<u64>) -> Range<u64> {
    range.start / iomap::BLOCK_SIZE..range.end.div_ceil(iomap::BLOCK_SIZE)
}

/// The blocks of a range of whole ones.
fn blocks_of(bytes: &Range<u64>) -> Range<u64> {
    bytes.start / iomap::BLOCK_SIZE..bytes.end / iomap::BLOCK_SIZE
}

fn punch(fs: &Fs, inode: &Arc<Inode>, range: &Range<u64>) -> Result<()> {
    let whole = space::whole_units(inode, range);
    check_edge_room(fs, inode)?;
    if *range != whole {
        fs.take_saved(inode)?;
    }
    space::zero_edges(fs, inode, range, &whole)?;
    space::free(fs, inode, &blocks_of(&whole))
}

fn zero(fs: &Fs, inode: &Arc<Inode>, range: &Range<u64>) -> Result<()> {
    let whole = space::whole_units(inode, range);
    check_edge_room(fs, inode)?;
    // First what may fail for want of space: then the file is as it was.
    space::reserve(fs, inode, blocks_touched(range))?;
    space::zero_edges(fs, inode, range, &whole)?;
    space::unwrite(fs, inode, blocks_of(&whole))
}

/// The units at both ends are written anew.
fn check_edge_room(fs: &Fs, inode: &Inode) -> Result<()> {
    fs.check_room(2 * cluster_blocks(inode))
}

fn collapse(fs: &Fs, inode: &Arc<Inode>, range: &Range<u64>) -> Result<()> {
    let removed = blocks_of(range);
    let change = Shift {
        tail: removed.end..end_block(inode),
        target: removed.start,
        removed,
    };
    shift::shift(fs, inode, &change, inode.size() - (range.end - range.start))
}

fn insert(fs: &Fs, inode: &Arc<Inode>, range: &Range<u64>) -> Result<()> {
    let hole = blocks_of(range);
    let change = Shift {
        removed: hole.start..hole.start,
        tail: hole.start..end_block(inode),
        target: hole.end,
    };
    shift::shift(fs, inode, &change, inode.size() + (range.end - range.start))
}

/// The block, or the first block of the cluster, behind the end of the file.
fn end_block(inode: &Inode) -> u64 {
    let blocks = inode.size().div_ceil(iomap::BLOCK_SIZE);
    blocks.next_multiple_of(cluster_blocks(inode))
}

/// Notes that blocks behind the end are there on purpose (kernel: `file_set_keep_isize`).
fn mark_kept_size(inode: &Inode, end: u64) {
    if end > inode.size() {
        let mut tree = inode.tree.lock();
        let advise = tree.inode.advise() | Advise::KEEP_SIZE;
        tree.inode_mut().set_advise(advise);
    }
}
