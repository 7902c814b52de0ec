//! The blocks of a fresh volume: superblock, two checkpoint packs, the first NAT block and the root
//! directory.
//!
//! Everything else is zero or never read. The state of the open logs lies in the checkpoint pack:
//! their SIT entries in its journal, their summaries beside it; so neither SIT nor SSA has to be
//! written.

use super::quota::{self, QuotaInode};
use super::{FormatError, FormatOptions, FormatPlan, root};
use f2fs_format::casefold::{ENCODING_STRICT, ENCODING_UTF8_12_1};
use f2fs_format::checkpoint::{AllocType, Checkpoint, CpFlags, CursegPos};
use f2fs_format::nat::{NAT_PLACEHOLDER, NatBlock, NatEntry};
use f2fs_format::sit::{CursegType, SitEntry};
use f2fs_format::summary::{
    JOURNAL_LEN, JournalBytes, SitJournal, SummaryBlock, SummaryEntry, SummaryKind, compact,
};
use f2fs_format::super_block::SuperBlock;
use f2fs_format::{BLOCK_SIZE, Block, BlockAddr, Features, Nid, bitmap};
use runtime::clock::{Clock, SystemClock};
use runtime::rng::Rng;

/// Recorded as the system that made the volume.
const VERSION: &str = concat!("f2fs-rs ", env!("CARGO_PKG_VERSION"));
/// The number in `minor_ver`, which nobody interprets.
const MINOR_VERSION: u16 = 16;
/// Header and footer of a pack, the data summaries in compact form and those of the node logs.
const PACK_BLOCKS_WITHOUT_PAYLOAD: u32 = 2 + 1 + 3;
/// Linux makes the first version odd and 31 bits long.
const VERSION_BITS: u64 = 0x7FFF_FFFF;

/// What tells this volume from another of the same shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub uuid: [u8; 16],
    pub checkpoint_version: u64,
    /// Times of the root directory, in seconds since 1970.
    pub time: u64,
}

impl Identity {
    /// Takes what the options give and makes up the rest.
    pub(super) fn of(options: &FormatOptions) -> Self {
        let mut rng = Rng::from_system();
        let seed = options
            .checkpoint_seed
            .map_or_else(|| rng.next_u64(), u64::from);
        Self {
            uuid: options.uuid.unwrap_or_else(|| random_uuid(&mut rng)),
            checkpoint_version: seed & VERSION_BITS | 1,
            time: options
                .root_time
                .unwrap_or_else(|| u64::try_from(SystemClock.now().secs).unwrap_or(0)),
        }
    }
}

/// A random UUID, marked as such (version 4, variant 1).
fn random_uuid(rng: &mut Rng) -> [u8; 16] {
    let high = rng.next_u64() & !0xF000 | 0x4000;
    let low = rng.next_u64() & (u64::MAX >> 2) | 1 << 63;
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}

/// A volume that holds an empty root directory, and quota files if they are asked for.
#[derive(Debug)]
pub(super) struct FreshVolume<'a> {
    plan: &'a FormatPlan,
    options: &'a FormatOptions,
    identity: Identity,
    super_block: SuperBlock,
    quota: Vec<QuotaInode>,
}

impl<'a> FreshVolume<'a> {
    pub(super) fn new(
        plan: &'a FormatPlan,
        options: &'a FormatOptions,
        identity: Identity,
    ) -> Self {
        let quota = quota::inodes(plan, options);
        let mut super_block = super_block(plan, options, identity.uuid);
        for inode in &quota {
            super_block.qf_ino[inode.kind.index()] = Some(inode.ino);
        }
        Self {
            plan,
            options,
            identity,
            super_block,
            quota,
        }
    }

    pub(super) fn super_block(&self) -> &SuperBlock {
        &self.super_block
    }

    pub(super) fn checkpoint_version(&self) -> u64 {
        self.identity.checkpoint_version
    }

    /// All blocks but the superblocks, and where they go.
    pub(super) fn blocks(&self) -> Result<Vec<(BlockAddr, Box<Block>)>, FormatError> {
        let inode_at = self.plan.log_block(CursegType::HotNode);
        let dentries_at = self.plan.log_block(CursegType::HotData);
        let inode = root::inode(
            &self.super_block,
            self.options,
            self.identity.time,
            root::Place {
                inode: inode_at,
                dentries: dentries_at,
            },
        )?;
        let geometry = self.super_block.geometry();
        let mut blocks = vec![
            (dentries_at, root::dentries()),
            (inode_at, inode),
            (
                geometry.nat_block(geometry.nat_index(Nid::ROOT), false),
                self.nat_block(inode_at),
            ),
        ];
        for inode in &self.quota {
            blocks.extend(inode.blocks(&self.super_block, self.options, self.identity.time)?);
        }
        // Of two valid packs the greater version counts. The other one is as complete, so that a
        // volume whose first pack is damaged is still an empty volume.
        for (pack, version) in [(1, 0), (0, self.identity.checkpoint_version)] {
            let start = geometry.cp_pack(pack);
            for (offset, block) in (0..).zip(self.pack(version)?) {
                let addr = start.checked_add(offset).expect("a pack fits its segment");
                blocks.push((addr, block));
            }
        }
        Ok(blocks)
    }

    /// The blocks of a checkpoint pack, in order.
    fn pack(&self, version: u64) -> Result<Vec<Box<Block>>, FormatError> {
        let header = self.checkpoint(version).encode(&self.super_block)?;
        let mut pack = to_blocks(&header);
        let footer = pack[0].clone();
        pack.extend(to_blocks(&self.data_summaries()));
        for log in CursegType::ALL.into_iter().filter(|log| log.is_node()) {
            let mut summary = SummaryBlock::new(SummaryKind::Node);
            if log == CursegType::HotNode {
                let nids = [Nid::ROOT]
                    .into_iter()
                    .chain(self.quota.iter().map(|q| q.ino));
                for (entry, nid) in summary.entries.iter_mut().zip(nids) {
                    entry.nid = nid.get();
                }
            }
            pack.push(summary.encode());
        }
        pack.push(footer);
        Ok(pack)
    }

