//! Reads a volume from its superblock down, the way a mount and a checker would: packs, summaries
//! and tables here, the tree of files in [`crate::files`], what must agree in [`crate::agree`].

use std::collections::BTreeMap;

use f2fs_format::checkpoint::CpFlags;
use f2fs_format::{
    AllocType, BlockAddr, Checkpoint, CheckpointPack, Geometry, Ino, NatJournal, OrphanBlock,
    SegmentNo, SitBlock, SitEntry, SitJournal, SummaryBlock, SummaryKind, SuperBlock, bitmap,
    checkpoint, compact,
};

use crate::files::{File, Walker};
use crate::store::Store;

/// What the walk found.
pub(crate) struct Volume {
    pub(crate) sb: SuperBlock,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) sit: Vec<SitEntry>,
    pub(crate) nat_journal: NatJournal,
    pub(crate) sit_journal: SitJournal,
    pub(crate) summaries: Vec<SummaryBlock>,
    pub(crate) orphans: Vec<Ino>,
    pub(crate) files: BTreeMap<Ino, File>,
    /// Blocks whose summary entry was found and right.
    pub(crate) checked_summaries: usize,
}

/// Reads the whole volume; any broken rule is a panic.
pub(crate) fn volume(store: &mut Store) -> Volume {
    let blocks = [store.read(BlockAddr::new(0)), store.read(BlockAddr::new(1))];
    let (sb, _, bad) =
        SuperBlock::parse_pair(&blocks[0][..], &blocks[1][..], store.device_blocks).unwrap();
    assert_eq!(bad, None);
    let geometry = sb.geometry();
    let (pack, checkpoint) = current_pack(store, &sb, &geometry);
    let (summaries, journals) = summaries(store, &sb, pack, &checkpoint);
    let nat_journal = NatJournal::parse(&journals[0], &geometry).unwrap();
    let sit_journal = SitJournal::parse(&journals[1], &geometry).unwrap();
    assert_eq!(nat_journal.encode()[..2], journals[0][..2]);
    assert_eq!(sit_journal.encode()[..2], journals[1][..2]);
    let sit = sit(store, &geometry, &checkpoint, &sit_journal);
    let orphans = orphans(store, &sb, pack, &checkpoint);
    let seen = BTreeMap::new();
    let mut walker = Walker {
        store,
        sb,
        geometry,
        checkpoint,
        nat_journal,
        seen,
        checked_summaries: 0,
    };
    let files = walker.files(&orphans);
    walker.compare_counts(&files, &sit);
    walker.compare_summaries(&summaries);
    let Walker {
        sb,
        checkpoint,
        nat_journal,
        checked_summaries,
        ..
    } = walker;
    Volume {
        sb,
        checkpoint,
        sit,
        nat_journal,
        sit_journal,
        summaries,
        orphans,
        files,
        checked_summaries,
    }
}

/// The start of the current pack, and its checkpoint.
fn current_pack(
    store: &mut Store,
    sb: &SuperBlock,
    geometry: &Geometry,
) -> (BlockAddr, Checkpoint) {
    let mut packs = Vec::new();
    for pack in [0, 1].map(|pack| geometry.cp_pack(pack)) {
        let header = store.read_run(pack, 1 + sb.cp_payload);
        let probe = Checkpoint::probe(&header).unwrap();
        let footer = store.read(pack.checked_add(probe.pack_blocks - 1).unwrap());
        let parsed = CheckpointPack::parse(&header, &footer[..], sb).unwrap();
        assert_eq!(checkpoint::crc_of(&footer[..]), Ok(parsed.crc));
        packs.push((pack, parsed));
    }
    let newer = checkpoint::newer(packs[0].1.version, packs[1].1.version);
    packs.swap_remove(newer as usize)
}

