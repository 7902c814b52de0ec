//! What is known of single goldens beyond their listings: that each holds what it was made for.

use f2fs_format::checkpoint::CpFlags;
use f2fs_format::{
    AllocType, CompressAlgorithm, CursegType, Features, FileType, InlineFlags, InodeFlags,
};

use crate::files::File;
use crate::walk::Volume;

/// Checks the facts of one golden.
pub(crate) fn facts(name: &str, volume: &Volume) {
    match name {
        "mkfs-plain" => mkfs_plain(volume),
        "mkfs-full" => mkfs_full(volume),
        "mkfs-sections" => {
            let geometry = volume.sb.geometry();
            assert_eq!((geometry.segs_per_sec(), geometry.secs_per_zone()), (4, 2));
            assert_eq!(geometry.sections() * 4, geometry.main_segments());
            let cp = &volume.checkpoint;
            assert_eq!((cp.reserved_segments, cp.overprov_segments), (112, 149));
        }
        "mkfs-android" => {
            let wanted = Features::ENCRYPT
                | Features::EXTRA_ATTR
                | Features::PRJQUOTA
                | Features::QUOTA_INO
                | Features::VERITY;
            assert_eq!(volume.sb.features, wanted);
        }
        "mkfs-4tib" => {
            assert_eq!(volume.sb.cp_payload, 2);
            let cp = &volume.checkpoint;
            assert_eq!((cp.sit_bitmap.len(), cp.nat_bitmap.len()), (4800, 3840));
        }
        "mkfs-320gib" => {
            assert_eq!(volume.sb.cp_payload, 1);
            let cp = &volume.checkpoint;
            assert_eq!((cp.sit_bitmap.len(), cp.nat_bitmap.len()), (384, 4608));
            assert_eq!(cp.checksum_offset, 192);
        }
        "sload-ro" => {
            assert!(volume.sb.features.contains(Features::RO));
            assert_eq!(volume.sb.segment_count_ssa, 0);
            assert_eq!(volume.sb.segment0_blkaddr.get(), 2);
            assert!(
                volume
                    .files
                    .values()
                    .any(|file| file.target == b"hello.txt")
            );
        }
        "kernel-plain" => kernel_plain(volume),
        "kernel-normal-sum" => {
            assert!(!volume.checkpoint.flags.contains(CpFlags::COMPACT_SUM));
            assert_eq!(volume.summaries.len(), 6);
            assert!(volume.checked_summaries > 1000);
        }
        "kernel-full" => kernel_full(volume),
        _ => panic!("no facts for {name}"),
    }
}

fn mkfs_plain(volume: &Volume) {
    let sb = &volume.sb;
    assert_eq!(sb.volume_name, "plain volume");
    assert_eq!(&sb.uuid[..2], [0x11; 2]);
    assert_eq!((sb.cold_extensions.len(), sb.hot_extensions.len()), (36, 4));
    assert_eq!(
        (
            sb.cold_extensions[0].as_str(),
            sb.hot_extensions[3].as_str()
        ),
        ("mp", "qcow2")
    );
    assert_eq!(sb.features, Features::empty());
    let cp = &volume.checkpoint;
    let wanted = CpFlags::UMOUNT | CpFlags::COMPACT_SUM | CpFlags::NAT_BITS;
    assert!(cp.flags.contains(wanted) && cp.start_sum == 1);
    assert_eq!((cp.reserved_segments, cp.overprov_segments), (13, 16));
    assert_eq!(
        cp.node_version(),
        cp.version,
        "no checksum in the nodes' version"
    );
    let logs = CursegType::ALL.map(|kind| cp.curseg(kind).segno.get());
    assert_eq!(logs[3..], [0, 1, 2]);
    assert_eq!(logs[0], 3);
    assert!(
        CursegType::ALL
            .iter()
            .all(|&kind| cp.curseg(kind).alloc == AllocType::Lfs)
    );
    assert_eq!(
        (volume.nat_journal.0.len(), volume.sit_journal.0.len()),
        (1, 6)
    );
    assert_eq!(
        (volume.sit[0].kind, volume.sit[0].valid_blocks),
        (CursegType::HotNode, 1)
    );
}

fn mkfs_full(volume: &Volume) {
    let sb = &volume.sb;
    assert_eq!((sb.encoding, sb.encoding_flags), (1, 1));
    assert_eq!(sb.qf_ino.map(|ino| ino.unwrap().get()), [4, 5, 6]);
    assert!(volume.checkpoint.flags.contains(CpFlags::LARGE_NAT_BITMAP));
    let root = &volume.files[&f2fs_format::Nid::ROOT].inode;
    assert!(root.has_checksum() && root.crtime().is_some() && root.projid() == Some(0));
    assert_eq!(root.extra_isize(), 36);
    assert_eq!(volume.files.len(), 5);
}

fn kernel_plain(volume: &Volume) {
    let files = || volume.files.values();
    for kind in FileType::ALL {
        assert!(kind == FileType::BlockDevice || files().any(|f| f.inode.file_type() == kind));
    }
    let sparse = files()
        .find(|file| file.slots.contains_key(&3_000_000))
        .unwrap();
    let blocks: Vec<u64> = sparse.slots.keys().copied().collect();
    assert_eq!(blocks, [0, 900, 2000, 500_000, 1_500_000, 3_000_000]);
    let has = |flag| files().any(|file| file.inode.inline().contains(flag));
    assert!(has(InlineFlags::INLINE_DATA) && has(InlineFlags::INLINE_DENTRY));
    assert!(files().any(|file| file.inode.xattr_nid().is_some() && file.xattrs.len() == 2));
    assert!(files().any(|file| file.inode.is_dir() && file.inode.current_depth() > 1));
    assert!(volume.checkpoint.flags.contains(CpFlags::CRC_RECOVERY));
    assert_eq!(
        volume.checkpoint.node_version() >> 32,
        u64::from(volume.checkpoint.crc)
    );
    assert!(volume.checked_summaries > 20);
}

fn kernel_full(volume: &Volume) {
    assert_eq!(volume.orphans.len(), 3);
    assert!(!volume.checkpoint.flags.contains(CpFlags::UMOUNT));
    let compressed: Vec<&File> = volume
        .files
        .values()
        .filter(|file| file.inode.is_compressed())
        .collect();
    for algorithm in CompressAlgorithm::ALL {
        let has = |file: &&&File| file.inode.compress().unwrap().algorithm == algorithm;
        let file = compressed.iter().find(has).unwrap();
        assert!(file.clusters > 0, "{}", algorithm.name());
    }
    let infos: Vec<_> = compressed
        .iter()
        .map(|file| file.inode.compress().unwrap())
        .collect();
    assert!(
        infos
            .iter()
            .any(|info| info.has_checksum() && info.level() == 9)
    );
    assert!(
        infos
            .iter()
            .any(|info| info.level() == 5 && info.cluster_blocks() == 8)
    );
    let slots = |file: &&File| (file.inode.addrs_in_inode(), file.inode.addrs_per_dnode());
    let slots: Vec<_> = compressed.iter().map(slots).collect();
    assert!(
        slots.contains(&(852, 1016)),
        "the inline xattr area has 60 words"
    );
    let folded = |file: &&File| file.inode.flags().contains(InodeFlags::CASEFOLD);
    let folded = volume.files.values().find(folded).unwrap();
    assert_eq!(folded.entries[0].0, b"HeLLo");
    assert!(
        volume
            .files
            .values()
            .all(|file| file.inode.extra_isize() == 36)
    );
}
