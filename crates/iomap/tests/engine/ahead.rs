//! Readahead: it grows, it hurts nobody, it needs no memory that is not there.

use crate::mock::{Config, Mock, Mode};
use iomap::{BLOCK_SIZE, IomapKind, buffered_read, readahead};
use pagecache::Readahead;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const MAPPED: IomapKind = IomapKind::Mapped(0);

#[test]
fn windows_grow_and_folios_with_them() {
    let mock = Mock::new(Config::default());
    let bytes = mock.append(MAPPED, 4096);
    let mut ahead = Readahead::new(512);
    let mut page = vec![0; 4096];
    for n in 0..4096 {
        assert_eq!(
            buffered_read(&*mock, n * BLOCK_SIZE, &mut page, &mut ahead).unwrap(),
            4096
        );
        assert_eq!(page, bytes[n as usize * 4096..][..4096]);
    }
    let log = mock.device.take_log();
    assert_eq!(
        log.iter().map(|t| t.len).sum::<u64>(),
        bytes.len() as u64,
        "nothing twice"
    );
    assert!(log.iter().map(|t| t.len).max().unwrap() >= 256 * BLOCK_SIZE);
    assert!(log.len() < 30, "{} bios", log.len());
    let folios: u64 = mock.cache.stats().folios_by_order.iter().sum();
    assert!(folios < 30, "{folios} folios for 16 MiB");
}

#[test]
fn random_reads_read_what_they_ask_for() {
    let mock = Mock::new(Config::default());
    let bytes = mock.append(MAPPED, 1024);
    let mut ahead = Readahead::new(512);
    let mut page = vec![0; 4096];
    for n in [1000, 3, 500, 7, 800] {
        buffered_read(&*mock, n * BLOCK_SIZE, &mut page, &mut ahead).unwrap();
        assert_eq!(page, bytes[n as usize * 4096..][..4096]);
    }
    assert_eq!(mock.device.take_bytes_read(), 5 * BLOCK_SIZE);
}

/// An error ahead belongs to the pages it hit. The reader before them is served, the folio is not left locked.
#[test]
fn an_error_ahead_hurts_only_its_pages() {
    for fail_begin in [false, true] {
        let mock = Mock::new(Config {
            mode: Mode::Threads,
            ..Config::default()
        });
        let mut bytes = Vec::new();
        for _ in 0..64 {
            bytes.extend(mock.append(MAPPED, 1));
            mock.table().skip_device_block();
        }
        if fail_begin {
            mock.fail_extents(40 * BLOCK_SIZE..41 * BLOCK_SIZE);
        } else {
            mock.device.break_blocks(1080..1081);
        }
        let mut ahead = Readahead::new(64);
        let mut page = vec![0; 4096];
        for n in 0..64 {
            let read = buffered_read(&*mock, n * BLOCK_SIZE, &mut page, &mut ahead);
            if n == 40 {
                assert!(read.is_err());
            } else {
                assert_eq!(read, Ok(4096), "page {n}");
                assert_eq!(page, bytes[n as usize * 4096..][..4096]);
            }
        }
        mock.device.repair();
        mock.fail_extents(0..0);
        assert_eq!(mock.read(0, bytes.len()).unwrap(), bytes);
    }
}

/// Reading ahead takes free and clean memory only: it neither calls for writeback nor passes the budget.
#[test]
fn without_spare_memory_it_stops() {
    let mock = Mock::new(Config {
        budget: 16,
        order_max: 2,
        ..Config::default()
    });
    let bytes = mock.append(MAPPED, 64);
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    mock.cache.set_pressure_handler(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(mock.write(0, &bytes[..12 * 4096]), Ok(12 * 4096));
    readahead(&*mock, 12..64).unwrap();
    let stats = mock.cache.stats();
    assert_eq!((stats.over_budget, calls.load(Ordering::Relaxed)), (0, 0));
    assert!(stats.used_pages_max <= 16);
    assert_eq!(
        mock.read(12 * BLOCK_SIZE, 4096).unwrap(),
        bytes[12 * 4096..13 * 4096]
    );
}
