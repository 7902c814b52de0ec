//! Whether limits bind the operations of a thread.

use std::cell::Cell;
use std::marker::PhantomData;

thread_local! {
    /// Scopes that live on this thread.
    static SCOPES: Cell<u32> = const { Cell::new(0) };
}

/// While one lives, limits of users, groups and projects bind what its thread does: see
/// [`crate::Volume::enforce_quota`].
#[derive(Debug)]
#[must_use = "limits bind only while the scope lives"]
pub struct QuotaScope {
    /// It belongs to its thread.
    _not_send: PhantomData<*const ()>,
}

impl QuotaScope {
    pub(crate) fn enter() -> Self {
        SCOPES.set(SCOPES.get() + 1);
        Self {
            _not_send: PhantomData,
        }
    }
}

impl Drop for QuotaScope {
    fn drop(&mut self) {
        SCOPES.set(SCOPES.get() - 1);
    }
}

pub(super) fn binds_this_thread() -> bool {
    SCOPES.get() > 0
}
