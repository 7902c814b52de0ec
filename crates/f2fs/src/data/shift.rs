//! Taking a range out of a file, or inserting a hole (kernel: `f2fs_collapse_range`, `f2fs_insert_range`).
//!
//! What lies behind the range is copied to new blocks, whose summaries name their new slots, then all slots change
//! together, in one operation. So a power cut shows the file as it was or as it is afterwards, and no summary of a
//! block that the last checkpoint knows is rewritten in place. The copy needs as much free space as it is long.
//!
//! Blocks are copied as they are, so compressed clusters move whole.
//!
//! # Locking
//! The caller holds the inode's lock exclusively. OP is held from the first slot read to the last one written.

use crate::data::copies::write_copies;
use crate::data::fallocate::{clear_ext, for_each_node, make_room};
use crate::data::flush::flush_pages;
use crate::data::ops::DataOps;
use crate::data::policy;
use crate::data::writeback::{add_owners, addrs_of, free_old};
use crate::error::Result;
use crate::fs::Fs;
use crate::inode::Inode;
use crate::node::{Emptied, Missing, Span, Tree};
use crate::segment::BlockRun;
use f2fs_format::Slot;
use std::ops::Range;
use std::sync::Arc;

/// Blocks copied at a time: 4 MiB.
const COPY_BLOCKS: u32 = 1024;
/// More slots than any node holds.
const SLOTS_MAX: usize = 1024;

/// A move of file blocks; all of it in whole blocks, or whole clusters of a compressed file.
#[derive(Clone, Debug)]
pub(crate) struct Shift {
    /// Blocks that are freed first; they end where the tail begins.
    pub(crate) removed: Range<u64>,
    /// Blocks that move.
    pub(crate) tail: Range<u64>,
    /// Where the first of them goes.
    pub(crate) target: u64,
}

/// Slots of one kind, on their way; blocks are contiguous on the device.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// First file block where they go.
    target: u64,
    len: u64,
    first: Slot,
}

impl Piece {
    fn end(&self) -> u64 {
        self.target + self.len
    }

    /// The slot after the last, if it is one more of these.
    fn takes(&self, target: u64, slot: Slot) -> bool {
        let continues = match (self.first, slot) {
            (Slot::Block(first), Slot::Block(next)) => {
                first.checked_add(self.len as u32) == Some(next)
            }
            (first, next) => first == next,
        };
        continues && self.end() == target
    }
}

/// Moves the tail of a file. `new_size` is the size afterwards.
pub(crate) fn shift(fs: &Fs, inode: &Arc<Inode>, shift: &Shift, new_size: u64) -> Result<()> {
    let first = shift.removed.start.min(shift.tail.start);
    flush_pages(fs, inode, 0..u64::MAX)?;
    make_room_for(fs, inode, shift)?;
    let op = fs.start_op();
    // Nobody makes new ones while the inode is locked.
    inode.mapping.truncate(first);
    let ops = DataOps::with_op(fs, inode, &op);
    fs.note_dirty(inode);
    let pieces = {
        let mut tree = inode.tree.lock();
        // Space reserved behind the end goes, as with every change of the size.
        tree.truncate(fs, shift.tail.end)?;
        let pieces = pieces(fs, &mut tree, shift)?;
        for piece in &pieces {
            for_each_node(fs, &mut tree, piece.target..piece.end(), |_, _| Ok(()))?;
        }
        pieces
    };
    let mut copied = Vec::new();
    if let Err(error) = copy(&ops, &pieces, &mut copied) {
        for block in copied.into_iter().flat_map(addrs_of) {
            fs.meta.segments.invalidate(block)?;
        }
        return Err(error);
    }
    let mut tree = inode.tree.lock();
    if let Err(error) = exchange(fs, &mut tree, shift, &pieces, &copied) {
        // Slots and valid maps may disagree now; no checkpoint must ever say so.
        fs.meta.device.stop(format!("moving blocks: {error}"));
        return Err(error);
    }
    inode.set_size(new_size);
    tree.inode_mut().set_size(new_size);
    drop(tree);
    inode.bump_cookie();
    Ok(())
}

/// Makes room for the copies, and for the nodes that lose or get slots.
fn make_room_for(fs: &Fs, inode: &Inode, shift: &Shift) -> Result<()> {
    let (present, per_node) = {
        let tree = inode.tree.lock();
        (tree.inode.blocks(), u64::from(tree.inode.addrs_per_dnode()))
    };
    let len = shift.tail.end - shift.tail.start;
    let moved = present.min(len);
    fs.check_room(moved)?;
    make_room(fs, 2 * moved.min(len.div_ceil(per_node)) + 4)
}

