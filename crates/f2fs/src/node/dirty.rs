//! Dirty nodes, counted over the whole volume, so that there is always room for the checkpoint that writes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Whether a node differs from the volume's; while it does, it is counted.
#[derive(Debug)]
pub(crate) struct DirtyMark {
    is_set: bool,
    count: Arc<AtomicU64>,
}

impl DirtyMark {
    /// A mark that counts in `count`.
    pub(crate) fn new(count: &Arc<AtomicU64>, is_set: bool) -> Self {
        let mut mark = Self {
            is_set: false,
            count: Arc::clone(count),
        };
        if is_set {
            mark.set();
        }
        mark
    }

    /// A mark of another node of the same volume.
    pub(super) fn sibling(&self, is_set: bool) -> Self {
        Self::new(&self.count, is_set)
    }

    pub(crate) fn is_set(&self) -> bool {
        self.is_set
    }

    pub(crate) fn set(&mut self) {
        if !std::mem::replace(&mut self.is_set, true) {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn clear(&mut self) {
        if std::mem::replace(&mut self.is_set, false) {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for DirtyMark {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_counts_once_and_not_after_its_end() {
        let count = Arc::new(AtomicU64::new(0));
        let mut one = DirtyMark::new(&count, true);
        one.set();
        let other = one.sibling(true);
        assert_eq!(count.load(Ordering::Relaxed), 2);
        one.clear();
        one.clear();
        drop(other);
        assert_eq!(count.load(Ordering::Relaxed), 0);
        assert!(!one.is_set());
    }
}
