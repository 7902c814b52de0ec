//! Finding names and listing directories.

use super::block;
use crate::data::DataOps;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use f2fs_format::dentry::{Dentry, DentryView, Layout};
use f2fs_format::hash::{MAX_DIR_HASH_DEPTH, bucket_blocks, bucket_of, dentry_hash, first_block};
use f2fs_format::{Advise, FileType, Ino, InodeFlags};
use std::sync::Arc;

/// Where an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Inline,
    Block(u64),
}

/// An entry that was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) ino: Ino,
    pub(crate) file_type: FileType,
    pub(super) place: Place,
    pub(super) slot: usize,
    pub(super) name_len: usize,
}

impl Found {
    /// A number for the place of the entry in its directory.
    pub(crate) fn position(&self) -> u64 {
        let block = match self.place {
            Place::Inline => 0,
            Place::Block(index) => index,
        };
        block * SLOTS_PER_POSITION + self.slot as u64
    }
}

/// One listed entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DirRecord {
    pub(crate) name: Vec<u8>,
    pub(crate) ino: Ino,
    pub(crate) file_type: FileType,
}

/// One step of a listing: an entry, or what is wrong with it.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) record: Result<DirRecord>,
    /// Where the listing goes on after this entry.
    pub(crate) next: u64,
}

/// Positions in a listing: block number and slot in it.
const SLOTS_PER_POSITION: u64 = 256;

/// Finds a name; `.` and `..` too.
pub(crate) fn lookup(fs: &Fs, dir: &Arc<Inode>, name: &[u8]) -> Result<Option<Found>> {
    let hash = dentry_hash(name);
    let differs = is_hashed_differently(dir);
    if block::is_inline(dir) {
        let (area, layout) = block::inline_area(dir);
        let hash = (!differs).then_some(hash);
        return find_in(fs, &area, layout, Place::Inline, name, hash);
    }
    let ops = DataOps::new(fs, dir);
    if differs {
        return scan(fs, &ops, name);
    }
    let (depth, dir_level) = levels(dir);
    for level in 0..depth {
        let start = first_block(level, dir_level, bucket_of(hash, level, dir_level));
        for index in start..start + u64::from(bucket_blocks(level)) {
            if index >= block::block_count(dir) {
                break;
            }
            let area = block::read(&ops, index)?;
            let place = Place::Block(index);
            if let Some(found) = find_in(fs, &area[..], Layout::BLOCK, place, name, Some(hash))? {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

/// Depth and `i_dir_level` of a directory of blocks.
pub(super) fn levels(dir: &Inode) -> (u32, u8) {
    let tree = dir.tree.lock();
    (
        tree.inode.current_depth().clamp(1, MAX_DIR_HASH_DEPTH),
        tree.inode.dir_level(),
    )
}

/// Case-insensitive and encrypted directories hash something other than the stored bytes.
fn is_hashed_differently(dir: &Inode) -> bool {
    let tree = dir.tree.lock();
    tree.inode.flags().contains(InodeFlags::CASEFOLD)
        || tree.inode.advise().contains(Advise::ENCRYPT)
}

fn scan(fs: &Fs, ops: &DataOps<'_>, name: &[u8]) -> Result<Option<Found>> {
    let mut next = 0;
    while let Some(index) = block::next_used(ops, next)? {
        next = index + 1;
        let area = block::read(ops, index)?;
        let place = Place::Block(index);
        if let Some(found) = find_in(fs, &area[..], Layout::BLOCK, place, name, None)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn find_in(
    fs: &Fs,
    area: &[u8],
    layout: Layout,
    place: Place,
    name: &[u8],
    hash: Option<u32>,
) -> Result<Option<Found>> {
    let view = DentryView::new(area, layout)?;
    let matches = |d: &Dentry<'_>| d.name == name && hash.is_none_or(|h| h == d.hash);
    let Some(dentry) = view.entries().flatten().find(matches) else {
        return Ok(None);
    };
    Ok(Some(Found {
        ino: fs.meta.geometry.nid(dentry.ino.get())?,
        file_type: dentry.file_type,
        place,
        slot: dentry.slot,
        name_len: dentry.name.len(),
    }))
}

/// Whether it holds nothing but `.` and `..`.
pub(crate) fn is_empty(fs: &Fs, dir: &Arc<Inode>) -> Result<bool> {
    if block::is_inline(dir) {
        let (area, layout) = block::inline_area(dir);
        return Ok(DentryView::new(&area, layout)?.is_only_dots());
    }
    let ops = DataOps::new(fs, dir);
    let mut next = 0;
    while let Some(index) = block::next_used(&ops, next)? {
        next = index + 1;
        let area = block::read(&ops, index)?;
        if !DentryView::new(&area[..], Layout::BLOCK)?.is_only_dots() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Up to `max` entries from a position on (0 is the start), without `.` and `..`. Fewer means the end.
///
/// A damaged entry is one error in the list; those behind it follow.
///
/// # Errors
/// [`Error::Unsupported`] for an encrypted directory, whose names may hold any byte.
pub(crate) fn list(fs: &Fs, dir: &Arc<Inode>, from: u64, max: usize) -> Result<Vec<Listed>> {
    if dir.tree.lock().inode.advise().contains(Advise::ENCRYPT) {
        let what = "listing an encrypted directory without its key";
        return Err(Error::Unsupported(what.to_owned()));
    }
    let mut listed = Vec::new();
    if block::is_inline(dir) {
        let (area, layout) = block::inline_area(dir);
        list_area(fs, &area, layout, 0, from, max, &mut listed)?;
        return Ok(listed);
    }
    let ops = DataOps::new(fs, dir);
    let mut next = from / SLOTS_PER_POSITION;
    while let Some(index) = block::next_used(&ops, next)? {
        let is_first = index == from / SLOTS_PER_POSITION;
        let slot = if is_first {
            from % SLOTS_PER_POSITION
        } else {
            0
        };
        let area = block::read(&ops, index)?;
        list_area(fs, &area[..], Layout::BLOCK, index, slot, max, &mut listed)?;
        if listed.len() >= max {
            break;
        }
        next = index + 1;
    }
    Ok(listed)
}

fn list_area(
    fs: &Fs,
    area: &[u8],
    layout: Layout,
    index: u64,
    slot: u64,
    max: usize,
    listed: &mut Vec<Listed>,
) -> Result<()> {
    let view = DentryView::new(area, layout)?;
    let mut entries = view.entries_from(slot as usize);
    while listed.len() < max {
        let Some(entry) = entries.next() else { break };
        if entry.as_ref().is_ok_and(Dentry::is_dot) {
            continue;
        }
        let next = index * SLOTS_PER_POSITION + entries.slot() as u64;
        let record = entry
            .map_err(Error::from)
            .and_then(|dentry| record(fs, &dentry));
        listed.push(Listed { record, next });
    }
    Ok(())
}

fn record(fs: &Fs, dentry: &Dentry<'_>) -> Result<DirRecord> {
    dentry.check_name()?;
    Ok(DirRecord {
        name: dentry.name.to_vec(),
        ino: fs.meta.geometry.nid(dentry.ino.get())?,
        file_type: dentry.file_type,
    })
}
