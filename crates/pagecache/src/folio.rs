//! A folio and what may be done with it in each state.
//!
//! ```text
//! FolioRef --lock--> LockedFolio --start_read--> ReadingFolio --wait--> LockedFolio
//!                        |                            `--detach--> (last RangeRead unlocks)
//!                        `--start_writeback--> WritebackFolio --drop--> (ended)
//! ```
//! Only a [`LockedFolio`] changes bits or bytes; dropping it unlocks. A [`ReadingFolio`] is a locked folio with
//! reads in flight; each [`RangeRead`] ends exactly once, as failed if it is dropped. A [`WritebackFolio`] has
//! stable bytes and lets readers go on.

use crate::PageIndex;
use crate::block_set::BlockSet;
use crate::cache::PageCache;
use crate::folio_sync::{FolioError, FolioSync};
use crate::mapping::Mapping;
use runtime::PAGE_SIZE;
use runtime::pool::{Buffer, ReadSlice, WriteSlice};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

/// A cached, aligned run of `2^order` pages of one file.
#[derive(Debug)]
pub struct Folio {
    index: PageIndex,
    order: u8,
    buffer: Arc<Buffer>,
    // Of its own, so that whoever wakes others has let go of the folio before: what just became free can be
    // reclaimed at once.
    sync: Arc<FolioSync>,
    referenced: AtomicBool,
    mapping: Weak<Mapping>,
    cache: PageCache,
    /// Pages charged to the budget for it; 0 once somebody took the charge over.
    charged: usize,
}

impl Drop for Folio {
    fn drop(&mut self) {
        // Of a mapping that went with dirty folios.
        self.cache.sub_dirty(self.sync.state().dirty.len());
        self.cache.uncharge(self.charged);
    }
}

impl Folio {
    /// A new folio whose memory is charged already; no block is uptodate.
    pub(crate) fn new(
        mapping: &Arc<Mapping>,
        cache: &PageCache,
        index: PageIndex,
        buffer: Buffer,
    ) -> Arc<Self> {
        Arc::new(Self {
            index,
            order: buffer.order(),
            charged: 1 << buffer.order(),
            buffer: Arc::new(buffer),
            sync: Arc::default(),
            referenced: AtomicBool::new(false),
            mapping: Arc::downgrade(mapping),
            cache: cache.clone(),
        })
    }

    /// Its order.
    pub fn order(&self) -> u8 {
        self.order
    }

    /// Number of its pages.
    pub fn page_count(&self) -> usize {
        1 << self.order
    }

    /// Its pages in the file.
    pub fn pages(&self) -> Range<PageIndex> {
        self.index..self.index + (1 << self.order)
    }

    /// Its length in bytes.
    #[expect(clippy::len_without_is_empty, reason = "a folio is never empty")]
    pub fn len(&self) -> usize {
        PAGE_SIZE << self.order
    }

    /// First byte in the file.
    pub fn pos(&self) -> u64 {
        self.index * PAGE_SIZE as u64
    }

    /// Whether all of a block range is uptodate.
    pub fn is_uptodate(&self, blocks: Range<usize>) -> bool {
        self.sync.state().uptodate.contains(blocks)
    }

    /// The dirty blocks.
    pub fn dirty(&self) -> BlockSet {
        self.sync.state().dirty
    }

    /// The uptodate blocks.
    pub fn uptodate(&self) -> BlockSet {
        self.sync.state().uptodate
    }

    /// Claims bytes for reading.
    pub fn read(&self, bytes: Range<usize>) -> ReadSlice {
        self.buffer.read(bytes)
    }

    /// Waits while its bytes are on their way to the volume.
    pub fn wait_writeback(&self) {
        self.sync.wait_writeback();
    }