/// The slots of the tail that are not holes.
fn pieces(fs: &Fs, tree: &mut Tree, shift: &Shift) -> Result<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut at = shift.tail.start;
    while at < shift.tail.end {
        let left = shift.tail.end - at;
        match tree.slots(fs, at, SLOTS_MAX.min(left as usize))? {
            Span::Hole(len) => at += len.min(left),
            Span::Slots(slots) => {
                for raw in slots {
                    let (target, slot) =
                        (at - shift.tail.start + shift.target, Slot::from_raw(raw));
                    match pieces.last_mut() {
                        Some(last) if last.takes(target, slot) => last.len += 1,
                        _ if slot == Slot::Hole => {}
                        _ => pieces.push(Piece {
                            target,
                            len: 1,
                            first: slot,
                        }),
                    }
                    at += 1;
                }
            }
        }
    }
    Ok(pieces)
}

/// Blocks that lie together on the device, and where in the file their copies go.
#[derive(Clone, Copy, Debug)]
struct Copy {
    from: BlockRun,
    target: u64,
}

/// Copies the blocks of all pieces; adds their new places to `copied`, also before an error.
fn copy(ops: &DataOps<'_>, pieces: &[Piece], copied: &mut Vec<BlockRun>) -> Result<()> {
    let mut batch = Vec::new();
    let mut room = COPY_BLOCKS;
    for piece in pieces {
        let Slot::Block(first) = piece.first else {
            continue;
        };
        let mut done = 0;
        while done < piece.len {
            let count = (piece.len - done).min(room.into()) as u32;
            let start = ops
                .fs
                .meta
                .geometry
                .main_run(first.get() + done as u32, count)?;
            ops.fs.meta.segments.check_valid(start, count)?;
            batch.push(Copy {
                from: BlockRun { start, count },
                target: piece.target + done,
            });
            done += u64::from(count);
            room -= count;
            if room == 0 {
                copy_batch(ops, &std::mem::take(&mut batch), copied)?;
                room = COPY_BLOCKS;
            }
        }
    }
    copy_batch(ops, &batch, copied)
}

fn copy_batch(ops: &DataOps<'_>, batch: &[Copy], copied: &mut Vec<BlockRun>) -> Result<()> {
    let device = &ops.fs.meta.device;
    let mut owners = Vec::new();
    let mut bytes = Vec::new();
    let mut tree = ops.inode.tree.lock();
    for Copy { from, target } in batch {
        add_owners(ops, &mut tree, *target, from.count as usize, &mut owners)?;
    }
    let log = policy::data_log(&tree.inode);
    drop(tree);
    for Copy { from, .. } in batch {
        bytes.extend(device.read_blocks(from.start, from.count)?);
    }
    let runs = ops.fs.meta.segments.allocate(log, &owners)?;
    copied.extend(&runs);
    write_copies(ops.fs, &bytes, &runs)
}

/// Points the slots at their blocks' copies. Counts pass from the old slots to the new ones.
fn exchange(
    fs: &Fs,
    tree: &mut Tree,
    shift: &Shift,
    pieces: &[Piece],
    copied: &[BlockRun],
) -> Result<()> {
    clear_ext(tree);
    tree.note_unfit(fs);
    // The summaries of the copies name the nodes as they are.
    tree.free_blocks(fs, &shift.removed, Emptied::Keep)?;
    empty_slots(fs, tree, &shift.tail)?;
    let mut copies = copied.iter().copied().flat_map(addrs_of);
    for piece in pieces {
        for_each_node(fs, tree, piece.target..piece.end(), |tree, part| {
            let mut slots = tree.change(fs, part.start, Missing::Fail)?;
            for i in 0..(part.end - part.start) as usize {
                let slot = match piece.first {
                    Slot::Block(_) => Slot::Block(copies.next().expect("each block has its copy")),
                    slot => slot,
                };
                slots.set(i, slot.to_raw());
            }
            Ok(())
        })?;
    }
    // The nodes that the tail has left.
    let end = shift.target + (shift.tail.end - shift.tail.start);
    tree.truncate(fs, end)
}

/// Empties the slots of a range and frees their blocks; what they count is kept.
fn empty_slots(fs: &Fs, tree: &mut Tree, blocks: &Range<u64>) -> Result<()> {
    let mut at = blocks.start;
    while at < blocks.end {
        let left = blocks.end - at;
        if let Span::Hole(len) = tree.slots(fs, at, 1)? {
            at += len.min(left);
            continue;
        }
        let mut slots = tree.change(fs, at, Missing::Fail)?;
        let len = slots.len().min(left as usize);
        for i in 0..len {
            free_old(fs, slots.get(i))?;
            slots.set(i, Slot::Hole.to_raw());
        }
        at += len as u64;
    }
    Ok(())
}
