//! Handing out nids.

use super::*;
use crate::checkpoint::CheckpointReason;
use f2fs_format::BlockAddr;
use std::collections::HashSet;

/// A node block that nobody points at, for tests that do not ask fsck.
fn place(meta: &Metadata, nid: Nid) -> BlockAddr {
    let (addr, _) = meta
        .segments
        .allocate_node(CursegType::WarmNode, nid)
        .unwrap();
    meta.nat.set_addr(nid, nid, addr).unwrap();
    meta.space.reserve_node().unwrap();
    addr
}

#[test]
fn a_freed_nid_waits_for_a_checkpoint() {
    let device = fresh(&[]);
    let meta = open(&device);
    let before = meta.nat.free_nid_count();
    let nid = meta.nat.alloc_nid().unwrap();
    assert!(nid.get() > 3);
    assert_eq!(
        (meta.nat.version(nid).unwrap(), meta.nat.free_nid_count()),
        (0, before - 1)
    );
    let addr = place(&meta, nid);
    meta.nat.free_nid(nid).unwrap();
    meta.segments.invalidate(addr).unwrap();
    meta.space.release_node().unwrap();
    assert_eq!(
        (meta.nat.version(nid).unwrap(), meta.nat.free_nid_count()),
        (1, before)
    );
    let others: HashSet<Nid> = (0..1000).map(|_| meta.nat.alloc_nid().unwrap()).collect();
    assert_eq!(others.len(), 1000);
    assert!(!others.contains(&nid) && others.iter().all(|nid| nid.get() > 3));
    for nid in others {
        meta.nat.return_nid(nid);
    }
    meta.write_checkpoint(CheckpointReason::Sync).unwrap();
    let again: HashSet<Nid> = (0..1000).map(|_| meta.nat.alloc_nid().unwrap()).collect();
    assert!(again.contains(&nid));
    place(&meta, nid);
    assert_eq!(meta.nat.version(nid).unwrap(), 0);
}

#[test]
fn a_nid_that_was_never_written_is_free_at_once() {
    let meta = open(&fresh(&[]));
    let nid = meta.nat.alloc_nid().unwrap();
    meta.nat.free_nid(nid).unwrap();
    assert_eq!(meta.nat.alloc_nid().unwrap(), nid);
}

#[test]
fn nids_run_out_without_a_reserved_one() {
    let meta = open(&fresh(&[]));
    let mut seen = HashSet::new();
    while let Ok(nid) = meta.nat.alloc_nid() {
        assert!(nid.get() > 3 && nid.get() < meta.geometry.max_nid());
        assert!(seen.insert(nid));
    }
    assert_eq!(seen.len() as u32, meta.geometry.max_nid() - 4);
    assert_eq!(meta.nat.free_nid_count(), 0);
}

#[test]
fn late_entries_move_from_the_journal_to_blocks_and_back() {
    let device = fresh(&[]);
    let meta = open(&device);
    let mut nids = Vec::new();
    // 30 fit the journal, 60 do not, and then each single one does again.
    for round in 0..3 {
        let count = if round < 2 { 30 } else { 1 };
        for _ in 0..count {
            let nid = meta.nat.alloc_nid().unwrap();
            nids.push((nid, place(&meta, nid)));
        }
        meta.write_checkpoint(CheckpointReason::Sync).unwrap();
        let again = open(&device);
        for (nid, addr) in &nids {
            assert_eq!(again.nat.node_addr(*nid).unwrap(), *addr);
        }
        let flipped = again.checkpoint_info().nat_bitmap[0] & 0x80 != 0;
        assert_eq!(flipped, round > 0);
    }
}
