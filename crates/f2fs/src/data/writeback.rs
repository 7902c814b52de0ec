//! Dirty ranges to the volume: encode, allocate, write, then point the slots at the new blocks.
//!
//! A batch goes through four steps. (1) Each dirty range becomes a [`Unit`]; clusters start encoding on the worker
//! threads at once. (2) Results are taken in file order and blocks allocated for all units together. (3) All
//! blocks are written, contiguous ones in one bio. (4) Only for units that were written, slots change and old
//! blocks are freed. So a failed write leaves its blocks as they were on the volume, and no slot ever names a
//! block whose bytes are not there.
//!
//! The codec sees bytes and the allocator counts; neither knows the other. This module is their one parent.
//!
//! # Invariants
//! 1. Compressed files are never written in place.
//! 2. Every slot of a cluster that is written compressed was counted before, so nothing is reserved here and no
//!    step runs out of space that a write was promised.
//! 3. The caller holds OP from step 1 to 4: no checkpoint sees allocated blocks that no slot names.

use crate::data::cluster_read::device_runs;
use crate::data::codecs::Codecs;
use crate::data::ops::DataOps;
use crate::data::{extent, inline, policy};
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::{ClusterForm, ClusterLayout};
use crate::node::{Missing, Span, Tree};
use crate::options::CompressMode;
use crate::segment::BlockRun;
use crate::stats;
use blockdev::BioVec;
use f2fs_codec::{CodecParams, Encoded};
use f2fs_format::{BLOCK_SIZE, BlockAddr, ClusterSlots, Slot, SummaryEntry};
use iomap::{IoendBatch, WritebackOps};
use pagecache::WritebackFolio;
use runtime::pool::Buffer;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

/// An encoded cluster: its blocks, or None if it is to be written raw.
type Output = Option<(Arc<Buffer>, usize)>;

/// One piece of a batch that is written, and takes effect, as a whole.
struct Unit {
    folio: Arc<WritebackFolio>,
    /// First file block.
    first: u64,
    /// File blocks: of a raw run, or of the whole cluster.
    len: usize,
    kind: Kind,
}

enum Kind {
    /// Blocks to their own slots.
    Raw,
    /// A whole cluster, encoded if that saves a block.
    Cluster(Receiver<Result<Output>>),
    /// A compressed cluster that must become raw: so many of its blocks are before the end of the file.
    Unpack(usize),
}

/// A unit whose form is decided.
struct Placed {
    folio: Arc<WritebackFolio>,
    first: u64,
    len: usize,
    form: Form,
    blocks: Vec<BlockAddr>,
}

enum Form {
    Raw,
    Encoded(Arc<Buffer>),
    Unpack,
    /// A whole cluster, raw.
    RawCluster,
}

/// One batch of one inode.
pub(crate) struct DataWriteback<'a> {
    ops: DataOps<'a>,
    units: Vec<Unit>,
    next_cluster: u64,
}

impl<'a> DataWriteback<'a> {
    pub(crate) fn new(ops: DataOps<'a>) -> Self {
        assert!(ops.op.is_some(), "writeback runs inside an operation");
        Self {
            ops,
            units: Vec::new(),
            next_cluster: 0,
        }
    }

    /// The form of whole clusters, now: it may be decided while a batch is gathered.
    fn form(&self) -> ClusterForm {
        let by_volume = match self.ops.fs.options.compress_mode {
            CompressMode::Fs => ClusterForm::Compressed,
            CompressMode::User => ClusterForm::Raw,
        };
        self.ops.inode.form().unwrap_or(by_volume)
    }

    /// Blocks of the file that lie before its end.
    fn size_blocks(&self) -> u64 {
        self.ops.inode.size().div_ceil(iomap::BLOCK_SIZE)
    }

