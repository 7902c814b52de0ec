//! Power cuts of the kernel's own making: what the real Linux F2FS left in mid-flight, recovered by the engine to what
//! the kernel itself recovers.
//!
//! The kernel works on a volume above device mapper's `log-writes`. A prefix of that log, and of what no flush had made
//! durable some blocks only, is a crash image. The kernel recovers a copy of it, the engine another one, for reading
//! only and for writing. All must see the same tree, `fsck.f2fs` must find nothing, and the kernel must go on with
//! what the engine recovered.
//!
//! | module | what |
//! |---|---|
//! | `workload` | random work, repeatable by its seed |
//! | `record` | the work under the kernel, and the log of its writes |
//! | `log` | the format of the log |
//! | `disk`, `crash` | crash images from it |
//! | `judge` | kernel and engine recover, and are compared |
//! | `random` | many cuts of random work |
//! | `cases` | cuts made by hand, each about one rule of recovery |
//! | `kills` | the kernel's process killed at random moments |
//!
//! `guest`, `manifest` and `pool` are those of the interop tests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cases;
mod crash;
mod disk;
#[expect(dead_code, reason = "the interop tests ask for more")]
#[path = "../interop/guest.rs"]
mod guest;
mod judge;
mod kills;
mod log;
#[expect(dead_code, reason = "the interop tests ask for more")]
#[path = "../interop/manifest.rs"]
mod manifest;
#[path = "../interop/pool.rs"]
mod pool;
mod random;
mod record;
mod workload;
