//! The page cache: large folios of one to 512 pages, found by file position.
//!
//! It knows neither devices nor file systems. Whoever owns a [`Mapping`] fills folios and writes them back; the
//! cache owns their memory, their locks, which of their blocks are uptodate or dirty, and the budget.
//!
//! | module | what |
//! |---|---|
//! | [`folio`] | a folio and its states as types: [`FolioRef`], [`LockedFolio`], [`ReadingFolio`], [`WritebackFolio`] |
//! | [`folio_sync`] | the protocol below those types: lock, pending reads with their bias, writeback |
//! | [`folio_state`] | uptodate and dirty bits a block, pending counts |
//! | [`mapping`] | the folios of one inode: multi-order index, dirty set, truncation |
//! | [`cache`] | memory budget, reclaim, counters |
//! | [`readahead`] | how far to read ahead of a sequential reader |
//! | [`errseq`] | writeback errors, told once to each open file |
//!
//! # Which lock settles what
//! | | read | write | fill | writeback | truncate | reclaim |
//! |---|---|---|---|---|---|---|
//! | read | share | inode | folio lock, uptodate bit | share | inode | index, then a pin |
//! | write | | inode | folio lock | waits for its end | inode | folio lock |
//! | fill | | | folio lock | cannot meet (dirty is uptodate) | folio lock | folio lock |
//! | writeback | | | | writeback flag | waits for its end | skipped |
//! | truncate | | | | | inode | folio lock, then detached flag |
//!
//! "inode" is the owner's lock, taken above the cache. A folio found in the index may be detached before its lock
//! is had; whoever locks it looks again ([`Mapping::grab`]).
#![forbid(unsafe_code)]

pub mod block_set;
pub mod cache;
pub mod errseq;
pub mod folio;
pub mod folio_state;
pub mod folio_sync;
pub mod mapping;
pub mod readahead;

pub use block_set::BlockSet;
pub use cache::{CacheStats, PageCache};
pub use errseq::{ErrSeq, ErrSeqCursor};
pub use folio::{FolioRef, LockedFolio, RangeRead, ReadingFolio, WritebackFolio};
pub use folio_sync::FolioError;
pub use mapping::{Mapping, Orders};
pub use readahead::Readahead;

use runtime::sync::Rank;

/// Rank of a folio's lock; folios of one mapping are locked in ascending order.
pub const FOLIO_RANK: Rank = Rank::nesting(50, "folio");

/// A page's number in its file: byte position / 4096.
pub type PageIndex = u64;
