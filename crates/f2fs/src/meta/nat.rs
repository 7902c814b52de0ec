//! The node address table: where each node lies, and which nids are free.
//!
//! A lookup goes from what changed since the last checkpoint, over the journal of that checkpoint,
//! to the NAT block that the version bitmap selects (`f2fs_get_node_info` of the kernel). Users are
//! the node cache above; [`nat_flush`](super::nat_flush) writes the changes at a checkpoint.
//!
//! # Invariants
//! A NAT block is written once a checkpoint at most, to the copy that is not current, so `journal`,
//! `bitmap` and `blocks` stay what the last checkpoint says until [`Nat::commit`].
//!
//! # Locking
//! One lock of rank [`locks::NAT`], held while a NAT block is read.

use super::block_cache::BlockCache;
use super::free_nid::FreeNids;
use super::nat_flush::NatFlush;
use crate::device::Device;
use crate::error::{Error, Inconsistent, Result};
use crate::locks;
use f2fs_format::bitmap::msb;
use f2fs_format::summary::NatJournal;
use f2fs_format::{Block, BlockAddr, Checkpoint, Geometry, Ino, NatBlock, NatEntry, Nid};
use runtime::sync::RwLock;
use std::collections::HashMap;
use std::sync::Arc;

/// The node address table of a volume.
#[derive(Debug)]
pub(crate) struct Nat {
    pub(super) device: Arc<Device>,
    pub(super) geometry: Geometry,
    pub(super) state: RwLock<State>,
}

#[derive(Debug)]
pub(super) struct State {
    /// Entries changed since the last checkpoint.
    pub(super) dirty: HashMap<Nid, NatEntry>,
    /// The journal of the last checkpoint.
    pub(super) journal: HashMap<Nid, NatEntry>,
    /// Current copies of NAT blocks.
    blocks: BlockCache,
    /// Which copy of each block is current.
    pub(super) bitmap: Vec<u8>,
    free: FreeNids,
}

impl State {
    /// The entry of a nid, if no block has to be read for it.
    fn peek(&self, nid: Nid, geometry: &Geometry) -> Option<NatEntry> {
        let late = self.dirty.get(&nid).or_else(|| self.journal.get(&nid));
        late.copied().or_else(|| {
            let block = self.blocks.get(geometry.nat_index(nid))?;
            Some(NatBlock::entry(block, nid))
        })
    }

    /// Brings a NAT block into the cache.
    fn load(&mut self, index: u32, nat: &Nat) -> Result<()> {
        if self.blocks.get(index).is_none() {
            let addr = nat
                .geometry
                .nat_block(index, msb::test(&self.bitmap, index as usize));
            self.blocks.put(index, nat.device.read_block(addr)?);
        }
        Ok(())
    }

    fn entry(&mut self, nid: Nid, nat: &Nat) -> Result<NatEntry> {
        if let Some(entry) = self.peek(nid, &nat.geometry) {
            return Ok(entry);
        }
        let index = nat.geometry.nat_index(nid);
        self.load(index, nat)?;
        Ok(self
            .peek(nid, &nat.geometry)
            .expect("the block of the nid was just loaded"))
    }

    fn scan(&mut self, index: u32, nat: &Nat) -> Result<()> {
        self.load(index, nat)?;
        let is_free = |nid: &Nid| self.peek(*nid, &nat.geometry).is_some_and(|e| e.is_free());
        let free = self
            .free
            .candidates(index)
            .map(Nid::new)
            .filter(is_free)
            .collect();
        self.free.add_scanned(index, free);
        Ok(())
    }
}

impl Nat {
    /// The table as `checkpoint` has it, with the journal of its hot data summary.
    pub(super) fn new(
        device: Arc<Device>,
        geometry: Geometry,
        checkpoint: &Checkpoint,
        journal: NatJournal,
    ) -> Self {
        let mut entries = HashMap::new();
        for (nid, entry) in journal.0 {
            // The kernel finds the first of several.
            entries.entry(Nid::new(nid)).or_insert(entry);
        }
        let free = FreeNids::new(&geometry, checkpoint.valid_nodes, checkpoint.next_free_nid);
        let state = State {
            dirty: HashMap::new(),
            journal: entries,
            blocks: BlockCache::default(),
            bitmap: checkpoint.nat_bitmap.clone(),
            free,
        };
        Self {
            device,
            geometry,
            state: RwLock::new(locks::NAT, state),
        }
    }

    /// The entry of a nid.
    ///
    /// # Errors
    /// `Corrupt` if the nid does not exist; the device's.
    pub(crate) fn get(&self, nid: Nid) -> Result<NatEntry> {
        let nid = self.geometry.nid(nid.get())?;
        if let Some(entry) = self.state.read().peek(nid, &self.geometry) {
            return Ok(entry);
        }
        self.state.write().entry(nid, self)
    }

    /// Forgets the blocks that were read, as others would push them out on a large volume.
    #[cfg(test)]
    pub(crate) fn forget_blocks(&self) {
        self.state.write().blocks = BlockCache::default();
    }

