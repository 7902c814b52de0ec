//! Our volumes have the shape of those that `mkfs.f2fs` makes, and `fsck.f2fs` finds nothing wrong
//! with them.

use crate::common::{GIB, MIB, fixed, image, open, read_volume};
use blockdev::{Access, BlockDevice};
use f2fs_format::{CompressAlgorithm, CursegType, Features, QuotaKind};
use f2fs_offline::{FormatOptions, RootCompression};
use std::path::Path;
use std::process::Command;
use testkit::{fsck, tools};

/// Whether f2fs-tools are there; where they should be, their absence is a failure.
fn has_tools() -> bool {
    let found = Command::new("mkfs.f2fs").arg("-V").output().is_ok();
    assert!(
        found || std::env::var_os("CI").is_none(),
        "f2fs-tools are not installed"
    );
    if !found {
        eprintln!("SKIPPED: f2fs-tools are not installed");
    }
    found
}

/// All numbers of superblock and checkpoint that a volume of a given shape has.
fn shape(path: &Path) -> Vec<u64> {
    let device = open(path, Access::ReadOnly);
    let (sb, cp) = read_volume(&device);
    let areas = [
        sb.cp_blkaddr,
        sb.sit_blkaddr,
        sb.nat_blkaddr,
        sb.ssa_blkaddr,
        sb.main_blkaddr,
    ];
    let counts = [
        sb.segs_per_sec,
        sb.secs_per_zone,
        sb.section_count,
        sb.segment_count,
        sb.segment_count_ckpt,
        sb.segment_count_sit,
        sb.segment_count_nat,
        sb.segment_count_ssa,
        sb.segment_count_main,
        sb.cp_payload,
        cp.reserved_segments,
        cp.overprov_segments,
        cp.free_segments,
        cp.pack_blocks,
        cp.start_sum,
        cp.valid_nodes,
        cp.valid_inodes,
        cp.next_free_nid,
    ];
    let logs = CursegType::ALL.map(|log| cp.curseg(log));
    let mut shape = vec![sb.block_count, cp.user_block_count, cp.valid_block_count];
    shape.extend(areas.map(|addr| u64::from(addr.get())));
    shape.extend(counts.map(u64::from));
    shape.extend(logs.map(|log| u64::from(log.segno.get()) << 16 | u64::from(log.blkoff)));
    shape.extend([cp.sit_bitmap.len() as u64, cp.nat_bitmap.len() as u64]);
    shape
}

#[test]
fn the_shape_is_that_of_mkfs() {
    if !has_tools() {
        return;
    }
    let sizes = [
        52,
        53,
        64,
        96,
        127,
        128,
        256,
        512,
        519,
        520,
        1024,
        4096,
        65536,
        1 << 20,
        4 << 20,
    ];
    for size in sizes.map(|mib: u64| mib * MIB) {
        for (per_section, per_zone) in [(1, 1), (2, 1), (1, 3), (4, 2)] {
            let zone = u64::from(per_section * per_zone);
            if zone > 1 && size < 128 * MIB * zone {
                continue;
            }
            // Where a part of a zone is left over, mkfs.f2fs 1.15 counts free segments that MAIN
            // does not have, and fsck.f2fs says so.
            let size = size - size % (zone * 2 * MIB) + 3 * 4096 + 512;
            let units = [per_section.to_string(), per_zone.to_string()];
            let theirs = tools::mkfs(&["-s", &units[0], "-z", &units[1]], size);
            let theirs = shape(theirs.path());
            let (ours, _) = image(&FormatOptions {
                segments_per_section: per_section,
                sections_per_zone: per_zone,
                ..fixed(size)
            });
            assert_eq!(shape(ours.path()), theirs, "{size} bytes, {units:?}");
        }
    }
}

#[test]
fn fsck_likes_every_size() {
    if !has_tools() {
        return;
    }
    for size in [52, 64, 96, 128, 256, 512, 1024, 4096, 65536, 1 << 20] {
        let (image, _) = image(&fixed(size * MIB));
        fsck::assert_clean(image.path());
    }
    for (per_section, per_zone) in [(4, 2), (2, 1), (1, 4)] {
        let (image, _) = image(&FormatOptions {
            segments_per_section: per_section,
            sections_per_zone: per_zone,
            ..fixed(GIB)
        });
        fsck::assert_clean(image.path());
    }
}

