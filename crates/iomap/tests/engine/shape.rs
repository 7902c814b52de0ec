//! Zeroing, truncation, holes and data, extents.

use crate::mock::{Config, Mock, Place, pattern};
use iomap::{BLOCK_SIZE, Extent, IomapKind, fiemap, seek_data, seek_hole, zero_range};
use std::sync::atomic::Ordering;

const MAPPED: IomapKind = IomapKind::Mapped(0);
const CLUSTER: u64 = 4 * BLOCK_SIZE;

fn check(mock: &Mock, bytes: &[u8]) {
    assert!(mock.read(0, bytes.len() + 1).unwrap() == bytes);
    mock.check_accounts();
    mock.flush().unwrap();
    mock.cache.drop_clean();
    assert!(mock.read(0, bytes.len() + 1).unwrap() == bytes);
}

#[test]
fn zeroing_keeps_holes_and_reads_only_edges() {
    let mock = Mock::new(Config {
        cluster_order: 2,
        ..Config::default()
    });
    let mut bytes = Vec::new();
    for kind in [
        IomapKind::Compressed,
        IomapKind::Hole,
        MAPPED,
        IomapKind::Hole,
    ] {
        bytes.extend(mock.append(kind, 8));
    }
    let range = 1000..bytes.len() - 1000;
    zero_range(&*mock, range.start as u64..range.end as u64).unwrap();
    bytes[range].fill(0);
    assert_eq!(
        mock.device.take_bytes_read(),
        CLUSTER,
        "the first cluster keeps old bytes"
    );
    assert!(mock.table().get(8).is_none() && mock.table().get(24).is_none());
    assert_eq!(mock.cache.dirty_blocks(), 16);
    check(&mock, &bytes);
    assert!(mock.table().get(8).is_none());
}

/// A hole of a tebibyte is skipped, not walked.
#[test]
fn zeroing_a_large_hole_costs_one_look_up() {
    let mock = Mock::new(Config::default());
    assert_eq!(mock.write(1 << 40, b"end"), Ok(3));
    let begins = mock.counts.begins.swap(0, Ordering::Relaxed);
    assert_eq!(begins, 1);
    // The mock answers a hole block by block up to what was asked, so ask for less than all.
    zero_range(&*mock, (1 << 40) - (64 << 20)..(1 << 40) + 2).unwrap();
    assert_eq!(mock.counts.begins.load(Ordering::Relaxed), 2);
    assert_eq!(mock.read(1 << 40, 3).unwrap(), b"\0\0d");
}

/// Reserved space that was never written stays clean; newer bytes in the cache are zeroed.
#[test]
fn zeroing_reserved_space_touches_newer_bytes_only() {
    let mock = Mock::new(Config::default());
    for block in 0..16 {
        mock.table().set(block, Place::Reserved);
    }
    assert_eq!(mock.write(5 * BLOCK_SIZE, &[7; 4096]), Ok(4096));
    mock.set_size(16 * BLOCK_SIZE);
    zero_range(&*mock, 100..15 * BLOCK_SIZE).unwrap();
    assert_eq!(mock.cache.dirty_blocks(), 1);
    check(&mock, &vec![0; 16 * 4096]);
}

#[test]
fn a_failed_read_fails_zeroing_and_harms_nothing() {
    let mock = Mock::new(Config {
        cluster_order: 2,
        ..Config::default()
    });
    let bytes = mock.append(IomapKind::Compressed, 8);
    mock.device.break_blocks(1000..1001);
    assert!(zero_range(&*mock, 100..200).is_err());
    mock.device.repair();
    check(&mock, &bytes);
}

/// A folio that reaches across the new end keeps its front; those behind are gone, with their dirty blocks.
#[test]
fn truncation_cuts_folios() {
    for cluster_order in [0, 2] {
        for size in [0, 1, 4096, 50_000, 16 * 4096, 70_000, 1 << 20] {
            let mock = Mock::new(Config {
                cluster_order,
                ..Config::default()
            });
            let mut bytes = pattern(size, 1 << 20);
            assert_eq!(mock.write(0, &bytes), Ok(1 << 20));
            if size % 3 == 0 {
                mock.flush().unwrap();
            }
            mock.truncate(size).unwrap();
            mock.check_accounts();
            let kept = size.div_ceil(CLUSTER) * CLUSTER / BLOCK_SIZE;
            assert!(mock.cache.dirty_blocks() as u64 <= kept);
            mock.truncate(1 << 20).unwrap();
            bytes[size as usize..].fill(0);
            check(&mock, &bytes);
        }
    }
}

