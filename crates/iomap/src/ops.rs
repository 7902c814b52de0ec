//! What a file system implements for one open inode.

use crate::map::{Intent, Iomap};
use crate::read_batch::ReadBatch;
use blockdev::Bio;
use pagecache::{FolioError, LockedFolio, Mapping, RangeRead, WritebackFolio};
use std::ops::Range;
use std::sync::Arc;

/// Extents of a file.
pub trait IomapOps {
    /// The file system's error.
    type Error: std::error::Error + Send + Sync + Clone + 'static;

    /// What maps the start of `range`, as far as it can say, rounded out to whole units: the answer contains
    /// `range.start` and need not reach `range.end`. For [`Intent::Write`] space is reserved for all of the answer
    /// that lies in `range`.
    fn begin(&self, range: Range<u64>, intent: Intent) -> Result<Iomap, Self::Error>;

    /// Tells that `used` bytes from the start of the asked range were used. Called once for each `begin` to write
    /// or to zero, after the last folio of the extent was put.
    fn end(&self, _iomap: &Iomap, _used: u64, _intent: Intent) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Whether an extent that was looked up earlier still holds, now that the folio is locked.
    fn iomap_valid(&self, _iomap: &Iomap) -> bool {
        true
    }

    /// The file's size in bytes.
    fn size(&self) -> u64;

    /// The error behind a failed read of a folio.
    fn read_error(&self, error: FolioError) -> Self::Error;

    /// The error for memory that could not be had.
    fn memory_error(&self, error: std::io::Error) -> Self::Error;
}

/// Reading into folios.
pub trait ReadOps: IomapOps {
    /// The file's folios.
    fn mapping(&self) -> &Arc<Mapping>;

    /// Starts filling a range of one folio from an extent that is not zero. The range lies in the extent; it may
    /// begin or end inside a unit, where the rest of that unit is cached already. Mapped blocks go to `batch`;
    /// anything else the file system starts itself. It may return before the range ended.
    fn read_folio_range(
        &self,
        iomap: &Iomap,
        range: RangeRead,
        batch: &mut ReadBatch<'_>,
    ) -> Result<(), Self::Error>;

    /// Fills a range of one folio from an extent that is zero, and ends it.
    fn read_zeros(&self, range: RangeRead) -> Result<(), Self::Error> {
        range.target().fill(0);
        range.complete(Ok(()));
        Ok(())
    }

    /// Hands a bio to the device.
    fn submit(&self, bio: Bio);
}

/// Writing into folios.
pub trait WriteOps: ReadOps {
    /// A locked folio for the start of `range` (row S2). The hint is the whole range that is still to be written,
    /// rounded out to units (row S3).
    fn get_folio(&self, iomap: &Iomap, range: Range<u64>) -> Result<LockedFolio, Self::Error> {
        let start = range.start / iomap.unit * iomap.unit;
        let end = range.end.next_multiple_of(iomap.unit);
        self.mapping()
            .grab(start.max(iomap.pos) / crate::BLOCK_SIZE..end / crate::BLOCK_SIZE)
            .map_err(|e| self.memory_error(e))
    }

    /// Takes the folio back, with the bytes of the file that were copied into it (none for zeroing). The file's
    /// size grows over them here, before the folio is unlocked: writeback ignores what lies behind the size.
    fn put_folio(&self, folio: LockedFolio, _written: Range<u64>) {
        drop(folio);
    }
}

/// Writing folios back: one batch of dirty ranges.
pub trait WritebackOps {
    /// The file system's error.
    type Error: std::error::Error + Send + Sync + Clone + 'static;

    /// Takes one run of dirty blocks of a folio. Called in ascending order. The folio's bytes are stable until the
    /// last reference to it goes.
    fn writeback_range(
        &mut self,
        folio: &Arc<WritebackFolio>,
        blocks: Range<usize>,
    ) -> Result<(), Self::Error>;

    /// Writes all that was taken and waits for it. Blocks that fail stay as they are on the volume.
    fn submit(&mut self) -> Result<(), Self::Error>;
}
