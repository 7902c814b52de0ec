//! The logs on small volumes made by mkfs.f2fs, in memory. No node points at the blocks, so
//! fsck.f2fs has no say here; the tests of the checkpoint ask it.

use super::*;
use crate::checkpoint::CheckpointReason::Sync;
use crate::error::Error;
use crate::meta::Metadata;
use crate::meta::tests::{MIB, fresh, load, open};
use f2fs_format::Nid;
use f2fs_format::checkpoint::AllocType;
use runtime::rng::Rng;
use std::collections::HashSet;
use testkit::tools;

fn owners(count: usize) -> Vec<SummaryEntry> {
    (0..count)
        .map(|n| SummaryEntry {
            nid: 9,
            version: 0,
            ofs_in_node: n as u16,
        })
        .collect()
}

fn addrs(runs: &[BlockRun]) -> impl Iterator<Item = BlockAddr> {
    runs.iter()
        .flat_map(|run| (0..run.count).map(|n| BlockAddr::new(run.start.get() + n)))
}

fn take(meta: &Metadata, log: CursegType, count: usize) -> Vec<BlockAddr> {
    addrs(&meta.segments.allocate(log, &owners(count)).unwrap()).collect()
}

#[test]
fn a_log_takes_contiguous_runs_and_records_owners() {
    let meta = open(&fresh(&[]));
    let first = meta.segments.counts().logs[1];
    let runs = meta
        .segments
        .allocate(CursegType::WarmData, &owners(1300))
        .unwrap();
    assert_eq!(addrs(&runs).count(), 1300);
    assert!(runs.len() <= 3, "{runs:?}");
    assert_eq!(meta.geometry.segno_of(runs[0].start), first.segno);
    for (n, addr) in addrs(&runs).enumerate() {
        assert!(meta.segments.is_valid(addr));
        assert_eq!(meta.segments.owner_of(addr).unwrap(), owners(1300)[n]);
    }
    assert_eq!(
        meta.segments.allocate(CursegType::WarmData, &[]).unwrap(),
        []
    );
}

#[test]
fn a_node_learns_where_the_next_one_goes() {
    let meta = open(&fresh(&[]));
    let mut expected = None;
    for n in 0..1100 {
        let (addr, next) = meta
            .segments
            .allocate_node(CursegType::WarmNode, Nid::new(4 + n))
            .unwrap();
        assert!(expected.is_none_or(|expected| expected == addr));
        assert_eq!(meta.segments.owner_of(addr).unwrap().nid, 4 + n);
        assert!(!meta.segments.is_valid(next));
        expected = Some(next);
    }
}

#[test]
fn freed_blocks_are_not_taken_before_a_checkpoint() {
    let device = fresh(&[]);
    let meta = open(&device);
    let mut freed = HashSet::new();
    // Fill and free until nothing is left that was not used before.
    while let Ok(runs) = meta.segments.allocate(CursegType::WarmData, &owners(100)) {
        for addr in addrs(&runs) {
            assert!(freed.insert(addr), "block {addr} was taken twice");
            meta.segments.invalidate(addr).unwrap();
        }
    }
    assert!(freed.len() > 10_000);
    assert!(meta.segments.wants_checkpoint(0));
    let before = meta.segments.counts();
    meta.write_checkpoint(Sync).unwrap();
    let after = meta.segments.counts();
    assert_eq!(
        (after.prefree, after.free),
        (0, before.free + before.prefree)
    );
    let again = take(&meta, CursegType::WarmData, freed.len());
    assert!(again.iter().any(|addr| freed.contains(addr)));
}

#[test]
fn a_failed_allocation_takes_nothing() {
    let meta = open(&fresh(&[]));
    let before = meta.segments.counts();
    let all = meta.geometry.main_blocks() as usize;
    assert!(matches!(
        meta.segments.allocate(CursegType::ColdData, &owners(all)),
        Err(Error::NoSpace)
    ));
    let after = meta.segments.counts();
    assert_eq!(
        (before.valid_blocks, before.free),
        (after.valid_blocks, after.free)
    );
    assert_eq!(after.pending_blocks, 0);
    let some = (meta.space.snapshot().free_blocks() / 2) as usize;
    take(&meta, CursegType::ColdData, some);
}

