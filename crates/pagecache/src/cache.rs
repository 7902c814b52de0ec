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
use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

type PressureHandler = Box<dyn Fn() + Send + Sync>;

/// How often the cache waits for reads or asks the owner to write back before a folio is made beyond the budget.
const PRESSURE_ROUNDS: usize = 8;

/// Entries below which the queue is never swept.
const SWEEP_MIN: usize = 1024;

thread_local! {
    /// Whether this thread is inside the pressure handler.
    static RELIEVING: Cell<bool> = const { Cell::new(false) };
}

/// Whether the asker can do without the folio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// No: writeback is asked for, at last the budget is passed.
    Must,
    /// Yes: only free and clean memory is used.
    Spare,
}

#[derive(Default)]
struct Queue {
    folios: VecDeque<Weak<Folio>>,
    sweep_at: usize,
}

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
    queue: Mutex<Queue>,
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
            queue: Mutex::new(Rank::LEAF, Queue::default()),
            on_pressure: OnceLock::new(),
            made: [const { AtomicU64::new(0) }; runtime::MAX_ORDER as usize + 1],
            reclaimed: AtomicU64::new(0),
            over_budget: AtomicU64::new(0),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Sets what to call when nothing clean is left to reclaim: it writes dirty folios back and waits for the
    /// writebacks under way. Called by a thread that asked for a folio it must have, with that thread's own locks
    /// held but no folio lock; not called again on a thread that is inside it. Only the first call has an effect.
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
            self.uncharge(self.reclaim(usize::MAX));
        }
    }

    /// Finds room for a folio: the order granted, from `order` down to `order_min`. Charged to the budget.
    /// None only if the folio need not be.
    pub(crate) fn charge(&self, order: u8, order_min: u8, need: Need) -> Option<u8> {
        if self.try_charge(1 << order) {
            return Some(order);
        }
        // What reclaim frees stays charged and is ours, so that no other thread takes it away again.
        let mut owned = self.reclaim(1 << order);
        for _ in 0..PRESSURE_ROUNDS {
            if let Some(granted) = self.settle(owned, order, order_min) {
                return Some(granted);
            }
            if need == Need::Spare || !(self.wait_read_ahead() || self.relieve()) {
                break;
            }
            owned += self.reclaim((1 << order_min) - owned);
        }
        if let Some(granted) = self.settle(owned, order, order_min) {
            return Some(granted);
        }
        if need == Need::Spare {
            self.uncharge(owned);
            return None;
        }
        self.inner.over_budget.fetch_add(1, Ordering::Relaxed);
        self.add_used((1 << order_min) - owned);
        Some(order_min)
    }

    /// The largest order that `owned` pages and what is free allow; the rest of `owned` goes back.
    fn settle(&self, owned: usize, order: u8, order_min: u8) -> Option<u8> {
        let granted = (order_min..=order).rev().find(|&o| {
            let pages = 1 << o;
            owned >= pages || self.try_charge(pages - owned)
        })?;
        self.uncharge(owned.saturating_sub(1 << granted));
        Some(granted)
    }

    /// Waits for one folio that is being read ahead, if there is any: it can be reclaimed then.
    fn wait_read_ahead(&self) -> bool {
        let folios = self.inner.queue.lock().folios.clone();
        folios
            .iter()
            .filter_map(Weak::upgrade)
            .any(|folio| folio.wait_read_ahead())
    }

    /// Asks the owner to write back; whether there was anybody to ask.
    fn relieve(&self) -> bool {
        let Some(handler) = self.inner.on_pressure.get() else {
            return false;
        };
        if RELIEVING.replace(true) {
            return false;
        }
        handler();
        RELIEVING.set(false);
        true
    }

    fn try_charge(&self, pages: usize) -> bool {
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

    pub(crate) fn uncharge(&self, pages: usize) {
        self.inner.used.fetch_sub(pages, Ordering::Relaxed);
    }

    pub(crate) fn enqueue(&self, folio: &Arc<Folio>) {
        self.inner.made[folio.order() as usize].fetch_add(1, Ordering::Relaxed);
        let mut queue = self.inner.queue.lock();
        queue.folios.push_back(Arc::downgrade(folio));
        // Folios that left by truncation are never met here while memory is plenty.
        if queue.folios.len() > queue.sweep_at {
            queue.folios.retain(|f| f.strong_count() > 0);
            queue.sweep_at = 2 * queue.folios.len().max(SWEEP_MIN);
        }
    }

    pub(crate) fn add_dirty(&self, blocks: usize) {
        self.inner.dirty.fetch_add(blocks, Ordering::Relaxed);
    }

    pub(crate) fn sub_dirty(&self, blocks: usize) {
        self.inner.dirty.fetch_sub(blocks, Ordering::Relaxed);
    }

    /// Takes back folios of at least `pages` pages, if it finds them. Looks at each folio at most twice. Returns the
    /// pages that are free now; they stay charged.
    fn reclaim(&self, pages: usize) -> usize {
        let mut freed = 0;
        let mut looks = 2 * self.inner.queue.lock().folios.len();
        while freed < pages && looks > 0 {
            looks -= 1;
            let Some(next) = self.inner.queue.lock().folios.pop_front() else {
                break;
            };
            let Some(folio) = next.upgrade() else {
                continue;
            };
            if folio.try_reclaim() {
                self.inner.reclaimed.fetch_add(1, Ordering::Relaxed);
                // Whoever else still reads it gives its pages back later.
                freed += Arc::into_inner(folio).map_or(0, Folio::take_charge);
            } else {
                self.inner.queue.lock().folios.push_back(next);
            }
        }
        freed
    }
}
