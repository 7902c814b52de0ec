//! Locks with a rank.
//!
//! Every lock of the engine is made with a [`Rank`]; a thread may only take a lock of a higher rank than those
//! it holds. Debug and test builds keep a stack for each thread and panic at the first acquisition in the wrong
//! order, so an order that could deadlock fails the first time it runs. Release builds check nothing.
//!
//! A panic in a critical section does not poison the lock: data behind these locks is either rebuilt or
//! guarded by the volume's own error state.

use std::ops::{Deref, DerefMut};
use std::sync::{PoisonError, TryLockError};

#[cfg(loom)]
use loom::sync as imp;
#[cfg(not(loom))]
use std::sync as imp;

#[cfg(loom)]
pub use loom::sync::Arc;
#[cfg(loom)]
pub use loom::sync::atomic;
#[cfg(not(loom))]
pub use std::sync::Arc;
#[cfg(not(loom))]
pub use std::sync::atomic;

/// A place in the lock order: locks are taken in ascending rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// Position in the order.
    pub level: u16,
    /// Whether a thread may hold several locks of this rank (in an order its users define).
    pub nests: bool,
    /// Name used in the panic message.
    pub name: &'static str,
}

impl Rank {
    /// A rank of which a thread holds at most one lock.
    pub const fn new(level: u16, name: &'static str) -> Self {
        Self {
            level,
            nests: false,
            name,
        }
    }

    /// A rank of which a thread may hold several locks; their mutual order is the user's to keep.
    pub const fn nesting(level: u16, name: &'static str) -> Self {
        Self {
            level,
            nests: true,
            name,
        }
    }

    /// The rank of leaves: nothing is taken below them.
    pub const LEAF: Self = Self::new(u16::MAX, "leaf");
}

#[cfg(all(debug_assertions, not(loom)))]
mod held {
    use super::Rank;
    use std::cell::RefCell;

    thread_local! {
        static HELD: RefCell<Vec<Rank>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn check(rank: Rank) {
        HELD.with_borrow(|held| {
            for top in held {
                assert!(
                    top.level < rank.level || (top.level == rank.level && rank.nests),
                    "lock order: {} taken while {} is held",
                    rank.name,
                    top.name
                );
            }
        });
    }

    pub(super) fn push(rank: Rank) {
        HELD.with_borrow_mut(|held| held.push(rank));
    }

    pub(super) fn pop(rank: Rank) {
        HELD.with_borrow_mut(|held| {
            if let Some(at) = held.iter().rposition(|&r| r == rank) {
                held.remove(at);
            }
        });
    }
}

#[cfg(not(all(debug_assertions, not(loom))))]
mod held {
    use super::Rank;
    pub(super) fn check(_: Rank) {}
    pub(super) fn push(_: Rank) {}
    pub(super) fn pop(_: Rank) {}
}

/// Panics (debug builds) if a lock of this rank must not be taken now. For locks that are not guards, such as
/// a folio's.
pub fn check_rank(rank: Rank) {
    held::check(rank);
}

/// A mutex with a rank.
#[derive(Debug)]
pub struct Mutex<T> {
    rank: Rank,
    inner: imp::Mutex<T>,
}

/// Guard of a [`Mutex`].
#[derive(Debug)]
pub struct MutexGuard<'a, T> {
    rank: Rank,
    // None only while a Condvar waits with it.
    inner: Option<imp::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    /// A mutex of the given rank.
    pub fn new(rank: Rank, value: T) -> Self {
        Self {
            rank,
            inner: imp::Mutex::new(value),
        }
    }

    /// Locks, waiting as long as it takes.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        held::check(self.rank);
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        held::push(self.rank);
        MutexGuard {
            rank: self.rank,
            inner: Some(inner),
        }
    }

    /// Takes the value out; no other reference exists.
    #[cfg(not(loom))]
    pub fn into_inner(self) -> T {
        self.inner
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.inner.as_ref().expect("held outside a wait")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.inner.as_mut().expect("held outside a wait")
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        held::pop(self.rank);
    }
}

/// A condition variable for [`Mutex`].
#[derive(Debug, Default)]
pub struct Condvar {
    inner: imp::Condvar,
}

