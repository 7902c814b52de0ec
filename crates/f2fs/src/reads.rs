//! Reads of file data under way.
//!
//! A reader looks up where bytes lie and reads them afterwards, without any lock in between. The cleaner moves blocks
//! meanwhile; what it leaves must not be written again before such readers have ended. It does not wait for them: it
//! takes a [`Ticket`] after the move and gives the segment away when the ticket has expired.
//!
//! # Invariants
//! A read belongs to the phase in which it began. The phase ends only when no read of the one before is under way, so
//! two phases later none is that began before. Readers of the next but one phase share a counter with it.
//!
//! # Locking
//! None; two atomic additions a read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The reads of one device.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    phase: AtomicU64,
    active: [AtomicU64; 2],
}

/// A moment. It has expired when all reads that began before it have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// A read under way.
#[derive(Debug)]
pub(crate) struct ReadScope {
    reads: Arc<Reads>,
    slot: usize,
}

impl Reads {
    /// Begins a read: before it looks up where the bytes lie.
    pub(crate) fn begin(self: &Arc<Self>) -> ReadScope {
        loop {
            let phase = self.phase.load(Ordering::SeqCst);
            let slot = slot_of(phase);
            self.active[slot].fetch_add(1, Ordering::SeqCst);
            if self.phase.load(Ordering::SeqCst) == phase {
                let reads = Arc::clone(self);
                return ReadScope { reads, slot };
            }
            // Whoever ended the phase may not have seen this one.
            self.active[slot].fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// The present moment.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.phase.load(Ordering::SeqCst))
    }

    /// Whether all reads that began before a ticket have ended.
    pub(crate) fn has_expired(&self, ticket: Ticket) -> bool {
        for _ in 0..2 {
            self.advance();
        }
        self.phase.load(Ordering::SeqCst) >= ticket.0 + 2
    }

    /// Ends the phase if no read of the one before is under way.
    fn advance(&self) {
        let phase = self.phase.load(Ordering::SeqCst);
        if self.active[slot_of(phase + 1)].load(Ordering::SeqCst) == 0 {
            // Another thread may have been faster.
            let _ =
                self.phase
                    .compare_exchange(phase, phase + 1, Ordering::SeqCst, Ordering::SeqCst);
        }
    }
}

fn slot_of(phase: u64) -> usize {
    (phase % 2) as usize
}

impl Drop for ReadScope {
    fn drop(&mut self) {
        self.reads.active[self.slot].fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn a_ticket_expires_with_the_reads_before_it() {
        let reads = Arc::new(Reads::default());
        let early = reads.begin();
        let ticket = reads.ticket();
        assert!(!reads.has_expired(ticket));
        let late = reads.begin();
        assert!(!reads.has_expired(ticket));
        drop(early);
        assert!(reads.has_expired(ticket));
        let second = reads.ticket();
        assert!(!reads.has_expired(second));
        drop(late);
        assert!(reads.has_expired(second) && reads.has_expired(reads.ticket()));
    }

    /// Readers look at a place, the mover replaces it and takes the old one away when its ticket has expired.
    #[test]
    fn nobody_reads_what_was_taken_away() {
        let reads = Arc::new(Reads::default());
        let places: Vec<AtomicBool> = (0..2000).map(|_| AtomicBool::new(true)).collect();
        let current = AtomicU64::new(0);
        let readers_end = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !readers_end.load(Ordering::SeqCst) {
                        let _read = reads.begin();
                        let place = current.load(Ordering::SeqCst) as usize;
                        std::thread::yield_now();
                        assert!(
                            places[place].load(Ordering::SeqCst),
                            "{place} was taken away"
                        );
                    }
                });
            }
            for next in 1..places.len() {
                current.store(next as u64, Ordering::SeqCst);
                let ticket = reads.ticket();
                while !reads.has_expired(ticket) {
                    std::thread::yield_now();
                }
                places[next - 1].store(false, Ordering::SeqCst);
            }
            readers_end.store(true, Ordering::SeqCst);
        });
    }
}
