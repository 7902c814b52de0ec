//! Every interleaving of claims on a buffer's ranges.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p runtime --test loom --release`.
#![cfg(loom)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use runtime::range_lock::{Access, RangeLock};

/// Two writers and a reader that overlap pairwise: a writer is alone, and nobody waits for ever.
#[test]
fn writers_are_alone_and_everybody_gets_in() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(|| {
        let lock = Arc::new(RangeLock::default());
        let writers = Arc::new(AtomicUsize::new(0));
        let others: Vec<_> = [0..6, 4..10]
            .into_iter()
            .map(|range| {
                let (lock, writers) = (Arc::clone(&lock), Arc::clone(&writers));
                thread::spawn(move || {
                    lock.claim(range.clone(), Access::Exclusive);
                    assert_eq!(writers.fetch_add(1, Ordering::SeqCst), 0);
                    writers.fetch_sub(1, Ordering::SeqCst);
                    lock.release(&range, Access::Exclusive);
                })
            })
            .collect();
        lock.claim(3..7, Access::Shared);
        assert_eq!(writers.load(Ordering::SeqCst), 0);
        lock.release(&(3..7), Access::Shared);
        others.into_iter().for_each(|t| t.join().unwrap());
    });
}

/// A claim that conflicts with nothing never waits for one that does.
#[test]
fn disjoint_claims_do_not_wait() {
    loom::model(|| {
        let lock = Arc::new(RangeLock::default());
        lock.claim(0..4, Access::Exclusive);
        let other = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || {
                lock.claim(4..8, Access::Exclusive);
                lock.release(&(4..8), Access::Exclusive);
            })
        };
        other.join().unwrap();
        lock.release(&(0..4), Access::Exclusive);
    });
}
