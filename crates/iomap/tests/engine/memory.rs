//! The budget under load, and what reclaim may take.

use crate::mock::{Config, Mock, Mode, pattern};
use iomap::IomapKind;
use pagecache::PageCache;
use runtime::rng::Rng;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

const THREADS: usize = 4;
const FILE: usize = 2 << 20;

/// Files in one cache that writes them back when memory is short.
fn files(cache: &PageCache, configs: &[Config]) -> Vec<Arc<Mock>> {
    let files: Vec<_> = configs
        .iter()
        .map(|&config| Mock::in_cache(cache, config))
        .collect();
    let weak: Mutex<Vec<Weak<Mock>>> = Mutex::new(files.iter().map(Arc::downgrade).collect());
    cache.set_pressure_handler(move || {
        let files: Vec<_> = weak
            .lock()
            .unwrap()
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        for file in files {
            file.flush().unwrap();
        }
    });
    files
}

/// Several threads, each with a file of its own, far more bytes than memory: the budget is never passed, no folio
/// is smaller than its file allows, and no byte is lost.
#[test]
fn the_budget_holds_under_load() {
    for seed in 0..3 {
        let cache = PageCache::new(512);
        let configs: Vec<_> = (0..THREADS as u64)
            .map(|n| Config {
                mode: if n % 2 == 0 { Mode::Threads } else { Mode::Now },
                cluster_order: [0, 2, 4, 0][n as usize],
                order_max: [9, 9, 6, 2][n as usize],
                seed: seed * 10 + n,
                ..Config::default()
            })
            .collect();
        let files = files(&cache, &configs);
        std::thread::scope(|scope| {
            for (file, config) in files.iter().zip(&configs) {
                scope.spawn(move || work(file, config.seed));
            }
        });
        let stats = cache.stats();
        assert_eq!(stats.over_budget, 0);
        assert!(stats.used_pages_max <= 512, "{stats:?}");
        assert!(stats.reclaimed > 0);
    }
}

fn work(file: &Mock, seed: u64) {
    let mut rng = Rng::seeded(seed);
    let mut model = vec![0; FILE];
    file.set_size(FILE as u64);
    let mut buffer = pattern(seed, 300_000);
    for _ in 0..150 {
        let pos = rng.below(FILE as u64 - 300_000) as usize;
        let len = rng.below(300_000) as usize + 1;
        if rng.below(3) > 0 {
            buffer[0] = rng.next_u32() as u8;
            assert_eq!(file.write(pos as u64, &buffer[..len]), Ok(len as u64));
            model[pos..pos + len].copy_from_slice(&buffer[..len]);
        } else {
            assert!(file.read(pos as u64, len).unwrap() == model[pos..pos + len]);
        }
    }
    assert!(file.read(0, FILE).unwrap() == model);
    let min = file.mapping.orders().min;
    let pages = file.folio_pages.lock().unwrap();
    assert!(pages.iter().all(|&p| p >= 1 << min));
}

#[test]
fn reclaim_takes_nothing_dirty_locked_or_in_flight() {
    let mock = Mock::new(Config {
        mode: Mode::Held,
        order_max: 0,
        ..Config::default()
    });
    mock.append(IomapKind::Mapped(0), 4);
    assert_eq!(mock.write(4096, &[1; 4096]), Ok(4096));
    let locked = mock.mapping.grab(2..3).unwrap();
    std::thread::scope(|scope| {
        let _guard = mock.device.release_at_the_end();
        assert_eq!(mock.write(3 * 4096, &[3; 4096]), Ok(4096));
        let flusher = scope.spawn(|| mock.flush_range(3..4, 1));
        mock.device.wait_held(1);
        mock.cache.drop_clean();
        for page in 1..4 {
            assert!(
                mock.mapping.next_cached(page, page + 1).is_some(),
                "page {page}"
            );
        }
        mock.device.release(0);
        flusher.join().unwrap().unwrap();
    });
    drop(locked);
    mock.cache.drop_clean();
    assert!(mock.mapping.next_cached(2, 100).is_none());
    assert_eq!(mock.cache.dirty_blocks(), 1);
}

