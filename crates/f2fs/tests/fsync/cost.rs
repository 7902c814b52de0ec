//! What an fsync costs the device.

use crate::lab::Lab;
use f2fs::{DeviceCounters, FsyncMode, VolumeOptions};
use std::sync::Barrier;

fn cost(lab: &Lab, work: impl FnOnce()) -> (u64, u64, u64) {
    let before = lab.volume.stats().device;
    work();
    let after = lab.volume.stats().device;
    let d = |get: fn(&DeviceCounters) -> u64| get(&after) - get(&before);
    (d(|c| c.writes), d(|c| c.flushes), d(|c| c.durable_writes))
}

/// Data, node, one flush; and the node once more, to make it valid.
#[test]
fn an_append_with_fsync() {
    let lab = Lab::new();
    let file = lab.write("/d/log", 0, 4096, 1);
    file.sync_all().unwrap();
    for n in 1..200 {
        let block = [n as u8; 4096];
        let cost = cost(&lab, || {
            file.write_all_at(n * 4096, &block).unwrap();
            file.sync_all().unwrap();
        });
        assert_eq!(cost, (3, 1, 1), "append {n}");
    }
}

#[test]
fn without_a_barrier_nothing_is_flushed() {
    let lab = Lab::with(&VolumeOptions {
        fsync_mode: FsyncMode::NoBarrier,
        ..VolumeOptions::default()
    });
    let file = lab.write("/d/log", 0, 4096, 1);
    let cost = cost(&lab, || file.sync_all().unwrap());
    assert_eq!(cost, (2, 0, 0));
    lab.recovered();
}

/// A random overwrite with fdatasync writes the direct node alone.
#[test]
fn fdatasync_leaves_times_behind() {
    let lab = Lab::new();
    let file = lab.write("/d/db", 0, 8_000_000, 1);
    file.sync_all().unwrap();
    let nodes = |lab: &Lab| lab.volume.stats().data.node_blocks_written;
    for (data, written) in [(true, 1), (false, 2)] {
        file.write_all_at(6_000_000, b"new").unwrap();
        let before = nodes(&lab);
        if data {
            file.sync_data()
        } else {
            file.sync_all()
        }
        .unwrap();
        assert_eq!(nodes(&lab) - before, written);
    }
    let clean = cost(&lab, || file.sync_all().unwrap());
    assert_eq!(clean, (0, 0, 0));
    lab.recovered();
}

/// Fsyncs that come together share flushes; each is durable when it returns.
#[test]
fn concurrent_fsyncs_share_a_flush() {
    let lab = Lab::slow();
    let (threads, rounds) = (8, 10);
    let files: Vec<_> = (0..threads)
        .map(|n| lab.write(&format!("/d/{n}"), 0, 10, n))
        .collect();
    lab.volume.sync().unwrap();
    let barrier = Barrier::new(threads as usize);
    let (_, flushes, _) = cost(&lab, || {
        std::thread::scope(|scope| {
            for (n, file) in files.iter().enumerate() {
                let barrier = &barrier;
                scope.spawn(move || {
                    for round in 0..rounds {
                        barrier.wait();
                        file.write_all_at(round * 4096, &[n as u8 + 1; 4096])
                            .unwrap();
                        file.sync_all().unwrap();
                    }
                });
            }
        });
    });
    assert!(flushes < threads * rounds, "{flushes} flushes");
    let volume = lab.recovered();
    for n in 0..threads {
        let file = volume.open_file(format!("/d/{n}")).unwrap();
        let mut bytes = vec![0; (rounds * 4096) as usize];
        assert_eq!(file.read_at(0, &mut bytes).unwrap(), bytes.len());
        assert!(bytes.iter().all(|&b| b == n as u8 + 1));
    }
}

/// Those who ask for a checkpoint at the same time share it.
#[test]
fn concurrent_syncs_share_a_checkpoint() {
    let lab = Lab::slow();
    let (threads, rounds) = (8u64, 8);
    let barrier = Barrier::new(threads as usize);
    let taken = lab.checkpoints(|lab| {
        std::thread::scope(|scope| {
            for n in 0..threads {
                let barrier = &barrier;
                scope.spawn(move || {
                    for round in 0..rounds {
                        barrier.wait();
                        drop(lab.write(&format!("/d/{n}-{round}"), 0, 10, n));
                        lab.volume.sync().unwrap();
                    }
                });
            }
        });
    });
    assert!(
        taken >= rounds && taken < threads * rounds,
        "{taken} checkpoints"
    );
    assert_eq!(
        lab.recovered().read_dir("/d").unwrap().count(),
        (threads * rounds) as usize
    );
}

/// A checkpoint: the pack and all that goes before it, one flush, the footer.
#[test]
fn a_checkpoint_flushes_once() {
    let lab = Lab::new();
    let (_, flushes, durable) = cost(&lab, || {
        drop(lab.write("/d/f", 0, 100_000, 1));
        lab.volume.sync().unwrap();
    });
    assert_eq!((flushes, durable), (1, 1));
}
