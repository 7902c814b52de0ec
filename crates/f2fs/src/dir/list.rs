//! Listing directories, in steps.
//!
//! # Invariants
//! An entry keeps its position as long as it is there, also when the directory leaves its inode block (only one with
//! an `i_dir_level`, which Linux makes on request, is sorted anew then). So a listing that goes on at a position
//! gives every entry that stayed exactly once.

use super::name::is_encrypted;
use super::{block, nokey};
use crate::data::DataOps;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use f2fs_format::dentry::{Dentry, DentryView, Layout};
use f2fs_format::{FileType, Ino};
use std::sync::Arc;

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
pub(super) const SLOTS_PER_POSITION: u64 = 256;

/// Up to `max` entries from a position on (0 is the start), without `.` and `..`. Fewer means the end.
///
/// A damaged entry is one error in the list; those behind it follow.
/// Of an encrypted directory the names are those that Linux shows without the key.
pub(crate) fn list(fs: &Fs, dir: &Arc<Inode>, from: u64, max: usize) -> Result<Vec<Listed>> {
    let mut listing = Listing {
        fs,
        is_encrypted: is_encrypted(dir),
        from,
        max,
        listed: Vec::new(),
    };
    if block::is_inline(dir) {
        let (area, layout) = block::inline_area(dir);
        listing.add(DentryView::new(&area, layout)?, 0);
        return Ok(listing.listed);
    }
    let ops = DataOps::new(fs, dir);
    let mut next = from / SLOTS_PER_POSITION;
    while listing.listed.len() < max
        && let Some(index) = block::next_used(&ops, next)?
    {
        block::with(&ops, index, |area| {
            listing.add(DentryView::new(area, Layout::BLOCK)?, index);
            Ok(())
        })?;
        next = index + 1;
    }
    Ok(listing.listed)
}

struct Listing<'a> {
    fs: &'a Fs,
    is_encrypted: bool,
    from: u64,
    max: usize,
    listed: Vec<Listed>,
}

impl Listing<'_> {
    /// Adds what block `index` holds from the position on.
    fn add(&mut self, view: DentryView<'_>, index: u64) {
        let position = |slot: usize| index * SLOTS_PER_POSITION + slot as u64;
        // From the start: a name that came since then may lie across the position.
        let mut entries = view.entries();
        while self.listed.len() < self.max
            && let Some(entry) = entries.next()
        {
            let next = position(entries.slot());
            let start = entry.as_ref().map_or(next - 1, |d| position(d.slot));
            if start < self.from || entry.as_ref().is_ok_and(Dentry::is_dot) {
                continue;
            }
            let record = entry.map_err(Error::from).and_then(|d| self.record(&d));
            self.listed.push(Listed { record, next });
        }
    }

    fn record(&self, dentry: &Dentry<'_>) -> Result<DirRecord> {
        let name = if self.is_encrypted {
            nokey::of_entry(dentry.slot, dentry.hash, dentry.name)?
        } else {
            dentry.check_name()?;
            dentry.name.to_vec()
        };
        Ok(DirRecord {
            name,
            ino: self.fs.meta.geometry.nid(dentry.ino.get())?,
            file_type: dentry.file_type,
        })
    }
}