/// A folio that was used since reclaim last looked gets a second chance.
#[test]
fn what_was_used_lately_stays_longer() {
    let mock = Mock::new(Config {
        budget: 8,
        order_max: 0,
        ..Config::default()
    });
    mock.append(IomapKind::Mapped(0), 64);
    let is_cached = |page: u64| mock.mapping.next_cached(page, page + 1).is_some();
    // Page 8 makes reclaim look at all others once.
    for page in 0..=8 {
        mock.read(page * 4096, 1).unwrap();
    }
    assert!(!is_cached(0) && is_cached(1) && is_cached(2));
    mock.read(4096, 1).unwrap();
    mock.read(9 * 4096, 1).unwrap();
    assert!(is_cached(1) && !is_cached(2));
}

/// With nothing to write back and nothing clean, the smallest folio that works passes the budget, and is counted.
#[test]
fn the_budget_is_passed_only_at_the_very_end() {
    let mock = Mock::new(Config {
        budget: 16,
        cluster_order: 2,
        ..Config::default()
    });
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    mock.cache.set_pressure_handler(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(mock.write(0, &vec![1; 16 * 4096]), Ok(16 * 4096));
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    assert_eq!(mock.write(16 * 4096, &vec![1; 8 * 4096]), Ok(8 * 4096));
    let stats = mock.cache.stats();
    assert_eq!((stats.over_budget, stats.used_pages_max), (2, 24));
    assert!(calls.load(Ordering::Relaxed) > 0);
    assert_eq!(stats.folios_by_order[2], 2);
}

/// Writeback that needs folios itself does not call for writeback again.
#[test]
fn the_pressure_handler_does_not_nest() {
    let mock = Mock::new(Config {
        budget: 4,
        order_max: 0,
        ..Config::default()
    });
    let depth = Arc::new(AtomicUsize::new(0));
    let (weak, inside) = (Arc::downgrade(&mock), Arc::clone(&depth));
    mock.cache.set_pressure_handler(move || {
        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
        let mock = weak.upgrade().unwrap();
        drop(mock.mapping.grab(100..101).unwrap());
        mock.flush().unwrap();
        inside.fetch_sub(1, Ordering::SeqCst);
    });
    let bytes = pattern(1, 64 * 4096);
    assert_eq!(mock.write(0, &bytes), Ok(bytes.len() as u64));
    assert!(mock.read(0, bytes.len()).unwrap() == bytes);
    assert_eq!(depth.load(Ordering::SeqCst), 0);
}

/// A mapping that goes away takes its dirty count and its pages with it.
#[test]
fn a_dropped_mapping_leaves_no_trace() {
    let cache = PageCache::new(1000);
    let mock = Mock::in_cache(&cache, Config::default());
    assert_eq!(mock.write(0, &vec![1; 100_000]), Ok(100_000));
    assert!(cache.dirty_blocks() > 0);
    drop(mock);
    assert_eq!((cache.dirty_blocks(), cache.stats().used_pages), (0, 0));
}

/// A reader keeps the bytes it looks at, whatever reclaim does.
#[test]
fn a_held_folio_is_not_reclaimed() {
    let mock = Mock::new(Config {
        budget: 8,
        order_max: 0,
        ..Config::default()
    });
    let bytes = mock.append(IomapKind::Mapped(0), 64);
    mock.read(0, 4096).unwrap();
    let folio = mock.mapping.lookup(0).unwrap();
    for n in 1..64 {
        mock.read(n * 4096, 4096).unwrap();
    }
    assert!(folio.read(0..4096)[..] == bytes[..4096]);
    assert_eq!(mock.cache.stats().over_budget, 0);
}
