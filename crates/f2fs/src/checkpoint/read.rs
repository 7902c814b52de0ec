//! Finds the current checkpoint pack and reads what lies in it.

use crate::device::Device;
use crate::error::{Error, Result};
use crate::segment::{LoadedLogs, summary_kind};
use f2fs_format::checkpoint::{self, AllocType, CheckpointPack, CpFlags, CursegPos};
use f2fs_format::node::NodeFooter;
use f2fs_format::orphan::OrphanBlock;
use f2fs_format::summary::{NatJournal, SitJournal, SummaryBlock, SummaryEntry, compact};
use f2fs_format::{
    BLOCK_SIZE, BLOCKS_PER_SEGMENT, BlockAddr, Checkpoint, Corrupt, CorruptKind, CursegType,
    Geometry, Ino, Nid, SuperBlock,
};

/// Data summaries of a pack in full form, and node summaries.
const LOGS_OF_A_KIND: u32 = 3;

/// The current checkpoint, the number of its pack, and what is wrong with the other pack.
#[derive(Debug)]
pub(crate) struct CurrentPack {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) pack: u32,
    pub(crate) other: Option<Error>,
}

/// Reads both packs and picks the newer good one.
///
/// # Errors
/// What is wrong with the first pack, if both are bad.
pub(crate) fn current_pack(device: &Device, sb: &SuperBlock) -> Result<CurrentPack> {
    let (pack, checkpoint, other) = match (read_pack(device, sb, 0), read_pack(device, sb, 1)) {
        (Ok(first), Ok(second)) => match checkpoint::newer(first.version, second.version) {
            0 => (0, first, None),
            _ => (1, second, None),
        },
        (Ok(first), Err(error)) => (0, first, Some(error)),
        (Err(error), Ok(second)) => (1, second, Some(error)),
        (Err(error), Err(_)) => return Err(error),
    };
    Ok(CurrentPack {
        checkpoint,
        pack,
        other,
    })
}

fn read_pack(device: &Device, sb: &SuperBlock, pack: u32) -> Result<Checkpoint> {
    let start = sb.geometry().cp_pack(pack);
    let header = device.read_blocks(start, 1 + sb.cp_payload)?;
    let probe = Checkpoint::probe(&header[..BLOCK_SIZE])?;
    let footer = device.read_block(at(start, probe.pack_blocks - 1))?;
    Ok(CheckpointPack::parse(&header, &footer[..], sb)?)
}

fn at(start: BlockAddr, blocks: u32) -> BlockAddr {
    BlockAddr::new(start.get() + blocks)
}

/// Reads the parts of a pack that follow its header.
#[derive(Debug)]
pub(crate) struct PackReader<'a> {
    pub(crate) device: &'a Device,
    pub(crate) sb: &'a SuperBlock,
    pub(crate) geometry: Geometry,
    pub(crate) checkpoint: &'a Checkpoint,
    pub(crate) pack: u32,
}

