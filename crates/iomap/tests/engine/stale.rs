//! What `begin` said changes before the folio is locked: by writeback, which takes no inode lock, and reclaim.

use crate::mock::{Config, Mock, Mode, Place, pattern};
use iomap::{BLOCK_SIZE, readahead, seek_data, seek_hole, zero_range};
use std::sync::Arc;
use std::sync::atomic::Ordering;

const BYTES: usize = 16 * 4096;

fn write_back_and_drop(mock: &Mock) {
    mock.flush().unwrap();
    mock.cache.drop_clean();
}

/// A file of sixteen dirty blocks in reserved space.
fn dirty_file(config: Config) -> (Arc<Mock>, Vec<u8>) {
    let mock = Mock::new(config);
    let bytes = pattern(1, BYTES);
    assert_eq!(mock.write(0, &bytes), Ok(BYTES as u64));
    (mock, bytes)
}

#[test]
fn a_stale_extent_is_looked_up_again() {
    let (mock, mut bytes) = dirty_file(Config::default());
    let begins = mock.counts.begins.load(Ordering::Relaxed);
    mock.before_next_folio(write_back_and_drop);
    assert_eq!(mock.write(100, b"new"), Ok(3));
    assert_eq!(mock.counts.begins.load(Ordering::Relaxed), begins + 2);
    bytes[100..103].copy_from_slice(b"new");
    assert!(mock.read(0, BYTES).unwrap() == bytes);
    assert_eq!(mock.counts.ends.load(Ordering::Relaxed), begins + 2);
}

/// Stale in the middle of an extent, some folios in: the write goes on, it does not end short.
#[test]
fn a_write_goes_on_after_its_extent_became_stale() {
    let (mock, _) = dirty_file(Config {
        order_max: 0,
        ..Config::default()
    });
    // At the first folio the next hook is set, so that it runs at the second one.
    mock.before_next_folio(|mock| mock.before_next_folio(write_back_and_drop));
    let data = pattern(2, BYTES);
    assert_eq!(mock.write(0, &data), Ok(BYTES as u64));
    mock.check_accounts();
    write_back_and_drop(&mock);
    assert!(mock.read(0, BYTES).unwrap() == data);
}

#[test]
fn zeroing_goes_on_after_its_extent_became_stale() {
    let (mock, mut bytes) = dirty_file(Config {
        order_max: 0,
        ..Config::default()
    });
    mock.before_next_folio(|mock| mock.before_next_folio(write_back_and_drop));
    zero_range(&*mock, 10..50_000).unwrap();
    bytes[10..50_000].fill(0);
    assert!(mock.read(0, BYTES).unwrap() == bytes);
}

/// "Reserved, and not in the cache" once meant "zero"; meanwhile the bytes went to the device.
#[test]
fn zeroing_sees_bytes_that_left_the_cache() {
    let (mock, mut bytes) = dirty_file(Config::default());
    mock.after_next_begin(write_back_and_drop);
    zero_range(&*mock, 4096..20_000).unwrap();
    bytes[4096..20_000].fill(0);
    assert!(mock.read(0, BYTES).unwrap() == bytes);
    write_back_and_drop(&mock);
    assert!(mock.read(0, BYTES).unwrap() == bytes);
}

/// Zeroing meets a folio under writeback: its blocks are not dirty any more and not mapped yet.
#[test]
fn zeroing_sees_bytes_that_are_being_written() {
    let (mock, mut bytes) = dirty_file(Config {
        mode: Mode::Held,
        ..Config::default()
    });
    std::thread::scope(|scope| {
        let _guard = mock.device.release_at_the_end();
        let flusher = scope.spawn(|| mock.flush());
        mock.device.wait_held(1);
        let zeroer = scope.spawn(|| zero_range(&*mock, 4096..20_000));
        // Gives it the time to look the extent up and to wait for the folio.
        std::thread::sleep(std::time::Duration::from_millis(20));
        mock.device.release_all();
        mock.device.set_mode(Mode::Now);
        zeroer.join().unwrap().unwrap();
        while !flusher.is_finished() {
            mock.device.release_all();
            std::thread::yield_now();
        }
        flusher.join().unwrap().unwrap();
    });
    bytes[4096..20_000].fill(0);
    assert!(mock.read(0, BYTES).unwrap() == bytes);
    write_back_and_drop(&mock);
    assert!(mock.read(0, BYTES).unwrap() == bytes);
}

/// Readahead keeps an extent from folio to folio; the second folio was cached and dirty when it was looked up.
#[test]
fn readahead_does_not_trust_an_extent_across_folios() {
    let mock = Mock::new(Config::default());
    let bytes = pattern(3, BYTES);
    for block in 0..16 {
        mock.table().set(block, Place::Reserved);
    }
    assert_eq!(mock.write(BYTES as u64, &bytes), Ok(BYTES as u64));
    mock.after_next_begin(write_back_and_drop);
    readahead(&*mock, 0..32).unwrap();
    let read = mock.read(0, 2 * BYTES).unwrap();
    assert!(read[..BYTES].iter().all(|&b| b == 0));
    assert!(read[BYTES..] == bytes);
}

/// Bytes in flight are neither dirty nor mapped: a reader of sparse files must not take them for a hole.
#[test]
fn seek_sees_bytes_that_are_being_written() {
    let (mock, _) = dirty_file(Config {
        mode: Mode::Held,
        ..Config::default()
    });
    std::thread::scope(|scope| {
        let _guard = mock.device.release_at_the_end();
        let flusher = scope.spawn(|| mock.flush());
        mock.device.wait_held(1);
        assert_eq!(seek_data(&*mock, 0).unwrap(), Some(0));
        assert_eq!(seek_hole(&*mock, 0).unwrap(), BYTES as u64);
        mock.device.release_all();
        flusher.join().unwrap().unwrap();
    });
    let (mock, _) = dirty_file(Config::default());
    mock.after_next_begin(write_back_and_drop);
    assert_eq!(seek_data(&*mock, BLOCK_SIZE).unwrap(), Some(BLOCK_SIZE));
}
