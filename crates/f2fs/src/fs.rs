//! The volume in memory: what every operation works on.
//!
//! # Locking
//! `op` is the barrier between operations and the checkpoint: everything that changes metadata holds it shared
//! ([`Fs::start_op`]), a checkpoint exclusively. Room is made ([`Fs::balance`]) before any lock is taken. The whole
//! order is in [`crate::locks`].

use crate::data::codecs::Codecs;
use crate::error::{Error, Result};
use crate::fsync::{FsyncQueue, VacatedNames};
use crate::gc::Cleaning;
use crate::idle::Saving;
use crate::inode::{Inode, InodeCache};
use crate::locks;
use crate::meta::Metadata;
use crate::options::VolumeOptions;
use crate::quota::Quota;
use crate::stats::{Counters, Stats};
use crate::untrusted::Places;
use f2fs_format::{BlockAddr, Ino, Nid};
use pagecache::PageCache;
use runtime::PAGE_SIZE;
use runtime::clock::Timestamp;
use runtime::rng::Rng;
use runtime::sync::{Mutex, Rank, ReadGuard, RwLock, WriteGuard};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Smallest cache: four folios of 2 MiB and room to work beside them.
const CACHE_BYTES_MIN: u64 = 16 << 20;

/// Witness that metadata may be changed: no checkpoint runs while it is held, or its holder is the checkpoint.
#[derive(Debug)]
pub(crate) struct OpGuard<'a> {
    _lock: OpLock<'a>,
    _scope: NoWritebackScope,
}

