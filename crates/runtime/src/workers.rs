//! A fixed set of threads for work that never waits for other work (encoding, decoding, device calls).
//!
//! Jobs start in the order they were given. A job that panics ends neither its thread nor the pool; what it
//! owned is dropped, and owners notice through that drop (a folio read that was never completed counts as failed).

use crate::sync::{Arc, Condvar, Mutex, Rank};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

/// A pool of worker threads. Dropping it runs what is queued and joins the threads.
pub struct WorkerPool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for WorkerPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerPool")
            .field("threads", &self.threads.len())
            .finish_non_exhaustive()
    }
}

impl WorkerPool {
    /// Starts `threads` workers; with 0, each job runs at once on the thread that submits it.
    pub fn new(name: &str, threads: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Rank::LEAF, Queue::default()),
            wake: Condvar::new(),
        });
        let threads = (0..threads)
            .map(|n| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new()
                    .name(format!("{name}-{n}"))
                    .spawn(move || work(&shared))
            })
            .collect::<std::io::Result<_>>()?;
        Ok(Self { shared, threads })
    }

    /// How many threads work here.
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// Hands over a job.
    pub fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        if self.threads.is_empty() {
            run(Box::new(job));
            return;
        }
        self.shared.queue.lock().jobs.push_back(Box::new(job));
        self.shared.wake.notify_one();
    }

    /// Runs one queued job on the calling thread; false if none is queued. A thread that waits for its own
    /// jobs calls this first, so that it works instead of sleeping.
    pub fn help(&self) -> bool {
        let job = self.shared.queue.lock().jobs.pop_front();
        job.map(run).is_some()
    }
}

impl Drop for WorkerPool {
    fn drop(&mut self) {
        self.shared.queue.lock().closed = true;
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            // The last owner may be a worker itself; a thread cannot join itself.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

fn work(shared: &Shared) {
    loop {
        let mut queue = shared.queue.lock();
        let job = loop {
            if let Some(job) = queue.jobs.pop_front() {
                break job;
            }
            if queue.closed {
                return;
            }
            queue = shared.wake.wait(queue);
        };
        drop(queue);
        run(job);
    }
}

fn run(job: Job) {
    // The default hook has already reported the panic on standard error.
    let _ = catch_unwind(AssertUnwindSafe(job));
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_job_runs_even_after_a_panic() {
        let count = Arc::new(AtomicUsize::new(0));
        let pool = WorkerPool::new("test", 2).unwrap();
        for n in 0..100 {
            let count = Arc::clone(&count);
            pool.spawn(move || {
                count.fetch_add(1, Ordering::Relaxed);
                assert_ne!(n, 13, "one job panics on purpose");
            });
        }
        drop(pool);
        assert_eq!(count.load(Ordering::Relaxed), 100);
    }

    #[test]
    fn without_threads_jobs_run_in_place() {
        let pool = WorkerPool::new("none", 0).unwrap();
        let id = std::thread::current().id();
        pool.spawn(move || assert_eq!(std::thread::current().id(), id));
    }
}