/// The summaries of the six logs that the pack holds, and the bytes of both journals.
fn summaries(
    store: &mut Store,
    sb: &SuperBlock,
    pack: BlockAddr,
    checkpoint: &Checkpoint,
) -> (Vec<SummaryBlock>, [Vec<u8>; 2]) {
    let start = pack.checked_add(checkpoint.start_sum).unwrap();
    let counts = checkpoint.cur_data.map(|log| match log.alloc {
        AllocType::Lfs => log.blkoff,
        AllocType::Ssr => 512,
    });
    let mut all = Vec::new();
    let data_blocks;
    let journals;
    if checkpoint.flags.contains(CpFlags::COMPACT_SUM) {
        data_blocks = compact::fits(counts).unwrap() as u32;
        let bytes = store.read_run(start, data_blocks);
        let parsed = compact::parse(&bytes, counts).unwrap();
        for entries in &parsed.entries {
            let mut summary = SummaryBlock::new(SummaryKind::Data);
            summary.entries[..entries.len()].copy_from_slice(entries);
            all.push(summary);
        }
        let again = compact::encode(
            &parsed.nat_journal,
            &parsed.sit_journal,
            [0, 1, 2].map(|log| &parsed.entries[log][..]),
        );
        assert_eq!(again.len(), bytes.len());
        journals = [parsed.nat_journal.to_vec(), parsed.sit_journal.to_vec()];
    } else {
        data_blocks = 3;
        all = normal(store, start, SummaryKind::Data);
        journals = [all[0].journal.to_vec(), all[2].journal.to_vec()];
    }
    let mut used = 2 + sb.cp_payload + data_blocks;
    if checkpoint
        .flags
        .intersects(CpFlags::UMOUNT | CpFlags::FASTBOOT)
    {
        let start = start.checked_add(data_blocks).unwrap();
        all.extend(normal(store, start, SummaryKind::Node));
        used += 3;
    }
    let orphans = checkpoint.start_sum - 1 - sb.cp_payload;
    assert_eq!(
        checkpoint.pack_blocks,
        used + orphans,
        "the pack has no other blocks"
    );
    (all, journals)
}

fn normal(store: &mut Store, start: BlockAddr, kind: SummaryKind) -> Vec<SummaryBlock> {
    let read = |i| {
        let block = store.read(start.checked_add(i).unwrap());
        let summary = SummaryBlock::parse(&block[..]).unwrap();
        assert_eq!(summary.kind, kind);
        assert_eq!(summary.encode(), block);
        summary
    };
    (0..3).map(read).collect()
}

fn sit(
    store: &mut Store,
    geometry: &Geometry,
    checkpoint: &Checkpoint,
    journal: &SitJournal,
) -> Vec<SitEntry> {
    // The largest goldens have far more segments than a golden should hold: their tail is left out.
    let segments = geometry.main_segments().min(5_000);
    let entry = |segno| {
        let segno = SegmentNo::new(segno);
        if let Some(entry) = journal.get(segno) {
            return entry;
        }
        let second = bitmap::msb::test(&checkpoint.sit_bitmap, geometry.sit_index(segno) as usize);
        let mut block = store.read(geometry.sit_block(segno, second));
        let entry = SitBlock::entry(&block, segno).unwrap();
        let before = block.clone();
        SitBlock::put(&mut block, segno, &entry);
        assert!(block == before, "an entry round trips");
        entry
    };
    (0..segments).map(entry).collect()
}

fn orphans(
    store: &mut Store,
    sb: &SuperBlock,
    pack: BlockAddr,
    checkpoint: &Checkpoint,
) -> Vec<Ino> {
    let start = pack.checked_add(1 + sb.cp_payload).unwrap();
    let blocks = store.read_run(start, checkpoint.start_sum - 1 - sb.cp_payload);
    let inos = OrphanBlock::parse_all(&blocks, &sb.geometry()).unwrap();
    let raw: Vec<u32> = inos.iter().map(|ino| ino.get()).collect();
    assert_eq!(OrphanBlock::encode(&raw).concat(), blocks);
    assert_eq!(
        !inos.is_empty(),
        checkpoint.flags.contains(CpFlags::ORPHAN_PRESENT)
    );
    inos
}
