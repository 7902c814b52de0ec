//! Which nids can be handed out.
//!
//! NAT blocks are looked through one after the other, when nids run out; what a scan found is kept.
//! A nid that was freed waits for the next checkpoint: reused earlier, the chain of nodes that an
//! fsync wrote could be taken for its new owner's ([`Nat::free_nid`](super::nat::Nat::free_nid)).
//!
//! # Invariants
//! `ready`, `taken` and `pending` have no nid in common. Reserved nids are in none of them.

use f2fs_format::{Geometry, NAT_ENTRIES_PER_BLOCK, Nid};
use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

/// The free nids of a volume, as far as they are known.
#[derive(Debug)]
pub(super) struct FreeNids {
    /// Free, found by a scan or given back.
    ready: BTreeSet<Nid>,
    /// Handed out, not yet in the NAT.
    taken: HashSet<Nid>,
    /// Freed since the last checkpoint.
    pending: HashSet<Nid>,
    /// Which NAT blocks have been looked through.
    scanned: Vec<bool>,
    unscanned: usize,
    next_scan: usize,
    /// Nids that are free in all, pending ones included, known or not.
    free: u32,
    max_nid: u32,
}

impl FreeNids {
    /// Nothing known yet but how many nids are in use. The search starts at `hint`.
    pub(super) fn new(geometry: &Geometry, valid_nodes: u32, hint: u32) -> Self {
        let blocks = geometry.nat_blocks() as usize;
        let max_nid = geometry.max_nid();
        Self {
            ready: BTreeSet::new(),
            taken: HashSet::new(),
            pending: HashSet::new(),
            scanned: vec![false; blocks],
            unscanned: blocks,
            next_scan: hint as usize / NAT_ENTRIES_PER_BLOCK % blocks.max(1),
            free: (max_nid - Nid::ROOT.get()).saturating_sub(valid_nodes),
            max_nid,
        }
    }

    /// Hands out a nid that is known to be free.
    pub(super) fn take(&mut self) -> Option<Nid> {
        let nid = self.ready.pop_first()?;
        self.taken.insert(nid);
        self.free = self.free.saturating_sub(1);
        Some(nid)
    }

    /// Hands out a nid whose entry is free; false if it was handed out already.
    pub(super) fn claim(&mut self, nid: Nid) -> bool {
        let is_new = self.taken.insert(nid);
        if is_new {
            self.ready.remove(&nid);
            self.pending.remove(&nid);
            self.free = self.free.saturating_sub(1);
        }
        is_new
    }

    /// The next NAT block to look through, or `None` if all have been.
    pub(super) fn next_unscanned(&self) -> Option<u32> {
        if self.unscanned == 0 {
            return None;
        }
        let (before, after) = self.scanned.split_at(self.next_scan);
        let found = after
            .iter()
            .position(|done| !done)
            .map(|at| at + self.next_scan);
        found
            .or_else(|| before.iter().position(|done| !done))
            .map(|at| at as u32)
    }

    /// The nids of a NAT block that can be handed out if their entries are free.
    pub(super) fn candidates(&self, block: u32) -> Range<u32> {
        let first = block * NAT_ENTRIES_PER_BLOCK as u32;
        let end = (first + NAT_ENTRIES_PER_BLOCK as u32).min(self.max_nid);
        // The root's entry is in use on any volume that can be opened, but never trust that.
        first.max(Nid::ROOT.get() + 1)..end
    }

    /// A NAT block has been looked through: these of its nids are free.
    pub(super) fn add_scanned(&mut self, block: u32, free: Vec<Nid>) {
        self.next_scan = block as usize;
        if !std::mem::replace(&mut self.scanned[block as usize], true) {
            self.unscanned -= 1;
        }
        let usable = free
            .into_iter()
            .filter(|nid| !self.pending.contains(nid) && !self.taken.contains(nid));
        self.ready.extend(usable.collect::<Vec<_>>());
    }

    /// Whether the nid was handed out and is not yet in the NAT.
    pub(super) fn is_taken(&self, nid: Nid) -> bool {
        self.taken.contains(&nid)
    }

    /// A nid that was handed out is not needed; false if it was not handed out.
    pub(super) fn give_back(&mut self, nid: Nid) -> bool {
        let was_taken = self.taken.remove(&nid);
        if was_taken {
            self.ready.insert(nid);
            self.free += 1;
        }
        was_taken
    }

    /// A nid gets its first address.
    pub(super) fn settle(&mut self, nid: Nid) {
        if !self.taken.remove(&nid) {
            // Recovery writes nodes under nids that nobody took.
            self.ready.remove(&nid);
            self.pending.remove(&nid);
            self.free = self.free.saturating_sub(1);
        }
    }

    /// A nid was freed in the NAT.
    pub(super) fn add_pending(&mut self, nid: Nid) {
        self.pending.insert(nid);
        self.free += 1;
    }

    /// A checkpoint has been made: freed nids can be handed out again.
    pub(super) fn release_pending(&mut self) {
        for nid in self.pending.drain() {
            // The scan will find it otherwise.
            if self.scanned[nid.get() as usize / NAT_ENTRIES_PER_BLOCK] {
                self.ready.insert(nid);
            }
        }
    }

    /// Nids that are free in all.
    pub(super) fn count(&self) -> u32 {
        self.free
    }

    /// Where the next search should start.
    pub(super) fn hint(&self) -> u32 {
        let scan = self.next_scan * NAT_ENTRIES_PER_BLOCK;
        self.ready.first().map_or(scan as u32, |nid| nid.get())
    }
}
