//! Tools that work on volumes without the engine: the formatter.
//!
//! The crate does not link `f2fs`: what checks or makes volumes must not share the engine's
//! mistakes. It stands on [`f2fs_format`], which knows the bytes, and [`blockdev`], which knows the
//! device.
//!
//! | module | what |
//! |---|---|
//! | [`mkfs`] | makes an empty volume |

#![forbid(unsafe_code)]

pub mod mkfs;

pub use mkfs::{FormatError, FormatOptions, FormatSummary, RootCompression, format};
