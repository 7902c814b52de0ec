//! Buffered I/O over extents.
//!
//! The engine walks a byte range. The file system answers "what maps here, as far as you can say?"
//! ([`IomapOps::begin`]) and is told how much was used ([`IomapOps::end`]): one call an extent, never a page.
//! Folios come from [`pagecache`], bios go to [`blockdev`]; the engine knows no file system.
//!
//! | module | what |
//! |---|---|
//! | [`map`], [`ops`] | an extent; what a file system implements |
//! | [`iter`] | the walk over extents |
//! | [`fill`], [`read_batch`] | filling block ranges of one folio from many extents, in merged bios |
//! | [`mod@buffered_read`] | reading, readahead |
//! | [`mod@buffered_write`], [`zero`], [`rewrite`] | writing, zeroing, writing anew through folios |
//! | [`writeback`], [`ioend`] | dirty ranges to the file system, contiguous blocks to the device |
//! | [`seek`], [`mod@fiemap`] | holes, data, extents |
//!
//! # Locking
//! No file-system lock is held from `begin` to `end`. What `begin` said is checked again under the folio lock
//! through [`ops::IomapOps::iomap_valid`]; if it no longer holds, the range is looked up anew.
#![forbid(unsafe_code)]

pub mod buffered_read;
pub mod buffered_write;
pub mod fiemap;
pub mod fill;
pub mod ioend;
pub mod iter;
pub mod map;
pub mod ops;
pub mod read_batch;
pub mod rewrite;
pub mod seek;
pub mod writeback;
pub mod zero;

pub use buffered_read::{buffered_read, read_folio, readahead};
pub use buffered_write::{Source, buffered_write};
pub use fiemap::{Extent, fiemap};
pub use ioend::IoendBatch;
pub use map::{Intent, Iomap, IomapKind};
pub use ops::{IomapOps, ReadOps, WriteOps, WritebackOps};
pub use read_batch::ReadBatch;
pub use rewrite::rewrite_range;
pub use seek::{seek_data, seek_hole};
pub use writeback::writeback_batch;
pub use zero::zero_range;

/// Bytes of a block.
pub const BLOCK_SIZE: u64 = runtime::PAGE_SIZE as u64;
