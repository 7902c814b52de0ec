//! Wall-clock time behind a trait.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A point in time: seconds since 1970 and nanoseconds below a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds since 1970-01-01 UTC; negative before.
    pub secs: i64,
    /// Nanoseconds, below 1,000,000,000.
    pub nanos: u32,
}

/// Where the engine learns the time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(d) => Timestamp {
                secs: d.as_secs().cast_signed(),
                nanos: d.subsec_nanos(),
            },
            Err(_) => Timestamp::default(),
        }
    }
}

/// A clock that advances one second each time it is read: deterministic runs.
#[derive(Debug, Default)]
pub struct StepClock {
    secs: AtomicU64,
}

impl StepClock {
    /// Starts at the given second.
    pub fn starting_at(secs: u64) -> Self {
        Self {
            secs: AtomicU64::new(secs),
        }
    }
}

impl Clock for StepClock {
    fn now(&self) -> Timestamp {
        Timestamp {
            secs: self.secs.fetch_add(1, Ordering::Relaxed).cast_signed(),
            nanos: 0,
        }
    }
}
