//! Shared and exclusive claims on byte ranges of one buffer.
//!
//! A folio's bytes are filled by several completions and decoders at once, each in its own range, while other
//! ranges are read. [`RangeLock`] is the one proof that no byte is written while anybody else uses it; the pool
//! builds its slices on it.
//!
//! # Locking
//! A leaf. Claims are held over one copy, one codec call or one device transfer, all of which end on their own,
//! so waiting for a claim always ends.

use crate::sync::{Condvar, Mutex, Rank};
use std::ops::Range;

/// How a range is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// With others that read.
    Shared,
    /// Alone.
    Exclusive,
}

#[derive(Debug, PartialEq, Eq)]
struct Claim {
    range: Range<usize>,
    access: Access,
}

/// The claims on one buffer.
#[derive(Debug)]
pub struct RangeLock {
    claims: Mutex<Vec<Claim>>,
    released: Condvar,
}

impl Default for RangeLock {
    fn default() -> Self {
        Self {
            claims: Mutex::new(Rank::LEAF, Vec::new()),
            released: Condvar::new(),
        }
    }
}

impl RangeLock {
    /// Claims `range`, waiting while a claim stands against it.
    pub fn claim(&self, range: Range<usize>, access: Access) {
        let claims = self.claims.lock();
        let mut claims = self.released.wait_while(claims, |claims| {
            claims.iter().any(|c| conflicts(c, &range, access))
        });
        claims.push(Claim { range, access });
    }

    /// Gives a claim back.
    ///
    /// # Panics
    /// If it was not taken: a broken owner, never bad data.
    pub fn release(&self, range: &Range<usize>, access: Access) {
        let mut claims = self.claims.lock();
        let at = claims
            .iter()
            .position(|c| c.range == *range && c.access == access)
            .expect("a released claim was taken");
        claims.swap_remove(at);
        drop(claims);
        self.released.notify_all();
    }
}

fn conflicts(claim: &Claim, range: &Range<usize>, access: Access) -> bool {
    let overlaps = claim.range.start < range.end && range.start < claim.range.end;
    overlaps && (claim.access == Access::Exclusive || access == Access::Exclusive)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn readers_share_and_disjoint_writers_do_not_wait() {
        let lock = RangeLock::default();
        lock.claim(0..10, Access::Shared);
        lock.claim(5..15, Access::Shared);
        lock.claim(20..30, Access::Exclusive);
        lock.claim(30..40, Access::Exclusive);
        lock.release(&(5..15), Access::Shared);
        lock.claim(10..20, Access::Exclusive);
    }

    #[test]
    fn a_writer_waits_for_the_reader() {
        let lock = Arc::new(RangeLock::default());
        let released = Arc::new(AtomicBool::new(false));
        lock.claim(0..10, Access::Shared);
        let thread = {
            let (lock, released) = (Arc::clone(&lock), Arc::clone(&released));
            std::thread::spawn(move || {
                lock.claim(9..12, Access::Exclusive);
                assert!(released.load(Ordering::SeqCst));
            })
        };
        std::thread::yield_now();
        released.store(true, Ordering::SeqCst);
        lock.release(&(0..10), Access::Shared);
        thread.join().unwrap();
    }
}
