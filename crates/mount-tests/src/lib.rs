//! Programs that put load on a mounted file system and check what it answers. They know nothing of
//! F2FS, so they run on any file system, which shows what to expect of a good one.
//!
//! | module | what |
//! |---|---|
//! | [`fsx`] | random operations on one file against a model |
//! | [`stress`] | many processes in the same folders |
//! | [`durable`] | what fsync promised is there after the daemon was killed |
//! | [`folder`] | a folder with very many entries |
//! | [`seekdir`] | positions in a folder that changes |
//! | [`prealloc`] | writes into preallocated files |
//! | [`smallfiles`] | how fast small files are |
//! | [`mapping`] | shared mappings |
#![forbid(unsafe_code)]

pub mod durable;
pub mod folder;
pub mod fsx;
pub mod mapping;
mod pattern;
pub mod prealloc;
pub mod seekdir;
pub mod smallfiles;
pub mod stress;
