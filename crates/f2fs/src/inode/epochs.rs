//! What happened to an inode since the last checkpoint, as far as fsync has to know (kernel: the flags of NAT entries
//! and the lists `TRANS_DIR_INO`, `XATTR_DIR_INO`).
//!
//! Time is counted in epochs: [`Fs::epoch`](crate::fs::Fs::epoch) grows with each checkpoint, so nothing has to be
//! reset.

use std::sync::atomic::{AtomicU64, Ordering};

/// The epoch in which something happened last; 0 if it never did.
#[derive(Debug, Default)]
pub(crate) struct Epoch(AtomicU64);

impl Epoch {
    /// It happens now.
    pub(crate) fn note(&self, now: u64) {
        self.0.store(now, Ordering::Release);
    }

    /// Whether it happened since the last checkpoint.
    pub(crate) fn is(&self, now: u64) -> bool {
        self.0.load(Ordering::Acquire) == now
    }
}

/// The events of one inode.
#[derive(Debug, Default)]
pub(crate) struct Epochs {
    /// It was made.
    pub(crate) made: Epoch,
    /// Its inode block was written by an fsync.
    pub(crate) logged: Epoch,
    /// A directory: attributes changed.
    pub(crate) xattrs: Epoch,
    /// A directory: a name was taken away or moved.
    pub(crate) names: Epoch,
}
