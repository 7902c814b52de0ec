//! The folios of one inode.
//!
//! # Invariants
//! 1. Folios are aligned to their own size and never overlap.
//! 2. Every folio's order is between the mapping's minimum and [`runtime::MAX_ORDER`], so a unit of the minimum
//!    order (a compression cluster) never straddles two folios (row S7).
//! 3. `dirty` holds exactly the folios with a dirty block, `writeback` those under writeback.
//!
//! # Locking
//! `index`, `dirty` and `writeback` are leaves: held for a lookup or an update, never over a wait. A folio is
//! locked after it was found; [`Mapping::grab`] looks again if it left meanwhile.

use crate::PageIndex;
use crate::cache::{Need, PageCache};
use crate::errseq::ErrSeq;
use crate::folio::{Folio, FolioRef, LockedFolio};
use runtime::MAX_ORDER;
use runtime::PAGE_SIZE;
use runtime::sync::{Mutex, Rank, RwLock};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

/// Smallest and largest order of the folios a mapping makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orders {
    /// The order below which no folio is made; the cluster of a compressed file.
    pub min: u8,
    /// The order above which none is made. Not below `min`.
    pub max: u8,
}

/// All cached folios of one inode.
#[derive(Debug)]
pub struct Mapping {
    cache: PageCache,
    // min in the low byte, max in the high one: read together. Changed under the index lock.
    orders: AtomicU16,
    index: RwLock<BTreeMap<PageIndex, FolioRef>>,
    // First page to the page after the last.
    dirty: Mutex<BTreeMap<PageIndex, PageIndex>>,
    writeback: Mutex<BTreeMap<PageIndex, FolioRef>>,
    errors: ErrSeq,
}

impl Mapping {
    /// An empty mapping.
    pub fn new(cache: &PageCache, orders: Orders) -> Arc<Self> {
        let mapping = Self {
            cache: cache.clone(),
            orders: AtomicU16::new(0),
            index: RwLock::new(Rank::LEAF, BTreeMap::new()),
            dirty: Mutex::new(Rank::LEAF, BTreeMap::new()),
            writeback: Mutex::new(Rank::LEAF, BTreeMap::new()),
            errors: ErrSeq::default(),
        };
        mapping.set_orders(orders);
        Arc::new(mapping)
    }

    /// The cache it belongs to.
    pub fn cache(&self) -> &PageCache {
        &self.cache
    }

    /// Writeback errors.
    pub fn errors(&self) -> &ErrSeq {
        &self.errors
    }

    /// Orders of the folios it makes.
    pub fn orders(&self) -> Orders {
        let [min, max] = self.orders.load(Ordering::Relaxed).to_le_bytes();
        Orders { min, max }
    }

    /// Changes the orders. Raising the minimum needs an empty mapping.
    ///
    /// # Panics
    /// If the orders contradict, or the minimum rises above folios that exist.
    pub fn set_orders(&self, orders: Orders) {
        assert!(orders.min <= orders.max && orders.max <= MAX_ORDER);
        let index = self.index.write();
        let kept = index.values().all(|f| f.order() >= orders.min);
        assert!(kept, "no folio below the minimum");
        let packed = u16::from_le_bytes([orders.min, orders.max]);
        self.orders.store(packed, Ordering::Relaxed);
    }

    /// The folio that holds a page, if it is cached. No I/O, no lock.
    pub fn lookup(&self, page: PageIndex) -> Option<FolioRef> {
        let index = self.index.read();
        let folio = find(&index, page)?;
        folio.mark_referenced();
        Some(Arc::clone(folio))
    }

    /// The folio that holds the first page of `hint`, found or made, locked.
    ///
    /// A folio that is made starts at the first page rounded down to the minimum order and is as large as the
    /// length of `hint`, its alignment, its neighbours, the maximum order and the memory budget allow (row S3).
    ///
    /// # Errors
    /// The system has no memory.
    pub fn grab(self: &Arc<Self>, hint: Range<PageIndex>) -> std::io::Result<LockedFolio> {
        loop {
            let folio = match self.lookup(hint.start) {
                Some(folio) => LockedFolio::lock(folio),
                None => match self.make(&hint, Need::Must)? {
                    Some(folio) => folio,
                    None => continue,
                },
            };
            if !folio.is_detached() {
                return Ok(folio);
            }
        }
    }

    /// Like [`Mapping::grab`], for reading ahead: None if the page is cached already, or if there is no room
    /// without writing back. Calls no pressure handler, so other locked folios may be held.
    pub fn grab_new(
        self: &Arc<Self>,
        hint: Range<PageIndex>,
    ) -> std::io::Result<Option<LockedFolio>> {
        if self.lookup(hint.start).is_some() {
            return Ok(None);
        }
        self.make(&hint, Need::Spare)
    }

    /// Makes, locks and inserts a folio. None if another thread was faster or no room is spare.
    fn make(
        self: &Arc<Self>,
        hint: &Range<PageIndex>,
        need: Need,
    ) -> std::io::Result<Option<LockedFolio>> {
        let Orders { min, max } = self.orders();
        let start = hint.start >> min << min;
        let wanted = order_for(start, hint.end.max(hint.start + 1) - start).clamp(min, max);
        let free = self.order_free(start, wanted, min);
        let Some(granted) = self.cache.charge(free, min, need) else {
            return Ok(None);
        };
        let buffer = match self.cache.pool().alloc(granted) {
            Ok(buffer) => buffer,
            Err(error) => {
                self.cache.uncharge(1 << granted);
                return Err(error);
            }
        };
        let folio = Folio::new(self, &self.cache, start, buffer);
        let locked = LockedFolio::lock(folio);
        {
            let mut index = self.index.write();
            // The minimum may have risen since it was read.
            if overlaps(&index, &locked.pages()) || granted < self.orders().min {
                return Ok(None);
            }
            index.insert(start, Arc::clone(&locked));
        }
        self.cache.enqueue(&locked);
        Ok(Some(locked))
    }

