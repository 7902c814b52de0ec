//! The folio protocol: lock, reads in flight, writeback.
//!
//! A reader of a folio takes the lock, takes a *bias* on the pending count (row S5), raises the count for each
//! range before that range is submitted, and drops the bias last. So the count cannot reach zero while ranges are
//! still being submitted, whatever completes meanwhile. Dropping the bias has two forms: [`FolioSync::wait_read`]
//! waits for the rest and keeps the lock (a write that needs old bytes); [`FolioSync::detach_read`] leaves the
//! lock to the reads, and the last of them unlocks.
//!
//! # Invariants
//! 1. `locked` is cleared exactly once for each time it was set: by `unlock`, or by the end of the last read after
//!    `detach_read`, never both.
//! 2. `read_pending > 0` only while locked.
//! 3. `writeback` is set under the lock and cleared exactly once by `end_writeback`.
//! 4. A failed range leaves its blocks as they were: not uptodate.
//!
//! # Locking
//! One leaf mutex a folio; one condition variable for all three waits. The folio's own lock has rank
//! [`crate::FOLIO_RANK`] and may be released by another thread than took it.

use crate::FOLIO_RANK;
use crate::folio_state::FolioState;
use runtime::sync::{Condvar, Mutex, MutexGuard, Rank, check_rank};
use std::ops::Range;

/// Why a range could not be read. Shared, since several waiters may see it.
pub type FolioError = std::sync::Arc<dyn std::error::Error + Send + Sync>;

/// State of a folio and those who wait for it to change.
#[derive(Debug)]
pub struct FolioSync {
    state: Mutex<FolioState>,
    changed: Condvar,
}

impl Default for FolioSync {
    fn default() -> Self {
        Self {
            state: Mutex::new(Rank::LEAF, FolioState::default()),
            changed: Condvar::new(),
        }
    }
}

impl FolioSync {
    /// Takes the lock, waiting for it.
    pub fn lock(&self) {
        check_rank(FOLIO_RANK);
        let mut state = self.changed.wait_while(self.state.lock(), |s| s.locked);
        state.locked = true;
    }

    /// Takes the lock if it is free.
    pub fn try_lock(&self) -> bool {
        let mut state = self.state.lock();
        !std::mem::replace(&mut state.locked, true)
    }

    /// Releases the lock.
    pub fn unlock(&self) {
        let mut state = self.state.lock();
        assert!(
            state.locked && state.read_pending == 0,
            "unlocked once, after all reads"
        );
        state.locked = false;
        self.wake(state);
    }

    /// The state, under its mutex.
    pub fn state(&self) -> MutexGuard<'_, FolioState> {
        self.state.lock()
    }

    /// Takes the submitter's bias. The lock is held.
    pub fn start_read(&self) {
        let mut state = self.state.lock();
        assert!(
            state.locked && state.read_pending == 0,
            "one submitter, under the lock"
        );
        state.read_pending = 1;
        state.unlock_after_read = false;
        state.read_error = None;
    }

    /// Counts one more range, before it is submitted.
    pub fn add_read(&self) {
        let mut state = self.state.lock();
        assert!(
            state.read_pending > 0,
            "counted under the bias or another pending range"
        );
        state.read_pending += 1;
    }

    /// Ends one range: its blocks are uptodate, or the error is kept for whoever waits.
    pub fn end_read(&self, blocks: Range<usize>, result: Result<(), FolioError>) {
        let mut state = self.state.lock();
        match result {
            Ok(()) => {
                state.uptodate.insert(blocks);
            }
            Err(error) => {
                state.read_error.get_or_insert(error);
            }
        }
        self.drop_pending(state);
    }

    /// Drops the bias and leaves the lock to the reads: the last one unlocks (now, if none is pending).
    pub fn detach_read(&self) {
        let mut state = self.state.lock();
        state.unlock_after_read = true;
        self.drop_pending(state);
    }

    /// Drops the bias and waits until no read is pending. The lock stays held.
    pub fn wait_read(&self) -> Result<(), FolioError> {
        let mut state = self.state.lock();
        assert!(
            state.read_pending > 0 && !state.unlock_after_read,
            "the bias is held"
        );
        state.read_pending -= 1;
        let mut state = self.changed.wait_while(state, |s| s.read_pending > 0);
        state.read_error.take().map_or(Ok(()), Err)
    }

    /// Waits while detached reads hold the lock; whether there were any. They end by themselves, so anybody may wait
    /// who has not submitted them himself.
    pub fn wait_detached_read(&self) -> bool {
        let state = self.state.lock();
        let detached = state.unlock_after_read;
        drop(self.changed.wait_while(state, |s| s.unlock_after_read));
        detached
    }

    fn drop_pending(&self, mut state: MutexGuard<'_, FolioState>) {
        assert!(state.read_pending > 0, "each range ends once");
        state.read_pending -= 1;
        if state.read_pending == 0 {
            if state.unlock_after_read {
                state.unlock_after_read = false;
                state.locked = false;
            }
            self.wake(state);
        }
    }

    /// Marks the bytes as on their way to the volume. The lock is held; no writeback is under way.
    pub fn start_writeback(&self) {
        let mut state = self.state.lock();
        assert!(
            state.locked && !state.writeback,
            "started under the lock, once"
        );
        state.writeback = true;
    }

    /// Ends the writeback.
    pub fn end_writeback(&self) {
        let mut state = self.state.lock();
        assert!(state.writeback, "ended once");
        state.writeback = false;
        self.wake(state);
    }

    /// Waits while the bytes are on their way to the volume.
    pub fn wait_writeback(&self) {
        drop(self.changed.wait_while(self.state.lock(), |s| s.writeback));
    }

    fn wake(&self, state: MutexGuard<'_, FolioState>) {
        drop(state);
        self.changed.notify_all();
    }
}
