//! The lock order of the engine, outermost first: one list, checked at run time in debug builds.
//!
//! | rank | lock | held over |
//! |---|---|---|
//! | [`ENDING`] | closing the volume | the last checkpoint |
//! | [`RENAME`] | one at a time | a rename between directories |
//! | [`INODE`] | an inode's operations, directory before child, else ascending ino | one operation |
//! | [`GC`] | one cleaner at a time | the moves of a round |
//! | [`CHECKPOINT`] | one checkpoint at a time | a whole checkpoint |
//! | [`OP`] | changes of metadata (shared), a checkpoint (exclusive) | one change, or one batch of writeback |
//! | [`pagecache::FOLIO_RANK`] | a data folio, ascending | filling, copying, picking |
//! | [`TREE`] | an inode's block and all nodes below it | one lookup or change of addresses |
//! | [`NAT`] | node addresses and free nids | one lookup or change; reads NAT blocks |
//! | [`CURSEG`] | the open log of one temperature | one allocation |
//! | [`RETIRED`] | segments that were cleaned | a look through them |
//! | [`DISCARD`] | segments held for discarding | a batch of discards, and by a log that found no room |
//! | [`SIT`] | valid maps, free segments, dirty summaries | one change |
//! | [`QUOTA`] | usage and limits of all owners | one change |
//! | leaf | counters, lists, cache index | a few instructions |

use runtime::sync::Rank;

/// The end of the volume, which everything else comes before or waits for.
pub(crate) const ENDING: Rank = Rank::new(5, "ending");
/// Renames between directories.
pub(crate) const RENAME: Rank = Rank::new(10, "rename");
/// An inode's operations.
pub(crate) const INODE: Rank = Rank::nesting(20, "inode");
/// One cleaner at a time.
pub(crate) const GC: Rank = Rank::new(25, "gc");
/// One checkpoint at a time.
pub(crate) const CHECKPOINT: Rank = Rank::new(30, "checkpoint");
/// Metadata changes (shared) against the checkpoint (exclusive).
pub(crate) const OP: Rank = Rank::new(40, "op");
/// An inode's node tree.
pub(crate) const TREE: Rank = Rank::nesting(60, "inode tree");
/// The node address table.
pub(crate) const NAT: Rank = Rank::new(80, "nat");
/// The open log of one temperature.
pub(crate) const CURSEG: Rank = Rank::new(90, "curseg");
/// Segments that were cleaned and wait for their readers.
pub(crate) const RETIRED: Rank = Rank::new(95, "retired");
/// Segments that are held while they are discarded.
pub(crate) const DISCARD: Rank = Rank::new(97, "discard");
/// The segment information table.
pub(crate) const SIT: Rank = Rank::new(100, "sit");
/// Usage and limits of users, groups and projects.
pub(crate) const QUOTA: Rank = Rank::new(110, "quota");