    /// Step 1: a dirty run becomes units.
    fn push(&mut self, folio: &Arc<WritebackFolio>, blocks: Range<usize>) -> Result<()> {
        {
            let mut tree = self.ops.inode.tree.lock();
            if inline::is_inline(&tree) {
                inline::store(&mut tree, &folio.read(0..BLOCK_SIZE), self.ops.inode.size());
                return Ok(());
            }
        }
        let base = folio.pages().start;
        let run = base + blocks.start as u64..base + blocks.end as u64;
        if let Some(layout) = self.ops.inode.clusters() {
            return self.push_clusters(folio, run, layout);
        }
        self.push_raw(folio, run);
        Ok(())
    }

    fn push_raw(&mut self, folio: &Arc<WritebackFolio>, blocks: Range<u64>) {
        // What a truncation cut off has no slots any more.
        let end = blocks.end.min(self.size_blocks());
        if blocks.start < end {
            let len = (end - blocks.start) as usize;
            let folio = Arc::clone(folio);
            self.units.push(Unit {
                folio,
                first: blocks.start,
                len,
                kind: Kind::Raw,
            });
        }
    }

    /// Takes the clusters that a dirty run touches, each once.
    fn push_clusters(
        &mut self,
        folio: &Arc<WritebackFolio>,
        run: Range<u64>,
        layout: ClusterLayout,
    ) -> Result<()> {
        let size = layout.blocks;
        for index in run.start / size..run.end.div_ceil(size) {
            let cluster = index * size..(index + 1) * size;
            if index < self.next_cluster {
                continue;
            }
            if let Some(kind) = self.cluster_kind(folio, &cluster, layout)? {
                self.next_cluster = index + 1;
                let (folio, len) = (Arc::clone(folio), size as usize);
                self.units.push(Unit {
                    folio,
                    first: cluster.start,
                    len,
                    kind,
                });
            } else {
                stats::add(&self.ops.fs.counters.clusters_raw, 1);
                self.push_raw(
                    folio,
                    run.start.max(cluster.start)..run.end.min(cluster.end),
                );
            }
        }
        Ok(())
    }

    /// How a cluster is written; None if just its dirty blocks are, raw.
    fn cluster_kind(
        &self,
        folio: &Arc<WritebackFolio>,
        cluster: &Range<u64>,
        layout: ClusterLayout,
    ) -> Result<Option<Kind>> {
        let size_blocks = self.size_blocks();
        let (is_compressed, has_holes) = {
            let mut tree = self.ops.inode.tree.lock();
            match tree.slots(self.ops.fs, cluster.start, layout.blocks as usize)? {
                Span::Hole(_) => (false, true),
                Span::Slots(slots) => {
                    let state = ClusterSlots::classify(&slots)?;
                    (
                        state != ClusterSlots::Raw,
                        slots.contains(&Slot::Hole.to_raw()),
                    )
                }
            }
        };
        let blocks = blocks_in(folio, cluster);
        let is_whole = folio.is_uptodate(blocks.clone());
        let is_inside = cluster.end <= size_blocks;
        let wants_encoded = match self.form() {
            ClusterForm::Compressed => true,
            ClusterForm::Raw => false,
            ClusterForm::AsStored => is_compressed,
        };
        let may_encode = is_inside && wants_encoded;
        if may_encode && is_whole && (is_compressed || !has_holes) {
            return Ok(Some(Kind::Cluster(self.start_encode(
                folio,
                blocks,
                layout.params,
            ))));
        }
        if !is_compressed {
            return Ok(None);
        }
        let live = size_blocks.saturating_sub(cluster.start).min(layout.blocks) as usize;
        if !folio.is_uptodate(blocks.start..blocks.start + live) {
            return Err(Error::Invalid(
                "a compressed cluster is dirty but not wholly in memory",
            ));
        }
        Ok(Some(Kind::Unpack(live)))
    }

