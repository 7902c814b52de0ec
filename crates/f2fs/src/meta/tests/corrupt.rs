//! Bytes of the tables that make no sense: each must be a typed error or harmless, and never a
//! panic.

use super::*;
use crate::checkpoint::CheckpointReason;
use crate::error::{Error, Inconsistent};
use f2fs_format::summary::SummaryEntry;
use f2fs_format::{BLOCK_SIZE, BlockAddr, CorruptKind, NatBlock, NatEntry, SegmentNo, SitBlock};
use runtime::rng::Rng;

/// A volume whose NAT, SIT and summaries lie in blocks and full form, not in journals.
fn without_journals() -> Arc<MemDevice> {
    let device = fresh(&[]);
    let meta = open(&device);
    let fill = 2 * 512;
    let owner = |_| SummaryEntry {
        nid: 3,
        version: 0,
        ofs_in_node: 0,
    };
    for log in CursegType::ALL {
        let owners: Vec<_> = (0..fill).map(owner).collect();
        let runs = meta.segments.allocate(log, &owners).unwrap();
        for addr in runs
            .iter()
            .flat_map(|run| (0..run.count).map(|n| run.start.get() + n))
        {
            meta.segments.invalidate(BlockAddr::new(addr)).unwrap();
        }
    }
    meta.write_checkpoint(CheckpointReason::Umount).unwrap();
    device
}

fn edit(device: &MemDevice, addr: BlockAddr, change: impl FnOnce(&mut Block)) {
    let mut block = Box::new([0; BLOCK_SIZE]);
    device.read_at(addr.byte_pos(), &mut block[..]).unwrap();
    change(&mut block);
    device.write_at(addr.byte_pos(), &block[..]).unwrap();
}

#[test]
fn a_bad_sit_entry_is_refused() {
    let device = without_journals();
    let meta = open(&device);
    assert_eq!(
        meta.checkpoint_info().sit_bitmap[0] & 0x80,
        0x80,
        "the second copy is current"
    );
    let sit = meta.geometry.sit_block(SegmentNo::new(0), true);
    let untouched = device.snapshot();
    edit(&device, sit, |block| block[1] |= 7 << 2);
    let kind = |error| match error {
        Error::Corrupt(corrupt) => corrupt.kind,
        other => panic!("{other}"),
    };
    assert!(matches!(
        kind(try_open(&device).unwrap_err()),
        CorruptKind::SitType { .. }
    ));
    let device = Arc::new(untouched);
    edit(&device, sit, |block| block[0] ^= 1);
    assert!(matches!(
        kind(try_open(&device).unwrap_err()),
        CorruptKind::SitCount { .. }
    ));
}

#[test]
fn sit_totals_must_match_to_write() {
    let device = without_journals();
    let sit = open(&device).geometry.sit_block(SegmentNo::new(0), true);
    edit(&device, sit, |block| {
        let segno = SegmentNo::new(0);
        let mut entry = SitBlock::entry(block, segno).unwrap();
        entry.valid_map[60] = 1;
        entry.valid_blocks += 1;
        SitBlock::put(block, segno, &entry);
    });
    let error = try_open(&device).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Inconsistent(Inconsistent::NodeTotal {
                sit: 2,
                checkpoint: 1
            })
        ),
        "{error}"
    );
    let device: Arc<MemDevice> = device;
    Metadata::open(Arc::new(Device::new(device)), OpenMode::ReadOnly).unwrap();
}

#[test]
fn a_log_must_stand_at_a_free_block() {
    let device = fresh(&[]);
    let meta = open(&device);
    // The next block of the hot data log becomes valid without the log knowing.
    let segno = meta.segments.counts().logs[0].segno;
    let owner = SummaryEntry {
        nid: 3,
        version: 0,
        ofs_in_node: 0,
    };
    meta.segments
        .allocate(CursegType::HotData, &[owner])
        .unwrap();
    meta.space.reserve_blocks(1).unwrap();
    meta.write_checkpoint(CheckpointReason::Umount).unwrap();
    let pack = meta.geometry.cp_pack(1);
    let total = meta.checkpoint_info().pack_blocks;
    for at in [pack.get(), pack.get() + total - 1] {
        edit(&device, BlockAddr::new(at), |block| {
            block[116] -= 1;
            let crc = f2fs_format::checkpoint::crc_of(&block[..]).unwrap();
            block[4092..].copy_from_slice(&crc.to_le_bytes());
        });
    }
    let error = try_open(&device).unwrap_err();
    assert!(
        matches!(&error, Error::Inconsistent(Inconsistent::CursegNotFree { segno: s, .. })
            if *s == segno),
        "{error}"
    );
}

