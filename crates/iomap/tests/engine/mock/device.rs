//! A device in memory whose completions the test steers.

use blockdev::{Bio, BioOp, DeviceError, DeviceOp, MemDevice};
use iomap::BLOCK_SIZE;
use runtime::rng::Rng;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

/// When bios complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Inside `submit`.
    Now,
    /// When the test says, in the order it says.
    Held,
    /// On two other threads, in random order.
    Threads,
}

/// One transfer as it was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transfer {
    pub(crate) op: BioOp,
    pub(crate) pos: u64,
    pub(crate) len: u64,
}

struct State {
    mode: Mode,
    held: Vec<Bio>,
    /// Device blocks whose transfers fail.
    bad: BTreeSet<u64>,
    /// Reads fail at random, one in so many; 0 for never.
    flaky_reads: u64,
    rng: Rng,
    log: Vec<Transfer>,
    closed: bool,
}

struct Shared {
    mem: MemDevice,
    state: Mutex<State>,
    changed: Condvar,
}

pub(crate) struct Device {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Device {
    pub(crate) fn new(mode: Mode, seed: u64) -> Self {
        let state = State {
            mode,
            held: Vec::new(),
            bad: BTreeSet::new(),
            flaky_reads: 0,
            rng: Rng::seeded(seed),
            log: Vec::new(),
            closed: false,
        };
        let shared = Arc::new(Shared {
            mem: MemDevice::new(1 << 40),
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let count = if mode == Mode::Threads { 2 } else { 0 };
        let threads = (0..count).map(|_| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || complete_at_random(&shared))
        });
        let threads = Mutex::new(threads.collect());
        Self { shared, threads }
    }

    pub(crate) fn mem(&self) -> &MemDevice {
        &self.shared.mem
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        assert_ne!(mode, Mode::Threads, "only from the start");
        self.shared.state.lock().unwrap().mode = mode;
    }

    pub(crate) fn submit(&self, bio: Bio) {
        let mut state = self.shared.state.lock().unwrap();
        let (op, pos, len) = (bio.op(), bio.pos(), bio.len());
        state.log.push(Transfer { op, pos, len });
        if state.mode == Mode::Now {
            drop(state);
            self.shared.complete(bio);
        } else {
            state.held.push(bio);
            drop(state);
            self.shared.changed.notify_all();
        }
    }

    /// Bios held back now.
    pub(crate) fn held(&self) -> usize {
        self.shared.state.lock().unwrap().held.len()
    }

    /// Waits until so many bios are held back.
    pub(crate) fn wait_held(&self, count: usize) {
        let state = self.shared.state.lock().unwrap();
        let enough = |s: &mut State| s.held.len() < count;
        drop(self.shared.changed.wait_while(state, enough).unwrap());
    }

    /// Completes the held bio number `n`.
    pub(crate) fn release(&self, n: usize) {
        let bio = self.shared.state.lock().unwrap().held.remove(n);
        self.shared.complete(bio);
    }

    /// Completes all held bios, last first.
    pub(crate) fn release_all(&self) {
        while self.held() > 0 {
            self.release(self.held() - 1);
        }
    }

    /// Completes everything once the guard is dropped, so that a test that fails does not wait for its threads.
    pub(crate) fn release_at_the_end(&self) -> ReleaseGuard<'_> {
        ReleaseGuard(self)
    }

    /// Loses a held bio: it is dropped without a completion.
    pub(crate) fn lose(&self, n: usize) {
        let bio = self.shared.state.lock().unwrap().held.remove(n);
        drop(bio);
    }

    /// Makes transfers of these blocks fail from now on.
    pub(crate) fn break_blocks(&self, blocks: Range<u64>) {
        self.shared.state.lock().unwrap().bad.extend(blocks);
    }

    pub(crate) fn repair(&self) {
        let mut state = self.shared.state.lock().unwrap();
        state.bad.clear();
        state.flaky_reads = 0;
    }

    /// Makes one read in `one_in` fail, at random.
    pub(crate) fn make_flaky(&self, one_in: u64) {
        self.shared.state.lock().unwrap().flaky_reads = one_in;
    }

    /// Transfers since the last call.
    pub(crate) fn take_log(&self) -> Vec<Transfer> {
        std::mem::take(&mut self.shared.state.lock().unwrap().log)
    }

    /// Bytes read since the last call of this or [`Device::take_log`].
    pub(crate) fn take_bytes_read(&self) -> u64 {
        let log = self.take_log().into_iter();
        log.filter(|t| t.op == BioOp::Read).map(|t| t.len).sum()
    }
}

pub(crate) struct ReleaseGuard<'a>(&'a Device);

impl Drop for ReleaseGuard<'_> {
    fn drop(&mut self) {
        self.0.set_mode(Mode::Now);
        self.0.release_all();
    }
}

impl Shared {
    fn complete(&self, bio: Bio) {
        match self.check(&bio) {
            Ok(()) => bio.transfer(&self.mem),
            Err(error) => bio.complete(Err(error)),
        }
    }

    fn check(&self, bio: &Bio) -> Result<(), DeviceError> {
        let mut state = self.state.lock().unwrap();
        let blocks = bio.pos() / BLOCK_SIZE..(bio.pos() + bio.len()).div_ceil(BLOCK_SIZE);
        let one_in = state.flaky_reads;
        let unlucky = one_in > 0 && bio.op() == BioOp::Read && state.rng.below(one_in) == 0;
        if unlucky || state.bad.range(blocks).next().is_some() {
            let op = match bio.op() {
                BioOp::Read => DeviceOp::Read,
                BioOp::Write => DeviceOp::Write,
            };
            let error = std::io::Error::other("broken on purpose");
            return Err(DeviceError::new(op, bio.pos(), bio.len(), &error));
        }
        Ok(())
    }
}

fn complete_at_random(shared: &Shared) {
    loop {
        let state = shared.state.lock().unwrap();
        let idle = |s: &mut State| s.held.is_empty() && !s.closed;
        let mut state = shared.changed.wait_while(state, idle).unwrap();
        if state.held.is_empty() {
            return;
        }
        let count = state.held.len() as u64;
        let n = state.rng.below(count) as usize;
        let bio = state.held.swap_remove(n);
        drop(state);
        shared.complete(bio);
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap().closed = true;
        self.shared.changed.notify_all();
        for thread in self.threads.get_mut().unwrap().drain(..) {
            thread.join().unwrap();
        }
    }
}
