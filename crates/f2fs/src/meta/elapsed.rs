//! Time as the volume counts it: seconds mounted, over all mounts.

use runtime::clock::{Clock, SystemClock, Timestamp};

/// The base of segment ages (`elapsed_time` of the checkpoint). Never goes back within a mount.
#[derive(Debug)]
pub(crate) struct Elapsed {
    clock: Box<dyn Clock>,
    opened: Timestamp,
    before: u64,
}

impl Elapsed {
    /// Goes on counting from `before` seconds.
    pub(crate) fn starting_at(before: u64) -> Self {
        let clock = Box::new(SystemClock);
        let opened = clock.now();
        Self {
            clock,
            opened,
            before,
        }
    }

    /// Seconds mounted in all.
    pub(crate) fn secs(&self) -> u64 {
        let passed = self.clock.now().secs.saturating_sub(self.opened.secs);
        self.before
            .saturating_add(u64::try_from(passed).unwrap_or(0))
    }
}
