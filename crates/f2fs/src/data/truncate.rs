//! Changing the size of a file (kernel: `f2fs_truncate`, `f2fs_truncate_partial_cluster`).
//!
//! Shrinking happens within one operation: bytes behind the new end are zeroed, the block or cluster that the end
//! cuts is written, then everything behind is freed. So no checkpoint ever shows old bytes behind the end, and a
//! read error in the cut cluster is met before anything is changed.

use crate::data::flush::flush_pages_in_op;
use crate::data::inline;
use crate::data::ops::DataOps;
use crate::error::{Error, Result};
use crate::fs::{Fs, OpGuard};
use crate::inode::{ClusterLayout, Inode};
use crate::node::{Span, Tree};
use crate::options::Space;
use f2fs_format::node::ADDRS_PER_BLOCK;
use f2fs_format::path::mappable_blocks;
use f2fs_format::{BLOCK_SIZE, ClusterSlots, InlineFlags, Slot};
use std::sync::Arc;

const BLOCK: u64 = BLOCK_SIZE as u64;

/// Sets the size of a regular file. The caller holds the inode's lock exclusively and has made room.
pub(crate) fn set_size(fs: &Fs, inode: &Arc<Inode>, size: u64) -> Result<()> {
    check_limit(inode, size)?;
    check_released(fs, inode, size)?;
    let op = fs.start_op();
    // Before the change, for one that fails half way has changed something too.
    fs.note_dirty(inode);
    if size <= inode.size() {
        // Also to the size it has: space reserved behind the end goes.
        shrink(fs, inode, size, &op)?;
    } else {
        grow(fs, inode, size, &op)?;
    }
    let mut tree = inode.tree.lock();
    tree.inode_mut().set_size(size);
    Ok(())
}

/// Refuses a size that the file cannot have.
pub(crate) fn check_limit(inode: &Inode, size: u64) -> Result<()> {
    if size > size_max(inode) {
        Err(Error::TooLarge)
    } else {
        Ok(())
    }
}

/// The largest size: what the file's node tree can map, and the kernel can reach. The kernel does not count the slots
/// of the inode (`max_file_blocks`).
pub(crate) fn size_max(inode: &Inode) -> u64 {
    let tree = inode.tree.lock();
    let (first, others) = (tree.inode.addrs_in_inode(), tree.inode.addrs_per_dnode());
    let reachable = mappable_blocks(0, ADDRS_PER_BLOCK as u32);
    mappable_blocks(first, others).min(reachable) * BLOCK
}

fn grow(fs: &Fs, inode: &Arc<Inode>, size: u64, op: &OpGuard<'_>) -> Result<()> {
    let outgrows = {
        let tree = inode.tree.lock();
        inline::is_inline(&tree) && size > inline::capacity(&tree)
    };
    if outgrows {
        convert_inline(fs, inode, op)?;
    }
    zero_old_end(fs, inode, size, Some(op))?;
    inode.set_size(size);
    Ok(())
}

/// Zeroes what lies behind the end of the file in its last block, before the file grows over it: another writer
/// of the volume may have left something there.
pub(crate) fn zero_old_end(
    fs: &Fs,
    inode: &Arc<Inode>,
    new_size: u64,
    op: Option<&OpGuard<'_>>,
) -> Result<()> {
    let old = inode.size();
    let block_end = old.next_multiple_of(BLOCK);
    if old == block_end || new_size <= old {
        return Ok(());
    }
    let ops = op.map_or_else(
        || DataOps::new(fs, inode),
        |op| DataOps::with_op(fs, inode, op),
    );
    if inline::is_inline(&inode.tree.lock()) {
        return Ok(()); // Kept zero by the inline area's own rules.
    }
    iomap::zero_range(&ops, old..block_end.min(new_size))
}

fn shrink(fs: &Fs, inode: &Arc<Inode>, size: u64, op: &OpGuard<'_>) -> Result<()> {
    let blocks = size.div_ceil(BLOCK);
    if inline::is_inline(&inode.tree.lock()) {
        return shrink_inline(fs, inode, size, op);
    }
    let ops = DataOps::with_op(fs, inode, op);
    let cut = cut_cluster(&ops, inode, size)?;
    if !size.is_multiple_of(BLOCK) {
        iomap::zero_range(&ops, size..(blocks * BLOCK).min(inode.size()))?;
    }
    if let Some(first) = cut {
        iomap::rewrite_range(&ops, first * BLOCK..blocks * BLOCK)?;
    }
    let old_size = inode.size();
    inode.set_size(size);
    inode.mapping.truncate(blocks);
    inode.bump_cookie();
    let from = cut.unwrap_or(blocks.saturating_sub(1));
    let flushed = flush_pages_in_op(fs, inode, from..blocks, op);
    let mut tree = inode.tree.lock();
    if let Err(error) = flushed.and_then(|()| tree.truncate(fs, blocks)) {
        // Not the new size: blocks that are left behind it would show again when the file grows. Dirty bytes behind it
        // are gone, so nothing else tells the volume how far the file reaches.
        inode.set_size(old_size);
        tree.inode_mut().set_size(old_size);
        return Err(error);
    }
    if size == 0 {
        forget_release(fs, &mut tree);
    }
    if tree.inode.ext().is_some() {
        tree.inode_mut().clear_ext();
    }
    Ok(())
}

