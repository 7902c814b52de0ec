//! A file system for one file: a table of places in memory, a device that tests steer.
//!
//! Clusters of a "compressed" file are encoded (every byte inverted) as a whole, so that only code of this file
//! system can fill a folio from them. Writes go to fresh device blocks; blocks that become free are overwritten,
//! so that reading through an old extent shows.

mod device;
mod place;
mod writeback;

pub(crate) use device::{Device, Mode};
pub(crate) use place::{Place, Table};
pub(crate) use writeback::MockWriteback;

use blockdev::{Bio, BlockDevice};
use iomap::{
    BLOCK_SIZE, Intent, Iomap, IomapKind, IomapOps, ReadBatch, ReadOps, WriteOps, writeback_batch,
};
use pagecache::{
    FolioError, LockedFolio, Mapping, Orders, PageCache, PageIndex, RangeRead, Readahead,
};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MockError(pub(crate) String);

impl std::fmt::Display for MockError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MockError {}

type Hook = Box<dyn FnMut(&Mock) + Send>;

/// What the engine asked for.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) begins: AtomicUsize,
    pub(crate) ends: AtomicUsize,
    pub(crate) folios: AtomicUsize,
    pub(crate) fills: AtomicUsize,
    pub(crate) blocks_filled: AtomicUsize,
}

/// One file.
pub(crate) struct Mock {
    pub(crate) cache: PageCache,
    pub(crate) mapping: Arc<Mapping>,
    pub(crate) device: Arc<Device>,
    pub(crate) counts: Counts,
    table: Mutex<Table>,
    size: AtomicU64,
    /// Bytes whose look-up fails.
    bad_extent: Mutex<Range<u64>>,
    /// Folios for bytes from here on cannot be had.
    no_folio_from: AtomicU64,
    /// Runs once, at the next `get_folio`, before the folio is looked for.
    before_folio: Mutex<Option<Hook>>,
    /// Runs once, after the next `begin`.
    after_begin: Mutex<Option<Hook>>,
    /// Sizes of the folios `get_folio` gave, in pages.
    pub(crate) folio_pages: Mutex<Vec<usize>>,
}

/// How a mock is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    pub(crate) mode: Mode,
    /// log2 of the blocks of a cluster; 0 for a file without.
    pub(crate) cluster_order: u8,
    pub(crate) order_max: u8,
    pub(crate) budget: usize,
    pub(crate) seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Now,
            cluster_order: 0,
            order_max: runtime::MAX_ORDER,
            budget: 1 << 16,
            seed: 1,
        }
    }
}

/// Bytes that differ from block to block and within a block.
pub(crate) fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut rng = runtime::rng::Rng::seeded(seed);
    let words = (0..len.div_ceil(8)).flat_map(|_| rng.next_u64().to_le_bytes());
    words.take(len).collect()
}

impl Mock {
    pub(crate) fn new(config: Config) -> Arc<Self> {
        Self::in_cache(&PageCache::new(config.budget), config)
    }

