//! What is written reads back the same.

use proptest::prelude::*;

use f2fs_format::checkpoint::{CpFlags, newer};
use f2fs_format::super_block::Device;
use f2fs_format::{
    AllocType, BlockAddr, Checkpoint, CheckpointPack, CompressAlgorithm, CompressInfo, CursegPos,
    CursegType, Extent, Features, InlineFlags, InodeBlock, NatBlock, NatEntry, NatJournal,
    NewInode, Nid, NodeFooter, OrphanBlock, SegmentNo, SitBlock, SitEntry, SitJournal, Slot,
    SummaryBlock, SummaryEntry, SummaryKind, SuperBlock, Timespec, bitmap, compact,
};

use crate::fixture::{self, INO};
use crate::store::Store;
use crate::walk;

fn sit_entry() -> impl Strategy<Value = SitEntry> {
    (0u8..6, prop::array::uniform32(any::<u16>()), any::<u64>()).prop_map(|(kind, words, mtime)| {
        let mut valid_map = [0; 64];
        for (to, word) in valid_map.chunks_exact_mut(2).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        let valid_blocks = bitmap::count_ones(&valid_map) as u16;
        SitEntry {
            kind: CursegType::from_raw(kind).unwrap(),
            valid_blocks,
            valid_map,
            mtime,
        }
    })
}

fn nat_entry() -> impl Strategy<Value = NatEntry> {
    any::<(u8, u32, u32)>().prop_map(|(version, ino, addr)| NatEntry { version, ino, addr })
}

