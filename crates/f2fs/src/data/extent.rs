//! From a range of file blocks to what the address slots say (kernel: `f2fs_map_blocks`).

use crate::data::ops::DataOps;
use crate::error::{Error, Result};
use crate::node::{Missing, Span, Tree};
use f2fs_format::{ClusterSlots, Slot};
use iomap::{Intent, Iomap, IomapKind};
use std::ops::Range;

const BLOCK: u64 = iomap::BLOCK_SIZE;

/// The extent at the start of a range of file blocks.
struct Found {
    blocks: Range<u64>,
    kind: IomapKind,
    unit: u64,
}

/// Looks up the extent at the start of `blocks`. For [`Intent::Write`], holes in it are reserved first.
pub(super) fn map_blocks(
    ops: &DataOps<'_>,
    tree: &mut Tree,
    blocks: Range<u64>,
    intent: Intent,
) -> Result<Iomap> {
    let found = match ops.inode.clusters() {
        Some(clusters) => map_clusters(ops, tree, &blocks, clusters.blocks, intent)?,
        None => map_raw(ops, tree, &blocks, intent)?,
    };
    Ok(Iomap {
        pos: found.blocks.start * BLOCK,
        len: (found.blocks.end - found.blocks.start) * BLOCK,
        kind: found.kind,
        unit: found.unit * BLOCK,
        cookie: ops.inode.cookie(),
    })
}

/// A compressed file: a run of compressed clusters, or the raw extent at the start, up to the next compressed one.
/// Nodes hold whole clusters, so one look at the slots of a node decides.
fn map_clusters(
    ops: &DataOps<'_>,
    tree: &mut Tree,
    blocks: &Range<u64>,
    size: u64,
    intent: Intent,
) -> Result<Found> {
    let first = blocks.start / size * size;
    let wanted = (blocks.end.next_multiple_of(size) - first).min(SLOTS_MAX);
    let slots = match tree.slots(ops.fs, first, wanted as usize)? {
        Span::Hole(len) => {
            let end = blocks.end.min(first.saturating_add(len));
            return map_raw(ops, tree, &(blocks.start..end), intent);
        }
        Span::Slots(slots) => slots,
    };
    let mut clusters = slots
        .chunks(size as usize)
        .map(|c| is_compressed(c, intent));
    let first_is_compressed = clusters.next().expect("a span holds a cluster")?;
    let mut count = 1;
    for is_compressed in clusters {
        // A later cluster's error is met when it is asked for itself.
        if !is_compressed.is_ok_and(|c| c == first_is_compressed) {
            break;
        }
        count += 1;
    }
    let end = first + count * size;
    if first_is_compressed {
        return Ok(Found {
            blocks: first..end,
            kind: IomapKind::Compressed,
            unit: size,
        });
    }
    map_raw(ops, tree, &(blocks.start..blocks.end.min(end)), intent)
}

/// More slots than any node holds.
const SLOTS_MAX: u64 = 1024;

/// Whether a cluster is compressed. Writing to a released one is refused.
fn is_compressed(slots: &[u32], intent: Intent) -> Result<bool> {
    match ClusterSlots::classify(slots)? {
        ClusterSlots::Raw => Ok(false),
        ClusterSlots::Compressed { released, .. } => {
            // A volume made read-only for ever has all its clusters in the released form.
            if released && matches!(intent, Intent::Write | Intent::Zero) {
                return Err(Error::NotPermitted(
                    "the file's compressed blocks were released; reserve them first",
                ));
            }
            Ok(true)
        }
    }
}

/// The state of the cluster at a block.
pub(super) fn cluster_slots(
    ops: &DataOps<'_>,
    tree: &mut Tree,
    block: u64,
    size: u64,
) -> Result<ClusterSlots> {
    match tree.slots(ops.fs, block, size as usize)? {
        Span::Hole(_) => Ok(ClusterSlots::Raw),
        Span::Slots(slots) => Ok(ClusterSlots::classify(&slots)?),
    }
}

