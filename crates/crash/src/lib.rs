//! The crash explorer: runs a workload, cuts the power at every write, and looks at what is left.
//!
//! ```text
//! workloads > record > explore > check, recover, judge > report
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`op`], [`stamp`] | operations, and bytes that say where they belong |
//! | [`world`], [`timeline`] | what the volume should hold, at every moment |
//! | [`workloads`] | what is run |
//! | [`subject`], [`record`] | running it on the engine, on a device that remembers every write |
//! | [`explore`] | which power cuts are tried |
//! | [`observe`], [`check`] | what is found, and whether it is allowed |
//! | [`recover`] | opening it, working on, cutting the recovery too |
//! | [`judge`] | `fsck.f2fs` and the kernel look at it |
//! | [`report`] | counts and failures |
//! | [`run`] | all of it, on several threads |
//!
//! The device is [`testkit::sim`].
//!
//! # Invariants
//! What is allowed follows from the operations alone: whatever was made durable is there, and everything else is as
//! it was at some moment since. A seed decides everything else, so each failure names the command that shows it again.
#![forbid(unsafe_code)]

pub mod check;
pub mod explore;
pub mod judge;
pub mod observe;
pub mod op;
pub mod record;
pub mod recover;
pub mod report;
pub mod run;
pub mod stamp;
pub mod subject;
pub mod timeline;
pub mod workloads;
pub mod world;
