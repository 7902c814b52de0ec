//! What a picture of a whole volume shows: its areas, and MAIN in cells of one or more segments.
//!
//! Memory is that of the cells: segments are counted as they come, inodes are read one after the other, and each
//! compressed file is walked node by node.

use crate::data::layout::{self, DeviceRun, ExtentKind};
use crate::data::{DataOps, inline};
use crate::error::Result;
use crate::fs::Fs;
use crate::inode::Inode;
use crate::segment::{SegmentState, SegmentUse};
use f2fs_format::checkpoint::AllocType;
use f2fs_format::{BLOCKS_PER_SEGMENT, BlockAddr, Features, Nid};
use std::sync::Arc;

/// A part of the volume that holds one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AreaKind {
    /// Both superblocks, and the space up to the checkpoint.
    Superblock,
    /// The two checkpoint packs.
    Checkpoint,
    /// Segment information table.
    Sit,
    /// Node address table.
    Nat,
    /// Segment summary area.
    Ssa,
    /// Nodes and data.
    Main,
}

/// Where a part of the volume lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// What it holds.
    pub kind: AreaKind,
    /// The first block.
    pub block: u64,
    /// How many blocks.
    pub blocks: u64,
}

/// What the segments of one log hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogUse {
    /// Segments in use.
    pub segments: u64,
    /// Blocks in use.
    pub blocks: u64,
    /// Those that belong to compressed clusters.
    pub compressed_blocks: u64,
}

/// What some segments hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentTotals {
    /// All of them.
    pub segments: u64,
    /// Those a log could open.
    pub free_segments: u64,
    /// Those the next checkpoint makes free.
    pub prefree_segments: u64,
    /// Those in use by the log they belong to: hot, warm and cold data, then hot, warm and cold nodes.
    pub logs: [LogUse; 6],
    /// Blocks of segments in use that were written and hold nothing any more.
    pub dead_blocks: u64,
}

impl SegmentTotals {
    fn count(&mut self, segment: &SegmentUse) {
        self.segments += 1;
        match segment.state {
            SegmentState::Free => self.free_segments += 1,
            SegmentState::Prefree => self.prefree_segments += 1,
            SegmentState::Used => {
                let log = &mut self.logs[segment.kind.index()];
                log.segments += 1;
                log.blocks += u64::from(segment.valid);
                self.dead_blocks += u64::from(segment.dead);
            }
        }
    }

    fn add(&mut self, other: &Self) {
        self.segments += other.segments;
        self.free_segments += other.free_segments;
        self.prefree_segments += other.prefree_segments;
        self.dead_blocks += other.dead_blocks;
        for (log, other) in self.logs.iter_mut().zip(&other.logs) {
            log.segments += other.segments;
            log.blocks += other.blocks;
            log.compressed_blocks += other.compressed_blocks;
        }
    }

    /// Blocks, used or not.
    pub fn blocks(&self) -> u64 {
        self.segments * u64::from(BLOCKS_PER_SEGMENT)
    }

    /// Blocks in use.
    pub fn used_blocks(&self) -> u64 {
        self.logs.iter().map(|log| log.blocks).sum()
    }

    /// Blocks that belong to compressed clusters.
    pub fn compressed_blocks(&self) -> u64 {
        self.logs.iter().map(|log| log.compressed_blocks).sum()
    }

    /// Blocks that the next checkpoint makes free.
    pub fn prefree_blocks(&self) -> u64 {
        self.prefree_segments * u64::from(BLOCKS_PER_SEGMENT)
    }

    /// Blocks that hold nothing and were not written since they were free.
    pub fn free_blocks(&self) -> u64 {
        let taken = self.used_blocks() + self.dead_blocks + self.prefree_blocks();
        self.blocks().saturating_sub(taken)
    }
}

/// Where an open log goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenLog {
    /// Its segment.
    pub segment: u32,
    /// The next block in it; 512 if it is full.
    pub next_block: u16,
    /// Whether it fills the holes of a segment in use.
    pub fills_holes: bool,
}

/// A volume as a picture shows it.
#[derive(Clone, Debug)]
pub struct VolumeMap {
    /// Blocks of the volume.
    pub blocks: u64,
    /// Its areas, in order.
    pub areas: Vec<Area>,
    /// Segments of a cell; the last cell may have fewer.
    pub segments_per_cell: u32,
    /// MAIN, in order.
    pub cells: Vec<SegmentTotals>,
    /// All cells together.
    pub totals: SegmentTotals,
    /// The logs: hot, warm and cold data, then hot, warm and cold nodes.
    pub logs: [OpenLog; 6],
}

