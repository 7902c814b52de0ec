//! Every interleaving of the folio protocol, for small numbers of threads.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p pagecache --test loom --release`. A lost wake-up shows as a
//! deadlock, a double unlock as a failed assertion inside [`FolioSync`].
#![cfg(loom)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use pagecache::FolioError;
use pagecache::folio_sync::FolioSync;

fn error() -> FolioError {
    std::sync::Arc::new(std::fmt::Error)
}

/// Bounded in preemptions, so that three and four threads stay feasible; two threads run without a bound.
fn model(preemptions: Option<usize>, f: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.check(f);
}

fn uptodate(folio: &FolioSync, block: usize) -> bool {
    folio.state().uptodate.contains(block..block + 1)
}

/// Counts a range, then ends it on another thread.
fn spawn_read(folio: &Arc<FolioSync>, block: usize, ok: bool) -> thread::JoinHandle<()> {
    folio.add_read();
    let folio = Arc::clone(folio);
    thread::spawn(move || {
        let result = if ok { Ok(()) } else { Err(error()) };
        folio.end_read(block..block + 1, result);
    })
}

#[test]
fn wait_read_returns_after_all_reads_and_keeps_the_lock() {
    model(Some(3), || {
        let folio = Arc::new(FolioSync::default());
        folio.lock();
        folio.start_read();
        let reads: Vec<_> = (0..3).map(|n| spawn_read(&folio, n, true)).collect();
        folio.wait_read().unwrap();
        assert!((0..3).all(|n| uptodate(&folio, n)));
        assert!(!folio.try_lock(), "the lock is still ours");
        folio.unlock();
        reads.into_iter().for_each(|t| t.join().unwrap());
    });
}

#[test]
fn a_failed_read_reaches_the_waiter_and_leaves_its_block() {
    model(None, || {
        let folio = Arc::new(FolioSync::default());
        folio.lock();
        folio.start_read();
        let good = spawn_read(&folio, 0, true);
        let bad = spawn_read(&folio, 1, false);
        assert!(folio.wait_read().is_err());
        assert!(uptodate(&folio, 0) && !uptodate(&folio, 1));
        folio.unlock();
        good.join().unwrap();
        bad.join().unwrap();
    });
}

/// A read that ends before the next one is counted must not bring the count to zero.
#[test]
fn the_bias_holds_while_reads_are_still_submitted() {
    model(None, || {
        let folio = Arc::new(FolioSync::default());
        folio.lock();
        folio.start_read();
        let first = spawn_read(&folio, 0, true);
        thread::yield_now();
        assert!(!folio.try_lock());
        let second = spawn_read(&folio, 1, true);
        folio.detach_read();
        folio.lock();
        assert!(
            uptodate(&folio, 0) && uptodate(&folio, 1),
            "unlocked by the last"
        );
        folio.unlock();
        first.join().unwrap();
        second.join().unwrap();
    });
}

/// Invariant 1: the waiter gets the lock after the last read, once. A second unlock would assert.
#[test]
fn a_waiter_gets_the_lock_after_a_detached_read() {
    model(Some(3), || {
        let folio = Arc::new(FolioSync::default());
        let holders = Arc::new(AtomicUsize::new(0));
        folio.lock();
        folio.start_read();
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let (folio, holders) = (Arc::clone(&folio), Arc::clone(&holders));
                thread::spawn(move || {
                    folio.lock();
                    assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "alone");
                    assert!(uptodate(&folio, 0), "not before the read ended");
                    holders.fetch_sub(1, Ordering::SeqCst);
                    folio.unlock();
                })
            })
            .collect();
        let read = spawn_read(&folio, 0, true);
        folio.detach_read();
        read.join().unwrap();
        waiters.into_iter().for_each(|t| t.join().unwrap());
        assert!(folio.try_lock(), "free in the end");
    });
}

#[test]
fn detaching_with_nothing_pending_unlocks_at_once() {
    model(None, || {
        let folio = Arc::new(FolioSync::default());
        folio.lock();
        folio.start_read();
        let waiter = {
            let folio = Arc::clone(&folio);
            thread::spawn(move || {
                folio.lock();
                folio.unlock();
            })
        };
        folio.detach_read();
        waiter.join().unwrap();
        assert!(folio.try_lock());
    });
}

