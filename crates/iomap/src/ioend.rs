//! Writes of one batch: contiguous blocks merge into large bios; the batch learns which of its parts failed.

use blockdev::{Bio, BioVec, DeviceError};
use runtime::sync::{Condvar, Mutex, Rank};
use std::ops::Range;
use std::sync::Arc;

/// Largest write bio, in bytes.
const BIO_BYTES_MAX: u64 = 4 << 20;

#[derive(Debug, Default)]
struct State {
    // Bios in flight.
    pending: usize,
    failed: Vec<(Range<u32>, DeviceError)>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    ended: Condvar,
}

/// Gathers the writes of one batch. Each part has a number, given by the caller in ascending order. A batch that is
/// dropped submits nothing more, and waits for what it submitted.
pub struct IoendBatch<'a> {
    submit: &'a dyn Fn(Bio),
    shared: Arc<Shared>,
    start: u64,
    len: u64,
    pieces: Vec<BioVec>,
    parts: Range<u32>,
}

impl<'a> IoendBatch<'a> {
    /// An empty batch that hands its bios to `submit`.
    pub fn new(submit: &'a dyn Fn(Bio)) -> Self {
        let shared = Shared {
            state: Mutex::new(Rank::LEAF, State::default()),
            ended: Condvar::new(),
        };
        Self {
            submit,
            shared: Arc::new(shared),
            start: 0,
            len: 0,
            pieces: Vec::new(),
            parts: 0..0,
        }
    }

    /// Writes `piece` at byte `device_pos` as (a piece of) part number `part`.
    pub fn push(&mut self, device_pos: u64, piece: BioVec, part: u32) {
        if device_pos != self.start + self.len || self.len >= BIO_BYTES_MAX {
            self.flush();
            self.start = device_pos;
        }
        if self.pieces.is_empty() {
            self.parts.start = part;
        }
        self.parts.end = part + 1;
        self.len += piece.len() as u64;
        self.pieces.push(piece);
    }

    fn flush(&mut self) {
        if self.pieces.is_empty() {
            return;
        }
        let pieces = std::mem::take(&mut self.pieces);
        let (parts, shared) = (self.parts.clone(), Arc::clone(&self.shared));
        self.len = 0;
        // Counted before it is submitted: it may end before submit returns.
        shared.state.lock().pending += 1;
        (self.submit)(Bio::write(self.start, pieces, move |result| {
            let mut state = shared.state.lock();
            if let Err(error) = result {
                state.failed.push((parts, error));
            }
            end_one(&shared, state);
        }));
    }

    /// Submits the rest and waits for all; the parts that failed, with their errors.
    pub fn wait(mut self) -> Vec<(Range<u32>, DeviceError)> {
        self.flush();
        self.wait_submitted()
    }

    fn wait_submitted(&self) -> Vec<(Range<u32>, DeviceError)> {
        let state = self.shared.state.lock();
        let mut state = self.shared.ended.wait_while(state, |s| s.pending > 0);
        std::mem::take(&mut state.failed)
    }
}

impl Drop for IoendBatch<'_> {
    fn drop(&mut self) {
        // Given up half-way: what is in flight must not outlive the decision about its blocks.
        self.wait_submitted();
    }
}

fn end_one(shared: &Shared, mut state: runtime::sync::MutexGuard<'_, State>) {
    state.pending -= 1;
    let last = state.pending == 0;
    drop(state);
    if last {
        shared.ended.notify_all();
    }
}