    /// Hands a cluster to the worker threads.
    fn start_encode(
        &self,
        folio: &Arc<WritebackFolio>,
        blocks: Range<usize>,
        params: CodecParams,
    ) -> Receiver<Result<Output>> {
        let (sender, receiver) = channel();
        let codecs = Arc::clone(&self.ops.fs.codecs);
        let pool = self.ops.fs.cache.pool().clone();
        let folio = Arc::clone(folio);
        self.ops.fs.codecs.workers.spawn(move || {
            let order = blocks.len().trailing_zeros() as u8;
            let output = pool
                .alloc(order)
                .map_err(|e| Error::Resources(e.to_string()));
            let result = output.and_then(|buffer| {
                let bytes = blocks.start * BLOCK_SIZE..blocks.end * BLOCK_SIZE;
                encode(&codecs, params, &folio.read(bytes), Arc::new(buffer))
            });
            drop(folio);
            // The batch may have been given up; then nobody listens.
            let _ = sender.send(result);
        });
        receiver
    }

    /// Step 2: what each unit becomes, in file order.
    fn decide(&mut self) -> Result<Vec<Placed>> {
        let counters = &self.ops.fs.counters;
        let mut placed = Vec::with_capacity(self.units.len());
        for unit in self.units.drain(..) {
            let Unit {
                folio,
                first,
                len,
                kind,
            } = unit;
            let (form, count) = match kind {
                Kind::Raw => (Form::Raw, len),
                Kind::Unpack(live) => (Form::Unpack, live),
                Kind::Cluster(result) => {
                    if let Some((buffer, blocks)) = wait_encoded(&self.ops.fs.codecs, &result)? {
                        stats::add(&counters.clusters_compressed, 1);
                        stats::add(&counters.blocks_saved, (len - blocks) as u64);
                        (Form::Encoded(buffer), blocks)
                    } else {
                        stats::add(&counters.clusters_incompressible, 1);
                        (Form::RawCluster, len)
                    }
                }
            };
            let blocks = vec![BlockAddr::new(0); count];
            placed.push(Placed {
                folio,
                first,
                len,
                form,
                blocks,
            });
        }
        Ok(placed)
    }

    /// Step 2: blocks for all units, in one call.
    fn allocate(&self, placed: &mut [Placed]) -> Result<()> {
        let fs = self.ops.fs;
        let mut tree = self.ops.inode.tree.lock();
        let mut owners = Vec::new();
        for unit in placed.iter() {
            add_owners(
                &self.ops,
                &mut tree,
                unit.first_slot(),
                unit.blocks.len(),
                &mut owners,
            )?;
        }
        let log = policy::data_log(&tree.inode);
        drop(tree);
        let runs = fs.meta.segments.allocate(log, &owners)?;
        let mut addrs = runs.into_iter().flat_map(addrs_of);
        for block in placed.iter_mut().flat_map(|u| u.blocks.iter_mut()) {
            *block = addrs.next().expect("as many blocks as owners");
        }
        Ok(())
    }

    /// Step 3: all blocks to the device. Which units failed, with the first error.
    fn write(&self, placed: &[Placed]) -> (Vec<bool>, Result<()>) {
        let submit = |bio| self.ops.fs.meta.device.submit(bio);
        let mut ioends = IoendBatch::new(&submit);
        for (part, unit) in placed.iter().enumerate() {
            for (start, blocks) in device_runs(&unit.blocks) {
                let piece = unit.bytes(blocks);
                ioends.push(start.byte_pos(), piece, part as u32);
            }
        }
        let mut failed = vec![false; placed.len()];
        let mut result = Ok(());
        for (parts, error) in ioends.wait() {
            failed[parts.start as usize..parts.end as usize].fill(true);
            result = result.and(Err(Error::Device(error)));
        }
        (failed, result)
    }

    /// Step 4: slots to the new blocks, old blocks free; the new blocks of failed units are given back.
    fn commit(&self, placed: &[Placed], failed: &[bool]) -> Result<()> {
        let fs = self.ops.fs;
        let mut tree = self.ops.inode.tree.lock();
        for (unit, &failed) in placed.iter().zip(failed) {
            if failed {
                for &block in &unit.blocks {
                    fs.meta.segments.invalidate(block)?;
                }
                continue;
            }
            match unit.form {
                Form::Raw => commit_raw(&self.ops, &mut tree, unit)?,
                _ => commit_cluster(&self.ops, &mut tree, unit)?,
            }
            let end = (unit.first + unit.len as u64) * iomap::BLOCK_SIZE;
            let on_volume = end.min(self.ops.inode.size());
            if tree.inode.size() < on_volume {
                tree.inode_mut().set_size(on_volume);
            }
        }
        if tree.inode.ext().is_some() {
            tree.inode_mut().clear_ext();
        }
        let is_saving = tree.inode.compress().is_some_and(|c| c.compr_blocks > 0);
        drop(tree);
        if is_saving {
            fs.note_saving(self.ops.inode);
        }
        self.ops.inode.bump_cookie();
        fs.note_dirty(self.ops.inode);
        Ok(())
    }