    fn checkpoint(&self, version: u64) -> Checkpoint {
        let plan = self.plan;
        let log = |log: CursegType| CursegPos {
            segno: plan.log_starts[log.index()],
            blkoff: self.used_blocks(log),
            alloc: AllocType::Lfs,
        };
        let logs = CursegType::ALL;
        let inodes = 1 + self.quota.len() as u32;
        Checkpoint {
            version,
            user_block_count: plan.user_block_count,
            valid_block_count: logs
                .map(|log| u64::from(self.used_blocks(log)))
                .iter()
                .sum(),
            reserved_segments: plan.reserved_segments,
            overprov_segments: plan.overprovision_segments,
            free_segments: plan.segment_count_main - logs.len() as u32,
            cur_data: [logs[0], logs[1], logs[2]].map(log),
            cur_node: [logs[3], logs[4], logs[5]].map(log),
            flags: CpFlags::UMOUNT | CpFlags::COMPACT_SUM,
            pack_blocks: PACK_BLOCKS_WITHOUT_PAYLOAD + plan.cp_payload,
            start_sum: 1 + plan.cp_payload,
            valid_nodes: inodes,
            valid_inodes: inodes,
            next_free_nid: Nid::ROOT.get() + inodes,
            ..Checkpoint::new(&self.super_block)
        }
    }

    /// The data logs' summaries with the two journals: an empty one of the NAT, and one of the SIT
    /// that knows all open segments.
    fn data_summaries(&self) -> Vec<u8> {
        let nat_journal: JournalBytes = [0; JOURNAL_LEN];
        let sit_journal = CursegType::ALL
            .into_iter()
            .map(|log| (self.plan.log_starts[log.index()], self.sit_entry(log)))
            .collect();
        let root_dentries = SummaryEntry {
            nid: Nid::ROOT.get(),
            version: 0,
            ofs_in_node: 0,
        };
        let quota = self.quota.iter().flat_map(QuotaInode::summaries);
        let hot: Vec<_> = [root_dentries].into_iter().chain(quota).collect();
        let entries: [&[SummaryEntry]; 3] = [&hot, &[], &[]];
        compact::encode(&nat_journal, &SitJournal(sit_journal).encode(), entries)
    }

    /// Blocks in use at the start of a log: the root inode and its dentry block, then the quota
    /// files.
    fn used_blocks(&self, log: CursegType) -> u16 {
        let quota = self.quota.len() as u16;
        match log {
            CursegType::HotData => 1 + quota * quota::DATA_BLOCKS,
            CursegType::HotNode => 1 + quota,
            _ => 0,
        }
    }

    fn sit_entry(&self, log: CursegType) -> SitEntry {
        let mut entry = SitEntry::empty(log);
        entry.valid_blocks = self.used_blocks(log);
        for block in 0..usize::from(entry.valid_blocks) {
            bitmap::msb::set(&mut entry.valid_map, block);
        }
        entry
    }

    /// The first NAT block: two nids that never have a node, the root directory, the quota files.
    fn nat_block(&self, root: BlockAddr) -> Box<Block> {
        let mut block = Box::new([0; BLOCK_SIZE]);
        let known = [
            (Nid::NODE, NAT_PLACEHOLDER),
            (Nid::META, NAT_PLACEHOLDER),
            (Nid::ROOT, root.get()),
        ];
        let quota = self.quota.iter().map(|q| (q.ino, q.node.get()));
        for (nid, addr) in known.into_iter().chain(quota) {
            let (version, ino) = (0, nid.get());
            NatBlock::put(&mut block, nid, NatEntry { version, ino, addr });
        }
        block
    }
}

fn to_blocks(bytes: &[u8]) -> Vec<Box<Block>> {
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|block| Box::new(*block))
        .collect()
}

fn super_block(plan: &FormatPlan, options: &FormatOptions, uuid: [u8; 16]) -> SuperBlock {
    let has_casefold = options.features.contains(Features::CASEFOLD);
    SuperBlock {
        minor_version: MINOR_VERSION,
        features: options.all_features(),
        block_count: plan.block_count,
        segs_per_sec: plan.segments_per_section,
        secs_per_zone: plan.sections_per_zone,
        section_count: plan.section_count,
        segment_count: plan.segment_count,
        segment_count_ckpt: plan.segment_count_cp,
        segment_count_sit: plan.segment_count_sit,
        segment_count_nat: plan.segment_count_nat,
        segment_count_ssa: plan.segment_count_ssa,
        segment_count_main: plan.segment_count_main,
        segment0_blkaddr: plan.cp_start,
        cp_blkaddr: plan.cp_start,
        sit_blkaddr: plan.sit_start,
        nat_blkaddr: plan.nat_start,
        ssa_blkaddr: plan.ssa_start,
        main_blkaddr: plan.main_start,
        uuid,
        volume_name: options.label.clone(),
        cold_extensions: options.cold_extensions.clone(),
        hot_extensions: options.hot_extensions.clone(),
        cp_payload: plan.cp_payload,
        version: VERSION.to_owned(),
        init_version: VERSION.to_owned(),
        encoding: if has_casefold { ENCODING_UTF8_12_1 } else { 0 },
        encoding_flags: if has_casefold && options.strict_names {
            ENCODING_STRICT
        } else {
            0
        },
        ..SuperBlock::default()
    }
}