#[derive(Debug)]
#[expect(dead_code, reason = "guards are held, not read")]
enum OpLock<'a> {
    /// One operation among others.
    Shared(ReadGuard<'a, ()>),
    /// The checkpoint, alone.
    Frozen(WriteGuard<'a, ()>),
}

thread_local! {
    /// Operations this thread is inside of. Writing back to free memory starts an operation, so a thread inside
    /// one must not do it (the kernel's `memalloc_nofs_save`).
    static OPS_HELD: Cell<u32> = const { Cell::new(0) };
}

/// While one lives, this thread does not write back to free memory.
#[derive(Debug)]
struct NoWritebackScope;

impl NoWritebackScope {
    fn enter() -> Self {
        OPS_HELD.set(OPS_HELD.get() + 1);
        Self
    }
}

impl Drop for NoWritebackScope {
    fn drop(&mut self) {
        OPS_HELD.set(OPS_HELD.get() - 1);
    }
}

/// The epoch before this open volume has made a checkpoint.
pub(crate) const FIRST_EPOCH: u64 = 1;

/// One open volume.
#[derive(Debug)]
pub(crate) struct Fs {
    pub(crate) meta: Metadata,
    pub(crate) cache: PageCache,
    pub(crate) options: VolumeOptions,
    pub(crate) counters: Arc<Counters>,
    pub(crate) codecs: Arc<Codecs>,
    pub(crate) inodes: InodeCache,
    /// Names of directories, where the volume is not trusted.
    pub(crate) places: Option<Places>,
    /// Inodes with dirty nodes or dirty folios; they stay in memory.
    pub(crate) dirty: Mutex<BTreeMap<Ino, Arc<Inode>>>,
    op: RwLock<()>,
    /// Nodes in memory that differ from the volume's.
    pub(crate) dirty_nodes: Arc<AtomicU64>,
    /// Blocks of directories written in memory since the last checkpoint.
    pub(crate) dirty_entries: AtomicU64,
    /// Whether anything was changed since the last checkpoint.
    pub(crate) changed: AtomicBool,
    /// Whether the last checkpoint was not the one of a clean end.
    pub(crate) needs_umount: AtomicBool,
    pub(crate) checkpoint: Mutex<()>,
    pub(crate) cleaning: Cleaning,
    /// Grows when a checkpoint has stopped all operations, before it looks at anything.
    pub(crate) frozen: AtomicU64,
    /// [`Fs::frozen`] as the last successful checkpoint found it.
    pub(crate) checkpointed: AtomicU64,
    /// Checkpoints since the volume was opened, and one.
    epoch: AtomicU64,
    pub(crate) fsyncs: FsyncQueue,
    pub(crate) vacated: VacatedNames,
    pub(crate) rename: Mutex<()>,
    /// Files that hold blocks which compression saved.
    pub(crate) saving: Saving,
    pub(crate) quota: Quota,
    rng: Mutex<Rng>,
}

impl Fs {
    pub(crate) fn new(meta: Metadata, options: VolumeOptions) -> Result<Arc<Self>> {
        let cache_pages = options.cache_bytes.max(CACHE_BYTES_MIN) / PAGE_SIZE as u64;
        let rng = options.seed.map_or_else(Rng::from_system, Rng::seeded);
        let counters = Arc::new(Counters::default());
        Ok(Arc::new(Self {
            meta,
            cache: PageCache::new(cache_pages as usize),
            codecs: Arc::new(Codecs::new(options.threads, Arc::clone(&counters))?),
            counters,
            inodes: InodeCache::default(),
            places: options.untrusted.then(Places::default),
            dirty: Mutex::new(Rank::LEAF, BTreeMap::new()),
            op: RwLock::new(locks::OP, ()),
            dirty_nodes: Arc::default(),
            dirty_entries: AtomicU64::new(0),
            changed: AtomicBool::new(false),
            needs_umount: AtomicBool::new(false),
            checkpoint: Mutex::new(locks::CHECKPOINT, ()),
            cleaning: Cleaning::default(),
            frozen: AtomicU64::new(0),
            checkpointed: AtomicU64::new(0),
            epoch: AtomicU64::new(FIRST_EPOCH),
            fsyncs: FsyncQueue::default(),
            vacated: VacatedNames::default(),
            rename: Mutex::new(locks::RENAME, ()),
            saving: Saving::default(),
            quota: Quota::default(),
            rng: Mutex::new(Rank::LEAF, rng),
            options,
        }))
    }

    /// Lets the cache ask for writing-back when nothing clean is left.
    pub(crate) fn watch_memory(self: &Arc<Self>) {
        let fs = Arc::downgrade(self);
        self.cache.set_pressure_handler(move || {
            if OPS_HELD.get() == 0
                && let Some(fs) = fs.upgrade()
                && let Err(error) = fs.flush_data()
            {
                tracing::warn!(%error, "writing back under memory pressure");
            }
        });
    }

    /// Refuses if the volume must not be changed.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.options.read_only {
            return Err(Error::ReadOnly(
                "the volume was opened read-only".to_owned(),
            ));
        }
        match self.meta.device.stopped() {
            Some(reason) => Err(Error::Shutdown(reason)),
            None => Ok(()),
        }
    }

    /// Starts a change of metadata.
    pub(crate) fn start_op(&self) -> OpGuard<'_> {
        let lock = self.op.read();
        // Under the lock: a checkpoint that ends while we wait for it must not take this change for one of its own.
        self.changed.store(true, Ordering::Release);
        OpGuard {
            _lock: OpLock::Shared(lock),
            _scope: NoWritebackScope::enter(),
        }
    }

    /// Waits for all operations to end and keeps new ones from starting.
    pub(crate) fn freeze(&self) -> OpGuard<'_> {
        OpGuard {
            _lock: OpLock::Frozen(self.op.write()),
            _scope: NoWritebackScope::enter(),
        }
    }

    /// The time between two checkpoints, as a number. It changes only while no operation runs.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// A checkpoint is complete.
    pub(crate) fn start_epoch(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.vacated.clear();
        self.fsyncs.start_chain();
        self.meta.space.start_epoch();
        self.cleaning.retired.release(self);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    pub(crate) fn random_u32(&self) -> u32 {
        self.rng.lock().next_u32()
    }

    /// Notes that an inode has something to write; it stays in memory until that is done.
    pub(crate) fn note_dirty(&self, inode: &Arc<Inode>) {
        if !inode.note_listed() {
            self.dirty.lock().insert(inode.ino, Arc::clone(inode));
        }
    }

    /// Forgets that an inode is dirty: it is clean, or gone.
    pub(crate) fn forget_dirty(&self, inode: &Inode) {
        inode.note_unlisted();
        let listed = self.dirty.lock().remove(&inode.ino);
        drop(listed);
    }

    /// The inodes that have something to write.
    pub(crate) fn dirty_inodes(&self) -> Vec<Arc<Inode>> {
        self.dirty.lock().values().map(Arc::clone).collect()
    }

    /// Points a nid at the block its node was just placed in and frees the old one.
    pub(crate) fn replace_node_addr(&self, nid: Nid, ino: Ino, addr: BlockAddr) -> Result<()> {
        let old = self.meta.nat.get(nid)?;
        self.meta.nat.set_addr(nid, ino, addr)?;
        if !old.is_free() {
            self.meta
                .segments
                .invalidate(self.meta.geometry.main_addr(old.addr)?)?;
        }
        Ok(())
    }

    /// A nid for a new node, with room for its block.
    pub(crate) fn take_nid(&self) -> Result<Nid> {
        let nid = self.meta.nat.alloc_nid()?;
        if let Err(error) = self.meta.space.reserve_node() {
            self.meta.nat.return_nid(nid);
            return Err(error);
        }
        Ok(nid)
    }

    /// Takes a certain nid for a node, with room for its block.
    pub(crate) fn claim_nid(&self, nid: Nid) -> Result<()> {
        self.meta.nat.claim_nid(nid)?;
        self.meta.space.reserve_node()
    }

    /// Frees a node's block and nid.
    pub(crate) fn release_node_block(&self, nid: Nid) -> Result<()> {
        let old = self.meta.nat.get(nid)?;
        if !old.is_free() {
            self.meta
                .segments
                .invalidate(self.meta.geometry.main_addr(old.addr)?)?;
        }
        self.meta.nat.free_nid(nid)?;
        self.meta.space.release_node()
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            cache: self.cache.stats(),
            data: self.counters.snapshot(),
            device: self.meta.device.counters(),
        }
    }
}
