//! Checkpoints, judged by fsck.f2fs and by the kernel.

mod cut;
mod kernel;
mod threads;

use super::CheckpointReason::{Sync, Umount};
use crate::meta::tests::open::WRITABLE;
use crate::meta::tests::{MIB, assert_clean, fresh, load, open, touch, try_open};
use f2fs_format::checkpoint::CpFlags;
use f2fs_format::{BLOCK_SIZE, BlockAddr, Nid};
use std::sync::Arc;
use testkit::tools;

#[test]
fn empty_checkpoints_leave_a_clean_volume() {
    for args in WRITABLE {
        let device = load(tools::mkfs(args, 512 * MIB).path());
        let first = open(&device).checkpoint_info().version;
        for reason in [Umount, Sync, Sync, Umount] {
            let meta = open(&device);
            meta.write_checkpoint(reason).unwrap();
            meta.write_checkpoint(reason).unwrap();
            assert_clean(&device);
        }
        assert_eq!(open(&device).checkpoint_info().version, first + 8);
    }
}

#[test]
fn flags_say_how_the_pack_was_written() {
    let device = fresh(&[]);
    let meta = open(&device);
    let umount = CpFlags::UMOUNT | CpFlags::COMPACT_SUM | CpFlags::CRC_RECOVERY;
    meta.write_checkpoint(Umount).unwrap();
    assert_eq!(meta.checkpoint_info().flags, umount);
    meta.orphans.add(Nid::new(17)).unwrap();
    meta.write_checkpoint(Sync).unwrap();
    assert_eq!(
        meta.checkpoint_info().flags,
        (umount - CpFlags::UMOUNT) | CpFlags::ORPHAN_PRESENT
    );
    let again = open(&device);
    assert_eq!(again.orphans.list(), [Nid::new(17)]);
    assert_eq!(again.node_cp_ver(), meta.node_cp_ver());
    assert_eq!(again.checkpoint_info(), meta.checkpoint_info());
}

#[test]
fn as_many_orphans_as_a_pack_holds() {
    let device = fresh(&[]);
    let meta = open(&device);
    let limit = (512 - 2 - 6) * 1020;
    let room = (meta.geometry.max_nid() - 4).min(limit);
    for n in 0..room {
        meta.orphans.add(Nid::new(4 + n)).unwrap();
    }
    meta.write_checkpoint(Umount).unwrap();
    let list = open(&device).orphans.list();
    assert_eq!(list.len() as u32, room);
    if room == limit {
        assert!(meta.orphans.add(Nid::new(4 + room)).is_err());
    }
    meta.orphans.add(Nid::new(4)).unwrap();
    for ino in list {
        meta.orphans.remove(ino);
    }
    meta.write_checkpoint(Umount).unwrap();
    assert_clean(&device);
}

#[test]
fn the_root_moves_through_many_segments() {
    let device = fresh(&["-O", "extra_attr,inode_checksum"]);
    let meta = open(&device);
    let total = meta.geometry.main_segments() * 512;
    for round in 0..total {
        touch(&meta, Nid::ROOT).unwrap();
        if meta.segments.wants_checkpoint(8) {
            meta.write_checkpoint(Sync).unwrap();
        }
        if round % 9001 == 0 {
            meta.write_checkpoint(Sync).unwrap();
            assert_clean(&device);
        }
    }
    meta.write_checkpoint(Umount).unwrap();
    assert_clean(&device);
}

#[test]
fn a_torn_pack_is_not_used() {
    let device = fresh(&[]);
    let meta = open(&device);
    meta.write_checkpoint(Umount).unwrap();
    let old = meta.checkpoint_info();
    touch(&meta, Nid::ROOT).unwrap();
    meta.write_checkpoint(Umount).unwrap();
    let new = meta.checkpoint_info();
    let start = meta.geometry.cp_pack(0);
    for at in [0, new.pack_blocks - 1] {
        let torn = Arc::new(device.snapshot());
        let block = BlockAddr::new(start.get() + at);
        blockdev::BlockDevice::write_at(&*torn, block.byte_pos() + 512, &[1; 512]).unwrap();
        let meta = open(&torn);
        assert_eq!(meta.checkpoint_info().version, old.version);
        assert_clean(&torn);
        meta.write_checkpoint(Sync).unwrap();
        assert_eq!(open(&torn).checkpoint_info().version, new.version);
        assert_clean(&torn);
    }
    for pack in [0, 1] {
        let pos = meta.geometry.cp_pack(pack).byte_pos();
        blockdev::BlockDevice::write_at(&*device, pos, &[1; BLOCK_SIZE]).unwrap();
    }
    assert!(try_open(&device).is_err());
}