    fn run(&mut self) -> Result<()> {
        let mut placed = self.decide()?;
        if placed.is_empty() {
            return Ok(());
        }
        self.allocate(&mut placed)?;
        let (failed, written) = self.write(&placed);
        if let Err(error) = self.commit(&placed, &failed) {
            // Slots and valid maps may disagree now; no checkpoint must ever say so.
            self.ops.fs.meta.device.stop(format!("writeback: {error}"));
            return Err(error);
        }
        let blocks = placed
            .iter()
            .filter(|u| !matches!(u.form, Form::Encoded(_)));
        let raw: usize = blocks.map(|u| u.blocks.len()).sum();
        stats::add(&self.ops.fs.counters.raw_blocks_written, raw as u64);
        tracing::debug!(ino = %self.ops.inode.ino, units = placed.len(), raw, "writeback batch");
        written
    }
}

impl WritebackOps for DataWriteback<'_> {
    type Error = Error;

    fn writeback_range(
        &mut self,
        folio: &Arc<WritebackFolio>,
        blocks: Range<usize>,
    ) -> Result<(), Error> {
        let result = self.push(folio, blocks);
        keep_dirty(&result, std::slice::from_ref(folio));
        result
    }

    fn submit(&mut self) -> Result<(), Error> {
        let folios: Vec<_> = self.units.iter().map(|u| Arc::clone(&u.folio)).collect();
        let result = self.run();
        keep_dirty(&result, &folios);
        result
    }
}

/// Declares folios dirty again if another try may succeed: a checkpoint makes room, other blocks take the place of bad
/// ones. So too on a stopped volume, which is still read. Clean, the bytes would be lost, and read back as what was
/// there before.
fn keep_dirty(result: &Result<()>, folios: &[Arc<WritebackFolio>]) {
    if let Err(Error::NoSpace | Error::Device(_) | Error::Resources(_) | Error::Shutdown(_)) =
        result
    {
        for folio in folios {
            folio.redirty();
        }
    }
}

impl Placed {
    /// The file block whose slot names the first allocated block.
    fn first_slot(&self) -> u64 {
        match self.form {
            Form::Encoded(_) => self.first + 1,
            _ => self.first,
        }
    }

    /// The bytes of some of its blocks.
    fn bytes(&self, blocks: Range<usize>) -> BioVec {
        if let Form::Encoded(buffer) = &self.form {
            return BioVec::From(buffer.read(blocks.start * BLOCK_SIZE..blocks.end * BLOCK_SIZE));
        }
        let first = (self.first - self.folio.pages().start) as usize;
        let bytes = (first + blocks.start) * BLOCK_SIZE..(first + blocks.end) * BLOCK_SIZE;
        BioVec::From(self.folio.read(bytes))
    }
}

/// The blocks of a folio that a range of file blocks names.
fn blocks_in(folio: &WritebackFolio, blocks: &Range<u64>) -> Range<usize> {
    let base = folio.pages().start;
    (blocks.start - base) as usize..(blocks.end - base) as usize
}

fn encode(
    codecs: &Codecs,
    params: CodecParams,
    source: &[u8],
    buffer: Arc<Buffer>,
) -> Result<Output> {
    let len = buffer.len();
    let encoded = codecs.with_encoder(|e| e.encode(&params, source, &mut buffer.write(0..len)));
    match encoded {
        Ok(Encoded::Compressed { blocks }) => Ok(Some((buffer, blocks as usize))),
        Ok(Encoded::Incompressible) => Ok(None),
        Err(error) => Err(Error::Resources(format!("encoder: {error}"))),
    }
}

