//! What compression saves, given back to the volume while nobody writes the file, and taken again when it is changed
//! (mount option `space=release`).
//!
//! Files that hold saved blocks stand in a list by number ([`Saving`]). The list is gone through when the volume is
//! synced or closed, and when blocks are short; whoever has a writer ([`Writer`]) is passed over and stays in it. On
//! the volume a file that gave its blocks is in the kernel's released state.
//!
//! # Locking
//! Releasing takes the file's INODE exclusively. [`Patience::Try`] takes it only if it is free at once, since its
//! caller may hold another inode's. The list is a leaf.

use crate::data::compress;
use crate::data::fallocate::make_room;
use crate::data::flush::flush_pages;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use crate::options::Space;
use f2fs_format::{InlineFlags, Ino, InodeFlags};
use runtime::sync::{Mutex, Rank, WriteGuard};
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

/// Files that hold blocks which compression saved, by number: they need not stay in memory.
#[derive(Debug)]
pub(crate) struct Saving(Mutex<BTreeSet<Ino>>);

impl Default for Saving {
    fn default() -> Self {
        Self(Mutex::new(Rank::LEAF, BTreeSet::new()))
    }
}

impl Saving {
    fn insert(&self, ino: Ino) {
        self.0.lock().insert(ino);
    }

    /// Forgets a file: it gave its blocks, or it is gone.
    pub(crate) fn remove(&self, ino: Ino) {
        self.0.lock().remove(&ino);
    }

    fn after(&self, last: Option<Ino>) -> Option<Ino> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.0
            .lock()
            .range((from, Bound::Unbounded))
            .next()
            .copied()
    }
}

/// How files are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Not at all: the caller may hold an inode's lock.
    Try,
    /// As long as one operation takes.
    Wait,
    /// The volume is closed: those that are open for writing are not written any more.
    End,
}

/// A handle or an operation that may write a file: while one lives, the file keeps what it saves.
#[derive(Debug)]
pub(crate) struct Writer {
    fs: Arc<Fs>,
    inode: Arc<Inode>,
}

impl Writer {
    pub(crate) fn of(fs: &Arc<Fs>, inode: &Arc<Inode>) -> Self {
        inode.add_writer();
        Self {
            fs: Arc::clone(fs),
            inode: Arc::clone(inode),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.inode.drop_writer() && self.inode.saved_blocks() > 0 {
            self.fs.note_saving(&self.inode);
        }
    }
}

impl Fs {
    /// Notes that a file holds blocks which compression saved.
    pub(crate) fn note_saving(&self, inode: &Inode) {
        if self.options.space == Space::Release {
            self.saving.insert(inode.ino);
        }
    }

    /// Gives back what files save that nobody writes; the blocks given back. A file that cannot be released now stays
    /// as it is and in the list; one that is damaged is told about and left alone.
    pub(crate) fn release_idle(&self, patience: Patience) -> u64 {
        let mut given = 0;
        let mut last = None;
        while let Some(ino) = self.saving.after(last) {
            last = Some(ino);
            match self.release_one(ino, patience) {
                Ok(Outcome::Released(blocks)) => {
                    given += blocks;
                    self.saving.remove(ino);
                }
                Ok(Outcome::Busy) | Err(Error::NoSpace) => {}
                Err(error) => {
                    tracing::warn!(%ino, %error, "saved blocks are not released");
                    self.saving.remove(ino);
                }
            }
        }
        given
    }

    /// Gives back what idle files save until there is enough; whether there is. What is not written yet may save
    /// something, too. The caller holds at most an inode's lock.
    pub(crate) fn release_until(&self, is_enough: impl Fn() -> bool) -> bool {
        if self.options.space == Space::Reserve {
            return false;
        }
        if self.release_idle(Patience::Try) > 0 && is_enough() {
            return true;
        }
        self.flush_idle();
        self.release_idle(Patience::Try) > 0 && is_enough()
    }

