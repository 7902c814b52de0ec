//! Finding names.

use super::block;
use super::list::SLOTS_PER_POSITION;
use super::name::{Wanted, folded_hash};
use crate::data::DataOps;
use crate::error::Result;
use crate::fs::Fs;
use crate::inode::Inode;
use f2fs_format::dentry::{Dentry, DentryView, Layout};
use f2fs_format::hash::{
    MAX_DIR_HASH_DEPTH, bucket_at, bucket_blocks, bucket_of, buckets, first_block,
};
use f2fs_format::{FileType, Ino};
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

/// Finds a name; `.` and `..` too.
pub(crate) fn lookup(fs: &Fs, dir: &Arc<Inode>, name: &[u8]) -> Result<Option<Found>> {
    find(fs, dir, &Wanted::new(fs, dir, name)?)
}

/// Finds a name as an inode keeps it: see [`Wanted::stored`].
pub(crate) fn lookup_stored(
    fs: &Fs,
    dir: &Arc<Inode>,
    name: &[u8],
    kept_hash: u32,
) -> Result<Option<Found>> {
    find(fs, dir, &Wanted::stored(fs, dir, name, kept_hash)?)
}

fn find(fs: &Fs, dir: &Arc<Inode>, wanted: &Wanted<'_>) -> Result<Option<Found>> {
    let found = find_by_hash(fs, dir, wanted)?;
    if found.is_some() || !wanted.ignores_case || dir.are_hashes_right() {
        return Ok(found);
    }
    find_anywhere(fs, dir, wanted)
}

fn find_by_hash(fs: &Fs, dir: &Arc<Inode>, wanted: &Wanted<'_>) -> Result<Option<Found>> {
    let matches = |d: &Dentry<'_>| d.hash == wanted.hash && wanted.matches(d);
    if block::is_inline(dir) {
        let (area, layout) = block::inline_area(dir);
        return find_in(fs, DentryView::new(&area, layout)?, Place::Inline, matches);
    }
    let ops = DataOps::new(fs, dir);
    let (depth, dir_level) = levels(dir);
    for level in 0..depth {
        let start = first_block(level, dir_level, bucket_of(wanted.hash, level, dir_level));
        for index in start..start + u64::from(bucket_blocks(level)) {
            if index >= block::block_count(dir) {
                break;
            }
            let found = block::with(&ops, index, |area| {
                let view = DentryView::new(area, Layout::BLOCK)?;
                find_in(fs, view, Place::Block(index), matches)
            })?;
            if found.is_some() {
                return Ok(found);
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

/// Looks at every entry of a directory that ignores case, as the kernel does: some of its versions hashed some
/// names otherwise. If no entry is like that, the next search for a name that is not there is spared this.
fn find_anywhere(fs: &Fs, dir: &Arc<Inode>, wanted: &Wanted<'_>) -> Result<Option<Found>> {
    let mut right = true;
    let matches = |d: &Dentry<'_>| wanted.matches(d);
    if block::is_inline(dir) {
        let (area, layout) = block::inline_area(dir);
        let view = DentryView::new(&area, layout)?;
        right &= view.entries().flatten().all(|d| is_hash_right(&d));
        let found = find_in(fs, view, Place::Inline, matches)?;
        note_hashes(dir, right);
        return Ok(found);
    }
    let ops = DataOps::new(fs, dir);
    let levels = levels(dir);
    let mut next = 0;
    while let Some(index) = block::next_used(&ops, next)? {
        next = index + 1;
        let found = block::with(&ops, index, |area| {
            let view = DentryView::new(area, Layout::BLOCK)?;
            let mut entries = view.entries().flatten();
            right &= entries.all(|d| is_hash_right(&d) && is_at_home(levels, index, &d));
            find_in(fs, view, Place::Block(index), matches)
        })?;
        if found.is_some() {
            return Ok(found);
        }
    }
    note_hashes(dir, right);
    Ok(None)
}

fn is_hash_right(dentry: &Dentry<'_>) -> bool {
    dentry.hash == folded_hash(dentry.name)
}

/// Whether a search by hash comes to the block of this entry.
fn is_at_home((depth, dir_level): (u32, u8), index: u64, dentry: &Dentry<'_>) -> bool {
    let (level, bucket) = bucket_at(index, dir_level);
    level < depth && (dentry.is_dot() || dentry.hash % buckets(level, dir_level) == bucket)
}

fn note_hashes(dir: &Inode, right: bool) {
    if right {
        dir.note_hashes_right();
    }
}

fn find_in(
    fs: &Fs,
    view: DentryView<'_>,
    place: Place,
    matches: impl Fn(&Dentry<'_>) -> bool,
) -> Result<Option<Found>> {
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

/// The hash that a name has in a directory.
pub(crate) fn hash_of(fs: &Fs, dir: &Inode, name: &[u8]) -> Result<u32> {
    Ok(Wanted::new(fs, dir, name)?.hash)
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
        let is_empty = block::with(&ops, index, |area| {
            Ok(DentryView::new(area, Layout::BLOCK)?.is_only_dots())
        })?;
        if !is_empty {
            return Ok(false);
        }
    }
    Ok(true)
}