/// The error of one read belongs to its own submitter, not to the next one.
#[test]
fn the_next_submitter_starts_without_the_last_error() {
    model(Some(3), || {
        let folio = Arc::new(FolioSync::default());
        folio.lock();
        folio.start_read();
        let bad = spawn_read(&folio, 0, false);
        folio.detach_read();
        folio.lock();
        folio.start_read();
        let good = spawn_read(&folio, 0, true);
        folio.wait_read().unwrap();
        folio.unlock();
        bad.join().unwrap();
        good.join().unwrap();
    });
}

/// Writer: lock, wait for the end of writeback, change bytes. Writeback: lock, start, unlock, end later.
#[test]
fn bytes_do_not_change_under_writeback() {
    model(None, || {
        let folio = Arc::new(FolioSync::default());
        let in_flight = Arc::new(AtomicUsize::new(0));
        folio.lock();
        folio.start_writeback();
        in_flight.store(1, Ordering::SeqCst);
        folio.unlock();
        let writer = {
            let (folio, in_flight) = (Arc::clone(&folio), Arc::clone(&in_flight));
            thread::spawn(move || {
                folio.lock();
                folio.wait_writeback();
                assert_eq!(in_flight.load(Ordering::SeqCst), 0);
                folio.unlock();
            })
        };
        in_flight.store(0, Ordering::SeqCst);
        folio.end_writeback();
        writer.join().unwrap();
        folio.wait_writeback();
    });
}

/// One thread waits for the lock, one for the writeback: neither takes the other's wake-up.
#[test]
fn waiters_of_different_kinds_are_all_woken() {
    model(Some(3), || {
        let folio = Arc::new(FolioSync::default());
        folio.lock();
        folio.start_writeback();
        let locker = {
            let folio = Arc::clone(&folio);
            thread::spawn(move || {
                folio.lock();
                folio.unlock();
            })
        };
        let syncer = {
            let folio = Arc::clone(&folio);
            thread::spawn(move || folio.wait_writeback())
        };
        folio.end_writeback();
        folio.unlock();
        locker.join().unwrap();
        syncer.join().unwrap();
    });
}

/// Two writers of one folio, each with its own writeback: each start meets an ended one.
#[test]
fn writebacks_of_one_folio_follow_each_other() {
    model(Some(3), || {
        let folio = Arc::new(FolioSync::default());
        let round = |folio: &FolioSync| {
            folio.lock();
            folio.wait_writeback();
            folio.start_writeback();
            folio.unlock();
            folio.end_writeback();
        };
        let other = {
            let folio = Arc::clone(&folio);
            thread::spawn(move || round(&folio))
        };
        round(&folio);
        other.join().unwrap();
        assert!(folio.try_lock());
    });
}

/// Whoever needs memory waits for a detached read without taking the lock.
#[test]
fn a_detached_read_can_be_waited_for() {
    model(Some(3), || {
        let folio = Arc::new(FolioSync::default());
        folio.lock();
        folio.start_read();
        let read = spawn_read(&folio, 0, true);
        folio.detach_read();
        let other = {
            let folio = Arc::clone(&folio);
            thread::spawn(move || {
                folio.lock();
                folio.unlock();
            })
        };
        folio.wait_detached_read();
        assert!(uptodate(&folio, 0));
        read.join().unwrap();
        other.join().unwrap();
    });
}

/// Reclaim tries the lock while a read is in flight: it never gets a folio that is being filled.
#[test]
fn reclaim_skips_a_folio_that_is_being_read() {
    model(None, || {
        let folio = Arc::new(FolioSync::default());
        folio.lock();
        folio.start_read();
        let reclaim = {
            let folio = Arc::clone(&folio);
            thread::spawn(move || {
                if folio.try_lock() {
                    assert!(uptodate(&folio, 0));
                    folio.unlock();
                }
            })
        };
        let read = spawn_read(&folio, 0, true);
        folio.detach_read();
        read.join().unwrap();
        reclaim.join().unwrap();
    });
}