#[test]
fn fsck_likes_every_feature() {
    if !has_tools() {
        return;
    }
    let single = FormatOptions::SUPPORTED.iter().map(|feature| {
        let needs_extra = feature.intersects(Features::NEED_EXTRA_ATTR);
        if needs_extra {
            feature | Features::EXTRA_ATTR
        } else {
            feature
        }
    });
    for features in single.chain([Features::empty(), FormatOptions::SUPPORTED]) {
        let (image, summary) = image(&FormatOptions {
            features,
            ..fixed(64 * MIB)
        });
        assert_eq!(summary.super_block.features, features);
        fsck::assert_clean(image.path());
    }
}

/// The blocks that a volume made by `mkfs.f2fs` and ours have at the same places.
fn quota_blocks(path: &Path) -> Vec<Vec<u8>> {
    let device = open(path, Access::ReadOnly);
    let (sb, _) = read_volume(&device);
    let read = |addr: u32| {
        let mut block = vec![0; 4096];
        device.read_at(u64::from(addr) * 4096, &mut block).unwrap();
        block
    };
    let node = sb.main_blkaddr.get();
    // Three inodes behind the root's; six blocks behind the root's in the log of hot data.
    let mut blocks: Vec<_> = (1..4).map(|n| read(node + n)).collect();
    for inode in &mut blocks {
        clear_chance(inode);
    }
    blocks.extend((1..7).map(|n| read(node + 3 * 512 + n)));
    blocks
}

/// Times, the checkpoint's version, and the mark that `mkfs.f2fs` leaves off files.
fn clear_chance(inode: &mut [u8]) {
    inode[24..72].fill(0);
    inode[4076 + 4..4076 + 16].fill(0);
}

#[test]
fn quota_files_are_those_of_mkfs() {
    if !has_tools() {
        return;
    }
    // With compression, all extra attributes are there on both sides.
    let features = Features::EXTRA_ATTR | Features::PRJQUOTA | Features::COMPRESSION;
    let theirs = tools::mkfs(
        &["-O", "extra_attr,project_quota,quota,compression"],
        64 * MIB,
    );
    let (ours, _) = image(&FormatOptions {
        features,
        quota: QuotaKind::ALL.to_vec(),
        ..fixed(64 * MIB)
    });
    assert_eq!(shape(ours.path()), shape(theirs.path()));
    let blocks = quota_blocks(ours.path()).into_iter().enumerate();
    for ((n, ours), theirs) in blocks.zip(quota_blocks(theirs.path())) {
        let differs = ours.iter().zip(&theirs).position(|(a, b)| a != b);
        assert_eq!(differs, None, "block {n}");
    }
    fsck::assert_clean(ours.path());
}

#[test]
fn fsck_likes_every_choice_of_quotas() {
    if !has_tools() {
        return;
    }
    for choice in 0..8 {
        let chosen = |kind: &QuotaKind| choice >> kind.index() & 1 == 1;
        let (image, summary) = image(&FormatOptions {
            features: FormatOptions::SUPPORTED,
            quota: QuotaKind::ALL.into_iter().filter(chosen).collect(),
            // mkfs.f2fs -R leads to the records of these ids from the place of id 0.
            root_owner: (7, 70_000),
            ..fixed(64 * MIB)
        });
        let sb = summary.super_block;
        assert_eq!(sb.features.contains(Features::QUOTA_INO), choice > 0);
        assert_eq!(
            QuotaKind::ALL.map(|k| sb.qf_ino[k.index()].is_some()),
            QuotaKind::ALL.map(|k| chosen(&k))
        );
        fsck::assert_clean(image.path());
    }
}

#[test]
fn fsck_likes_a_compressed_root() {
    if !has_tools() {
        return;
    }
    for algorithm in CompressAlgorithm::ALL {
        let compress = RootCompression {
            checksum: true,
            ..RootCompression::new(algorithm)
        }
        .with_cluster_bytes(64 << 10)
        .unwrap();
        let options = FormatOptions {
            compress: Some(compress),
            label: "Gr\u{fc}\u{df}e \u{1f980}".to_owned(),
            root_owner: (1000, 100),
            ..fixed(64 * MIB)
        };
        let (image, summary) = image(&options);
        assert_eq!(summary.super_block.volume_name, options.label);
        fsck::assert_clean(image.path());
    }
}
