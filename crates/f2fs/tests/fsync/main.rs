//! fsync by roll-forward: what it promises, what it costs, when it takes a checkpoint; and recovery, ours and the
//! kernel's, of what it leaves.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
mod cost;
mod implied;
mod lab;
mod recover;
mod rules;