    /// Writes the compressed files that nobody writes to any more: then they save blocks.
    fn flush_idle(&self) {
        for inode in self.dirty_inodes() {
            let is_idle = inode.clusters().is_some() && !inode.has_writers();
            if is_idle
                && inode.mapping.is_dirty()
                && let Err(error) = flush_pages(self, &inode, 0..u64::MAX)
            {
                // Its next fsync tells it.
                tracing::debug!(ino = %inode.ino, %error, "writing back for space");
            }
        }
    }

    fn release_one(&self, ino: Ino, patience: Patience) -> Result<Outcome> {
        let inode = self.inodes.get(self, ino)?;
        let Some(_alone) = lock(&inode, patience) else {
            return Ok(Outcome::Busy);
        };
        if inode.has_writers() && patience != Patience::End {
            return Ok(Outcome::Busy);
        }
        if !may_release(&inode) {
            return Ok(Outcome::Released(0));
        }
        flush_pages(self, &inode, 0..u64::MAX)?;
        if inode.mapping.is_dirty() {
            return Ok(Outcome::Busy);
        }
        if inode.saved_blocks() == 0 {
            return Ok(Outcome::Released(0));
        }
        self.make_room(0)?;
        self.check_segments(compress::nodes_of(&inode))?;
        let blocks = compress::release(self, &inode)?;
        tracing::debug!(%ino, blocks, "released");
        Ok(Outcome::Released(blocks))
    }

    /// Makes a file ready to be changed whose saved blocks were given back: it takes them again, or is refused where
    /// the volume's options want the user to ask for that. The caller holds the inode's lock exclusively, and no OP.
    ///
    /// # Errors
    /// `NoSpace` or `QuotaExceeded` if they are not there any more; the file is as it was then.
    pub(crate) fn take_saved(&self, inode: &Arc<Inode>) -> Result<()> {
        if !inode.tree.lock().is_released() {
            return Ok(());
        }
        if self.options.space == Space::Reserve {
            return Err(Error::NotPermitted(
                "the file's compressed blocks were released; reserve them first",
            ));
        }
        if inode.saved_blocks() > 0 {
            return Err(Error::NotPermitted(
                "the file's compressed blocks were released in part only; run fsck.f2fs",
            ));
        }
        let blocks = self.reserve_saved(inode)?;
        tracing::debug!(ino = %inode.ino, blocks, "taken again");
        Ok(())
    }

    /// Takes the blocks again that a released file saves; how many. The caller holds the inode's lock exclusively.
    pub(crate) fn reserve_saved(&self, inode: &Arc<Inode>) -> Result<u64> {
        make_room(self, compress::nodes_of(inode))?;
        let blocks = self.or_release_idle(|| compress::reserve(self, inode))?;
        if blocks > 0 {
            self.note_saving(inode);
        }
        Ok(blocks)
    }

    /// Does something; once more if blocks were short and idle files could give some.
    pub(crate) fn or_release_idle<R>(&self, work: impl Fn() -> Result<R>) -> Result<R> {
        match work() {
            Err(Error::NoSpace | Error::QuotaExceeded) if self.release_until(|| true) => work(),
            result => result,
        }
    }
}

/// How it went with one file.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// It holds nothing any more; so many blocks were given back now.
    Released(u64),
    /// Somebody uses it.
    Busy,
}

fn lock(inode: &Inode, patience: Patience) -> Option<WriteGuard<'_, ()>> {
    match patience {
        Patience::Try => inode.rwsem.try_write(),
        Patience::Wait | Patience::End => Some(inode.rwsem.write()),
    }
}

/// Whether a file may give what it saves. The number in the list may be another file's by now.
fn may_release(inode: &Inode) -> bool {
    let tree = inode.tree.lock();
    let kept = InlineFlags::PIN_FILE | InlineFlags::COMPRESS_RELEASED;
    inode.clusters().is_some()
        && !tree.inode.inline().intersects(kept)
        && !tree.inode.flags().contains(InodeFlags::IMMUTABLE)
        && tree.inode.links() > 0
        && inode.seal.is_none()
}