    pub(crate) fn mark_referenced(&self) {
        // A plain load first: most hits find it set and write nothing shared.
        if !self.referenced.load(Ordering::Relaxed) {
            self.referenced.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_detached(&self) -> bool {
        self.sync.state().detached
    }

    /// Adds dirty blocks. The caller holds the lock or the writeback, either of which keeps truncation away.
    fn add_dirty(&self, blocks: Range<usize>) {
        let (added, was_clean) = {
            let mut state = self.sync.state();
            assert!(
                state.uptodate.contains(blocks.clone()),
                "dirty blocks are uptodate"
            );
            assert!(!state.detached, "only a cached folio becomes dirty");
            let was_clean = state.dirty.is_empty();
            (state.dirty.insert(blocks), was_clean)
        };
        self.cache.add_dirty(added);
        if was_clean
            && added > 0
            && let Some(mapping) = self.mapping.upgrade()
        {
            mapping.note_dirty(self.pages());
        }
    }

    /// The blocks whose bytes may be newer than the volume's: dirty, or in a folio under writeback.
    pub fn newer(&self) -> BlockSet {
        let state = self.sync.state();
        if state.writeback {
            state.uptodate
        } else {
            state.dirty
        }
    }

    /// Waits while it is being read ahead; whether it was.
    pub(crate) fn wait_read_ahead(&self) -> bool {
        self.sync.wait_detached_read()
    }

    /// Frees its memory but keeps the charge, which passes to the caller; the pages charged.
    pub(crate) fn take_charge(mut self) -> usize {
        std::mem::take(&mut self.charged)
    }

    /// Leaves its mapping if nobody needs it: not used lately, no references but the mapping's and the caller's,
    /// clean, unlocked, not in writeback.
    pub(crate) fn try_reclaim(self: &Arc<Self>) -> bool {
        let used = self.referenced.swap(false, Ordering::Relaxed) || Arc::strong_count(self) > 2;
        if used || !self.sync.try_lock() {
            return false;
        }
        let locked = LockedFolio {
            folio: Some(Arc::clone(self)),
        };
        let idle = {
            let state = self.sync.state();
            state.dirty.is_empty() && !state.writeback
        };
        idle && locked.detach()
    }
}

/// Gives a reference back and keeps what its end is told to.
fn release(folio: FolioRef) -> Arc<FolioSync> {
    let sync = Arc::clone(&folio.sync);
    drop(folio);
    sync
}

/// A folio that stays in memory while this is held; its bytes may be read where they are uptodate.
pub type FolioRef = Arc<Folio>;

/// A folio whose lock this thread holds. Dropping it unlocks.
#[derive(Debug)]
pub struct LockedFolio {
    // None once the lock was passed on.
    folio: Option<FolioRef>,
}

impl std::ops::Deref for LockedFolio {
    type Target = FolioRef;
    fn deref(&self) -> &FolioRef {
        self.folio
            .as_ref()
            .expect("present until the lock is passed on")
    }
}

impl Drop for LockedFolio {
    fn drop(&mut self) {
        if let Some(folio) = self.folio.take() {
            release(folio).unlock();
        }
    }
}

impl LockedFolio {
    /// Locks, waiting for it. The folio may have left its mapping meanwhile.
    pub(crate) fn lock(folio: FolioRef) -> Self {
        folio.sync.lock();
        Self { folio: Some(folio) }
    }

    /// The folio, without its lock.
    pub fn folio(&self) -> &FolioRef {
        self
    }

    /// Claims bytes for writing. No writeback is under way ([`Folio::wait_writeback`]).
    pub fn write(&self, bytes: Range<usize>) -> WriteSlice {
        self.buffer.write(bytes)
    }

    /// Declares the bytes of whole blocks valid.
    pub fn mark_uptodate(&self, blocks: Range<usize>) {
        self.sync.state().uptodate.insert(blocks);
    }

    /// Declares blocks newer than the volume. They are uptodate.
    pub fn mark_dirty(&self, blocks: Range<usize>) {
        self.add_dirty(blocks);
    }

    /// Forgets that blocks are dirty (they were cut off, or are written).
    pub fn clear_dirty(&self, blocks: Range<usize>) {
        let (removed, is_clean) = {
            let mut state = self.sync.state();
            (state.dirty.remove(blocks), state.dirty.is_empty())
        };
        self.cache.sub_dirty(removed);
        if removed > 0
            && is_clean
            && let Some(mapping) = self.mapping.upgrade()
        {
            mapping.note_clean(self.index);
        }
    }

    /// Forgets blocks: neither uptodate nor dirty any more.
    pub fn invalidate(&self, blocks: Range<usize>) {
        self.clear_dirty(blocks.clone());
        self.sync.state().uptodate.remove(blocks);
    }

    /// Takes the bias (row S5): reads of block ranges may be started.
    pub fn start_read(mut self) -> ReadingFolio {
        self.sync.start_read();
        ReadingFolio {
            folio: self.folio.take(),
        }
    }

    /// Takes all dirty blocks for writing and unlocks. None if nothing is dirty.
    ///
    /// Waits first for a writeback that is still under way.
    pub fn start_writeback(self) -> Option<WritebackFolio> {
        self.wait_writeback();
        let dirty = self.dirty();
        if dirty.is_empty() {
            return None;
        }
        self.sync.start_writeback();
        // Listed before it leaves the dirty folios: whoever finds nothing dirty then finds it here, and waits.
        if let Some(mapping) = self.mapping.upgrade() {
            mapping.note_writeback(self.folio());
        }
        self.clear_dirty(0..self.page_count());
        Some(WritebackFolio {
            folio: Some(Arc::clone(self.folio())),
            dirty,
        })
    }

    /// Takes the folio out of its mapping. False if it had left already.
    pub(crate) fn detach(self) -> bool {
        self.clear_dirty(0..self.page_count());
        if std::mem::replace(&mut self.sync.state().detached, true) {
            return false;
        }
        if let Some(mapping) = self.mapping.upgrade() {
            mapping.forget(self.index);
        }
        true
    }
}

/// A locked folio whose submitter is starting reads and holds the bias.
#[derive(Debug)]
pub struct ReadingFolio {
    // None once the bias was dropped.
    folio: Option<FolioRef>,
}

impl ReadingFolio {
    /// The folio.
    pub fn folio(&self) -> &FolioRef {
        self.folio
            .as_ref()
            .expect("present until the bias is dropped")
    }

    /// Counts a range of blocks as pending. To be called before anything is submitted for it.
    pub fn begin_range(&self, blocks: Range<usize>) -> RangeRead {
        let folio = Arc::clone(self.folio());
        folio.sync.add_read();
        RangeRead {
            folio: Some(folio),
            blocks,
        }
    }

    /// Drops the bias, waits for every range, and gives the lock back with the first error.
    pub fn wait(mut self) -> (LockedFolio, Result<(), FolioError>) {
        let folio = self
            .folio
            .take()
            .expect("present until the bias is dropped");
        let result = folio.sync.wait_read();
        (LockedFolio { folio: Some(folio) }, result)
    }

    /// Drops the bias; the last range to end unlocks the folio. Errors show as blocks that are not uptodate.
    pub fn detach(self) {
        drop(self);
    }
}

impl Drop for ReadingFolio {
    fn drop(&mut self) {
        if let Some(folio) = self.folio.take() {
            folio.sync.detach_read();
        }
    }
}

/// The folio was dropped, or its reader, before the read ended.
#[derive(Debug)]
struct Abandoned;

impl std::fmt::Display for Abandoned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the read was abandoned")
    }
}

