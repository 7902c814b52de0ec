//! Concurrent fsyncs become one batch: whoever comes while a batch is under way waits, and one of those who wait leads
//! the next one for all of them. So they share its flush, and the chain grows by one batch at a time.
//!
//! # Locking
//! The queue is a leaf. Nobody holds it during I/O.

use super::batch::Batch;
use super::{Outcome, SyncScope};
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use runtime::sync::{Condvar, Mutex, Rank};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Nodes of a chain after which an fsync takes a checkpoint (64 MiB).
const CHAIN_MAX: u64 = 16 * 1024;

/// One fsync that waits.
#[derive(Debug)]
struct Request {
    id: u64,
    inode: Arc<Inode>,
    scope: SyncScope,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Request>,
    ended: HashMap<u64, Result<Outcome>>,
    next_id: u64,
    has_leader: bool,
}

/// The fsyncs of a volume.
#[derive(Debug)]
pub(crate) struct FsyncQueue {
    queue: Mutex<Queue>,
    batch_ended: Condvar,
    /// Nodes in the chain.
    length: AtomicU64,
}

impl Default for FsyncQueue {
    fn default() -> Self {
        Self {
            queue: Mutex::new(Rank::LEAF, Queue::default()),
            batch_ended: Condvar::new(),
            length: AtomicU64::new(0),
        }
    }
}

impl FsyncQueue {
    /// A checkpoint begins a new chain.
    pub(crate) fn start_chain(&self) {
        self.length.store(0, Ordering::Relaxed);
    }

    /// Nodes in the chain.
    pub(crate) fn length(&self) -> u64 {
        self.length.load(Ordering::Relaxed)
    }

    /// Whether the chain is so long that recovery would take its time.
    pub(super) fn is_long(&self) -> bool {
        self.length() >= CHAIN_MAX
    }

    pub(super) fn note_nodes(&self, count: usize) {
        self.length.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Makes the nodes of one file durable, or tells that it takes a checkpoint. Its data is written already. The
    /// caller holds the inode's lock and not OP.
    pub(super) fn commit(&self, fs: &Fs, inode: &Arc<Inode>, scope: SyncScope) -> Result<Outcome> {
        let mut queue = self.queue.lock();
        let id = queue.next_id;
        queue.next_id += 1;
        queue.waiting.push(Request {
            id,
            inode: Arc::clone(inode),
            scope,
        });
        loop {
            if let Some(result) = queue.ended.remove(&id) {
                return result;
            }
            if queue.has_leader {
                queue = self.batch_ended.wait(queue);
                continue;
            }
            queue.has_leader = true;
            let requests = std::mem::take(&mut queue.waiting);
            drop(queue);
            self.lead(fs, &requests);
            queue = self.queue.lock();
        }
    }

    fn lead(&self, fs: &Fs, requests: &[Request]) {
        let mut led = Led {
            queue: self,
            requests,
            results: Vec::new(),
        };
        led.results = run(fs, requests);
    }
}

/// Tells those who wait how their batch ended; also if it ended in a panic.
struct Led<'a> {
    queue: &'a FsyncQueue,
    requests: &'a [Request],
    results: Vec<Result<Outcome>>,
}

impl Drop for Led<'_> {
    fn drop(&mut self) {
        let failed = || Err(Error::Shutdown("an fsync did not end".to_owned()));
        let results = self.results.drain(..).chain(std::iter::repeat_with(failed));
        let ended = self.requests.iter().map(|r| r.id).zip(results);
        let mut queue = self.queue.queue.lock();
        queue.ended.extend(ended);
        queue.has_leader = false;
        drop(queue);
        self.queue.batch_ended.notify_all();
    }
}

fn run(fs: &Fs, requests: &[Request]) -> Vec<Result<Outcome>> {
    let op = fs.start_op();
    let mut batch = Batch::new(fs, &op);
    let mut results: Vec<Result<Outcome>> = requests
        .iter()
        .map(|request| batch.add(&request.inode, request.scope))
        .collect();
    if let Err(error) = batch.write() {
        for result in results
            .iter_mut()
            .filter(|r| matches!(r, Ok(Outcome::Logged)))
        {
            *result = Err(error.clone());
        }
    }
    results
}
