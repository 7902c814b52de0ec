//! Charging the owners of an inode.

use super::Books;
use super::book::Terms;
use super::scope;
use crate::error::Result;
use crate::fs::Fs;
use f2fs_format::{BLOCK_SIZE, Ino, InodeBlock};
use runtime::sync::Mutex;
use std::sync::atomic::Ordering;

/// User, group and project, in the order of [`f2fs_format::QuotaKind`].
pub(crate) type Owners = [u32; 3];

/// An amount that is charged or given back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Blocks beside inode blocks.
    pub(crate) blocks: u64,
    pub(crate) inodes: u64,
}

impl Usage {
    /// Nothing but an inode.
    pub(crate) const INODE: Self = Self {
        blocks: 0,
        inodes: 1,
    };

    /// Blocks alone.
    pub(crate) fn blocks(blocks: u64) -> Self {
        Self { blocks, inodes: 0 }
    }

    /// All that an inode counts for.
    pub(crate) fn of(inode: &InodeBlock) -> Self {
        Self {
            blocks: inode.blocks().saturating_sub(1),
            inodes: 1,
        }
    }

    pub(super) fn bytes(self) -> u64 {
        self.blocks.saturating_mul(BLOCK_SIZE as u64)
    }
}

/// Whom an inode counts for. Without a project id it belongs to project 0.
pub(crate) fn owners_of(inode: &InodeBlock) -> Owners {
    [inode.uid(), inode.gid(), inode.projid().unwrap_or(0)]
}

impl Fs {
    /// The books, if the volume keeps them and this inode counts.
    pub(super) fn books_for(&self, ino: Ino) -> Option<&Mutex<Books>> {
        let books = self.books()?;
        let counts = !self.meta.sb.qf_ino.contains(&Some(ino));
        counts.then_some(books)
    }

    /// The books, if the volume keeps them.
    pub(super) fn books(&self) -> Option<&Mutex<Books>> {
        let books = self.quota.books.get()?;
        let trusted = !self.meta.quota_damaged.load(Ordering::Relaxed);
        trusted.then_some(books)
    }

    /// Charges the owners of an inode with more.
    ///
    /// # Errors
    /// `QuotaExceeded` if a limit that binds this thread forbids it; then nobody was charged.
    pub(crate) fn charge_quota(&self, inode: &InodeBlock, usage: Usage) -> Result<()> {
        match self.books_for(inode.ino()) {
            Some(books) => books
                .lock()
                .charge(owners_of(inode).map(Some), usage, &self.terms()),
            None => Ok(()),
        }
    }

    /// Gives back what the owners of an inode were charged with.
    pub(crate) fn release_quota(&self, inode: &InodeBlock, usage: Usage) {
        if let Some(books) = self.books_for(inode.ino()) {
            books.lock().release(owners_of(inode).map(Some), usage);
        }
    }

    /// Charges the new owners of an inode with all of it and gives it back to the old ones.
    pub(super) fn move_quota(&self, inode: &InodeBlock, new: Owners) -> Result<()> {
        let Some(books) = self.books_for(inode.ino()) else {
            return Ok(());
        };
        let (old, usage) = (owners_of(inode), Usage::of(inode));
        let changed =
            |owners: Owners| std::array::from_fn(|at| (old[at] != new[at]).then_some(owners[at]));
        let mut books = books.lock();
        books.charge(changed(new), usage, &self.terms())?;
        books.release(changed(old), usage);
        Ok(())
    }

    pub(super) fn terms(&self) -> Terms<'_> {
        Terms {
            enforce: scope::binds_this_thread(),
            clock: &*self.options.clock,
            space: &self.meta.space,
        }
    }
}

impl Books {
    /// Charges an id of each kind, or none of them.
    fn charge(&mut self, ids: [Option<u32>; 3], usage: Usage, terms: &Terms<'_>) -> Result<()> {
        for at in 0..ids.len() {
            let (Some(book), Some(id)) = (&mut self.0[at], ids[at]) else {
                continue;
            };
            if let Err(error) = book.charge(id, usage, terms) {
                let mut charged = ids;
                charged[at..].fill(None);
                self.release(charged, usage);
                return Err(error);
            }
        }
        Ok(())
    }

    fn release(&mut self, ids: [Option<u32>; 3], usage: Usage) {
        for (book, id) in self.0.iter_mut().zip(ids) {
            if let (Some(book), Some(id)) = (book, id) {
                book.release(id, usage);
            }
        }
    }
}
