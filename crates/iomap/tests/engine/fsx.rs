//! Random operations against a vector of bytes, for folio and cluster orders, with the device completing in order,
//! in random order, failing now and then, and with a flusher beside.

use crate::mock::{Config, Mock, Mode};
use iomap::{Source, buffered_read};
use pagecache::Readahead;
use runtime::rng::Rng;
use std::sync::atomic::{AtomicBool, Ordering};

const SIZE_MAX: u64 = 600_000;

struct Fsx<'a> {
    mock: &'a Mock,
    model: Vec<u8>,
    rng: Rng,
    ahead: Readahead,
    flaky: bool,
    /// Whether nobody else changes the cache, so that its counts stand still.
    alone: bool,
}

/// Copies from a slice, at most so many bytes in all.
struct Short<'a>(&'a [u8]);

impl Source for Short<'_> {
    fn copy_to(&mut self, dst: &mut [u8]) -> usize {
        self.0.copy_to(dst)
    }
}

impl<'a> Fsx<'a> {
    fn new(mock: &'a Mock, seed: u64) -> Self {
        Self {
            mock,
            model: Vec::new(),
            rng: Rng::seeded(seed),
            ahead: Readahead::new(64),
            flaky: false,
            alone: true,
        }
    }

    /// A range, short ones more often; block and cluster borders more often than chance.
    fn range(&mut self, limit: u64) -> (u64, u64) {
        let mut pos = self.rng.below(limit);
        if self.rng.below(3) == 0 {
            pos = pos / 16_384 * 16_384;
        }
        let len_max = [100, 5_000, 70_000, 300_000][self.rng.below(4) as usize];
        let mut len = self.rng.below(len_max) + 1;
        if self.rng.below(3) == 0 {
            len = len.next_multiple_of(4096);
        }
        (pos, len.min(limit - pos))
    }

    fn step(&mut self) {
        match self.rng.below(20) {
            0..=6 => self.write(),
            7..=11 => self.read(),
            12 => self.truncate(),
            13 | 14 => self.zero(),
            15 => self.punch(),
            16 | 17 => self.flush(),
            18 => self.mock.cache.drop_clean(),
            _ => self.mock.set_order_max(self.rng.below(10) as u8),
        }
    }

    fn write(&mut self) {
        let (pos, len) = self.range(SIZE_MAX);
        let bytes: Vec<u8> = (0..len).map(|_| self.rng.next_u32() as u8).collect();
        let given = if self.rng.below(5) == 0 {
            self.rng.below(len + 1)
        } else {
            len
        };
        let mut source = Short(&bytes[..given as usize]);
        let result = self.mock.write_from(pos, len, &mut source);
        let done = match result {
            Ok(done) => done,
            Err((done, error)) => {
                assert!(self.flaky, "{error}");
                done
            }
        };
        assert!(done <= given);
        assert!(given < len || self.flaky || done == len);
        if done > 0 {
            let end = (pos + done) as usize;
            self.model.resize(self.model.len().max(end), 0);
            self.model[pos as usize..end].copy_from_slice(&bytes[..done as usize]);
        }
        if self.alone {
            self.mock.check_accounts();
        }
    }

    fn read(&mut self) {
        let (pos, len) = self.range(SIZE_MAX);
        let mut bytes = vec![0xEE; len as usize];
        let mut ahead = self.ahead.clone();
        let result = buffered_read(self.mock, pos, &mut bytes, &mut ahead);
        self.ahead = ahead;
        match result {
            Ok(n) => {
                let pos = (pos as usize).min(self.model.len());
                let end = (pos + len as usize).min(self.model.len());
                assert_eq!(n, end - pos);
                assert!(bytes[..n] == self.model[pos..end], "bytes {pos}..{end}");
            }
            Err(error) => assert!(self.flaky, "{error}"),
        }
    }

    fn truncate(&mut self) {
        let size = self.rng.below(SIZE_MAX);
        match self.mock.truncate(size) {
            Ok(()) => self.model.resize(size as usize, 0),
            Err(error) => self.failed_zeroing(&error),
        }
    }

    /// Zeroing failed half-way: what it did is seen through the cache only, so the model takes it over.
    fn failed_zeroing(&mut self, error: &crate::mock::MockError) {
        assert!(self.flaky, "{error}");
        self.mock.device.repair();
        self.model = self.mock.read(0, self.model.len()).unwrap();
        self.mock.device.make_flaky(20);
    }

