//! One area of entries: the inline area or a block of the directory.

use crate::data::DataOps;
use crate::error::Result;
use crate::inode::Inode;
use crate::node::Span;
use f2fs_format::dentry::Layout;
use f2fs_format::path::mappable_blocks;
use f2fs_format::{BLOCK_SIZE, Block, InlineFlags};
use std::sync::atomic::Ordering;

/// Slots looked at under one search for the next block.
const SLOTS_AT_ONCE: usize = 64;

/// Whether the directory's entries are in its inode block.
pub(super) fn is_inline(dir: &Inode) -> bool {
    dir.tree
        .lock()
        .inode
        .inline()
        .contains(InlineFlags::INLINE_DENTRY)
}

/// A copy of the inline area and its layout.
pub(super) fn inline_area(dir: &Inode) -> (Vec<u8>, Layout) {
    let tree = dir.tree.lock();
    (
        tree.inode.inline_data_area().to_vec(),
        tree.inode.inline_dentry_layout(),
    )
}

/// Stores the inline area.
pub(super) fn store_inline(dir: &Inode, area: &[u8]) {
    dir.tree
        .lock()
        .inode_mut()
        .inline_data_area_mut()
        .copy_from_slice(area);
}

/// Blocks of the directory, by its size.
pub(super) fn block_count(dir: &Inode) -> u64 {
    dir.size().div_ceil(BLOCK_SIZE as u64)
}

/// The first block from `from` on that is not absent. A wrong size costs no more than the nodes
/// there are.
pub(super) fn next_used(ops: &DataOps<'_>, from: u64) -> Result<Option<u64>> {
    let mut tree = ops.inode.tree.lock();
    let (first, others) = (tree.inode.addrs_in_inode(), tree.inode.addrs_per_dnode());
    let end = block_count(ops.inode).min(mappable_blocks(first, others));
    let mut at = from;
    while at < end {
        let (len, used) = match tree.slots(ops.fs, at, SLOTS_AT_ONCE)? {
            Span::Hole(len) => (len, None),
            Span::Slots(slots) => (slots.len() as u64, slots.iter().position(|&raw| raw != 0)),
        };
        if let Some(index) = used {
            let found = at + index as u64;
            return Ok((found < end).then_some(found));
        }
        at += len;
    }
    Ok(None)
}

/// Looks at block `index` where it lies in the cache; absent blocks are zeros, which is an area without entries.
pub(super) fn with<R>(
    ops: &DataOps<'_>,
    index: u64,
    look: impl FnOnce(&[u8]) -> Result<R>,
) -> Result<R> {
    if index >= block_count(ops.inode) {
        return look(&[0; BLOCK_SIZE]);
    }
    let pos = index * BLOCK_SIZE as u64;
    let folio = iomap::read_folio(ops, pos)?;
    let at = (pos - folio.pos()) as usize;
    look(&folio.read(at..at + BLOCK_SIZE))
}

/// A copy of block `index`.
pub(super) fn read(ops: &DataOps<'_>, index: u64) -> Result<Box<Block>> {
    let mut block = Box::new([0; BLOCK_SIZE]);
    with(ops, index, |area| {
        block.copy_from_slice(area);
        Ok(())
    })?;
    Ok(block)
}

/// Writes block `index` through the cache; it reaches the volume with the next checkpoint. The directory grows to
/// hold it.
pub(super) fn write(ops: &DataOps<'_>, index: u64, block: &Block) -> Result<()> {
    let start = index * BLOCK_SIZE as u64;
    let end = start + BLOCK_SIZE as u64;
    iomap::buffered_write(ops, start..end, &mut &block[..]).map_err(|(_, error)| error)?;
    ops.fs.dirty_entries.fetch_add(1, Ordering::Relaxed);
    let mut tree = ops.inode.tree.lock();
    if end > tree.inode.size() {
        tree.inode_mut().set_size(end);
    }
    Ok(())
}
