//! Rows S5 and S6: reads are counted before they are submitted, waited for once a folio, and the folio is unlocked
//! once, by whichever ends last. (Every interleaving of the protocol itself: the loom models of `pagecache`.)

use crate::mock::{Config, Mock, Mode, pattern};
use iomap::{BLOCK_SIZE, IomapKind, readahead};
use runtime::rng::Rng;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const BLOCKS: u64 = 8;

/// A file of eight blocks or clusters that lie apart, so that each is a bio of its own.
fn scattered(kind: IomapKind, cluster_order: u8) -> (Arc<Mock>, Vec<u8>) {
    let mock = Mock::new(Config {
        mode: Mode::Held,
        cluster_order,
        ..Config::default()
    });
    let mut bytes = Vec::new();
    for _ in 0..BLOCKS {
        bytes.extend(mock.append(kind, 1 << cluster_order));
        mock.table().skip_device_block();
    }
    (mock, bytes)
}

fn is_free(mock: &Mock, page: u64) -> bool {
    // Reclaim takes only unlocked folios.
    mock.cache.drop_clean();
    mock.mapping.next_cached(page, page + 1).is_none()
}

/// All bios are submitted before one is waited for; the reader goes on after the last, in whatever order they end.
#[test]
fn a_reader_waits_for_the_folio_not_for_a_bio() {
    for seed in 0..20 {
        let (mock, bytes) = scattered(IomapKind::Mapped(0), 0);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let _guard = mock.device.release_at_the_end();
            let reader = scope.spawn(|| {
                let read = mock.read(0, bytes.len());
                done.store(true, Ordering::SeqCst);
                read
            });
            mock.device.wait_held(BLOCKS as usize);
            let mut rng = Rng::seeded(seed);
            while mock.device.held() > 0 {
                assert!(!done.load(Ordering::SeqCst), "a read is still pending");
                assert!(mock.cache.stats().reclaimed == 0);
                mock.cache.drop_clean();
                mock.device
                    .release(rng.below(mock.device.held() as u64) as usize);
            }
            assert_eq!(reader.join().unwrap().unwrap(), bytes);
        });
        assert!(is_free(&mock, 0));
    }
}

/// The last bio to end unlocks a folio nobody waits for, also if bios fail or get lost.
#[test]
fn the_last_completion_unlocks_a_folio_that_was_read_ahead() {
    for last in 0..BLOCKS as usize {
        let (mock, _) = scattered(IomapKind::Mapped(0), 0);
        mock.device.break_blocks(1000..1001);
        readahead(&*mock, 0..BLOCKS).unwrap();
        assert_eq!(mock.device.held(), BLOCKS as usize);
        while mock.device.held() > 1 {
            assert!(!is_free(&mock, 0));
            let n = if mock.device.held() > last + 1 {
                mock.device.held() - 1
            } else {
                0
            };
            if n % 3 == 2 {
                mock.device.lose(n);
            } else {
                mock.device.release(n);
            }
        }
        assert!(!is_free(&mock, 0));
        mock.device.release(0);
        assert!(is_free(&mock, 0));
    }
}

/// Completions on other threads while the submitter still submits.
#[test]
fn completions_may_overtake_the_submitter() {
    for seed in 0..50 {
        let mock = Mock::new(Config {
            mode: Mode::Threads,
            seed,
            ..Config::default()
        });
        let mut bytes = Vec::new();
        for _ in 0..32 {
            bytes.extend(mock.append(IomapKind::Mapped(0), 1));
            mock.table().skip_device_block();
        }
        assert_eq!(mock.read(0, bytes.len()).unwrap(), bytes);
    }
}

/// A failed read leaves exactly its blocks not uptodate.
#[test]
fn a_failed_bio_leaves_exactly_its_blocks() {
    for bad in 0..BLOCKS {
        let (mock, _) = scattered(IomapKind::Mapped(0), 0);
        mock.device.break_blocks(1000 + 2 * bad..1001 + 2 * bad);
        readahead(&*mock, 0..BLOCKS).unwrap();
        mock.device.release_all();
        let folio = mock.mapping.lookup(0).unwrap();
        let failed: Vec<_> = folio.uptodate().gaps(0..BLOCKS as usize).collect();
        assert_eq!(failed, vec![bad as usize..bad as usize + 1]);
    }
}

