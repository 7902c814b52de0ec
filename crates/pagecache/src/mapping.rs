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
use crate::cache::PageCache;
use crate::errseq::ErrSeq;
use crate::folio::{Folio, FolioRef, LockedFolio};
use runtime::MAX_ORDER;
use runtime::PAGE_SIZE;
use runtime::sync::{Mutex, Rank, RwLock};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

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
    order_min: AtomicU8,
    order_max: AtomicU8,
    index: RwLock<BTreeMap<PageIndex, FolioRef>>,
    dirty: Mutex<BTreeSet<PageIndex>>,
    writeback: Mutex<BTreeMap<PageIndex, FolioRef>>,
    errors: ErrSeq,
}

impl Mapping {
    /// An empty mapping.
    pub fn new(cache: &PageCache, orders: Orders) -> Arc<Self> {
        let mapping = Self {
            cache: cache.clone(),
            order_min: AtomicU8::new(0),
            order_max: AtomicU8::new(0),
            index: RwLock::new(Rank::LEAF, BTreeMap::new()),
            dirty: Mutex::new(Rank::LEAF, BTreeSet::new()),
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
        Orders {
            min: self.order_min.load(Ordering::Relaxed),
            max: self.order_max.load(Ordering::Relaxed),
        }
    }

    /// Changes the orders. Raising the minimum needs an empty mapping.
    ///
    /// # Panics
    /// If the orders contradict, or the minimum rises above folios that exist.
    pub fn set_orders(&self, orders: Orders) {
        assert!(orders.min <= orders.max && orders.max <= MAX_ORDER);
        let index = self.index.read();
        assert!(
            index.values().all(|f| f.order() >= orders.min),
            "no folio below the minimum"
        );
        self.order_min.store(orders.min, Ordering::Relaxed);
        self.order_max.store(orders.max, Ordering::Relaxed);
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
                None => match self.make(&hint)? {
                    Some(folio) => folio,
                    None => continue,
                },
            };
            if !folio.is_detached() {
                return Ok(folio);
            }
        }
    }

    /// Like [`Mapping::grab`], but None if the page is cached already.
    pub fn grab_new(
        self: &Arc<Self>,
        hint: Range<PageIndex>,
    ) -> std::io::Result<Option<LockedFolio>> {
        if self.lookup(hint.start).is_some() {
            return Ok(None);
        }
        self.make(&hint)
    }

    /// Makes, locks and inserts a folio. None if another thread was faster.
    fn make(self: &Arc<Self>, hint: &Range<PageIndex>) -> std::io::Result<Option<LockedFolio>> {
        let Orders { min, max } = self.orders();
        let start = hint.start >> min << min;
        let wanted = order_for(start, hint.end.max(hint.start + 1) - start).clamp(min, max);
        let free = self.order_free(start, wanted, min);
        let granted = self.cache.charge(free, min);
        let buffer = match self.cache.pool().alloc(granted) {
            Ok(buffer) => buffer,
            Err(error) => {
                self.cache.uncharge(granted);
                return Err(error);
            }
        };
        let folio = Folio::new(self, &self.cache, start, buffer);
        let locked = LockedFolio::lock(folio);
        {
            let mut index = self.index.write();
            if overlaps(&index, &locked.pages()) {
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

    /// The first dirty folio at or after a page, below `end`.
    pub fn next_dirty(&self, from: PageIndex, end: PageIndex) -> Option<FolioRef> {
        if from >= end {
            return None;
        }
        let start = self.dirty.lock().range(from..end).next().copied()?;
        self.index.read().get(&start).map(Arc::clone)
    }

    /// Locks the first dirty folio at or after a page, below `end`.
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
        for folio in self.folios_from(from) {
            let locked = LockedFolio::lock(folio);
            locked.wait_writeback();
            if locked.pages().start >= from {
                locked.detach();
            } else {
                locked.invalidate((from - locked.pages().start) as usize..locked.page_count());
            }
        }
    }

    fn folios_from(&self, from: PageIndex) -> Vec<FolioRef> {
        let index = self.index.read();
        let across = find(&index, from).filter(|f| f.pages().start < from);
        across
            .into_iter()
            .chain(index.range(from..).map(|(_, f)| f))
            .map(Arc::clone)
            .collect()
    }

    pub(crate) fn note_dirty(&self, start: PageIndex) {
        self.dirty.lock().insert(start);
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
