//! Compressed clusters into a folio (rows S4 to S6).
//!
//! The compressed blocks of many clusters are read into one transfer buffer with as few bios as their places on
//! the device allow. When the last bio of a buffer has ended, each cluster is decoded by a worker, straight into
//! its place in the folio. The submitter waits for none of this.
//!
//! # Invariants
//! Each cluster's [`RangeRead`] ends exactly once: by its decoder, or as failed when what owns it is dropped.

use crate::data::codecs::Codecs;
use crate::data::ops::DataOps;
use crate::error::{Error, Result};
use crate::node::Span;
use crate::stats;
use crate::verity::{self, Check};
use blockdev::{Bio, DeviceError};
use f2fs_codec::{CodecParams, Verify};
use f2fs_format::{BLOCK_SIZE, BlockAddr, ClusterSlots, Ino};
use pagecache::{FolioError, RangeRead};
use runtime::MAX_ORDER;
use runtime::pool::Buffer;
use runtime::sync::{Mutex, Rank};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Blocks of one transfer buffer.
const BUFFER_BLOCKS_MAX: usize = 1 << MAX_ORDER;

/// A cluster on its way: where its blocks lie on the device and what they fill.
struct Cluster {
    index: u64,
    blocks: Vec<BlockAddr>,
    target: RangeRead,
    /// What its bytes must match, in a sealed file.
    check: Option<Check>,
}

/// What every decode job of a file needs.
#[derive(Clone)]
struct Decode {
    ino: Ino,
    params: CodecParams,
    verify: Verify,
    codecs: Arc<Codecs>,
}

/// Starts filling a range of one folio that lies in compressed clusters.
pub(super) fn read_clusters(ops: &DataOps<'_>, mut range: RangeRead) -> Result<()> {
    let layout = ops
        .inode
        .clusters()
        .expect("compressed extents are of compressed files");
    let decode = Decode {
        ino: ops.inode.ino,
        params: layout.params,
        verify: ops.fs.options.verify,
        codecs: Arc::clone(&ops.fs.codecs),
    };
    let verity = verity::of(ops.fs, ops.inode)?;
    let mut group = Vec::new();
    let mut group_blocks = 0;
    loop {
        let index = range.first_page() / layout.blocks;
        let left = ((index + 1) * layout.blocks - range.first_page()) as usize;
        let (target, rest) = if range.blocks().len() > left {
            (range.split_front(left), Some(range))
        } else {
            (range, None)
        };
        let blocks = cluster_blocks(ops, index, layout.blocks)?;
        if group_blocks + blocks.len() > BUFFER_BLOCKS_MAX {
            submit_group(ops, &decode, std::mem::take(&mut group))?;
            group_blocks = 0;
        }
        group_blocks += blocks.len();
        let pages = target.first_page()..target.first_page() + target.blocks().len() as u64;
        let check = verity
            .as_ref()
            .map(|v| v.check_of(ops.fs, ops.inode, pages));
        group.push(Cluster {
            index,
            blocks,
            target,
            check,
        });
        match rest {
            Some(rest) => range = rest,
            None => break,
        }
    }
    submit_group(ops, &decode, group)
}

/// The device blocks of a compressed cluster.
fn cluster_blocks(ops: &DataOps<'_>, index: u64, size: u64) -> Result<Vec<BlockAddr>> {
    let mut tree = ops.inode.tree.lock();
    let Span::Slots(slots) = tree.slots(ops.fs, index * size, size as usize)? else {
        return Err(Error::Invalid("the cluster was cut off while it was read"));
    };
    let ClusterSlots::Compressed { blocks, .. } = ClusterSlots::classify(&slots)? else {
        return Err(Error::Invalid("the cluster changed while it was read"));
    };
    let meta = &ops.fs.meta;
    let checked = |&raw: &u32| {
        let addr = meta.geometry.main_addr(raw)?;
        meta.segments.check_valid(addr, 1)?;
        Ok(addr)
    };
    slots[1..=blocks].iter().map(checked).collect()
}

/// One transfer buffer and its clusters, until the last bio has ended.
struct Group {
    buffer: Arc<Buffer>,
    clusters: Mutex<Vec<(Cluster, Range<usize>)>>,
    failed: Mutex<Option<DeviceError>>,
    pending: AtomicUsize,
    decode: Decode,
}

