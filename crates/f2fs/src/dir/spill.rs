//! A directory leaves its inode block (kernel: `f2fs_convert_inline_dir`).

use super::block;
use super::insert::insert_hashed;
use super::lookup::levels;
use crate::data::DataOps;
use crate::error::{Error, Result};
use crate::fs::{Fs, OpGuard};
use crate::inode::Inode;
use f2fs_format::dentry::{DentryView, DentryViewMut, DirEntry, Layout};
use f2fs_format::{BLOCK_SIZE, InlineFlags};
use std::sync::Arc;

/// Moves the entries of the inode block to blocks.
pub(crate) fn spill(fs: &Fs, op: &OpGuard<'_>, dir: &Arc<Inode>) -> Result<()> {
    let (area, layout) = block::inline_area(dir);
    let view = DentryView::new(&area, layout)?;
    let size = dir.size();
    let (_, dir_level) = levels(dir);
    start_blocks(dir);
    let ops = DataOps::with_op(fs, dir, op);
    // The first level of most directories is one bucket: the first block takes any name, so each stays in its slot.
    let moved = if dir_level == 0 {
        copy_slots(&ops, view)
    } else {
        sort_anew(&ops, view)
    };
    if let Err(error) = moved {
        undo(fs, dir, &area, size)?;
        return Err(error);
    }
    Ok(())
}

fn copy_slots(ops: &DataOps<'_>, from: DentryView<'_>) -> Result<()> {
    let mut block = Box::new([0; BLOCK_SIZE]);
    DentryViewMut::new(&mut block[..], Layout::BLOCK)?.copy_slots(from);
    block::write(ops, 0, &block)
}

fn sort_anew(ops: &DataOps<'_>, from: DentryView<'_>) -> Result<()> {
    // A damaged entry must not vanish silently.
    let entries: Vec<_> = from.entries().collect::<Result<_, _>>()?;
    for dentry in entries {
        let entry = DirEntry {
            hash: dentry.hash,
            ino: dentry.ino,
            file_type: dentry.file_type,
            name: dentry.name,
        };
        if dentry.is_dot() {
            insert_first(ops, &entry)?;
        } else {
            insert_hashed(ops, &entry)?;
        }
    }
    Ok(())
}

/// `.` and `..` always stand in the first block.
fn insert_first(ops: &DataOps<'_>, entry: &DirEntry<'_>) -> Result<()> {
    let mut area = block::read(ops, 0)?;
    let mut view = DentryViewMut::new(&mut area[..], Layout::BLOCK)?;
    let slot = view.view().room_for(1).ok_or(Error::NoSpace)?;
    view.insert(slot, entry);
    block::write(ops, 0, &area)
}

/// Turns an inline directory into an empty one of blocks.
fn start_blocks(dir: &Inode) {
    let mut tree = dir.tree.lock();
    let flags = tree.inode.inline() - InlineFlags::INLINE_DENTRY;
    let inode = tree.inode_mut();
    inode.inline_data_area_mut().fill(0);
    inode.set_inline(flags);
    inode.set_current_depth(1);
    inode.set_size(0);
    drop(tree);
    dir.set_size(0);
    dir.bump_cookie();
}

fn undo(fs: &Fs, dir: &Arc<Inode>, area: &[u8], size: u64) -> Result<()> {
    dir.mapping.truncate(0);
    let mut tree = dir.tree.lock();
    tree.truncate(fs, 0)?;
    let flags = tree.inode.inline() | InlineFlags::INLINE_DENTRY;
    let inode = tree.inode_mut();
    inode.set_inline(flags);
    inode.inline_data_area_mut().copy_from_slice(area);
    inode.set_size(size);
    drop(tree);
    dir.set_size(size);
    dir.bump_cookie();
    Ok(())
}
