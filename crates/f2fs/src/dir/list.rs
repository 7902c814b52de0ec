//! Listing directories, in steps.
//!
//! # Invariants
//! An entry keeps its position as long as it is there, also when the directory leaves its inode block (only one with
//! an `i_dir_level`, which Linux makes on request, is sorted anew then). So a listing that goes on at a position
//! gives every entry that stayed exactly once.

use super::block;
use crate::data::DataOps;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use f2fs_format::dentry::{Dentry, DentryView, Layout};
use f2fs_format::{Advise, FileType, Ino};
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
const SLOTS_PER_POSITION: u64 = 256;

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
        list_area(
            fs,
            DentryView::new(&area, layout)?,
            0,
            from,
            max,
            &mut listed,
        );
        return Ok(listed);
    }
    let ops = DataOps::new(fs, dir);
    let mut next = from / SLOTS_PER_POSITION;
    while listed.len() < max
        && let Some(index) = block::next_used(&ops, next)?
    {
        block::with(&ops, index, |area| {
            let view = DentryView::new(area, Layout::BLOCK)?;
            list_area(fs, view, index, from, max, &mut listed);
            Ok(())
        })?;
        next = index + 1;
    }
    Ok(listed)
}

/// Lists block `index` from position `from` on.
fn list_area(
    fs: &Fs,
    view: DentryView<'_>,
    index: u64,
    from: u64,
    max: usize,
    listed: &mut Vec<Listed>,
) {
    let position = |slot: usize| index * SLOTS_PER_POSITION + slot as u64;
    // From the start: a name that came since then may lie across the position.
    let mut entries = view.entries();
    while listed.len() < max
        && let Some(entry) = entries.next()
    {
        let next = position(entries.slot());
        let start = entry.as_ref().map_or(next - 1, |d| position(d.slot));
        if start < from || entry.as_ref().is_ok_and(Dentry::is_dot) {
            continue;
        }
        let record = entry
            .map_err(Error::from)
            .and_then(|dentry| record(fs, &dentry));
        listed.push(Listed { record, next });
    }
}

fn record(fs: &Fs, dentry: &Dentry<'_>) -> Result<DirRecord> {
    dentry.check_name()?;
    Ok(DirRecord {
        name: dentry.name.to_vec(),
        ino: fs.meta.geometry.nid(dentry.ino.get())?,
        file_type: dentry.file_type,
    })
}
