//! What is known about the blocks of one folio (row S12: one typed state instead of a tagged word).

use crate::block_set::BlockSet;
use crate::folio_sync::FolioError;
use runtime::PAGE_SIZE;

/// State of one folio. Reached only through [`crate::folio_sync::FolioSync`].
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts under one mutex"
)]
pub struct FolioState {
    /// Blocks whose bytes are what the file holds.
    pub uptodate: BlockSet,
    /// Blocks whose bytes are newer than the volume's. Always uptodate too.
    pub dirty: BlockSet,
    /// Block ranges whose read was started and has not ended, plus one while the submitter holds its bias.
    pub(crate) read_pending: u32,
    /// The first read error since the bias was taken.
    pub(crate) read_error: Option<FolioError>,
    /// Whether the end of the last read unlocks the folio (nobody waits for it).
    pub(crate) unlock_after_read: bool,
    /// Whether the folio's lock is held, by a thread or by reads in flight.
    pub(crate) locked: bool,
    /// Whether its bytes are on their way to the volume and must not change.
    pub(crate) writeback: bool,
    /// Whether it was taken out of its mapping.
    pub(crate) detached: bool,
}

/// The blocks that the bytes `range` of a folio touch.
pub fn blocks_touched(range: &std::ops::Range<usize>) -> std::ops::Range<usize> {
    range.start / PAGE_SIZE..range.end.div_ceil(PAGE_SIZE)
}
