//! The cleaner: what it moves reads the same, before and after a power cut, here and under the kernel; whoever works
//! meanwhile sees nothing of it; what lies about its owner stays where it is.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod aged;
#[path = "../common/mod.rs"]
mod common;
mod concurrent;
mod contiguous;
mod every_op;
mod full;
mod held_reads;
mod unreadable;
mod unwritten_nodes;