    pub(crate) fn in_cache(cache: &PageCache, config: Config) -> Arc<Self> {
        let orders = Orders {
            min: config.cluster_order,
            max: config.order_max.max(config.cluster_order),
        };
        Arc::new(Self {
            cache: cache.clone(),
            mapping: Mapping::new(cache, orders),
            device: Arc::new(Device::new(config.mode, config.seed)),
            counts: Counts::default(),
            table: Mutex::new(Table::new(1 << config.cluster_order)),
            size: AtomicU64::new(0),
            bad_extent: Mutex::new(0..0),
            no_folio_from: AtomicU64::new(u64::MAX),
            before_folio: Mutex::new(None),
            after_begin: Mutex::new(None),
            folio_pages: Mutex::new(Vec::new()),
        })
    }

    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap()
    }

    /// Appends blocks that lie on the device; returns their bytes.
    pub(crate) fn append(&self, kind: IomapKind, blocks: u64) -> Vec<u8> {
        let first = self.size().div_ceil(BLOCK_SIZE);
        let bytes = pattern(first + 1, (blocks * BLOCK_SIZE) as usize);
        let mut table = self.table();
        let (place, stored): (fn(u64) -> Place, Vec<u8>) = match kind {
            IomapKind::Mapped(_) => (Place::At, bytes.clone()),
            IomapKind::Compressed => (Place::Packed, bytes.iter().map(|b| !b).collect()),
            _ => {
                self.set_size((first + blocks) * BLOCK_SIZE);
                return vec![0; bytes.len()];
            }
        };
        let start = table.allocate(blocks);
        self.device
            .mem()
            .write_at(start * BLOCK_SIZE, &stored)
            .unwrap();
        for n in 0..blocks {
            table.set(first + n, place(start + n));
        }
        drop(table);
        self.set_size((first + blocks) * BLOCK_SIZE);
        bytes
    }

    /// Makes the file one whose bytes lie in the inode.
    pub(crate) fn set_inline(&self, bytes: &[u8]) {
        self.table().inline = Some(bytes.to_vec());
        self.set_size(bytes.len() as u64);
    }

    pub(crate) fn set_size(&self, size: u64) {
        self.size.store(size, Ordering::SeqCst);
    }

    pub(crate) fn fail_extents(&self, bytes: Range<u64>) {
        *self.bad_extent.lock().unwrap() = bytes;
    }

    pub(crate) fn fail_folios_from(&self, pos: u64) {
        self.no_folio_from.store(pos, Ordering::SeqCst);
    }

    pub(crate) fn after_next_begin(&self, hook: impl FnMut(&Self) + Send + 'static) {
        *self.after_begin.lock().unwrap() = Some(Box::new(hook));
    }

    pub(crate) fn before_next_folio(&self, hook: impl FnMut(&Self) + Send + 'static) {
        *self.before_folio.lock().unwrap() = Some(Box::new(hook));
    }

    pub(crate) fn set_order_max(&self, max: u8) {
        let min = self.mapping.orders().min;
        self.mapping.set_orders(Orders {
            min,
            max: max.max(min),
        });
    }

    /// Reads without readahead beyond the request.
    pub(crate) fn read(&self, pos: u64, len: usize) -> Result<Vec<u8>, MockError> {
        let mut bytes = vec![0xEE; len];
        let n = iomap::buffered_read(self, pos, &mut bytes, &mut Readahead::new(0))?;
        bytes.truncate(n);
        Ok(bytes)
    }

    /// Writes; the file grows with the folios that are put.
    pub(crate) fn write(&self, pos: u64, bytes: &[u8]) -> Result<u64, (u64, MockError)> {
        self.write_from(pos, bytes.len() as u64, &mut &bytes[..])
    }

    pub(crate) fn write_from(
        &self,
        pos: u64,
        len: u64,
        src: &mut dyn iomap::Source,
    ) -> Result<u64, (u64, MockError)> {
        iomap::buffered_write(self, pos..pos + len, src)
    }

    /// Sets the size; what is cut off is gone, what is added is zero.
    pub(crate) fn truncate(&self, size: u64) -> Result<(), MockError> {
        let unit = self.table().cluster * BLOCK_SIZE;
        let old = self.size();
        if size < old {
            let end = size.next_multiple_of(unit).min(old);
            iomap::zero_range(self, size..end)?;
            self.set_size(size);
            let first = size.next_multiple_of(unit) / BLOCK_SIZE;
            self.mapping.truncate(first);
            self.free(first..PageIndex::MAX);
        }
        self.set_size(size);
        Ok(())
    }

    /// Makes a hole of the whole units in a range and zeroes the rest.
    pub(crate) fn punch(&self, range: Range<u64>) -> Result<(), MockError> {
        let unit = self.table().cluster * BLOCK_SIZE;
        let inner = range.start.next_multiple_of(unit)..range.end / unit * unit;
        if inner.is_empty() {
            return iomap::zero_range(self, range);
        }
        iomap::zero_range(self, range.start..inner.start)?;
        iomap::zero_range(self, inner.end..range.end)?;
        let pages = inner.start / BLOCK_SIZE..inner.end / BLOCK_SIZE;
        self.mapping.forget_pages(pages.clone());
        self.free(pages);
        Ok(())
    }

    fn free(&self, blocks: Range<u64>) {
        let freed = self.table().remove(blocks);
        self.poison(&freed);
    }

    /// Writes back everything dirty, in batches.
    pub(crate) fn flush(&self) -> Result<(), MockError> {
        self.flush_range(0..PageIndex::MAX, 64)
    }

    pub(crate) fn flush_range(
        &self,
        pages: Range<PageIndex>,
        batch: usize,
    ) -> Result<(), MockError> {
        let mut from = pages.start;
        loop {
            let mut ops = MockWriteback::new(self);
            match writeback_batch(&self.mapping, from..pages.end, batch, &mut ops)? {
                Some(next) => from = next,
                None => break,
            }
        }
        self.mapping.wait_writeback();
        Ok(())
    }

    /// Empties the cache, in which nothing is dirty. A completion that has just woken its waiter may still hold its
    /// folio for a moment.
    pub(crate) fn drop_cache(&self) {
        for _ in 0..100_000 {
            self.cache.drop_clean();
            if self.cache.stats().used_pages == 0 {
                return;
            }
            std::thread::yield_now();
        }
        panic!("folios are left: {:?}", self.cache.stats());
    }

    /// Every dirty block has space, and the cache's count is right.
    pub(crate) fn check_accounts(&self) {
        let mut from = 0;
        let mut dirty = 0;
        while let Some(folio) = self.mapping.next_dirty(from, PageIndex::MAX) {
            from = folio.pages().end;
            dirty += folio.dirty().len();
            for block in folio.dirty().runs(0..folio.page_count()).flatten() {
                let block = folio.pages().start + block as u64;
                let inline = self.table().inline.is_some();
                assert!(
                    inline || self.table().get(block).is_some(),
                    "block {block} has no space"
                );
            }
        }
        assert_eq!(self.cache.dirty_blocks(), dirty);
    }

    /// Overwrites freed device blocks.
    fn poison(&self, blocks: &[u64]) {
        for block in blocks {
            self.device
                .mem()
                .write_at(block * BLOCK_SIZE, &[0xDD; BLOCK_SIZE as usize])
                .unwrap();
        }
    }

    /// Reads a part of an encoded cluster: the whole cluster comes from the device, the part is decoded into the
    /// folio when it is there.
    fn read_packed(&self, device_pos: u64, skip: usize, range: RangeRead) {
        let cluster = (self.table().cluster * BLOCK_SIZE) as usize;
        let order = (cluster / runtime::PAGE_SIZE).trailing_zeros() as u8;
        let buffer = Arc::new(self.cache.pool().alloc(order).unwrap());
        let target = vec![buffer.write(0..cluster)];
        self.device
            .submit(Bio::read(device_pos, target, move |result| {
                let result = result.map_err(|e| Arc::new(e) as FolioError);
                if result.is_ok() {
                    let mut target = range.target();
                    let encoded = buffer.read(skip..skip + target.len());
                    target
                        .iter_mut()
                        .zip(encoded.iter())
                        .for_each(|(t, e)| *t = !e);
                }
                range.complete(result);
            }));
    }
}

