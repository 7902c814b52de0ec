//! Writing: how many folios it takes, what it reads, what becomes dirty, what an error leaves.

use crate::mock::{Config, Mock, MockError, pattern};
use iomap::{BLOCK_SIZE, IomapKind, Source};
use std::sync::Arc;
use std::sync::atomic::Ordering;

const MAPPED: IomapKind = IomapKind::Mapped(0);
const MIB: usize = 1 << 20;
/// 64 KiB.
const CLUSTER: u64 = 16 * BLOCK_SIZE;

fn clusters() -> Arc<Mock> {
    Mock::new(Config {
        cluster_order: 4,
        ..Config::default()
    })
}

/// Alternating plain and encoded clusters.
fn append_mixed(mock: &Mock, count: usize) -> Vec<u8> {
    let kinds = [MAPPED, IomapKind::Compressed];
    kinds
        .iter()
        .cycle()
        .take(count)
        .flat_map(|&kind| mock.append(kind, 16))
        .collect()
}

/// Reads everything back through the device.
fn assert_stored(mock: &Mock, bytes: &[u8]) {
    mock.check_accounts();
    mock.flush().unwrap();
    assert_eq!(mock.cache.dirty_blocks(), 0);
    mock.drop_cache();
    assert!(mock.read(0, bytes.len() + 10).unwrap() == bytes);
}

/// Row S3: one folio for the whole aligned range, sixteen clusters long.
#[test]
fn a_write_of_a_mebibyte_takes_one_folio() {
    let mock = clusters();
    let bytes = pattern(1, MIB);
    assert_eq!(mock.write(0, &bytes), Ok(MIB as u64));
    assert_eq!(mock.folio_pages.lock().unwrap()[..], [256]);
    assert_eq!(mock.counts.begins.load(Ordering::Relaxed), 1);
    assert_eq!(mock.device.take_bytes_read(), 0);
    assert_stored(&mock, &bytes);
}

/// Row S9: clusters that are written whole are not read, plain or encoded.
#[test]
fn an_aligned_overwrite_reads_nothing() {
    let mock = clusters();
    let mut bytes = append_mixed(&mock, 16);
    let data = pattern(2, 14 * CLUSTER as usize);
    assert_eq!(mock.write(CLUSTER, &data), Ok(data.len() as u64));
    assert_eq!(mock.device.take_bytes_read(), 0);
    bytes[CLUSTER as usize..15 * CLUSTER as usize].copy_from_slice(&data);
    assert_stored(&mock, &bytes);
}

#[test]
fn an_unaligned_overwrite_reads_the_first_and_the_last_cluster() {
    for kinds in [
        [IomapKind::Compressed; 2],
        [MAPPED, IomapKind::Compressed],
        [MAPPED; 2],
    ] {
        let mock = clusters();
        let mut bytes: Vec<u8> = kinds
            .iter()
            .cycle()
            .take(16)
            .flat_map(|&kind| mock.append(kind, 16))
            .collect();
        let data = pattern(3, MIB - 2000);
        assert_eq!(mock.write(1000, &data), Ok(data.len() as u64));
        assert_eq!(mock.device.take_bytes_read(), 2 * CLUSTER);
        assert_eq!(mock.counts.blocks_filled.load(Ordering::Relaxed), 32);
        bytes[1000..MIB - 1000].copy_from_slice(&data);
        assert_stored(&mock, &bytes);
    }
}

/// Row S8: what is uptodate is not read again, nor looked up for reading.
#[test]
fn a_cached_cluster_is_not_read_again() {
    let mock = clusters();
    let mut bytes = append_mixed(&mock, 2);
    for pos in [10, 5000, 40_000] {
        assert_eq!(mock.write(pos, b"some bytes"), Ok(10));
        bytes[pos as usize..pos as usize + 10].copy_from_slice(b"some bytes");
    }
    assert_eq!(mock.device.take_bytes_read(), CLUSTER);
    assert_eq!(mock.counts.begins.load(Ordering::Relaxed), 3);
    assert_stored(&mock, &bytes);
}

