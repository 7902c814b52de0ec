//! A checkpoint every so often, so that a crash loses no more than that (kernel: `cp_interval`). Then the device is
//! told what is free: a little at least, and more while nobody else writes. While nobody uses the volume at all, its
//! segments are cleaned (kernel: `background_gc`).

use f2fs::Volume;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two batches of discards.
const PAUSE: Duration = Duration::from_millis(20);

/// Without a read or a write for so long, the volume is idle.
const IDLE: Duration = Duration::from_secs(1);

/// The thread that does it; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Commits {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Commits {
    /// Starts making what changed durable every `interval`, and cleaning after that if `cleans`.
    pub(crate) fn start(
        volume: &Arc<Volume>,
        interval: Duration,
        cleans: bool,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let volume = Arc::downgrade(volume);
        let thread = std::thread::Builder::new()
            .name("commit".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                    if !commit(&volume)
                        || !discard(&volume, &stopped)
                        || (cleans && !clean(&volume, &stopped))
                    {
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

/// Cleans section by section until nothing is left that pays, or somebody uses the volume; then makes what became free
/// usable. Whether the volume is still there.
fn clean(volume: &Weak<Volume>, stopped: &Receiver<()>) -> bool {
    let mut has_cleaned = false;
    let mut pause = IDLE;
    loop {
        let Some(before) = volume.upgrade().map(|volume| used(&volume)) else {
            return false;
        };
        if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            return false;
        }
        let Some(volume) = volume.upgrade() else {
            return false;
        };
        if used(&volume) != before {
            break;
        }
        match volume.gc_idle() {
            Ok(true) => has_cleaned = true,
            Ok(false) => break,
            Err(error) => {
                tracing::warn!(%error, "cleaning in the background");
                break;
            }
        }
        pause = PAUSE;
    }
    !has_cleaned || (commit(volume) && discard(volume, stopped))
}

/// Changes with each read and write of somebody.
fn used(volume: &Volume) -> (u64, u64) {
    let data = volume.stats().data;
    (data.bytes_read, data.bytes_written)
}

impl Drop for Commits {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