/// The reader gets the error, gets it again, and the bytes once the device works.
#[test]
fn a_failed_read_is_tried_again_when_it_is_asked_for() {
    let (mock, bytes) = scattered(IomapKind::Mapped(0), 0);
    mock.device.set_mode(Mode::Now);
    mock.device.break_blocks(1006..1007);
    assert!(mock.read(0, bytes.len()).is_err());
    assert_eq!(mock.read(0, 3 * 4096).unwrap(), bytes[..3 * 4096]);
    assert_eq!(
        mock.read(4 * 4096, 4096).unwrap(),
        bytes[4 * 4096..5 * 4096]
    );
    assert!(mock.read(3 * 4096, 1).is_err());
    mock.device.repair();
    assert_eq!(mock.read(0, bytes.len()).unwrap(), bytes);
}

/// Both edges of a write are in flight at once, and no byte is copied before both are there, also if they lie in
/// different extents.
#[test]
fn a_write_waits_once_for_both_edges() {
    write_waits_once(IomapKind::Compressed);
    write_waits_once(IomapKind::Mapped(0));
}

fn write_waits_once(kind: IomapKind) {
    let (mock, mut bytes) = scattered(kind, 2);
    let data = pattern(77, bytes.len() - 200);
    std::thread::scope(|scope| {
        let _guard = mock.device.release_at_the_end();
        let writer = scope.spawn(|| mock.write(100, &data));
        mock.device.wait_held(2);
        for left in [1, 0] {
            assert!(!mock.mapping.is_dirty());
            mock.device.release(left);
        }
        assert_eq!(writer.join().unwrap(), Ok(data.len() as u64));
    });
    bytes[100..100 + data.len()].copy_from_slice(&data);
    mock.device.set_mode(Mode::Now);
    assert_eq!(mock.read(0, bytes.len()).unwrap(), bytes);
    assert!(
        mock.folio_pages
            .lock()
            .unwrap()
            .iter()
            .all(|&pages| pages == 32)
    );
}

/// If one edge fails, the other is waited for before the folio is let go.
#[test]
fn a_failed_edge_fails_the_write_after_all_reads_ended() {
    let (mock, bytes) = scattered(IomapKind::Compressed, 2);
    mock.device.break_blocks(1000..1001);
    let data = vec![1; bytes.len() - 200];
    std::thread::scope(|scope| {
        let _guard = mock.device.release_at_the_end();
        let writer = scope.spawn(|| mock.write(100, &data));
        mock.device.wait_held(2);
        mock.device.release(0);
        assert!(!is_free(&mock, 0));
        mock.device.release(0);
        assert_eq!(writer.join().unwrap().unwrap_err().0, 0);
    });
    assert!(!mock.mapping.is_dirty());
    let folio = mock.mapping.lookup(0).unwrap();
    assert!(!folio.uptodate().intersects(0..4), "the edge that failed");
    assert!(folio.is_uptodate(28..32), "the edge that was read");
    drop(folio);
    mock.device.set_mode(Mode::Now);
    mock.device.repair();
    assert_eq!(mock.read(0, bytes.len()).unwrap(), bytes);
}

/// An error from `begin` half-way through a folio: what was started ends first, then the lock goes.
#[test]
fn an_error_while_starting_waits_for_what_was_started() {
    let (mock, bytes) = scattered(IomapKind::Mapped(0), 0);
    mock.fail_extents(4 * BLOCK_SIZE..5 * BLOCK_SIZE);
    assert!(readahead(&*mock, 0..BLOCKS).is_err());
    assert_eq!(mock.device.held(), 4);
    assert!(!is_free(&mock, 0));
    mock.device.release_all();
    let folio = mock.mapping.lookup(0).unwrap();
    assert!(folio.is_uptodate(0..4) && !folio.uptodate().intersects(4..8));
    drop(folio);
    mock.device.set_mode(Mode::Now);
    mock.fail_extents(0..0);
    assert_eq!(mock.read(0, bytes.len()).unwrap(), bytes);
}
