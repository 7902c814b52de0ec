//! Memory of all mappings: budget, reclaim, counters.
//!
//! Folios stand in one queue in the order they came. Reclaim takes from its front: a folio that was used since it
//! was last looked at, is dirty, locked or in writeback goes to the back; any other leaves its mapping. Its memory
//! returns when the last reference goes.
//!
//! # Invariants
//! 1. `used` counts the pages of all live folios. It passes the budget only when nothing can be reclaimed even
//!    after the owner was asked to write back, and then by single folios of the smallest order that works.
//! 2. `dirty` counts the dirty blocks of all folios.
//!
//! # Locking
//! The queue is a leaf, taken once for each folio made and while reclaiming, never on a hit.

use crate::folio::Folio;
use runtime::pool::BufferPool;
use runtime::sync::{Mutex, Rank};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

type PressureHandler = Box<dyn Fn() + Send + Sync>;

/// The cache. Clones share one.
#[derive(Clone)]
pub struct PageCache {
    inner: Arc<Inner>,
}

struct Inner {
    pool: BufferPool,
    budget: usize,
    used: AtomicUsize,
    used_max: AtomicUsize,
    dirty: AtomicUsize,
    queue: Mutex<VecDeque<Weak<Folio>>>,
    on_pressure: OnceLock<PressureHandler>,
    made: [AtomicU64; runtime::MAX_ORDER as usize + 1],
    reclaimed: AtomicU64,
    over_budget: AtomicU64,
}

/// Counters of a cache.
#[derive(Clone, Debug, Default)]
pub struct CacheStats {
    /// Folios made, by order.
    pub folios_by_order: [u64; runtime::MAX_ORDER as usize + 1],
    /// Folios taken back by reclaim.
    pub reclaimed: u64,
    /// Folios made beyond the budget because nothing could be reclaimed.
    pub over_budget: u64,
    /// Pages in use now.
    pub used_pages: usize,
    /// Most pages that were in use at one time.
    pub used_pages_max: usize,
    /// Dirty blocks now.
    pub dirty_blocks: usize,
}

impl std::fmt::Debug for PageCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PageCache")
            .field("stats", &self.stats())
            .finish()
    }
}

impl PageCache {
    /// A cache that holds at most `budget` pages.
    pub fn new(budget: usize) -> Self {
        let inner = Inner {
            pool: BufferPool::default(),
            budget,
            used: AtomicUsize::new(0),
            used_max: AtomicUsize::new(0),
            dirty: AtomicUsize::new(0),
            queue: Mutex::new(Rank::LEAF, VecDeque::new()),
            on_pressure: OnceLock::new(),
            made: [const { AtomicU64::new(0) }; runtime::MAX_ORDER as usize + 1],
            reclaimed: AtomicU64::new(0),
            over_budget: AtomicU64::new(0),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Sets what to call when nothing clean is left to reclaim: it writes dirty folios back. Called with no folio
    /// lock held. Only the first call has an effect.
    pub fn set_pressure_handler(&self, handler: impl Fn() + Send + Sync + 'static) {
        let _ = self.inner.on_pressure.set(Box::new(handler));
    }

    /// The pool behind the folios, for buffers that live as long as one transfer.
    pub fn pool(&self) -> &BufferPool {
        &self.inner.pool
    }

    /// Pages it may hold.
    pub fn budget(&self) -> usize {
        self.inner.budget
    }

    /// Dirty blocks of all mappings.
    pub fn dirty_blocks(&self) -> usize {
        self.inner.dirty.load(Ordering::Relaxed)
    }

    /// Counters so far.
    pub fn stats(&self) -> CacheStats {
        let inner = &*self.inner;
        CacheStats {
            folios_by_order: std::array::from_fn(|o| inner.made[o].load(Ordering::Relaxed)),
            reclaimed: inner.reclaimed.load(Ordering::Relaxed),
            over_budget: inner.over_budget.load(Ordering::Relaxed),
            used_pages: inner.used.load(Ordering::Relaxed),
            used_pages_max: inner.used_max.load(Ordering::Relaxed),
            dirty_blocks: self.dirty_blocks(),
        }
    }

    /// Takes back everything that is clean and unused: cold reads for benchmarks and tests.
    pub fn drop_clean(&self) {
        // Twice: the first round clears the marks of use.
        for _ in 0..2 {
            self.reclaim(usize::MAX);
        }
    }

    /// Finds room for a folio: the order granted, from `order` down to `order_min`. Charged to the budget.
    pub(crate) fn charge(&self, order: u8, order_min: u8) -> u8 {
        for order in (order_min..=order).rev() {
            if self.try_charge(order) || (self.reclaim(1 << order) && self.try_charge(order)) {
                return order;
            }
        }
        if let Some(handler) = self.inner.on_pressure.get() {
            handler();
        }
        self.reclaim(1 << order_min);
        if !self.try_charge(order_min) {
            self.inner.over_budget.fetch_add(1, Ordering::Relaxed);
            self.add_used(1 << order_min);
        }
        order_min
    }

    fn try_charge(&self, order: u8) -> bool {
        let pages = 1 << order;
        let budget = self.inner.budget;
        let fits = |used: usize| (used + pages <= budget).then_some(used + pages);
        let charged = self
            .inner
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        if let Ok(before) = charged {
            self.inner
                .used_max
                .fetch_max(before + pages, Ordering::Relaxed);
        }
        charged.is_ok()
    }

    fn add_used(&self, pages: usize) {
        let before = self.inner.used.fetch_add(pages, Ordering::Relaxed);
        self.inner
            .used_max
            .fetch_max(before + pages, Ordering::Relaxed);
    }

    pub(crate) fn uncharge(&self, order: u8) {
        self.inner.used.fetch_sub(1 << order, Ordering::Relaxed);
    }

    pub(crate) fn enqueue(&self, folio: &Arc<Folio>) {
        self.inner.made[folio.order() as usize].fetch_add(1, Ordering::Relaxed);
        self.inner.queue.lock().push_back(Arc::downgrade(folio));
    }

    pub(crate) fn add_dirty(&self, blocks: usize) {
        self.inner.dirty.fetch_add(blocks, Ordering::Relaxed);
    }

    pub(crate) fn sub_dirty(&self, blocks: usize) {
        self.inner.dirty.fetch_sub(blocks, Ordering::Relaxed);
    }

    /// Takes back folios of at least `pages` pages; whether it found that many. Looks at each folio at most twice.
    fn reclaim(&self, pages: usize) -> bool {
        let mut freed = 0;
        let mut looks = 2 * self.inner.queue.lock().len();
        while freed < pages && looks > 0 {
            looks -= 1;
            let Some(next) = self.inner.queue.lock().pop_front() else {
                break;
            };
            let Some(folio) = next.upgrade() else {
                continue;
            };
            if folio.try_reclaim() {
                freed += 1 << folio.order();
                self.inner.reclaimed.fetch_add(1, Ordering::Relaxed);
            } else {
                self.inner.queue.lock().push_back(next);
            }
        }
        freed >= pages
    }
}