/// Reads the blocks of some clusters into one buffer.
fn submit_group(ops: &DataOps<'_>, decode: &Decode, clusters: Vec<Cluster>) -> Result<()> {
    let blocks: Vec<BlockAddr> = clusters
        .iter()
        .flat_map(|c| c.blocks.iter().copied())
        .collect();
    let order = blocks.len().next_power_of_two().trailing_zeros() as u8;
    let buffer = ops.fs.cache.pool().alloc(order);
    let buffer = buffer.map_err(|e| Error::Resources(format!("transfer buffer: {e}")))?;
    let mut at = 0;
    let placed = clusters.into_iter().map(|cluster| {
        let start = at;
        at += cluster.blocks.len() * BLOCK_SIZE;
        (cluster, start..at)
    });
    let runs = device_runs(&blocks);
    let group = Arc::new(Group {
        buffer: Arc::new(buffer),
        clusters: Mutex::new(Rank::LEAF, placed.collect()),
        failed: Mutex::new(Rank::LEAF, None),
        pending: AtomicUsize::new(runs.len()),
        decode: decode.clone(),
    });
    for (start, run) in runs {
        let target = group
            .buffer
            .write(run.start * BLOCK_SIZE..run.end * BLOCK_SIZE);
        let group = Arc::clone(&group);
        let done = move |result| end_bio(&group, result);
        ops.fs
            .meta
            .device
            .submit(Bio::read(start.byte_pos(), vec![target], done));
    }
    Ok(())
}

/// Runs of blocks that lie together on the device: start, and which of the blocks.
pub(crate) fn device_runs(blocks: &[BlockAddr]) -> Vec<(BlockAddr, Range<usize>)> {
    let mut runs: Vec<(BlockAddr, Range<usize>)> = Vec::new();
    for (i, &block) in blocks.iter().enumerate() {
        match runs.last_mut() {
            Some((start, run)) if start.checked_add(run.len() as u32) == Some(block) => {
                run.end = i + 1;
            }
            _ => runs.push((block, i..i + 1)),
        }
    }
    runs
}

fn end_bio(group: &Group, result: Result<(), DeviceError>) {
    if let Err(error) = result {
        group.failed.lock().get_or_insert(error);
    }
    if group.pending.fetch_sub(1, Ordering::AcqRel) > 1 {
        return;
    }
    let clusters = std::mem::take(&mut *group.clusters.lock());
    let failed = group.failed.lock().take();
    for (cluster, bytes) in clusters {
        if let Some(error) = &failed {
            cluster.target.complete(Err(Arc::new(error.clone())));
            continue;
        }
        let (buffer, decode) = (Arc::clone(&group.buffer), group.decode.clone());
        let codecs = Arc::clone(&decode.codecs);
        codecs
            .workers
            .spawn(move || decode_cluster(&decode, &buffer, bytes, cluster));
    }
}

fn decode_cluster(decode: &Decode, buffer: &Arc<Buffer>, bytes: Range<usize>, cluster: Cluster) {
    let source = buffer.read(bytes);
    let size = decode.params.cluster_bytes() / BLOCK_SIZE;
    let decoded = decode.codecs.with_decoder(|decoder| {
        let mut target = cluster.target.target();
        if cluster.target.blocks().len() == size {
            return decoder.decode(&decode.params, &source, decode.verify, &mut target);
        }
        // Part of the cluster is uptodate already and must not be touched.
        let mut whole = vec![0; size * BLOCK_SIZE];
        decoder.decode(&decode.params, &source, decode.verify, &mut whole)?;
        let first = (cluster.target.first_page() % size as u64) as usize * BLOCK_SIZE;
        let len = target.len();
        target.copy_from_slice(&whole[first..first + len]);
        Ok(())
    });
    stats::add(&decode.codecs.counters.clusters_read, 1);
    let result = decoded.map_err(|source| {
        let block = cluster.blocks.first().map_or(0, |b| b.get());
        let error = Error::Cluster {
            ino: decode.ino,
            cluster: cluster.index,
            block,
            source,
        };
        tracing::warn!(%error, "cluster does not decode");
        Arc::new(error) as FolioError
    });
    match cluster.check {
        Some(check) if result.is_ok() => check.finish(cluster.target),
        _ => cluster.target.complete(result),
    }
}