impl IomapOps for Mock {
    type Error = MockError;

    fn begin(&self, range: Range<u64>, intent: Intent) -> Result<Iomap, MockError> {
        self.counts.begins.fetch_add(1, Ordering::Relaxed);
        let bad = self.bad_extent.lock().unwrap().clone();
        if bad.contains(&range.start) {
            return Err(MockError("no extent".to_owned()));
        }
        let mut iomap = self.table().look_up(range, intent);
        if iomap.pos < bad.start && bad.start < iomap.end() && !bad.is_empty() {
            iomap.len = bad.start / iomap.unit * iomap.unit - iomap.pos;
        }
        let hook = self.after_begin.lock().unwrap().take();
        if let Some(mut hook) = hook {
            hook(self);
        }
        Ok(iomap)
    }

    fn end(&self, iomap: &Iomap, used: u64, intent: Intent) -> Result<(), MockError> {
        self.counts.ends.fetch_add(1, Ordering::Relaxed);
        if intent == Intent::Write {
            self.table().settle(iomap, used);
        }
        Ok(())
    }

    fn iomap_valid(&self, iomap: &Iomap) -> bool {
        self.table().cookie == iomap.cookie
    }

    fn size(&self) -> u64 {
        self.size.load(Ordering::SeqCst)
    }

