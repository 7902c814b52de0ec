//! Counts, not times: what a small write into a large folio touches. Look-ups, bios and filled blocks are counted
//! here; in the folio it costs a fixed number of bitmap words (`BlockSet` is eight words) and the bytes copied.

use crate::mock::{Config, Counts, Mock};
use iomap::{BLOCK_SIZE, IomapKind};
use std::sync::atomic::Ordering;

fn counts(counts: &Counts) -> [usize; 4] {
    [
        &counts.begins,
        &counts.folios,
        &counts.fills,
        &counts.blocks_filled,
    ]
    .map(|c| c.swap(0, Ordering::Relaxed))
}

/// A 2 MiB folio that is uptodate costs a small write one look-up, one folio, no fill, no bio, one dirty block.
#[test]
fn a_small_write_into_a_cached_folio_touches_its_block() {
    let mock = Mock::new(Config::default());
    mock.append(IomapKind::Mapped(0), 512);
    mock.read(0, 2 << 20).unwrap();
    mock.device.take_log();
    counts(&mock.counts);
    for n in 0..100 {
        let pos = n * 5 * BLOCK_SIZE + 17;
        assert_eq!(mock.write(pos, b"small"), Ok(5));
        assert_eq!(counts(&mock.counts), [1, 1, 0, 0]);
        assert_eq!(mock.cache.dirty_blocks() as u64, n + 1);
    }
    assert!(mock.device.take_log().is_empty());
    assert_eq!(mock.cache.stats().folios_by_order[9], 1);
}

/// The same write into a folio whose block is not there reads that block, not the folio.
#[test]
fn a_small_write_into_a_large_folio_reads_its_block() {
    let mock = Mock::new(Config::default());
    mock.append(IomapKind::Mapped(0), 512);
    // A write of the second half makes the folio; only its first block has old bytes.
    assert_eq!(mock.write(1, &vec![1; (2 << 20) - 1]), Ok((2 << 20) - 1));
    assert_eq!(mock.device.take_bytes_read(), BLOCK_SIZE);
    mock.flush().unwrap();
    mock.cache.drop_clean();
    drop(mock.mapping.grab(0..512).unwrap());
    for n in 0..50 {
        assert_eq!(mock.write(n * 9 * BLOCK_SIZE + 17, b"small"), Ok(5));
        assert_eq!(mock.device.take_bytes_read(), BLOCK_SIZE);
    }
}

/// A file written in small pieces in order costs no read and one folio a piece's hint; clusters are zeroed once.
#[test]
fn appending_in_small_pieces_reads_nothing() {
    for cluster_order in [0, 4] {
        let mock = Mock::new(Config {
            cluster_order,
            ..Config::default()
        });
        for n in 0..1000 {
            assert_eq!(mock.write(n * 1000, &[7; 1000]), Ok(1000));
        }
        assert!(mock.device.take_log().is_empty());
        let folios: u64 = mock.cache.stats().folios_by_order.iter().sum();
        assert_eq!(folios, 1_000_000_u64.div_ceil(BLOCK_SIZE << cluster_order));
        // Writing back takes each block once, in one bio.
        mock.flush().unwrap();
        let log = mock.device.take_log();
        assert_eq!(
            log.iter().map(|t| t.len).sum::<u64>() / BLOCK_SIZE,
            match cluster_order {
                0 => 245,
                _ => 256,
            }
        );
    }
}