fn summary_entry() -> impl Strategy<Value = SummaryEntry> {
    any::<(u32, u8, u16)>().prop_map(|(nid, version, ofs_in_node)| SummaryEntry {
        nid,
        version,
        ofs_in_node,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tables(sit in sit_entry(), nat in nat_entry(), id in 0u32..5000) {
        let mut block = [0xEE; 4096];
        SitBlock::put(&mut block, SegmentNo::new(id), &sit);
        prop_assert_eq!(SitBlock::entry(&block, SegmentNo::new(id)), Ok(sit));
        prop_assert_eq!(SitEntry::parse(&sit.encode(), SegmentNo::new(id)), Ok(sit));
        NatBlock::put(&mut block, Nid::new(id), nat);
        prop_assert_eq!(NatBlock::entry(&block, Nid::new(id)), nat);
        prop_assert_eq!(NatEntry::parse(&nat.encode()), Ok(nat));
    }

    #[test]
    fn journals(
        sit in prop::collection::vec((0u32..50, sit_entry()), 0..7),
        nat in prop::collection::vec((any::<u32>(), nat_entry()), 0..39),
    ) {
        let geometry = fixture::full_volume().geometry();
        let sit = SitJournal(sit.into_iter().map(|(id, e)| (SegmentNo::new(id), e)).collect());
        prop_assert_eq!(SitJournal::parse(&sit.encode(), &geometry), Ok(sit));
        let nat = NatJournal(nat);
        prop_assert_eq!(NatJournal::parse_raw(&nat.encode()), Ok(nat));
    }

    #[test]
    fn summaries(
        entry in summary_entry(),
        at in 0usize..512,
        counts in (0u16..512, 0u16..512, 0u16..512),
    ) {
        let mut summary = SummaryBlock::new(SummaryKind::Data);
        summary.entries[at] = entry;
        summary.journal[at % 507] = 7;
        prop_assert_eq!(SummaryBlock::parse(&summary.encode()[..]), Ok(summary));
        let counts: [u16; 3] = counts.into();
        let log = |log: usize| -> Vec<SummaryEntry> {
            let nth = |i| SummaryEntry { ofs_in_node: i + log as u16, ..entry };
            (0..counts[log]).map(nth).collect()
        };
        let logs = [log(0), log(1), log(2)];
        if let Some(blocks) = compact::fits(counts) {
            let bytes = compact::encode(&[1; 507], &[2; 507], logs.each_ref().map(|l| &l[..]));
            prop_assert_eq!(bytes.len(), blocks * 4096);
            let parsed = compact::parse(&bytes, counts).unwrap();
            prop_assert_eq!(parsed.entries, logs);
            prop_assert_eq!((parsed.nat_journal, parsed.sit_journal), ([1; 507], [2; 507]));
        } else {
            prop_assert!(counts.iter().sum::<u16>() > 1023);
        }
    }

    #[test]
    fn orphans(count in 0u32..3000) {
        let inos: Vec<u32> = (3..count + 3).collect();
        let blocks = OrphanBlock::encode(&inos);
        prop_assert_eq!(blocks.len(), inos.len().div_ceil(1020));
        let geometry = fixture::full_volume().geometry();
        let back = OrphanBlock::parse_all(&blocks.concat(), &geometry).unwrap();
        prop_assert_eq!(back.iter().map(|ino| ino.get()).collect::<Vec<_>>(), inos);
    }

    #[test]
    fn footers(
        (nid, ino, cp_ver, next_blkaddr) in any::<(u32, u32, u64, u32)>(),
        offset in 0u32..0x2000_0000,
        (cold, fsync, dentry) in any::<(bool, bool, bool)>(),
    ) {
        let (nid, ino) = (Nid::new(nid), Nid::new(ino));
        let footer = NodeFooter { nid, ino, offset, cold, fsync, dentry, cp_ver, next_blkaddr };
        let mut block = [0x55; 4096];
        footer.write(&mut block);
        prop_assert_eq!(NodeFooter::read(&block), footer);
        prop_assert!(block[..4072].iter().all(|&byte| byte == 0x55));
    }

    #[test]
    fn slots(raw in any::<u32>()) {
        prop_assert_eq!(Slot::from_raw(raw).to_raw(), raw);
    }

    #[test]
    fn inode_attributes(numbers in any::<[u32; 8]>(), sec in any::<i64>(), nsec in any::<u32>()) {
        let sb = fixture::full_volume();
        let now = Timespec { sec, nsec };
        let name = numbers[0].to_string();
        let new = NewInode {
            parent: Nid::new(numbers[1]),
            name: name.as_bytes(),
            uid: numbers[2],
            gid: numbers[3],
            links: numbers[4],
            now,
            generation: numbers[5],
            projid: numbers[6],
            inline: InlineFlags::INLINE_XATTR,
            inline_xattr_words: 6 + (numbers[7] % 800) as u16,
            ..NewInode::bare(INO, 0o100_600)
        };
        let mut inode = InodeBlock::new(&new, &sb);
        inode.update_checksum(&sb);
        let back = InodeBlock::parse(inode.clone().into_block(), INO, &sb).unwrap();
        prop_assert_eq!(&back, &inode);
        prop_assert_eq!((back.uid(), back.gid()), (numbers[2], numbers[3]));
        prop_assert_eq!(back.links(), numbers[4]);
        prop_assert_eq!((back.atime(), back.mtime(), back.ctime()), (now, now, now));
        prop_assert_eq!((back.crtime(), back.projid()), (Some(now), Some(numbers[6])));
        prop_assert_eq!((back.name(), back.pino().get()), (name.as_bytes(), numbers[1]));
        prop_assert_eq!(back.generation(), numbers[5]);
        let words = usize::from(new.inline_xattr_words);
        prop_assert_eq!(back.inline_xattr().unwrap().len(), words * 4);
        prop_assert_eq!(back.addrs_in_inode() as usize, 923 - 9 - words);
    }

    #[test]
    fn devices(major in 0u32..4096, minor in 0u32..0x10_0000) {
        for sb in [fixture::full_volume(), fixture::plain_volume()] {
            let mut inode = InodeBlock::new(&NewInode::bare(INO, 0o060_600), &sb);
            inode.set_device(major, minor);
            prop_assert_eq!(inode.device(), Some((major, minor)));
            prop_assert!(inode.slot(0) == 0 || inode.slot(1) == 0);
        }
    }
}

#[test]
fn device_vectors() {
    let mut inode = InodeBlock::new(&NewInode::bare(INO, 0o020_600), &fixture::plain_volume());
    inode.set_device(1, 3);
    assert_eq!((inode.slot(0), inode.slot(1)), (0x103, 0));
    inode.set_device(300, 70000);
    assert_eq!((inode.slot(0), inode.slot(1)), (0, 0x1111_2C70));
}

#[test]
fn layout_numbers_of_inodes() {
    let plain = fixture::plain_volume();
    let extra = SuperBlock {
        features: Features::EXTRA_ATTR | Features::COMPRESSION,
        ..plain.clone()
    };
    let full = fixture::full_volume();
    let make = |sb: &SuperBlock, words, log: Option<u8>| {
        let compress = log.map(|log_cluster_size| CompressInfo {
            algorithm: CompressAlgorithm::Zstd,
            log_cluster_size,
            flag: CompressInfo::flag_of(5, true),
            compr_blocks: 0,
        });
        let new = NewInode {
            inline: InlineFlags::INLINE_XATTR,
            inline_xattr_words: words,
            compress,
            ..NewInode::bare(INO, 0o100_600)
        };
        InodeBlock::new(&new, sb)
    };
    for (sb, slots, inline) in [(&plain, 873, 3488), (&extra, 864, 3452), (&full, 854, 3412)] {
        let inode = make(sb, 60, None);
        assert_eq!(
            (inode.addrs_in_inode(), inode.inline_data_len()),
            (slots, inline)
        );
        assert_eq!(inode.inline_data_area().len(), inline);
        assert_eq!(inode.addrs_per_dnode(), 1018);
    }
    for (log, a0, an) in [
        (2, 852, 1016),
        (3, 848, 1016),
        (4, 848, 1008),
        (5, 832, 992),
    ] {
        let inode = make(&full, 60, Some(log));
        assert_eq!((inode.addrs_in_inode(), inode.addrs_per_dnode()), (a0, an));
    }
    assert_eq!(make(&full, 60, Some(2)).compress().unwrap().flag, 0x0501);
}

#[test]
fn inode_setters_keep_the_rest() {
    let sb = fixture::full_volume();
    let mut inode = InodeBlock::new(&NewInode::bare(INO, 0o100_600), &sb);
    let before = inode.clone();
    inode.set_slot(3, 77);
    inode.set_nid(4, Some(Nid::new(9)));
    inode.set_xattr_nid(Some(Nid::new(8)));
    inode.set_size(1 << 40);
    assert_eq!(
        (inode.slot(3), inode.nid(4), inode.xattr_nid()),
        (77, Some(Nid::new(9)), Some(Nid::new(8)))
    );
    inode.set_slot(3, 0);
    inode.set_nid(4, None);
    inode.set_xattr_nid(None);
    inode.set_size(0);
    assert_eq!(inode, before);
    assert_eq!(inode.inline_xattr_mut(), None);
    inode.inline_data_area_mut().fill(1);
    assert_eq!((inode.slot(0), inode.slot(1)), (0, 0x0101_0101));
    let mut block = inode.into_block();
    block[348..360].copy_from_slice(&[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
    let start = sb.geometry().main_start();
    block[352..356].copy_from_slice(&start.get().to_le_bytes());
    fixture::fix_inode(&mut block, &sb);
    let mut inode = InodeBlock::parse(block, INO, &sb).unwrap();
    assert_eq!(
        inode.ext(),
        Some(Extent {
            fofs: 1,
            blk: start,
            len: 3
        })
    );
    inode.clear_ext();
    assert_eq!(inode.ext(), None);
}

#[test]
fn super_blocks_of_all_goldens() {
    for name in crate::NAMES {
        let (block, sb, device_blocks) = fixture::super_block(name);
        assert!(sb.encode_onto(&block) == block, "{name}: nothing changes");
        let again = sb.encode();
        assert_eq!(
            SuperBlock::parse(&again[..], device_blocks),
            Ok(sb),
            "{name}"
        );
        assert!(again == block, "{name}: and nothing is lost");
    }
}

#[test]
fn super_block_identity() {
    let (_, sb, device_blocks) = fixture::super_block("mkfs-full");
    let sb = SuperBlock {
        volume_name: "\u{e4}\u{1F980} volume".into(),
        version: "v".repeat(256),
        devices: vec![
            Device {
                path: "/dev/a".into(),
                total_segments: sb.segment_count - 7,
            },
            Device {
                path: "/dev/b".into(),
                total_segments: 7,
            },
        ],
        stop_reason: [3; 32],
        errors: [5; 16],
        ..sb
    };
    assert_eq!(
        SuperBlock::parse(&sb.encode()[..], device_blocks),
        Ok(sb.clone())
    );
    assert_eq!(
        SuperBlock::parse(&sb.encode()[..], 0),
        Ok(sb),
        "one device does not hold all"
    );
}

#[test]
fn checkpoints_of_all_goldens() {
    for name in crate::NAMES {
        let (header, footer, sb) = fixture::pack(name);
        let cp = CheckpointPack::parse(&header, &footer[..], &sb).unwrap();
        assert!(cp.encode(&sb).unwrap() == header, "{name}");
    }
}

#[test]
fn a_fresh_checkpoint() {
    for name in ["mkfs-full", "mkfs-4tib", "mkfs-320gib"] {
        let (_, sb, _) = fixture::super_block(name);
        let mut cp = Checkpoint::new(&sb);
        let log = |segno| CursegPos {
            segno: SegmentNo::new(segno),
            blkoff: 511,
            alloc: AllocType::Ssr,
        };
        cp.cur_node = [log(0), log(1), log(2)];
        cp.cur_data = [log(3), log(4), log(5)];
        (cp.user_block_count, cp.valid_block_count) = (1000, 999);
        (cp.reserved_segments, cp.overprov_segments) = (1, 2);
        (cp.start_sum, cp.pack_blocks) = (1 + sb.cp_payload, 6 + sb.cp_payload);
        cp.version = 0xFFFF_FFFF_0000_0001;
        if name != "mkfs-4tib" {
            cp.flags = CpFlags::LARGE_NAT_BITMAP | CpFlags::CRC_RECOVERY;
            cp.checksum_offset = 192;
        }
        bitmap::msb::set(&mut cp.sit_bitmap, 9);
        *cp.nat_bitmap.last_mut().unwrap() = 1;
        let bytes = cp.encode(&sb).unwrap();
        let back = CheckpointPack::parse(&bytes, &bytes[..4096], &sb).unwrap();
        cp.crc = back.crc;
        cp.raw = back.raw.clone();
        assert_eq!(back, cp);
    }
}

#[test]
fn the_newer_pack() {
    assert_eq!((newer(5, 5), newer(5, 6), newer(6, 5)), (0, 1, 0));
    assert_eq!((newer(u64::MAX, 0), newer(0, u64::MAX)), (1, 0));
}

#[test]
fn geometry_of_goldens() {
    let (_, sb, _) = fixture::super_block("mkfs-4tib");
    let geometry = sb.geometry();
    let segno = SegmentNo::new(55 * 513);
    let (nat, sit) = (sb.nat_blkaddr.get(), sb.sit_blkaddr.get());
    assert_eq!(geometry.sit_index(segno), 513);
    assert_eq!(geometry.sit_block(segno, false), BlockAddr::new(sit + 513));
    let half = sb.segment_count_sit / 2 * 512;
    assert_eq!(
        geometry.sit_block(segno, true),
        BlockAddr::new(sit + half + 513)
    );
    assert_eq!(geometry.nat_block(513, false), BlockAddr::new(nat + 1025));
    assert_eq!(geometry.nat_block(513, true), BlockAddr::new(nat + 1537));
    assert_eq!(geometry.cp_pack(1).get(), sb.cp_blkaddr.get() + 512);
    assert_eq!(
        geometry.ssa_block(segno).get(),
        sb.ssa_blkaddr.get() + segno.get()
    );
    assert_eq!(BlockAddr::new(3).byte_pos(), 12288);
    assert_eq!(BlockAddr::new(u32::MAX).checked_add(1), None);
}

#[test]
fn a_walk_reads_nothing_beyond_the_golden() {
    let (mut store, _) = Store::golden("kernel-plain");
    let before = store.blocks.len();
    let volume = walk::volume(&mut store);
    assert_eq!(store.blocks.len(), before);
    assert!(volume.files.len() > 10);
}
