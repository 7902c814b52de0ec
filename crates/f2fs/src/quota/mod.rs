//! What every user, group and project uses, and what it may use (kernel: `fs/quota/dquot.c`).
//!
//! The usage of all ids is in memory while a volume is open for writing: whoever changes the blocks of an inode
//! charges its owners here first. Each checkpoint writes what changed into the quota files, in the same frozen state
//! that it records, so files and usage never disagree on the volume.
//!
//! | module | what |
//! |---|---|
//! | [`book`] | usage and limits of one kind: pure counting |
//! | [`charge`] | charging, giving back and moving, for all kinds at once |
//! | [`scope`] | whether limits bind the operations of this thread |
//! | [`load`] | reading the files when the volume is opened |
//! | [`flush`] | writing them at a checkpoint |
//! | [`change`] | limits, owners and projects |
//!
//! # Invariants
//! 1. An inode counts as one inode and as its blocks but the inode block. The quota files' own inodes do not count.
//! 2. Room for a record that its file does not have yet is reserved when the id is first charged, so a checkpoint
//!    finds it.
//! 3. Files that are damaged, or that the last checkpoint distrusts, are left alone, and every checkpoint says that
//!    `fsck.f2fs` has to rebuild them.
//!
//! # Locking
//! One lock (`locks::QUOTA`), held over a few map operations, never over I/O.

mod book;
mod change;
mod charge;
mod flush;
mod load;
mod scope;

pub(crate) use change::{check_same_project, set_owner, set_project};
pub(crate) use charge::Usage;
pub use scope::QuotaScope;

use crate::locks;
use book::Book;
use f2fs_format::QuotaKind;
use runtime::sync::Mutex;
use std::sync::OnceLock;

/// The counts of a volume; without books on volumes that keep none, or whose files are not trusted.
#[derive(Debug, Default)]
pub(crate) struct Quota {
    books: OnceLock<Mutex<Books>>,
}

/// One book for each kind that the volume counts.
#[derive(Debug, Default)]
pub(crate) struct Books([Option<Book>; 3]);

/// How well a volume knows what its owners use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaState {
    /// It does not count.
    Off,
    /// It counts.
    On,
    /// Its quota files are damaged or out of date: nothing is counted until `fsck.f2fs` has rebuilt them.
    Damaged,
}

impl Quota {
    fn start(&self, books: Books) {
        let is_first = self.books.set(Mutex::new(locks::QUOTA, books)).is_ok();
        assert!(is_first, "quota files are loaded once");
    }
}

impl Books {
    /// The book of a kind.
    fn get(&mut self, kind: QuotaKind) -> Option<&mut Book> {
        self.0[kind.index()].as_mut()
    }

    fn iter(&mut self) -> impl Iterator<Item = &mut Book> {
        self.0.iter_mut().flatten()
    }
}
