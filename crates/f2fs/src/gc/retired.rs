//! Segments that were cleaned, until the logs may have them: when no read is under way that may have looked up a block
//! of theirs and, for nodes, when the checkpoint has written these elsewhere.
//!
//! Nobody waits for that. Whoever may find the time has come asks: the cleaner, each checkpoint, who makes room.
//!
//! # Locking
//! A lock of its own, above SIT.

use crate::fs::Fs;
use crate::locks;
use crate::reads::Ticket;
use crate::segment::Victim;
use f2fs_format::SegmentNo;
use runtime::sync::Mutex;

/// One that waits.
#[derive(Clone, Copy, Debug)]
struct Retired {
    segno: SegmentNo,
    /// When the last read that might still want it has ended.
    ticket: Ticket,
    /// The epoch whose end it waits for, if it held nodes.
    epoch: Option<u64>,
}

/// The segments that wait.
#[derive(Debug)]
pub(crate) struct RetiredSegments {
    list: Mutex<Vec<Retired>>,
}

impl Default for RetiredSegments {
    fn default() -> Self {
        Self {
            list: Mutex::new(locks::RETIRED, Vec::new()),
        }
    }
}

impl RetiredSegments {
    /// A segment's blocks have moved.
    pub(super) fn add(&self, fs: &Fs, victim: &Victim) {
        self.list.lock().push(Retired {
            segno: victim.segno,
            ticket: fs.meta.device.reads().ticket(),
            epoch: victim.is_node.then(|| fs.epoch()),
        });
    }

    /// Gives the logs what has waited long enough.
    pub(crate) fn release(&self, fs: &Fs) {
        let mut list = self.list.lock();
        let reads = fs.meta.device.reads();
        list.retain(|retired| {
            let is_over = reads.has_expired(retired.ticket)
                && retired.epoch.is_none_or(|epoch| epoch < fs.epoch());
            if is_over {
                fs.meta.segments.let_go(retired.segno);
            }
            !is_over
        });
    }
}
