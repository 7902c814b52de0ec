//! Reading: kinds of extents under one folio, readers that share a folio, the end of the file.

use crate::mock::{Config, Mock, Mode, Place};
use blockdev::BioOp;
use iomap::{BLOCK_SIZE, IomapKind, readahead};
use std::sync::atomic::Ordering;

const MAPPED: IomapKind = IomapKind::Mapped(0);

/// Row S4: plain and encoded clusters, holes and reserved space in one folio, filled by one walk.
#[test]
fn all_kinds_alternate_in_one_folio() {
    for mode in [Mode::Now, Mode::Threads] {
        let mock = Mock::new(Config {
            mode,
            cluster_order: 2,
            ..Config::default()
        });
        let mut bytes = Vec::new();
        for kind in [
            MAPPED,
            IomapKind::Compressed,
            IomapKind::Hole,
            IomapKind::Delalloc,
        ] {
            for _ in 0..4 {
                bytes.extend(mock.append(IomapKind::Compressed, 4));
                let first = bytes.len() as u64 / BLOCK_SIZE;
                bytes.extend(mock.append(kind, 4));
                if kind == IomapKind::Delalloc {
                    for block in first..first + 4 {
                        mock.table().set(block, Place::Reserved);
                    }
                }
            }
        }
        assert_eq!(mock.read(0, bytes.len()).unwrap(), bytes);
        let stats = mock.cache.stats();
        assert_eq!(stats.folios_by_order.iter().sum::<u64>(), 1);
        assert_eq!(stats.folios_by_order[7], 1);
    }
}

/// A block of an encoded cluster brings the whole cluster; nothing else.
#[test]
fn a_cluster_is_read_whole_and_alone() {
    let mock = Mock::new(Config {
        cluster_order: 4,
        ..Config::default()
    });
    let bytes = mock.append(IomapKind::Compressed, 64);
    assert_eq!(
        mock.read(20 * 4096 + 5, 10).unwrap(),
        bytes[20 * 4096 + 5..20 * 4096 + 15]
    );
    assert_eq!(mock.device.take_bytes_read(), 16 * BLOCK_SIZE);
    assert_eq!(
        mock.read(17 * 4096, 15 * 4096).unwrap(),
        bytes[17 * 4096..32 * 4096]
    );
    assert_eq!(mock.device.take_bytes_read(), 0, "it is uptodate");
}

/// Blocks that are next to each other on the device come in one bio, across folios.
#[test]
fn contiguous_blocks_are_read_in_one_bio() {
    let mock = Mock::new(Config {
        order_max: 0,
        ..Config::default()
    });
    let bytes = mock.append(MAPPED, 64);
    assert_eq!(mock.read(0, bytes.len()).unwrap(), bytes);
    assert_eq!(mock.device.take_log().len(), 1);
    assert_eq!(
        mock.counts.begins.load(Ordering::Relaxed),
        1,
        "one look-up an extent"
    );
}

#[test]
fn readers_of_one_folio_share_one_read() {
    let mock = Mock::new(Config {
        mode: Mode::Held,
        ..Config::default()
    });
    let bytes = mock.append(MAPPED, 16);
    std::thread::scope(|scope| {
        let _guard = mock.device.release_at_the_end();
        let readers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| mock.read(0, bytes.len())))
            .collect();
        mock.device.wait_held(1);
        std::thread::yield_now();
        assert_eq!(mock.device.held(), 1);
        mock.device.release(0);
        for reader in readers {
            assert_eq!(reader.join().unwrap().unwrap(), bytes);
        }
    });
    let reads = mock
        .device
        .take_log()
        .into_iter()
        .filter(|t| t.op == BioOp::Read);
    assert_eq!(reads.count(), 1);
}

/// One reader's failed read is the next one's to try, not its error.
#[test]
fn a_reader_that_waited_tries_a_failed_read_itself() {
    let mock = Mock::new(Config {
        mode: Mode::Held,
        ..Config::default()
    });
    let bytes = mock.append(MAPPED, 16);
    readahead(&*mock, 0..16).unwrap();
    mock.device.break_blocks(1000..1001);
    std::thread::scope(|scope| {
        let _guard = mock.device.release_at_the_end();
        let reader = scope.spawn(|| mock.read(0, bytes.len()));
        mock.device.release(0);
        mock.device.wait_held(1);
        mock.device.repair();
        mock.device.release(0);
        assert_eq!(reader.join().unwrap().unwrap(), bytes);
    });
}

#[test]
fn the_end_of_the_file_cuts_a_read() {
    let mock = Mock::new(Config::default());
    let bytes = mock.append(MAPPED, 3);
    mock.set_size(10_000);
    assert_eq!(mock.read(0, 20_000).unwrap(), bytes[..10_000]);
    assert_eq!(mock.read(9_999, 20).unwrap(), bytes[9_999..10_000]);
    assert!(mock.read(10_000, 20).unwrap().is_empty());
    assert!(mock.read(0, 0).unwrap().is_empty());
}

#[test]
fn inline_bytes_are_read_and_written_through_the_folio() {
    let mock = Mock::new(Config::default());
    mock.set_inline(b"kept in the inode");
    assert_eq!(mock.read(0, 100).unwrap(), b"kept in the inode");
    assert_eq!(mock.write(8, b"by"), Ok(2));
    mock.flush().unwrap();
    mock.cache.drop_clean();
    assert_eq!(mock.read(0, 100).unwrap(), b"kept in bye inode");
}
