//! Programs that put load on a mounted file system and check what it answers. They know nothing of
//! F2FS, so they run on any file system, which shows what to expect of a good one.
//!
//! | module | what |
//! |---|---|
//! | [`fsx`] | random operations on one file against a model |
//! | [`stress`] | many processes in the same folders |
//! | [`mapping`] | shared mappings |
#![forbid(unsafe_code)]

pub mod fsx;
pub mod mapping;
pub mod stress;
