//! The engine on a mock file system whose device holds completions back, reorders and fails them.
//!
//! | module | what |
//! |---|---|
//! | `mock` | file, device and writeback that tests steer |
//! | `pending` | rows S5 and S6: the bias, one wait a folio, unlocked once, under held and failed completions |
//! | `reading`, `ahead` | reading, sharing, readahead |
//! | `writing` | rows S3, S8, S9, S10: what is read, what becomes dirty, errors half-way |
//! | `stale` | extents that change between `begin` and the folio lock |
//! | `wb` | writeback batches, their errors, the ioend batch |
//! | `shape` | zeroing, truncation, seek, fiemap |
//! | `memory` | the budget under load, reclaim |
//! | `cost` | counts: what a small write into a large folio touches |
//! | `fsx` | random operations against a byte vector |
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod ahead;
mod cost;
mod fsx;
mod memory;
mod mock;
mod pending;
mod reading;
mod shape;
mod stale;
mod wb;
mod writing;