    fn zero(&mut self) {
        let size = self.model.len() as u64;
        if size == 0 {
            return;
        }
        let (pos, len) = self.range(size);
        match iomap::zero_range(self.mock, pos..pos + len) {
            Ok(()) => self.model[pos as usize..(pos + len) as usize].fill(0),
            Err(error) => self.failed_zeroing(&error),
        }
    }

    fn punch(&mut self) {
        let size = self.model.len() as u64;
        if size == 0 {
            return;
        }
        let (pos, len) = self.range(size);
        match self.mock.punch(pos..pos + len) {
            Ok(()) => self.model[pos as usize..(pos + len) as usize].fill(0),
            Err(error) => self.failed_zeroing(&error),
        }
    }

    fn flush(&mut self) {
        let from = self.rng.below(SIZE_MAX / 4096);
        let to = from + self.rng.below(200);
        let batch = self.rng.below(100) as usize + 1;
        self.mock.flush_range(from..to, batch).unwrap();
    }

    fn finish(&mut self) {
        self.mock.device.repair();
        assert!(self.mock.read(0, SIZE_MAX as usize + 1).unwrap() == self.model);
        self.mock.flush().unwrap();
        self.mock.check_accounts();
        assert_eq!(self.mock.cache.dirty_blocks(), 0);
        self.mock.drop_cache();
        assert!(self.mock.read(0, SIZE_MAX as usize + 1).unwrap() == self.model);
    }
}

fn configs() -> impl Iterator<Item = (u8, u8)> {
    let orders = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    orders
        .into_iter()
        .flat_map(|order_max| [0, 2, 4, 8].map(|cluster| (order_max, cluster)))
}

#[test]
fn random_operations_match_the_model() {
    for (order_max, cluster_order) in configs() {
        let seed = u64::from(order_max) * 100 + u64::from(cluster_order);
        let mock = Mock::new(Config {
            cluster_order,
            order_max,
            seed,
            ..Config::default()
        });
        let mut fsx = Fsx::new(&mock, seed);
        for _ in 0..150 {
            fsx.step();
        }
        fsx.finish();
    }
}

/// Little memory, so that folios come and go, and a device that completes in any order.
#[test]
fn random_operations_in_little_memory_match_the_model() {
    for cluster_order in [0, 2, 4] {
        for seed in 0..4 {
            let config = Config {
                mode: Mode::Threads,
                cluster_order,
                budget: 96,
                seed,
                ..Config::default()
            };
            let mock = Mock::new(config);
            let weak = std::sync::Arc::downgrade(&mock);
            mock.cache.set_pressure_handler(move || {
                weak.upgrade().unwrap().flush().unwrap();
            });
            let mut fsx = Fsx::new(&mock, 1000 + seed);
            for _ in 0..150 {
                fsx.step();
            }
            fsx.finish();
            assert_eq!(mock.cache.stats().over_budget, 0);
        }
    }
}

/// Reads fail at random: what is returned is right, what is reported written is written.
#[test]
fn random_operations_on_a_flaky_device_match_the_model() {
    for cluster_order in [0, 2, 4] {
        for seed in 0..6 {
            let mode = if seed % 2 == 0 {
                Mode::Now
            } else {
                Mode::Threads
            };
            let mock = Mock::new(Config {
                mode,
                cluster_order,
                seed,
                ..Config::default()
            });
            let mut fsx = Fsx::new(&mock, 2000 + seed);
            fsx.flaky = true;
            mock.device.make_flaky(20);
            for _ in 0..150 {
                fsx.step();
            }
            fsx.finish();
        }
    }
}

/// Stops the flusher also when the test fails.
struct StopGuard<'a>(&'a AtomicBool);

impl Drop for StopGuard<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Writeback and reclaim take no inode lock: they run beside everything.
#[test]
fn random_operations_beside_a_flusher_match_the_model() {
    for cluster_order in [0, 2, 4] {
        for seed in 0..4 {
            let config = Config {
                mode: Mode::Threads,
                cluster_order,
                seed,
                ..Config::default()
            };
            let mock = Mock::new(config);
            let stop = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let flusher = scope.spawn(|| {
                    let mut rng = Rng::seeded(seed);
                    while !stop.load(Ordering::SeqCst) {
                        let from = rng.below(100);
                        mock.flush_range(from..from + rng.below(100), 8).unwrap();
                        mock.cache.drop_clean();
                    }
                });
                let guard = StopGuard(&stop);
                let mut fsx = Fsx::new(&mock, 3000 + seed);
                fsx.alone = false;
                for _ in 0..150 {
                    fsx.step();
                }
                drop(guard);
                flusher.join().unwrap();
                fsx.finish();
            });
        }
    }
}