/// Row S7: also a cluster that is new, or reaches past the end, is whole; only what was written is dirty.
#[test]
fn a_new_cluster_is_uptodate_whole() {
    let mock = clusters();
    assert_eq!(mock.write(CLUSTER + 5000, b"abc"), Ok(3));
    let folio = mock.mapping.lookup(17).unwrap();
    assert_eq!(folio.pages(), 16..32);
    assert!(folio.is_uptodate(0..16));
    assert_eq!(folio.dirty().runs(0..16).collect::<Vec<_>>(), vec![1..2]);
    assert!(
        mock.mapping.lookup(0).is_none(),
        "the hole before it costs nothing"
    );
    drop(folio);
    let mut bytes = vec![0; CLUSTER as usize + 5003];
    bytes[CLUSTER as usize + 5000..].copy_from_slice(b"abc");
    assert_stored(&mock, &bytes);
}

#[test]
fn folios_shrink_to_fit_between_cached_ones() {
    let mock = clusters();
    let bytes = pattern(4, MIB);
    let (a, b) = (6 * CLUSTER as usize, 7 * CLUSTER as usize);
    assert_eq!(mock.write(a as u64, &bytes[a..b]), Ok(CLUSTER));
    assert_eq!(mock.write(0, &bytes), Ok(MIB as u64));
    assert_eq!(
        mock.folio_pages.lock().unwrap()[..],
        [16, 64, 32, 16, 16, 128]
    );
    assert_stored(&mock, &bytes);
}

/// Gives so many bytes at a time, then no more.
struct Sips<'a> {
    bytes: &'a [u8],
    left: usize,
}

impl Source for Sips<'_> {
    fn copy_to(&mut self, dst: &mut [u8]) -> usize {
        let n = self.left.min(dst.len());
        dst[..n].copy_from_slice(&self.bytes[..n]);
        // What is beyond is the writer's to undo.
        dst[n..].fill(0xEE);
        self.bytes = &self.bytes[n..];
        self.left -= n;
        n
    }
}

#[test]
fn a_short_copy_makes_dirty_only_what_was_copied() {
    let mock = Mock::new(Config::default());
    let data = pattern(5, MIB);
    let mut src = Sips {
        bytes: &data,
        left: 10_000,
    };
    // The third block was not copied whole and holds nothing else: it does not count.
    assert_eq!(mock.write_from(0, MIB as u64, &mut src), Ok(8192));
    let folio = mock.mapping.lookup(0).unwrap();
    assert_eq!(folio.dirty().runs(0..256).collect::<Vec<_>>(), vec![0..2]);
    assert_eq!(
        folio.uptodate().runs(0..256).collect::<Vec<_>>(),
        vec![0..2]
    );
    drop(folio);
    assert_stored(&mock, &data[..8192]);
}

/// A copy that ends inside a cluster counts up to the cluster's start, unless the cluster is uptodate.
#[test]
fn a_short_copy_ends_at_a_whole_cluster() {
    let mock = clusters();
    let mut bytes = append_mixed(&mock, 4);
    let data = pattern(6, 4 * CLUSTER as usize);
    let copied = 2 * CLUSTER as usize + 100;
    let mut src = Sips {
        bytes: &data,
        left: copied,
    };
    assert_eq!(mock.write_from(0, 4 * CLUSTER, &mut src), Ok(2 * CLUSTER));
    let kept = 2 * CLUSTER as usize;
    bytes[..kept].copy_from_slice(&data[..kept]);
    assert_stored(&mock, &bytes);

    // All of it is cached now, so every byte that was copied counts. The source scribbles behind; a real one does
    // not, so those bytes are compared no further than it copied.
    let mut src = &data[..copied];
    let len = 4 * CLUSTER;
    assert_eq!(mock.write_from(0, len, &mut src), Ok(copied as u64));
    bytes[..copied].copy_from_slice(&data[..copied]);
    assert_stored(&mock, &bytes);
}

