//! Every interleaving of a write batch with the completions of its bios.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p iomap --test loom --release`.
#![cfg(loom)]

use blockdev::{Bio, BioVec, DeviceError, DeviceOp};
use iomap::IoendBatch;
use loom::thread;
use std::cell::RefCell;

fn failed() -> DeviceError {
    let error = std::io::Error::other("failed on purpose");
    DeviceError::new(DeviceOp::Write, 0, 0, &error)
}

fn check(f: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

/// Bios complete on other threads, one fails: `wait` returns after all, with the failed part only.
#[test]
fn wait_returns_after_every_bio() {
    check(|| {
        let threads = RefCell::new(Vec::new());
        let submit = |bio: Bio| {
            threads.borrow_mut().push(thread::spawn(move || {
                let result = if bio.pos() == 8192 {
                    Err(failed())
                } else {
                    Ok(())
                };
                bio.complete(result);
            }));
        };
        let mut batch = IoendBatch::new(&submit);
        for part in 0..3 {
            batch.push(u64::from(part) * 8192, BioVec::Owned(vec![0; 1]), part);
        }
        let errors = batch.wait();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].0, 1..2);
        for thread in threads.into_inner() {
            thread.join().unwrap();
        }
    });
}

/// A batch that is given up waits for what it submitted.
#[test]
fn a_dropped_batch_waits_too() {
    check(|| {
        let threads = RefCell::new(Vec::new());
        let ended = loom::sync::Arc::new(loom::sync::atomic::AtomicUsize::new(0));
        let submit = |bio: Bio| {
            let ended = loom::sync::Arc::clone(&ended);
            threads.borrow_mut().push(thread::spawn(move || {
                ended.fetch_add(1, loom::sync::atomic::Ordering::SeqCst);
                drop(bio);
            }));
        };
        let mut batch = IoendBatch::new(&submit);
        batch.push(0, BioVec::Owned(vec![0; 1]), 0);
        batch.push(8192, BioVec::Owned(vec![0; 1]), 1);
        drop(batch);
        let submitted = threads.borrow().len();
        assert_eq!(ended.load(loom::sync::atomic::Ordering::SeqCst), submitted);
        for thread in threads.into_inner() {
            thread.join().unwrap();
        }
    });
}