#[test]
fn forgetting_a_range_keeps_what_is_around_it() {
    let mock = Mock::new(Config::default());
    let mut bytes = pattern(1, 64 * 4096);
    assert_eq!(mock.write(0, &bytes), Ok(64 * 4096));
    mock.punch(10_000..100_000).unwrap();
    bytes[10_000..100_000].fill(0);
    assert!(mock.table().get(3).is_none() && mock.table().get(23).is_none());
    assert!(mock.table().get(2).is_some() && mock.table().get(24).is_some());
    check(&mock, &bytes);
}

#[test]
fn seek_finds_holes_and_data() {
    let mock = Mock::new(Config {
        cluster_order: 2,
        ..Config::default()
    });
    for kind in [
        IomapKind::Hole,
        MAPPED,
        IomapKind::Hole,
        IomapKind::Compressed,
    ] {
        mock.append(kind, 4);
    }
    let size = 16 * BLOCK_SIZE;
    assert_eq!(seek_data(&*mock, 0).unwrap(), Some(CLUSTER));
    assert_eq!(seek_data(&*mock, CLUSTER + 5).unwrap(), Some(CLUSTER + 5));
    assert_eq!(seek_hole(&*mock, 5).unwrap(), 5);
    assert_eq!(seek_hole(&*mock, CLUSTER + 5).unwrap(), 2 * CLUSTER);
    assert_eq!(seek_data(&*mock, 2 * CLUSTER).unwrap(), Some(3 * CLUSTER));
    assert_eq!(
        seek_hole(&*mock, 3 * CLUSTER).unwrap(),
        size,
        "the end is a hole"
    );
    assert_eq!(seek_data(&*mock, size).unwrap(), None);
    mock.set_size(size + CLUSTER);
    assert_eq!(seek_data(&*mock, size).unwrap(), None);
    // Reserved space is data where the cache has newer bytes.
    assert_eq!(mock.write(5 * BLOCK_SIZE + 2 * CLUSTER, b"x"), Ok(1));
    mock.set_size(size + CLUSTER);
    for block in 16..20 {
        mock.table().set(block, Place::Reserved);
    }
    assert_eq!(seek_data(&*mock, size).unwrap(), None);
    assert_eq!(mock.write(size + 2 * BLOCK_SIZE, &[1; 4096]), Ok(4096));
    assert_eq!(
        seek_data(&*mock, size).unwrap(),
        Some(size + 2 * BLOCK_SIZE)
    );
    assert_eq!(
        seek_hole(&*mock, size + 2 * BLOCK_SIZE).unwrap(),
        size + 3 * BLOCK_SIZE
    );
}

#[test]
fn fiemap_joins_neighbours_and_leaves_holes_out() {
    let mock = Mock::new(Config {
        cluster_order: 2,
        ..Config::default()
    });
    for kind in [
        MAPPED,
        MAPPED,
        IomapKind::Hole,
        IomapKind::Compressed,
        IomapKind::Compressed,
    ] {
        mock.append(kind, 4);
    }
    mock.table().skip_device_block();
    mock.append(MAPPED, 4);
    let size = 24 * BLOCK_SIZE;
    let at = |block: u64| IomapKind::Mapped(block * BLOCK_SIZE);
    let extents = [
        Extent {
            pos: 0,
            len: 2 * CLUSTER,
            kind: at(1000),
        },
        Extent {
            pos: 3 * CLUSTER,
            len: 2 * CLUSTER,
            kind: IomapKind::Compressed,
        },
        Extent {
            pos: 5 * CLUSTER,
            len: CLUSTER,
            kind: at(1017),
        },
    ];
    assert_eq!(fiemap(&*mock, 0..size).unwrap(), extents);
    mock.fail_extents(0..BLOCK_SIZE);
    assert!(fiemap(&*mock, 0..size).is_err());
}