/// Waits for an encoder, working on queued jobs meanwhile.
fn wait_encoded(codecs: &Codecs, result: &Receiver<Result<Output>>) -> Result<Output> {
    loop {
        if let Ok(output) = result.try_recv() {
            return output;
        }
        if !codecs.workers.help() {
            let lost = |_| Error::Resources("an encoder thread failed".to_owned());
            return result.recv().map_err(lost)?;
        }
    }
}

/// Summary entries for `count` blocks whose slots start at a file block.
pub(super) fn add_owners(
    ops: &DataOps<'_>,
    tree: &mut Tree,
    first: u64,
    count: usize,
    owners: &mut Vec<SummaryEntry>,
) -> Result<()> {
    let mut done = 0;
    while done < count {
        let slots = tree.change(ops.fs, first + done as u64, Missing::Fail)?;
        let version = ops.fs.meta.nat.version(slots.nid())?;
        let len = slots.len().min(count - done);
        owners.extend((0..len).map(|i| slots.owner(i, version)));
        done += len;
    }
    Ok(())
}

fn commit_raw(ops: &DataOps<'_>, tree: &mut Tree, unit: &Placed) -> Result<()> {
    let mut done = 0;
    while done < unit.len {
        let mut slots = tree.change(ops.fs, unit.first + done as u64, Missing::Fail)?;
        let len = slots.len().min(unit.len - done);
        for i in 0..len {
            free_old(ops.fs, slots.get(i))?;
            slots.set(i, unit.blocks[done + i].get());
        }
        done += len;
    }
    Ok(())
}

/// A whole cluster: compressed, raw, or cut at the end of the file.
fn commit_cluster(ops: &DataOps<'_>, tree: &mut Tree, unit: &Placed) -> Result<()> {
    let size = unit.len as u64;
    let before = saved(
        extent::cluster_slots(ops, tree, unit.first, size)?,
        unit.len,
    );
    let mut slots = tree.change(ops.fs, unit.first, Missing::Fail)?;
    let encoded = matches!(unit.form, Form::Encoded(_));
    let mut cut = 0;
    for i in 0..unit.len {
        free_old(ops.fs, slots.get(i))?;
        let slot = match i.checked_sub(usize::from(encoded)) {
            None => Slot::Compress,
            Some(at) => match unit.blocks.get(at) {
                Some(&block) => Slot::Block(block),
                None if encoded => Slot::New,
                None => {
                    cut += 1;
                    Slot::Hole
                }
            },
        };
        slots.set(i, slot.to_raw());
    }
    if cut > 0 {
        tree.release_blocks(ops.fs, cut)?;
    }
    let after = if encoded {
        size - unit.blocks.len() as u64
    } else {
        0
    };
    if before != after {
        tree.note_unfit(ops.fs);
        let info = tree.inode.compress().expect("a compressed file");
        let total = (info.compr_blocks + after).saturating_sub(before);
        tree.inode_mut().set_compr_blocks(total);
    }
    Ok(())
}

/// Blocks that a cluster saves.
fn saved(slots: ClusterSlots, size: usize) -> u64 {
    match slots {
        ClusterSlots::Compressed { blocks, .. } => (size - blocks) as u64,
        ClusterSlots::Raw => 0,
    }
}

/// Frees the block that a slot named. Its count passes to the block that replaces it.
pub(super) fn free_old(fs: &Fs, raw: u32) -> Result<()> {
    match Slot::from_raw(raw) {
        Slot::Block(_) => fs
            .meta
            .segments
            .invalidate(fs.meta.geometry.main_addr(raw)?),
        Slot::Hole | Slot::New | Slot::Compress => Ok(()),
    }
}

pub(crate) fn addrs_of(run: BlockRun) -> impl Iterator<Item = BlockAddr> {
    (0..run.count).filter_map(move |i| run.start.checked_add(i))
}