#[test]
fn bad_node_addresses_are_refused_when_they_are_used() {
    let device = without_journals();
    let meta = open(&device);
    let is_second = meta.checkpoint_info().nat_bitmap[0] & 0x80 != 0;
    let addr = meta.geometry.nat_block(0, is_second);
    drop(meta);
    edit(&device, addr, |block| {
        NatBlock::put(
            block,
            Nid::new(100),
            NatEntry {
                version: 0,
                ino: 100,
                addr: 7,
            },
        );
        NatBlock::put(
            block,
            Nid::new(101),
            NatEntry {
                version: 0,
                ino: 0,
                addr: 1 << 31,
            },
        );
    });
    let meta = open(&device);
    for nid in [100, 101] {
        assert!(matches!(
            meta.nat.node_addr(Nid::new(nid)),
            Err(Error::Corrupt(_))
        ));
    }
    for nid in [0, 1, 2, meta.geometry.max_nid(), u32::MAX] {
        assert!(matches!(
            meta.nat.node_addr(Nid::new(nid)),
            Err(Error::Corrupt(_))
        ));
        assert!(meta.nat.free_nid(Nid::new(nid)).is_err());
    }
    let free = Nid::new(102);
    assert!(matches!(
        meta.nat.node_addr(free),
        Err(Error::Inconsistent(_))
    ));
    assert!(matches!(
        meta.nat.free_nid(free),
        Err(Error::Inconsistent(_))
    ));
}

#[test]
fn addresses_outside_main_are_never_freed() {
    let meta = open(&fresh(&[]));
    let end = meta.geometry.main_end() as u32;
    for raw in [0, 1, meta.geometry.main_start().get() - 1, end, u32::MAX] {
        let addr = BlockAddr::new(raw);
        assert!(!meta.segments.is_valid(addr));
        assert!(matches!(
            meta.segments.invalidate(addr),
            Err(Error::Corrupt(_))
        ));
        assert!(matches!(
            meta.segments.owner_of(addr),
            Err(Error::Corrupt(_))
        ));
    }
    let clear = BlockAddr::new(end - 1);
    assert!(matches!(
        meta.segments.invalidate(clear),
        Err(Error::Inconsistent(_))
    ));
}

#[test]
fn a_flipped_byte_of_the_pack_never_panics() {
    let device = fresh(&[]);
    let meta = open(&device);
    let (start, blocks) = (meta.geometry.cp_pack(0), meta.checkpoint_info().pack_blocks);
    drop(meta);
    let len = u64::from(blocks) * BLOCK_SIZE as u64;
    let mut byte = [0];
    for at in (0..len).step_by(97).chain(0..256) {
        let pos = start.byte_pos() + at;
        device.read_at(pos, &mut byte).unwrap();
        let good = byte;
        byte[0] ^= 0xFF;
        device.write_at(pos, &byte).unwrap();
        // Pack 2 of a fresh volume is good in itself, but names summaries that were never written.
        if let Ok(meta) = try_open(&device) {
            used_nids(&meta);
        }
        device.write_at(pos, &good).unwrap();
    }
    open(&device);
}

#[test]
fn random_bytes_in_the_tables_never_panic() {
    let device = without_journals();
    let meta = open(&device);
    let cp = meta.checkpoint_info();
    let geometry = meta.geometry;
    let targets = [
        BlockAddr::new(0),
        geometry.sit_block(SegmentNo::new(0), cp.sit_bitmap[0] & 0x80 != 0),
        geometry.nat_block(0, cp.nat_bitmap[0] & 0x80 != 0),
        BlockAddr::new(geometry.cp_pack(1).get() + cp.start_sum),
        geometry.ssa_block(SegmentNo::new(1)),
    ];
    drop(meta);
    let mut rng = Rng::seeded(5);
    for round in 0..600 {
        let mutant = Arc::new(device.snapshot());
        let target = targets[round % targets.len()];
        edit(&mutant, target, |block| {
            for _ in 0..=rng.below(8) {
                block[rng.below(4096) as usize] = rng.next_u64() as u8;
            }
        });
        // The other superblock would hide the damage.
        edit(&mutant, BlockAddr::new(1), |block| block.fill(0));
        for mode in [OpenMode::ReadOnly, OpenMode::ReadWrite] {
            let device: Arc<MemDevice> = Arc::clone(&mutant);
            let Ok(meta) = Metadata::open(Arc::new(Device::new(device)), mode) else {
                continue;
            };
            let nodes = used_nids(&meta);
            if mode == OpenMode::ReadWrite {
                for nid in nodes {
                    let _ = touch(&meta, nid);
                }
                let owner = SummaryEntry::default();
                let _ = meta.segments.allocate(CursegType::WarmData, &[owner; 2000]);
                let _ = meta.write_checkpoint(CheckpointReason::Umount);
            }
        }
    }
}
