//! Many threads change the tables at once.

use super::*;
use crate::meta::Metadata;
use f2fs_format::CursegType;
use f2fs_format::summary::SummaryEntry;
use std::sync::Mutex;

/// Makes nodes and data of one log and frees half of them; the rest is returned.
fn churn(meta: &Metadata, log: CursegType, rounds: u32) -> Vec<(Nid, BlockAddr)> {
    let mut live = Vec::new();
    for round in 0..rounds {
        if log.is_node() {
            meta.space.reserve_node().unwrap();
            let nid = meta.nat.alloc_nid().unwrap();
            let (addr, _) = meta.segments.allocate_node(log, nid).unwrap();
            meta.nat.set_addr(nid, nid, addr).unwrap();
            live.push((nid, addr));
        } else {
            meta.space.reserve_blocks(3).unwrap();
            let owner = SummaryEntry {
                nid: 4,
                version: 0,
                ofs_in_node: 0,
            };
            for run in meta.segments.allocate(log, &[owner; 3]).unwrap() {
                let blocks = (0..run.count).map(|n| BlockAddr::new(run.start.get() + n));
                live.extend(blocks.map(|addr| (Nid::new(4), addr)));
            }
        }
        if round % 2 == 0 {
            let (nid, addr) = live.remove(live.len() / 2);
            meta.segments.invalidate(addr).unwrap();
            if log.is_node() {
                meta.nat.free_nid(nid).unwrap();
                meta.space.release_node().unwrap();
            } else {
                meta.space.release_blocks(1).unwrap();
            }
        }
    }
    live
}

#[test]
fn tables_agree_after_threads_changed_them() {
    let device = fresh(&[]);
    let meta = open(&device);
    let before = meta.segments.counts().valid_blocks;
    let all = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for log in CursegType::ALL
            .into_iter()
            .chain([CursegType::WarmNode, CursegType::WarmData])
        {
            let (meta, all) = (&meta, &all);
            scope.spawn(move || {
                let live = churn(meta, log, 700);
                all.lock()
                    .unwrap()
                    .extend(live.into_iter().map(|one| (log.is_node(), one)));
            });
        }
    });
    let live = all.into_inner().unwrap();
    assert_eq!(
        meta.segments.counts().valid_blocks,
        before + live.len() as u64
    );
    // No node was really written, so their summaries must come from the pack.
    meta.write_checkpoint(Umount).unwrap();
    // Opening checks the totals of the SIT against the counters.
    let again = open(&device);
    for (is_node, (nid, addr)) in live {
        assert!(again.segments.is_valid(addr));
        assert_eq!(again.segments.owner_of(addr).unwrap().nid, nid.get());
        if is_node {
            assert_eq!(again.nat.node_addr(nid).unwrap(), addr);
        }
    }
}