/// The block behind one slot, if it names one of its own.
pub(crate) fn block_of(ops: &DataOps<'_>, tree: &mut Tree, block: u64) -> Result<Option<u32>> {
    let size = ops.inode.clusters().map_or(1, |c| c.blocks);
    let first = block / size * size;
    let Span::Slots(slots) = tree.slots(ops.fs, first, size as usize)? else {
        return Ok(None);
    };
    if size > 1 && ClusterSlots::classify(&slots)? != ClusterSlots::Raw {
        return Ok(None);
    }
    match Slot::from_raw(slots[(block - first) as usize]).block() {
        Some(addr) => Ok(Some(ops.fs.meta.geometry.main_addr(addr.get())?.get())),
        None => Ok(None),
    }
}

/// Slots that are raw: holes, reserved blocks, or a run of blocks that lie together.
fn map_raw(
    ops: &DataOps<'_>,
    tree: &mut Tree,
    blocks: &Range<u64>,
    intent: Intent,
) -> Result<Found> {
    let max = blocks.end - blocks.start;
    let span = tree.slots(ops.fs, blocks.start, max as usize)?;
    let (kind, len) = match &span {
        Span::Hole(len) => (IomapKind::Hole, (*len).min(max)),
        Span::Slots(slots) => first_run(ops, slots)?,
    };
    let run = blocks.start..blocks.start + len;
    if intent == Intent::Write && kind == IomapKind::Hole {
        let end = reserve(ops, tree, &run)?;
        return Ok(Found {
            blocks: run.start..end,
            kind: IomapKind::Delalloc,
            unit: 1,
        });
    }
    Ok(Found {
        blocks: run,
        kind,
        unit: 1,
    })
}

/// The first run of slots of one kind, and its length.
pub(super) fn first_run(ops: &DataOps<'_>, slots: &[u32]) -> Result<(IomapKind, u64)> {
    let first = slots[0];
    let same = |next: &dyn Fn(usize) -> u32| {
        slots
            .iter()
            .enumerate()
            .take_while(|&(i, &raw)| raw == next(i))
            .count() as u64
    };
    Ok(match Slot::from_raw(first) {
        Slot::Hole => (IomapKind::Hole, same(&|_| first)),
        Slot::New => (IomapKind::Delalloc, same(&|_| first)),
        Slot::Block(_) => {
            let len = same(&|i| first.wrapping_add(i as u32));
            let start = ops.fs.meta.geometry.main_run(first, len as u32)?;
            ops.fs.meta.segments.check_valid(start, len as u32)?;
            (IomapKind::Mapped(start.byte_pos()), len)
        }
        // Only in the first slot of a cluster of a compressed file, which never comes here.
        Slot::Compress => {
            return Err(Error::Invalid(
                "a compressed cluster in a file without compression",
            ));
        }
    })
}

/// Reserves the holes in `run`, as far as one node holds them; returns the end of what was reserved.
fn reserve(ops: &DataOps<'_>, tree: &mut Tree, run: &Range<u64>) -> Result<u64> {
    let wanted = (run.end - run.start) as usize;
    // As much as there is room for; nothing at all is the error.
    let mut granted = wanted.min(tree.slots_in_node(run.start)?) as u32;
    loop {
        match reserve_all(ops, tree, run.start, granted) {
            Ok(()) => return Ok(run.start + u64::from(granted)),
            Err(Error::NoSpace | Error::QuotaExceeded) if granted > 1 => granted /= 2,
            Err(error) => return Err(error),
        }
    }
}

/// Reserves `count` holes that one node holds, and the node if there is none; all or nothing.
fn reserve_all(ops: &DataOps<'_>, tree: &mut Tree, first: u64, count: u32) -> Result<()> {
    tree.reserve_blocks(ops.fs, count)?;
    match tree.change(ops.fs, first, Missing::Create) {
        Ok(mut slots) => {
            for i in 0..count as usize {
                slots.set(i, Slot::New.to_raw());
            }
            Ok(())
        }
        Err(error) => {
            tree.release_blocks(ops.fs, count)?;
            Err(error)
        }
    }
}
