//! A checkpoint every so often, so that a crash loses no more than that (kernel: `cp_interval`). Then the device is
//! told what is free: a little at least, and more while nobody else writes.

use f2fs::Volume;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two batches of discards.
const PAUSE: Duration = Duration::from_millis(20);

/// The thread that does it; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Commits {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Commits {
    /// Starts making what changed durable every `interval`.
    pub(crate) fn start(volume: &Arc<Volume>, interval: Duration) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let volume = Arc::downgrade(volume);
        let thread = std::thread::Builder::new()
            .name("commit".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                    if !commit(&volume) || !discard(&volume, &stopped) {
                        break;
                    }
                }
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

/// Whether the volume is still there.
fn commit(volume: &Weak<Volume>) -> bool {
    let Some(volume) = volume.upgrade() else {
        return false;
    };
    if let Err(error) = volume.sync() {
        tracing::error!(%error, "regular checkpoint");
    }
    true
}

/// Discards until nothing is left to be, or somebody writes. Whether the volume is still there.
fn discard(volume: &Weak<Volume>, stopped: &Receiver<()>) -> bool {
    loop {
        let Some(volume) = volume.upgrade() else {
            return false;
        };
        let written = || volume.stats().device.written_bytes;
        let before = written();
        if !volume.discard_some() {
            return true;
        }
        if stopped.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
            return false;
        }
        if written() != before {
            return true;
        }
    }
}

impl Drop for Commits {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