impl PackReader<'_> {
    /// The journals, and the summaries of all logs.
    pub(crate) fn summaries(&self) -> Result<(NatJournal, LoadedLogs)> {
        let is_compact = self.checkpoint.flags.contains(CpFlags::COMPACT_SUM);
        let (data, blocks) = if is_compact {
            self.compact()?
        } else {
            self.full(0).map(|s| (s, 3))?
        };
        let nat_journal = NatJournal::parse(&data[0].journal, &self.geometry)?;
        let sit_journal = SitJournal::parse(&data[2].journal, &self.geometry)?;
        let in_pack = CpFlags::UMOUNT | CpFlags::FASTBOOT;
        let nodes = if self.checkpoint.flags.intersects(in_pack) {
            self.full(blocks)?
        } else {
            self.rebuilt()?
        };
        let [hot, warm, cold] = data;
        let [hot_node, warm_node, cold_node] = nodes;
        let summaries = [hot, warm, cold, hot_node, warm_node, cold_node];
        Ok((
            nat_journal,
            LoadedLogs {
                sit_journal,
                summaries,
            },
        ))
    }

    /// The orphan inodes that the pack lists.
    pub(crate) fn orphans(&self) -> Result<Vec<Ino>> {
        if !self.checkpoint.flags.contains(CpFlags::ORPHAN_PRESENT) {
            return Ok(Vec::new());
        }
        let first = 1 + self.sb.cp_payload;
        let blocks = self.checkpoint.start_sum.saturating_sub(first);
        let bytes = self.read(first, blocks)?;
        Ok(OrphanBlock::parse_all(&bytes, &self.geometry)?)
    }

    /// Reads `count` blocks of the pack, which must lie before its footer.
    fn read(&self, first: u32, count: u32) -> Result<Vec<u8>> {
        let end = first
            .checked_add(count)
            .filter(|end| *end < self.checkpoint.pack_blocks);
        if end.is_none() {
            let (value, pack) = (self.checkpoint.start_sum, self.checkpoint.pack_blocks);
            return Err(Corrupt::from(CorruptKind::CpStartSum { value, pack }).into());
        }
        self.device
            .read_blocks(at(self.geometry.cp_pack(self.pack), first), count)
    }

    /// Three summary blocks, `skip` blocks behind the start of the summaries.
    fn full(&self, skip: u32) -> Result<[SummaryBlock; 3]> {
        let bytes = self.read(self.checkpoint.start_sum + skip, LOGS_OF_A_KIND)?;
        let block = |n: usize| SummaryBlock::parse(&bytes[n * BLOCK_SIZE..(n + 1) * BLOCK_SIZE]);
        Ok([block(0)?, block(1)?, block(2)?])
    }

    /// Compact data summaries, and how many blocks they take.
    fn compact(&self) -> Result<([SummaryBlock; 3], u32)> {
        let counts = self.checkpoint.cur_data.map(|pos| match pos.alloc {
            AllocType::Lfs => pos.blkoff,
            AllocType::Ssr => BLOCKS_PER_SEGMENT as u16,
        });
        let total = counts.iter().sum();
        let blocks = compact::fits(counts)
            .ok_or(Corrupt::from(CorruptKind::SummaryCount { value: total }))?
            as u32;
        let bytes = self.read(self.checkpoint.start_sum, blocks)?;
        let parsed = compact::parse(&bytes, counts)?;
        let mut data = [
            CursegType::HotData,
            CursegType::WarmData,
            CursegType::ColdData,
        ]
        .map(|log| SummaryBlock::new(summary_kind(log)));
        for (summary, entries) in data.iter_mut().zip(&parsed.entries) {
            summary.entries[..entries.len()].copy_from_slice(entries);
        }
        data[0].journal = parsed.nat_journal;
        data[2].journal = parsed.sit_journal;
        Ok((data, blocks))
    }

    /// Node summaries made from the nodes themselves, for a pack that does not hold them.
    fn rebuilt(&self) -> Result<[SummaryBlock; 3]> {
        let mut nodes = [
            CursegType::HotNode,
            CursegType::WarmNode,
            CursegType::ColdNode,
        ]
        .map(|log| SummaryBlock::new(summary_kind(log)));
        for (summary, pos) in nodes.iter_mut().zip(self.checkpoint.cur_node) {
            self.rebuild(summary, pos)?;
        }
        Ok(nodes)
    }

    fn rebuild(&self, summary: &mut SummaryBlock, pos: CursegPos) -> Result<()> {
        let count = match pos.alloc {
            AllocType::Lfs => u32::from(pos.blkoff),
            AllocType::Ssr => BLOCKS_PER_SEGMENT,
        };
        let bytes = self
            .device
            .read_blocks(self.geometry.segment_start(pos.segno), count)?;
        let (blocks, _) = bytes.as_chunks();
        for (entry, block) in summary.entries.iter_mut().zip(blocks) {
            let nid: Nid = NodeFooter::read(block).nid;
            *entry = SummaryEntry {
                nid: nid.get(),
                version: 0,
                ofs_in_node: 0,
            };
        }
        // Only the journal area of the SSA block is up to date; a stale block may not even parse.
        let old = self.device.read_block(self.geometry.ssa_block(pos.segno))?;
        if let Ok(old) = SummaryBlock::parse(&old[..]) {
            summary.journal = old.journal;
        }
        Ok(())
    }
}