impl VolumeMap {
    /// The cell that shows a block of the volume, if it is in MAIN.
    pub fn cell_of(&self, block: u32) -> Option<usize> {
        let main = self.areas.iter().find(|area| area.kind == AreaKind::Main)?;
        let at = u64::from(block).checked_sub(main.block)?;
        let cell = at / u64::from(BLOCKS_PER_SEGMENT) / u64::from(self.segments_per_cell);
        usize::try_from(cell)
            .ok()
            .filter(|&cell| cell < self.cells.len())
    }
}

/// The map in at most `cells` cells (at least one), each of the same power of two of segments.
pub(crate) fn map(fs: &Fs, cells: u32) -> Result<VolumeMap> {
    let segments = fs.meta.geometry.main_segments();
    let per_cell = segments.div_ceil(cells.max(1)).next_power_of_two();
    let mut map = VolumeMap {
        blocks: fs.meta.sb.block_count,
        areas: areas(fs),
        segments_per_cell: per_cell,
        cells: vec![SegmentTotals::default(); segments.div_ceil(per_cell) as usize],
        totals: SegmentTotals::default(),
        logs: open_logs(fs),
    };
    fs.meta.segments.survey(|segment| {
        map.cells[(segment.segno.get() / per_cell) as usize].count(&segment);
    });
    if fs.meta.sb.features.contains(Features::COMPRESSION) {
        count_compressed(fs, &mut map)?;
    }
    for cell in &map.cells {
        map.totals.add(cell);
    }
    Ok(map)
}

fn areas(fs: &Fs) -> Vec<Area> {
    let sb = &fs.meta.sb;
    let starts = [
        (AreaKind::Superblock, 0),
        (AreaKind::Checkpoint, sb.cp_blkaddr.get()),
        (AreaKind::Sit, sb.sit_blkaddr.get()),
        (AreaKind::Nat, sb.nat_blkaddr.get()),
        (AreaKind::Ssa, sb.ssa_blkaddr.get()),
        (AreaKind::Main, sb.main_blkaddr.get()),
    ];
    let ends = starts[1..].iter().map(|&(_, block)| u64::from(block));
    let ends = ends.chain([fs.meta.geometry.main_end()]);
    let area = |(&(kind, block), end): (&(AreaKind, u32), u64)| Area {
        kind,
        block: block.into(),
        blocks: end.saturating_sub(block.into()),
    };
    starts.iter().zip(ends).map(area).collect()
}

fn open_logs(fs: &Fs) -> [OpenLog; 6] {
    fs.meta.segments.counts().logs.map(|log| OpenLog {
        segment: log.segno.get(),
        next_block: log.blkoff,
        fills_holes: log.alloc == AllocType::Ssr,
    })
}

/// Adds the blocks of all compressed clusters.
fn count_compressed(fs: &Fs, map: &mut VolumeMap) -> Result<()> {
    let mut left = fs.meta.space.snapshot().valid_inodes;
    for nid in (Nid::ROOT.get()..fs.meta.geometry.max_nid()).map(Nid::new) {
        if left == 0 {
            break;
        }
        let found = fs.meta.nat.get(nid)?.check(nid, &fs.meta.geometry)?;
        if found.is_some_and(|(ino, _)| ino == nid) {
            left -= 1;
            count_file(fs, &fs.inodes.look(fs, nid)?, map)?;
        }
    }
    Ok(())
}

fn count_file(fs: &Fs, inode: &Arc<Inode>, map: &mut VolumeMap) -> Result<()> {
    if inode.clusters().is_none() {
        return Ok(());
    }
    let _shared = inode.rwsem.read();
    let (mut at, end) = {
        let tree = inode.tree.lock();
        if inline::is_inline(&tree) {
            return Ok(());
        }
        (0, layout::end_of(&tree))
    };
    while at < end {
        let (found, next) = {
            let ops = DataOps::new(fs, inode);
            let mut tree = inode.tree.lock();
            let found = layout::look(&ops, &mut tree, at, end)?;
            tree.trim(layout::NODES_KEPT);
            found
        };
        let compressed = found.iter().filter(|e| e.kind == ExtentKind::Compressed);
        for run in compressed.flat_map(|extent| &extent.runs) {
            count_run(fs, *run, map);
        }
        at = next;
    }
    Ok(())
}

fn count_run(fs: &Fs, run: DeviceRun, map: &mut VolumeMap) {
    let geometry = &fs.meta.geometry;
    let mut at = run.block;
    while at < run.end() {
        let block = BlockAddr::new(at);
        let segno = geometry.segno_of(block);
        let room = BLOCKS_PER_SEGMENT - u32::from(geometry.offset_in_segment(block));
        let count = room.min(run.end() - at);
        let log = fs.meta.segments.kind_of(segno);
        let cell = &mut map.cells[(segno.get() / map.segments_per_cell) as usize];
        cell.logs[log.index()].compressed_blocks += u64::from(count);
        at += count;
    }
}