/// A file whose saved blocks were released cannot be written: no end inside a cluster, since it would be written anew.
/// It takes them again where the volume's options let it.
fn check_released(fs: &Fs, inode: &Arc<Inode>, size: u64) -> Result<()> {
    let unit = inode.clusters().map_or(1, |c| c.blocks) * BLOCK;
    let old = inode.size();
    let is_whole = size.is_multiple_of(unit);
    if !inode.tree.lock().is_released() {
        return Ok(());
    }
    match fs.options.space {
        Space::Reserve if is_whole => Ok(()),
        Space::Reserve => Err(Error::Invalid(
            "the file's compressed blocks were released: only whole clusters can be cut off",
        )),
        // What lies behind the old end in its block is zeroed.
        Space::Release if is_whole && (size <= old || old.is_multiple_of(BLOCK)) => Ok(()),
        Space::Release => fs.take_saved(inode),
    }
}

/// First block of the compressed cluster that the new end cuts at a block before its last.
fn cut_cluster(ops: &DataOps<'_>, inode: &Inode, size: u64) -> Result<Option<u64>> {
    let Some(ClusterLayout { blocks: len, .. }) = inode.clusters() else {
        return Ok(None);
    };
    let blocks = size.div_ceil(BLOCK);
    let first = blocks / len * len;
    if blocks == first {
        return Ok(None);
    }
    let mut tree = inode.tree.lock();
    let Span::Slots(slots) = tree.slots(ops.fs, first, len as usize)? else {
        return Ok(None);
    };
    let is_compressed = ClusterSlots::classify(&slots)? != ClusterSlots::Raw;
    Ok(is_compressed.then_some(first))
}

/// An empty file has nothing released any more.
fn forget_release(fs: &Fs, tree: &mut Tree) {
    if tree.is_released() {
        tree.note_unfit(fs);
        let inline = tree.inode.inline() - InlineFlags::COMPRESS_RELEASED;
        tree.inode_mut().set_inline(inline);
    }
}

fn shrink_inline(fs: &Fs, inode: &Arc<Inode>, size: u64, op: &OpGuard<'_>) -> Result<()> {
    // The newest bytes are in the folio; they go to the inode block first.
    flush_pages_in_op(fs, inode, 0..1, op)?;
    inode.set_size(size);
    inode.mapping.truncate(0);
    let mut tree = inode.tree.lock();
    let area = tree.inode_mut().inline_data_area_mut();
    if let Some(rest) = area.get_mut(size as usize..) {
        rest.fill(0);
    }
    Ok(())
}

/// Moves the bytes of an inline file to a block of its own. One step for the volume: the block is written before
/// the inode block forgets the bytes (kernel: `f2fs_convert_inline_inode`).
pub(crate) fn convert_inline(fs: &Fs, inode: &Arc<Inode>, op: &OpGuard<'_>) -> Result<()> {
    // Brings the folio up to date with the inode block, or finds it newer.
    let ops = DataOps::with_op(fs, inode, op);
    let size = inode.size();
    let mut bytes = vec![0; size.min(BLOCK) as usize];
    iomap::buffered_read(&ops, 0, &mut bytes, &mut pagecache::Readahead::new(0))?;
    let has_data = size > 0;
    {
        let mut tree = inode.tree.lock();
        if has_data {
            tree.reserve_blocks(fs, 1)?;
        }
        let flags = tree.inode.inline() - (InlineFlags::INLINE_DATA | InlineFlags::DATA_EXIST);
        let block = tree.inode_mut();
        block.inline_data_area_mut().fill(0);
        block.set_inline(flags);
        if has_data {
            block.set_slot(0, Slot::New.to_raw());
        }
    }
    inode.bump_cookie();
    if !has_data {
        return Ok(());
    }
    let written = iomap::buffered_write(&ops, 0..bytes.len() as u64, &mut &bytes[..])
        .map(|_| ())
        .map_err(|(_, error)| error)
        .and_then(|()| flush_pages_in_op(fs, inode, 0..1, op));
    if let Err(error) = written {
        restore_inline(fs, inode, &bytes)?;
        return Err(error);
    }
    Ok(())
}

/// Undoes a conversion whose block could not be written. `bytes` is the file's content, which may be newer than
/// what its inode block held.
fn restore_inline(fs: &Fs, inode: &Inode, bytes: &[u8]) -> Result<()> {
    inode.mapping.truncate(0);
    let mut tree = inode.tree.lock();
    let raw = tree.inode.slot(0);
    tree.free_slot(fs, raw)?;
    let flags = tree.inode.inline() | InlineFlags::INLINE_DATA | InlineFlags::DATA_EXIST;
    let block = tree.inode_mut();
    block.set_slot(0, 0);
    block.set_inline(flags);
    let area = block.inline_data_area_mut();
    let len = bytes.len().min(area.len());
    area[..len].copy_from_slice(&bytes[..len]);
    area[len..].fill(0);
    drop(tree);
    inode.bump_cookie();
    Ok(())
}