    /// The largest order, at most `wanted`, at which a folio at `start` meets no other.
    fn order_free(&self, start: PageIndex, wanted: u8, min: u8) -> u8 {
        let index = self.index.read();
        let fits = |&o: &u8| !overlaps(&index, &(start..start + (1 << o)));
        (min..=wanted).rev().find(fits).unwrap_or(min)
    }

    /// The first dirty folio with a page in `from..end`.
    pub fn next_dirty(&self, from: PageIndex, end: PageIndex) -> Option<FolioRef> {
        loop {
            let start = self.next_dirty_start(from, end)?;
            // A folio that leaves is clean before it is gone, so a miss does not come again.
            if let Some(folio) = self.index.read().get(&start) {
                return Some(Arc::clone(folio));
            }
        }
    }

    fn next_dirty_start(&self, from: PageIndex, end: PageIndex) -> Option<PageIndex> {
        if from >= end {
            return None;
        }
        let dirty = self.dirty.lock();
        let across = dirty.range(..from).next_back().filter(|&(_, &e)| e > from);
        let (start, _) = across.or_else(|| dirty.range(from..end).next())?;
        Some(*start)
    }

    /// The first cached folio with a page in `from..end`. Not counted as a use.
    pub fn next_cached(&self, from: PageIndex, end: PageIndex) -> Option<FolioRef> {
        if from >= end {
            return None;
        }
        let index = self.index.read();
        let folio = find(&index, from).or_else(|| index.range(from..end).next().map(|(_, f)| f));
        folio.map(Arc::clone)
    }

    /// Locks the first dirty folio with a page in `from..end`.
    pub fn lock_next_dirty(&self, from: PageIndex, end: PageIndex) -> Option<LockedFolio> {
        loop {
            let locked = LockedFolio::lock(self.next_dirty(from, end)?);
            if !locked.is_detached() {
                return Some(locked);
            }
        }
    }

    /// Whether any folio is dirty.
    pub fn is_dirty(&self) -> bool {
        !self.dirty.lock().is_empty()
    }

    /// Waits for the writebacks that are under way now.
    pub fn wait_writeback(&self) {
        let under_way: Vec<_> = self.writeback.lock().values().map(Arc::clone).collect();
        for folio in under_way {
            folio.wait_writeback();
        }
    }

    /// Forgets everything from page `from` on: folios wholly behind leave the cache, with their dirty blocks; a
    /// folio that reaches across keeps its front. The owner keeps new folios from appearing there meanwhile.
    pub fn truncate(&self, from: PageIndex) {
        self.forget_pages(from..PageIndex::MAX);
    }

    /// Forgets the folios that lie in `pages`, with their dirty blocks; a folio that reaches out of the range keeps
    /// the rest. The owner keeps others from using the range meanwhile.
    pub fn forget_pages(&self, pages: Range<PageIndex>) {
        if pages.is_empty() {
            return;
        }
        for folio in self.folios_in(&pages) {
            let locked = LockedFolio::lock(folio);
            locked.wait_writeback();
            let own = locked.pages();
            if pages.start <= own.start && own.end <= pages.end {
                locked.detach();
            } else {
                let start = pages.start.max(own.start) - own.start;
                let end = pages.end.min(own.end) - own.start;
                locked.invalidate(start as usize..end as usize);
            }
        }
    }

    fn folios_in(&self, pages: &Range<PageIndex>) -> Vec<FolioRef> {
        let index = self.index.read();
        let across = find(&index, pages.start).filter(|f| f.pages().start < pages.start);
        across
            .into_iter()
            .chain(index.range(pages.clone()).map(|(_, f)| f))
            .map(Arc::clone)
            .collect()
    }

    pub(crate) fn note_dirty(&self, pages: Range<PageIndex>) {
        self.dirty.lock().insert(pages.start, pages.end);
    }

    pub(crate) fn note_clean(&self, start: PageIndex) {
        self.dirty.lock().remove(&start);
    }

    pub(crate) fn note_writeback(&self, folio: &FolioRef) {
        self.writeback
            .lock()
            .insert(folio.pages().start, Arc::clone(folio));
    }

    pub(crate) fn note_writeback_ended(&self, start: PageIndex) {
        self.writeback.lock().remove(&start);
    }

    pub(crate) fn forget(&self, start: PageIndex) {
        // The folio's last reference may be the index's own; it must not drop under the lock.
        let folio = self.index.write().remove(&start);
        drop(folio);
    }
}

fn find(index: &BTreeMap<PageIndex, FolioRef>, page: PageIndex) -> Option<&FolioRef> {
    let (_, folio) = index.range(..=page).next_back()?;
    folio.pages().contains(&page).then_some(folio)
}

fn overlaps(index: &BTreeMap<PageIndex, FolioRef>, pages: &Range<PageIndex>) -> bool {
    find(index, pages.start).is_some() || index.range(pages.clone()).next().is_some()
}

/// The largest order whose folio starts at `start` and is not longer than `pages` (which is not 0).
fn order_for(start: PageIndex, pages: u64) -> u8 {
    let by_length = pages.ilog2().min(u32::from(MAX_ORDER)) as u8;
    let by_alignment = start.trailing_zeros().min(u32::from(MAX_ORDER)) as u8;
    by_length.min(by_alignment)
}

/// The pages that the bytes `[pos, pos + len)` touch.
pub fn pages_touched(pos: u64, len: u64) -> Range<PageIndex> {
    let page = PAGE_SIZE as u64;
    pos / page..pos.saturating_add(len).div_ceil(page)
}