    /// The block of a node.
    ///
    /// # Errors
    /// `Corrupt` if the nid does not exist or its address is not in MAIN, `Inconsistent` if the nid
    /// is free.
    pub(crate) fn node_addr(&self, nid: Nid) -> Result<BlockAddr> {
        match self.get(nid)?.check(nid, &self.geometry)? {
            Some((_, addr)) => Ok(addr),
            None => Err(Inconsistent::NidFree { nid }.into()),
        }
    }

    /// Records that the node `nid` of inode `ino` lies at `addr` now.
    pub(crate) fn set_addr(&self, nid: Nid, ino: Ino, addr: BlockAddr) -> Result<()> {
        let nid = self.geometry.nid(nid.get())?;
        let mut state = self.state.write();
        let is_new = state.free.is_taken(nid) || state.entry(nid, self)?.is_free();
        let version = if is_new {
            0
        } else {
            state.entry(nid, self)?.version
        };
        if is_new {
            state.free.settle(nid);
        }
        let entry = NatEntry {
            version,
            ino: ino.get(),
            addr: addr.get(),
        };
        state.dirty.insert(nid, entry);
        Ok(())
    }

    /// Hands out a free nid. It stays free in the NAT until [`set_addr`](Self::set_addr).
    ///
    /// # Errors
    /// `NoSpace` if there is none that was free at the last checkpoint.
    pub(crate) fn alloc_nid(&self) -> Result<Nid> {
        let mut state = self.state.write();
        if state.free.count() == 0 {
            return Err(Error::NoSpace);
        }
        loop {
            if let Some(nid) = state.free.take() {
                return Ok(nid);
            }
            // Each round marks one more block as looked through.
            let index = state.free.next_unscanned().ok_or(Error::NoSpace)?;
            state.scan(index, self)?;
        }
    }

    /// Hands out a certain nid.
    ///
    /// # Errors
    /// `Inconsistent` if it is in use.
    pub(crate) fn claim_nid(&self, nid: Nid) -> Result<()> {
        let nid = self.geometry.nid(nid.get())?;
        let mut state = self.state.write();
        let is_free = state.entry(nid, self)?.is_free() && state.free.claim(nid);
        if is_free {
            Ok(())
        } else {
            Err(Inconsistent::NidInUse { nid }.into())
        }
    }

    /// Gives back a nid that was handed out and never used.
    pub(crate) fn return_nid(&self, nid: Nid) {
        let was_taken = self.state.write().free.give_back(nid);
        assert!(was_taken, "nid {nid} is given back but was not handed out");
    }

    /// Frees a nid; it is handed out again only after the next checkpoint. One that never got an
    /// address is free at once.
    ///
    /// # Errors
    /// `Inconsistent` if the nid is free already.
    pub(crate) fn free_nid(&self, nid: Nid) -> Result<()> {
        let nid = self.geometry.nid(nid.get())?;
        let mut state = self.state.write();
        if state.free.give_back(nid) {
            return Ok(());
        }
        let mut entry = state.entry(nid, self)?;
        if entry.is_free() {
            return Err(Inconsistent::NidFree { nid }.into());
        }
        entry.addr = 0;
        entry.version = entry.version.wrapping_add(1);
        state.dirty.insert(nid, entry);
        state.free.add_pending(nid);
        Ok(())
    }

    /// The version of a nid, as the summaries of the blocks that its node points at record it.
    pub(crate) fn version(&self, nid: Nid) -> Result<u8> {
        if self.state.read().free.is_taken(nid) {
            return Ok(0);
        }
        Ok(self.get(nid)?.version)
    }

    #[cfg(test)]
    /// Nids that are free, those included that wait for the next checkpoint.
    pub(crate) fn free_nid_count(&self) -> u32 {
        self.state.read().free.count()
    }

    /// Where the next mount should look for a free nid.
    pub(crate) fn next_free_nid(&self) -> u32 {
        self.state.read().free.hint()
    }

    /// The current content of a NAT block, without what changed since the last checkpoint.
    pub(super) fn block(&self, index: u32) -> Result<Box<Block>> {
        let mut state = self.state.write();
        if state.blocks.has_room() {
            state.load(index, self)?;
        }
        if let Some(block) = state.blocks.get(index) {
            return Ok(Box::new(*block));
        }
        let is_second = msb::test(&state.bitmap, index as usize);
        self.device
            .read_block(self.geometry.nat_block(index, is_second))
    }

    /// The checkpoint that holds `flush` is on the device.
    pub(crate) fn commit(&self, flush: NatFlush) {
        let mut state = self.state.write();
        state.dirty.clear();
        state.journal = flush
            .journal
            .into_iter()
            .map(|(nid, e)| (Nid::new(nid), e))
            .collect();
        state.bitmap = flush.bitmap;
        for (index, block) in flush.blocks {
            match block {
                Some(block) => state.blocks.put(index, block),
                None => state.blocks.forget(index),
            }
        }
        state.free.release_pending();
    }
}
