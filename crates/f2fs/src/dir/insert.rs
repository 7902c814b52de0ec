//! Adding, changing and removing entries (kernel: `f2fs_add_regular_entry`, `f2fs_delete_entry`).

use super::block;
use super::lookup::{Found, Place, levels};
use super::name::Wanted;
use super::spill::spill;
use crate::data::DataOps;
use crate::error::{Error, Result};
use crate::fs::{Fs, OpGuard};
use crate::inode::Inode;
use f2fs_format::dentry::{DentryView, DentryViewMut, DirEntry, Layout, slots_for};
use f2fs_format::hash::{MAX_DIR_HASH_DEPTH, bucket_blocks, bucket_of, first_block};
use f2fs_format::{FileType, Ino, Slot};
use std::sync::Arc;

/// Adds an entry. The name is valid and not there yet.
pub(crate) fn insert(
    fs: &Fs,
    op: &OpGuard<'_>,
    dir: &Arc<Inode>,
    name: &[u8],
    target: &Inode,
) -> Result<()> {
    let hash = Wanted::new(fs, dir, name)?.hash;
    insert_with(fs, op, dir, (name, hash), target)
}

/// Adds an entry for a name as an inode keeps it: see [`Wanted::stored`].
pub(crate) fn insert_stored(
    fs: &Fs,
    op: &OpGuard<'_>,
    dir: &Arc<Inode>,
    (name, kept_hash): (&[u8], u32),
    target: &Inode,
) -> Result<()> {
    let hash = Wanted::stored(fs, dir, name, kept_hash)?.hash;
    insert_with(fs, op, dir, (name, hash), target)
}

fn insert_with(
    fs: &Fs,
    op: &OpGuard<'_>,
    dir: &Arc<Inode>,
    (name, hash): (&[u8], u32),
    target: &Inode,
) -> Result<()> {
    let entry = DirEntry {
        hash,
        ino: target.ino,
        file_type: target.file_type,
        name,
    };
    fs.note_dirty(dir);
    if block::is_inline(dir) {
        if insert_inline(dir, &entry)? {
            return Ok(());
        }
        spill(fs, op, dir)?;
    }
    insert_hashed(&DataOps::with_op(fs, dir, op), &entry)
}

fn insert_inline(dir: &Inode, entry: &DirEntry<'_>) -> Result<bool> {
    let (mut area, layout) = block::inline_area(dir);
    let mut view = DentryViewMut::new(&mut area, layout)?;
    let Some(slot) = view.view().room_for(slots_for(entry.name.len())) else {
        return Ok(false);
    };
    view.insert(slot, entry);
    block::store_inline(dir, &area);
    Ok(true)
}

/// Puts an entry into the first bucket with room, opening a level if there is none.
pub(super) fn insert_hashed(ops: &DataOps<'_>, entry: &DirEntry<'_>) -> Result<()> {
    let dir = ops.inode;
    let (depth, dir_level) = levels(dir);
    for level in 0..MAX_DIR_HASH_DEPTH {
        let start = first_block(level, dir_level, bucket_of(entry.hash, level, dir_level));
        for index in start..start + u64::from(bucket_blocks(level)) {
            let room = block::with(ops, index, |area| {
                let view = DentryView::new(area, Layout::BLOCK)?;
                Ok(view.room_for(slots_for(entry.name.len())))
            })?;
            let Some(slot) = room else { continue };
            let mut area = block::read(ops, index)?;
            DentryViewMut::new(&mut area[..], Layout::BLOCK)?.insert(slot, entry);
            block::write(ops, index, &area)?;
            if level >= depth {
                dir.tree.lock().inode_mut().set_current_depth(level + 1);
            }
            return Ok(());
        }
    }
    Err(Error::NoSpace)
}

/// Writes `.` and `..` of a directory that was just made.
pub(crate) fn init_dots(dir: &Inode, parent: Ino) -> Result<()> {
    let (mut area, layout) = block::inline_area(dir);
    let mut view = DentryViewMut::new(&mut area, layout)?;
    for (slot, (name, ino)) in [(&b"."[..], dir.ino), (b"..", parent)]
        .into_iter()
        .enumerate()
    {
        let entry = DirEntry {
            hash: 0,
            ino,
            file_type: FileType::Directory,
            name,
        };
        view.insert(slot, &entry);
    }
    let size = area.len() as u64;
    block::store_inline(dir, &area);
    dir.set_size(size);
    dir.tree.lock().inode_mut().set_size(size);
    Ok(())
}

/// Lets an entry name another inode.
pub(crate) fn replace(
    fs: &Fs,
    op: &OpGuard<'_>,
    dir: &Arc<Inode>,
    found: &Found,
    target: &Inode,
) -> Result<()> {
    let (ino, file_type) = (target.ino, target.file_type);
    change(fs, op, dir, found, |view| {
        view.set_ino_type(found.slot, ino, file_type);
    })
}

/// Lets `..` of a directory name another parent.
pub(crate) fn set_parent(fs: &Fs, op: &OpGuard<'_>, dir: &Arc<Inode>, parent: Ino) -> Result<()> {
    let dots = super::lookup(fs, dir, b"..")?.ok_or(Error::Invalid("a directory has no '..'"))?;
    change(fs, op, dir, &dots, |view| {
        view.set_ino_type(dots.slot, parent, FileType::Directory);
    })?;
    dir.tree.lock().inode_mut().set_pino(parent);
    Ok(())
}

/// Removes an entry. A block without entries becomes a hole, except the first.
pub(crate) fn remove(fs: &Fs, op: &OpGuard<'_>, dir: &Arc<Inode>, found: &Found) -> Result<()> {
    let mut is_empty = false;
    change(fs, op, dir, found, |view| {
        view.delete(found.slot, found.name_len);
        is_empty = view.view().is_empty();
    })?;
    match found.place {
        Place::Block(index) if is_empty && index > 0 => free_block(fs, dir, index),
        _ => Ok(()),
    }
}

fn change(
    fs: &Fs,
    op: &OpGuard<'_>,
    dir: &Arc<Inode>,
    found: &Found,
    edit: impl FnOnce(&mut DentryViewMut<'_>),
) -> Result<()> {
    fs.note_dirty(dir);
    match found.place {
        Place::Inline => {
            let (mut area, layout) = block::inline_area(dir);
            edit(&mut DentryViewMut::new(&mut area, layout)?);
            block::store_inline(dir, &area);
            Ok(())
        }
        Place::Block(index) => {
            let ops = DataOps::with_op(fs, dir, op);
            let mut area = block::read(&ops, index)?;
            edit(&mut DentryViewMut::new(&mut area[..], Layout::BLOCK)?);
            block::write(&ops, index, &area)
        }
    }
}

/// Gives the block of an empty area back.
fn free_block(fs: &Fs, dir: &Arc<Inode>, index: u64) -> Result<()> {
    use crate::node::Missing;
    dir.mapping.forget_pages(index..index + 1);
    let mut tree = dir.tree.lock();
    let raw = tree.change(fs, index, Missing::Fail)?.get(0);
    if raw == Slot::Hole.to_raw() {
        return Ok(());
    }
    tree.free_slot(fs, raw)?;
    tree.change(fs, index, Missing::Fail)?
        .set(0, Slot::Hole.to_raw());
    drop(tree);
    dir.bump_cookie();
    Ok(())
}
