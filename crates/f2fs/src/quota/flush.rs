//! Writing what changed into the quota files, at a checkpoint.

use super::load::is_damage;
use crate::data::DataOps;
use crate::data::flush::flush_pages_in_op;
use crate::error::{Error, Result};
use crate::fs::{Fs, OpGuard};
use f2fs_format::Ino;
use std::ops::Range;
use std::sync::atomic::Ordering;

/// Bytes for one place of a quota file.
type Piece = (Range<u64>, Vec<u8>);

impl Fs {
    /// Writes the changed records. They become part of the checkpoint that `frozen` is for.
    ///
    /// # Errors
    /// The device's. Files that turn out to be damaged are given up instead: the checkpoint says so, and goes on.
    pub(crate) fn write_quota(&self, frozen: &OpGuard<'_>) -> Result<()> {
        let Some(books) = self.books() else {
            return Ok(());
        };
        let settled: Result<Vec<_>> = books
            .lock()
            .iter()
            .map(|book| Ok((book.ino, book.settle(&self.meta.space)?)))
            .collect();
        let written = settled.and_then(|files| {
            files
                .iter()
                .try_for_each(|(ino, pieces)| self.write_quota_file(*ino, pieces, frozen))
        });
        match written {
            Err(error) if is_damage(&error) || matches!(error, Error::NoSpace) => {
                tracing::error!(%error, "the quota files cannot be kept; run 'fsck.f2fs -a' to count again");
                self.meta.quota_damaged.store(true, Ordering::Relaxed);
                Ok(())
            }
            result => result,
        }
    }

    fn write_quota_file(&self, ino: Ino, pieces: &[Piece], frozen: &OpGuard<'_>) -> Result<()> {
        if pieces.is_empty() {
            return Ok(());
        }
        let inode = self.inodes.get(self, ino)?;
        let ops = DataOps::with_op(self, &inode, frozen);
        for (at, bytes) in pieces {
            iomap::buffered_write(&ops, at.clone(), &mut &bytes[..]).map_err(|(_, error)| error)?;
        }
        flush_pages_in_op(self, &inode, 0..u64::MAX, frozen)
    }

    /// At most so many blocks will be written for the quota files.
    pub(crate) fn quota_dirty_bound(&self) -> u64 {
        let Some(books) = self.books() else {
            return 0;
        };
        books.lock().iter().map(|book| book.dirty_bound()).sum()
    }
}