#[test]
fn an_empty_source_writes_nothing() {
    let mock = clusters();
    let mut src: &[u8] = &[];
    assert_eq!(mock.write_from(100, 1000, &mut src), Ok(0));
    assert!(!mock.mapping.is_dirty());
    mock.check_accounts();
    assert!(mock.table().get(0).is_none(), "the space went back");
}

/// `begin` fails half-way: the bytes before it are written, the others as they were.
#[test]
fn an_error_from_begin_keeps_what_came_before() {
    let mock = Mock::new(Config {
        cluster_order: 2,
        ..Config::default()
    });
    let mut bytes = Vec::new();
    for _ in 0..8 {
        bytes.extend(mock.append(MAPPED, 4));
        mock.table().skip_device_block();
    }
    mock.fail_extents(4 * 16384..5 * 16384);
    let data = pattern(7, bytes.len());
    let no_extent = MockError("no extent".to_owned());
    assert_eq!(
        mock.write(1000, &data[1000..]),
        Err((4 * 16384 - 1000, no_extent))
    );
    bytes[1000..4 * 16384].copy_from_slice(&data[1000..4 * 16384]);
    mock.fail_extents(0..0);
    assert_stored(&mock, &bytes);
}

/// The last cluster cannot be read: everything before it is written, and the error says so.
#[test]
fn a_failed_edge_keeps_what_came_before() {
    for order_max in [4, 9] {
        let mock = Mock::new(Config {
            cluster_order: 4,
            order_max,
            ..Config::default()
        });
        let mut bytes: Vec<u8> = (0..8)
            .flat_map(|_| mock.append(IomapKind::Compressed, 16))
            .collect();
        let bad = 1000 + 7 * 16;
        mock.device.break_blocks(bad..bad + 1);
        let data = pattern(8, bytes.len() - 100);
        let (done, _) = mock.write(0, &data).unwrap_err();
        // In one folio nothing is copied before both edges are there; in folios of a cluster, seven are.
        let expected = if order_max == 4 { 7 * CLUSTER } else { 0 };
        assert_eq!(done, expected);
        bytes[..done as usize].copy_from_slice(&data[..done as usize]);
        mock.device.repair();
        assert_stored(&mock, &bytes);
    }
}

/// No folio in the middle of an extent: the space of what was written stays reserved, the rest goes back.
#[test]
fn an_error_inside_an_extent_tells_end_what_was_used() {
    let mock = Mock::new(Config {
        cluster_order: 2,
        order_max: 3,
        ..Config::default()
    });
    let data = pattern(9, 20 * 16384);
    mock.fail_folios_from(6 * 16384);
    let no_folio = MockError("no folio".to_owned());
    assert_eq!(mock.write(0, &data), Err((6 * 16384, no_folio)));
    assert!(mock.table().get(6 * 4).is_none());
    mock.fail_folios_from(u64::MAX);
    assert_stored(&mock, &data[..6 * 16384]);
}

/// A write past the end leaves zeros between, also in the block and cluster of the old end.
#[test]
fn the_gap_behind_the_old_end_reads_as_zeros() {
    for cluster_order in [0, 2, 4] {
        let mock = Mock::new(Config {
            cluster_order,
            ..Config::default()
        });
        assert_eq!(mock.write(0, b"begin"), Ok(5));
        mock.flush().unwrap();
        mock.cache.drop_clean();
        assert_eq!(mock.write(9_000, b"middle"), Ok(6));
        assert_eq!(mock.write(500_000, b"end"), Ok(3));
        let mut bytes = vec![0; 500_003];
        bytes[..5].copy_from_slice(b"begin");
        bytes[9_000..9_006].copy_from_slice(b"middle");
        bytes[500_000..].copy_from_slice(b"end");
        assert_eq!(mock.read(0, 600_000).unwrap(), bytes);
        assert_stored(&mock, &bytes);
    }
}