#[test]
fn holes_are_filled_when_few_sections_are_free() {
    let device = fresh(&[]);
    let meta = open(&device);
    let count = meta.space.snapshot().free_blocks() as usize - 512;
    let blocks = take(&meta, CursegType::WarmData, count);
    let (gone, kept): (Vec<_>, Vec<_>) = blocks.iter().partition(|addr| addr.get() % 3 == 0);
    for addr in &gone {
        meta.segments.invalidate(*addr).unwrap();
    }
    meta.space.reserve_blocks(kept.len() as u32).unwrap();
    meta.write_checkpoint(Sync).unwrap();
    let again = take(&meta, CursegType::ColdData, gone.len());
    let kept: HashSet<_> = kept.into_iter().collect();
    assert!(again.iter().all(|addr| !kept.contains(addr)));
    assert!(
        meta.segments
            .counts()
            .logs
            .iter()
            .any(|log| log.alloc == AllocType::Ssr)
    );
    assert!(again.iter().filter(|addr| gone.contains(addr)).count() > 1000);
    // Old and new owners are all there, also after a mount.
    meta.space.reserve_blocks(again.len() as u32).unwrap();
    meta.write_checkpoint(Sync).unwrap();
    let meta = open(&device);
    for addr in &kept {
        let index = blocks.iter().position(|block| block == addr).unwrap();
        assert_eq!(meta.segments.owner_of(*addr).unwrap(), owners(count)[index]);
    }
    for (n, addr) in again.iter().enumerate() {
        assert_eq!(meta.segments.owner_of(*addr).unwrap(), owners(count)[n]);
    }
}

#[test]
fn a_full_volume_can_be_overwritten_for_ever() {
    for args in [&[][..], &["-s", "2"], &["-s", "4", "-z", "2"]] {
        let device = load(tools::mkfs(args, 256 * MIB).path());
        let meta = open(&device);
        let mut rng = Rng::seeded(7);
        let room = meta.space.snapshot().free_blocks() as usize;
        let mut blocks: Vec<(BlockAddr, CursegType)> = Vec::new();
        let mut checkpoints = 0;
        let mut balance = |meta: &Metadata| {
            if meta.segments.wants_checkpoint(128) {
                meta.write_checkpoint(Sync).unwrap();
                checkpoints += 1;
            }
        };
        while blocks.len() + 64 < room {
            let log = CursegType::ALL[rng.below(6) as usize];
            balance(&meta);
            blocks.extend(take_any(&meta, log, 64).map(|addr| (addr, log)));
            if log.is_node() {
                for _ in 0..64 {
                    meta.space.reserve_node().unwrap();
                }
            } else {
                meta.space.reserve_blocks(64).unwrap();
            }
        }
        for _ in 0..4000 {
            balance(&meta);
            for _ in 0..16 {
                let at = rng.below(blocks.len() as u64) as usize;
                let (old, log) = blocks[at];
                blocks[at].0 = take_any(&meta, log, 1).next().unwrap();
                meta.segments.invalidate(old).unwrap();
            }
        }
        assert!(checkpoints < 100, "{args:?}: {checkpoints} checkpoints");
        meta.write_checkpoint(Sync).unwrap();
        let again = open(&device);
        assert!(
            blocks
                .iter()
                .all(|(addr, _)| again.segments.is_valid(*addr))
        );
    }
}

#[test]
fn room_is_promised_only_where_it_is() {
    let device = fresh(&[]);
    let meta = open(&device);
    let mut rng = Rng::seeded(3);
    let mut live: Vec<(BlockAddr, bool)> = Vec::new();
    let (mut promised, mut denied) = (0, 0);
    for round in 0..400 {
        let (data, nodes) = (rng.below(700), rng.below(300));
        if meta.segments.wants_checkpoint(data + nodes) {
            settle(&meta);
        }
        if meta.segments.has_room(data, nodes) {
            promised += 1;
            let log = CursegType::ALL[rng.below(3) as usize];
            live.extend(
                take(&meta, log, data as usize)
                    .into_iter()
                    .map(|addr| (addr, false)),
            );
            let log = CursegType::ALL[3 + rng.below(3) as usize];
            live.extend(take_any(&meta, log, nodes as usize).map(|addr| (addr, true)));
        } else {
            denied += 1;
            // Free scattered blocks of one kind.
            let kind = round % 2 == 0;
            live.retain(|(addr, is_node)| {
                let goes = *is_node == kind && rng.below(2) == 0;
                if goes {
                    meta.segments.invalidate(*addr).unwrap();
                }
                !goes
            });
            settle(&meta);
        }
    }
    assert!(
        promised > 50 && denied > 20,
        "{promised} promised, {denied} denied"
    );
}

/// Makes freed blocks writable, as a checkpoint does.
fn settle(meta: &Metadata) {
    meta.segments.open_full_logs().unwrap();
    let flush = meta.segments.flush().unwrap();
    meta.segments.commit(flush);
}

fn take_any(meta: &Metadata, log: CursegType, count: usize) -> impl Iterator<Item = BlockAddr> {
    let blocks: Vec<BlockAddr> = if log.is_node() {
        (0..count)
            .map(|_| meta.segments.allocate_node(log, Nid::new(9)).unwrap().0)
            .collect()
    } else {
        take(meta, log, count)
    };
    blocks.into_iter()
}