impl std::error::Error for Abandoned {}

/// One pending range of blocks: filled by whoever holds it, ended exactly once.
#[derive(Debug)]
pub struct RangeRead {
    // None once ended.
    folio: Option<FolioRef>,
    blocks: Range<usize>,
}

impl RangeRead {
    /// The folio.
    pub fn folio(&self) -> &FolioRef {
        self.folio.as_ref().expect("present until it ends")
    }

    /// Its blocks within the folio.
    pub fn blocks(&self) -> Range<usize> {
        self.blocks.clone()
    }

    /// Its first page in the file.
    pub fn first_page(&self) -> PageIndex {
        self.folio().index + self.blocks.start as u64
    }

    /// Claims the bytes to fill.
    pub fn target(&self) -> WriteSlice {
        self.folio()
            .buffer
            .write(self.blocks.start * PAGE_SIZE..self.blocks.end * PAGE_SIZE)
    }

    /// Cuts off the first `count` blocks as a range of their own.
    ///
    /// # Panics
    /// If there are not more than `count` blocks.
    #[must_use = "a range that is dropped has failed"]
    pub fn split_front(&mut self, count: usize) -> Self {
        assert!(count < self.blocks.len());
        self.folio().sync.add_read();
        let middle = self.blocks.start + count;
        let front = Self {
            folio: self.folio.clone(),
            blocks: self.blocks.start..middle,
        };
        self.blocks.start = middle;
        front
    }

    /// Ends the range: its bytes are valid, or the error is kept. No claim on its bytes is left.
    pub fn complete(mut self, result: Result<(), FolioError>) {
        self.end(result);
    }

    fn end(&mut self, result: Result<(), FolioError>) {
        if let Some(folio) = self.folio.take() {
            release(folio).end_read(self.blocks.clone(), result);
        }
    }
}

impl Drop for RangeRead {
    fn drop(&mut self) {
        self.end(Err(Arc::new(Abandoned)));
    }
}

/// A folio whose bytes are on their way to the volume. Dropping it ends the writeback.
#[derive(Debug)]
pub struct WritebackFolio {
    // None once ended.
    folio: Option<FolioRef>,
    dirty: BlockSet,
}

impl std::ops::Deref for WritebackFolio {
    type Target = FolioRef;
    fn deref(&self) -> &FolioRef {
        self.folio.as_ref().expect("present until it ends")
    }
}

impl WritebackFolio {
    /// The blocks taken for this writeback.
    pub fn taken(&self) -> &BlockSet {
        &self.dirty
    }

    /// Declares all taken blocks dirty again: nothing of them was written, and a later try may succeed.
    pub fn redirty(&self) {
        for run in self.dirty.runs(0..self.page_count()) {
            self.add_dirty(run);
        }
    }
}

impl Drop for WritebackFolio {
    fn drop(&mut self) {
        if let Some(folio) = self.folio.take() {
            if let Some(mapping) = folio.mapping.upgrade() {
                mapping.note_writeback_ended(folio.index);
            }
            release(folio).end_writeback();
        }
    }
}