impl Condvar {
    /// A new condition variable.
    pub fn new() -> Self {
        Self {
            inner: imp::Condvar::new(),
        }
    }

    /// Releases the guard's lock, waits for a notification, and locks again. Wake-ups may be spurious.
    pub fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let inner = guard.inner.take().expect("held outside a wait");
        guard.inner = Some(
            self.inner
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner),
        );
        guard
    }

    /// Waits until `blocked` turns false.
    pub fn wait_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut blocked: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        while blocked(&mut guard) {
            guard = self.wait(guard);
        }
        guard
    }

    /// Wakes one waiter.
    pub fn notify_one(&self) {
        self.inner.notify_one();
    }

    /// Wakes all waiters.
    pub fn notify_all(&self) {
        self.inner.notify_all();
    }
}

/// A reader-writer lock with a rank.
#[derive(Debug)]
pub struct RwLock<T> {
    rank: Rank,
    inner: imp::RwLock<T>,
}

/// Shared guard of an [`RwLock`].
#[derive(Debug)]
pub struct ReadGuard<'a, T> {
    rank: Rank,
    inner: imp::RwLockReadGuard<'a, T>,
}

/// Exclusive guard of an [`RwLock`].
#[derive(Debug)]
pub struct WriteGuard<'a, T> {
    rank: Rank,
    inner: imp::RwLockWriteGuard<'a, T>,
}

impl<T> RwLock<T> {
    /// A lock of the given rank.
    pub fn new(rank: Rank, value: T) -> Self {
        Self {
            rank,
            inner: imp::RwLock::new(value),
        }
    }

    /// Locks shared. Never taken twice by one thread.
    pub fn read(&self) -> ReadGuard<'_, T> {
        held::check(self.rank);
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        held::push(self.rank);
        ReadGuard {
            rank: self.rank,
            inner,
        }
    }

    /// Locks exclusively.
    pub fn write(&self) -> WriteGuard<'_, T> {
        held::check(self.rank);
        let inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        held::push(self.rank);
        WriteGuard {
            rank: self.rank,
            inner,
        }
    }

    /// Locks exclusively if nobody holds it. It never waits, so it may come against the order; what is locked while its
    /// guard lives may not.
    pub fn try_write(&self) -> Option<WriteGuard<'_, T>> {
        let inner = match self.inner.try_write() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        held::push(self.rank);
        Some(WriteGuard {
            rank: self.rank,
            inner,
        })
    }
}

impl<T> Deref for ReadGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> Drop for ReadGuard<'_, T> {
    fn drop(&mut self) {
        held::pop(self.rank);
    }
}

impl<T> Deref for WriteGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for WriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T> Drop for WriteGuard<'_, T> {
    fn drop(&mut self) {
        held::pop(self.rank);
    }
}

#[cfg(all(test, debug_assertions, not(loom)))]
mod tests {
    use super::*;

    const OUTER: Rank = Rank::new(1, "outer");
    const INNER: Rank = Rank::new(2, "inner");
    const MANY: Rank = Rank::nesting(3, "many");

    #[test]
    fn ascending_order_is_allowed() {
        let (a, b) = (Mutex::new(OUTER, 1), RwLock::new(INNER, 2));
        let (c, d) = (Mutex::new(MANY, 3), Mutex::new(MANY, 4));
        assert_eq!(*a.lock() + *b.read() + *c.lock() + *d.lock(), 10);
    }

    #[test]
    #[should_panic(expected = "lock order: outer taken while inner is held")]
    fn descending_order_panics() {
        let (a, b) = (Mutex::new(OUTER, ()), Mutex::new(INNER, ()));
        let _b = b.lock();
        let _a = a.lock();
    }

    #[test]
    #[should_panic(expected = "lock order: outer taken while outer is held")]
    fn same_rank_panics_unless_it_nests() {
        let (a, b) = (Mutex::new(OUTER, ()), Mutex::new(OUTER, ()));
        let _a = a.lock();
        let _b = b.lock();
    }

    #[test]
    fn a_released_lock_is_forgotten() {
        let (a, b) = (Mutex::new(OUTER, ()), Mutex::new(INNER, ()));
        drop(b.lock());
        drop(a.lock());
    }
}