    fn read_error(&self, error: FolioError) -> MockError {
        MockError(error.to_string())
    }

    fn memory_error(&self, error: std::io::Error) -> MockError {
        MockError(error.to_string())
    }
}

impl ReadOps for Mock {
    fn mapping(&self) -> &Arc<Mapping> {
        &self.mapping
    }

    fn read_folio_range(
        &self,
        iomap: &Iomap,
        mut range: RangeRead,
        batch: &mut ReadBatch<'_>,
    ) -> Result<(), MockError> {
        self.counts.fills.fetch_add(1, Ordering::Relaxed);
        self.counts
            .blocks_filled
            .fetch_add(range.blocks().len(), Ordering::Relaxed);
        match iomap.kind {
            IomapKind::Mapped(_) => {
                let pos = range.first_page() * BLOCK_SIZE;
                batch.push(iomap.device_pos(pos).unwrap(), range);
            }
            IomapKind::Compressed => loop {
                let cluster = self.table().cluster;
                let skip = range.first_page() % cluster;
                let here = (cluster - skip) as usize;
                let first = range.first_page() - skip;
                let Some(Place::Packed(block)) = self.table().get(first) else {
                    return Err(MockError("the cluster is not there".to_owned()));
                };
                let (pos, skip) = (block * BLOCK_SIZE, (skip * BLOCK_SIZE) as usize);
                if here >= range.blocks().len() {
                    self.read_packed(pos, skip, range);
                    break;
                }
                self.read_packed(pos, skip, range.split_front(here));
            },
            IomapKind::Inline => {
                let bytes = self.table().inline.clone().unwrap();
                let mut target = range.target();
                target.fill(0);
                target[..bytes.len()].copy_from_slice(&bytes);
                drop(target);
                range.complete(Ok(()));
            }
            IomapKind::Hole | IomapKind::Delalloc => panic!("the engine fills zeros itself"),
        }
        Ok(())
    }

    fn submit(&self, bio: Bio) {
        self.device.submit(bio);
    }
}

impl WriteOps for Mock {
    fn put_folio(&self, folio: LockedFolio, written: Range<u64>) {
        if !written.is_empty() {
            self.set_size(self.size().max(written.end));
        }
        drop(folio);
    }

    fn get_folio(&self, iomap: &Iomap, range: Range<u64>) -> Result<LockedFolio, MockError> {
        self.counts.folios.fetch_add(1, Ordering::Relaxed);
        let hook = self.before_folio.lock().unwrap().take();
        if let Some(mut hook) = hook {
            hook(self);
        }
        if range.start >= self.no_folio_from.load(Ordering::SeqCst) {
            return Err(MockError("no folio".to_owned()));
        }
        let pages = range.start / iomap.unit * iomap.unit / BLOCK_SIZE
            ..range.end.next_multiple_of(iomap.unit) / BLOCK_SIZE;
        let folio = self.mapping.grab(pages).map_err(|e| self.memory_error(e))?;
        self.folio_pages.lock().unwrap().push(folio.page_count());
        Ok(folio)
    }
}
