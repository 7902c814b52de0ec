//! Free blocks are told to the device, and no others.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{assert_content, noise, reopen, volume, volume_with};
use f2fs::{Error, FormatOptions, OpenOptions, Volume, VolumeOptions};
use runtime::rng::Rng;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use testkit::faulty::{Failure, Fault, FaultyDevice, Lasting};
use testkit::sim::{CrashState, Image, Pick, Replay, SimDevice, Tear};

const MIB: u64 = 1 << 20;
const ALL: std::ops::Range<u64> = 0..u64::MAX;

/// Bytes that an image takes on its file system.
fn taken(image: &Path) -> u64 {
    std::fs::metadata(image).unwrap().blocks() * 512
}

fn put(volume: &Volume, path: &str, data: &[u8]) {
    let options = OpenOptions::new().write(true).create(true);
    let file = volume.open_with(path, &options).unwrap();
    file.write_all_at(0, data).unwrap();
}

fn keeping() -> VolumeOptions {
    VolumeOptions {
        discard: false,
        ..VolumeOptions::default()
    }
}

#[test]
fn an_image_shrinks_when_it_is_emptied_and_closed() {
    let (image, volume) = volume(256 * MIB, None);
    put(&volume, "/keep", &noise(3 << 20, 1));
    put(&volume, "/go", &noise(100 << 20, 2));
    volume.sync().unwrap();
    let full = taken(image.path());
    assert!(full > 100 * MIB);
    volume.remove_file("/go").unwrap();
    volume.close().unwrap();
    let empty = taken(image.path());
    assert!(
        empty < 16 * MIB,
        "{} MiB of {} are left",
        empty / MIB,
        full / MIB
    );
    assert_eq!(image.path().metadata().unwrap().len(), 256 * MIB);
    testkit::fsck::assert_clean(image.path());
    assert_content(&reopen(&image), "/keep", &noise(3 << 20, 1));
}

#[test]
fn holes_in_segments_in_use_are_discarded_at_the_end() {
    let (image, volume) = volume(256 * MIB, None);
    for n in 0..120 {
        put(&volume, &format!("/file{n}"), &noise(512 << 10, n));
    }
    volume.sync().unwrap();
    let full = taken(image.path());
    for n in (0..120).filter(|n| n % 4 != 0) {
        volume.remove_file(format!("/file{n}")).unwrap();
    }
    volume.close().unwrap();
    let left = taken(image.path());
    assert!(left + 40 * MIB < full, "{left} of {full}");
    testkit::fsck::assert_clean(image.path());
    let volume = reopen(&image);
    for n in (0..120).step_by(4) {
        assert_content(&volume, &format!("/file{n}"), &noise(512 << 10, n));
    }
}

#[test]
fn nothing_is_discarded_if_the_options_say_so_until_it_is_asked_for() {
    let (image, volume) = volume_with(256 * MIB, None, &keeping());
    put(&volume, "/go", &noise(60 << 20, 2));
    volume.sync().unwrap();
    let full = taken(image.path());
    volume.remove_file("/go").unwrap();
    volume.sync().unwrap();
    assert!(!volume.discard_some());
    volume.close().unwrap();
    assert!(taken(image.path()) + 4 * MIB > full);

    let volume = Volume::open(image.path(), &keeping()).unwrap();
    let would = volume.trimmable(ALL, 0).unwrap();
    assert!(
        taken(image.path()) + 4 * MIB > full,
        "a dry run changes nothing"
    );
    let report = volume.trim(ALL, 0).unwrap();
    assert_eq!(report, would);
    let free = u64::from(volume.info().free_segments) * 2 * MIB;
    assert!(
        report.bytes >= free && report.bytes < 256 * MIB,
        "{report:?}"
    );
    assert!(report.transfers < report.bytes / (8 * MIB), "{report:?}");
    volume.close().unwrap();
    assert!(taken(image.path()) + 55 * MIB < full);
    testkit::fsck::assert_clean(image.path());
}

#[test]
fn free_segments_are_discarded_while_the_volume_is_in_use() {
    let (image, volume) = volume(512 * MIB, None);
    put(&volume, "/go", &noise(200 << 20, 2));
    volume.sync().unwrap();
    assert!(!volume.discard_some(), "nothing was freed yet");
    let full = taken(image.path());
    volume.remove_file("/go").unwrap();
    assert!(!volume.discard_some(), "no checkpoint freed it yet");
    volume.sync().unwrap();
    let mut batches = 1;
    while volume.discard_some() {
        batches += 1;
    }
    assert!((3..12).contains(&batches), "{batches} batches");
    assert!(taken(image.path()) + 190 * MIB < full);
    let discarded = volume.stats().device.discarded_bytes;
    assert!(discarded > 190 * MIB);
    put(&volume, "/again", &noise(50 << 20, 3));
    volume.close().unwrap();
    assert_content(&reopen(&image), "/again", &noise(50 << 20, 3));
}

#[test]
fn a_trim_keeps_to_its_range_and_its_minimum() {
    let (image, volume) = volume(256 * MIB, None);
    for n in 0..64 {
        put(&volume, &format!("/file{n}"), &noise(64 << 10, n));
    }
    volume.sync().unwrap();
    for n in (0..64).step_by(2) {
        volume.remove_file(format!("/file{n}")).unwrap();
    }
    volume.sync().unwrap();
    let all = volume.trimmable(ALL, 0).unwrap();
    let long = volume.trimmable(ALL, 2 * MIB).unwrap();
    let longer = volume.trimmable(ALL, 100 * MIB).unwrap();
    assert!(long.bytes < all.bytes && long.transfers < all.transfers);
    assert_eq!(long, longer, "a segment is never too short");
    let first = volume.trimmable(0..128 * MIB, 0).unwrap();
    let second = volume.trimmable(128 * MIB..u64::MAX, 0).unwrap();
    assert!(first.bytes > 0 && second.bytes > 0);
    assert_eq!(first.bytes + second.bytes, all.bytes);
    let odd = 130 * MIB + 5000;
    assert_eq!(volume.trimmable(odd..odd + 8191, 0).unwrap().bytes, 4096);
    assert_eq!(volume.trim(10..20, 0).unwrap().bytes, 0);
    drop(volume);
    testkit::fsck::assert_clean(image.path());
}

#[test]
fn a_reader_counts_but_does_not_trim() {
    let (image, volume) = volume(128 * MIB, None);
    volume.close().unwrap();
    let options = VolumeOptions {
        read_only: true,
        ..VolumeOptions::default()
    };
    let reader = Volume::open(image.path(), &options).unwrap();
    assert!(reader.trimmable(ALL, 0).unwrap().bytes > 64 * MIB);
    assert!(matches!(reader.trim(ALL, 0), Err(Error::ReadOnly(_))));
    assert!(!reader.discard_some());
}

/// Of the discard after the formatter's.
fn fault(lasting: Lasting) -> Fault {
    Fault {
        op: blockdev::DeviceOp::Discard,
        index: 1,
        lasting,
        failure: Failure::Io,
    }
}

#[test]
fn a_discard_that_fails_changes_nothing() {
    for lasting in [Lasting::Once, Lasting::FromThenOn] {
        let sim = Arc::new(SimDevice::unlogged(Image::new(128 * MIB)));
        let below = Arc::clone(&sim) as _;
        let faulty = Arc::new(FaultyDevice::new(below, Some(fault(lasting))));
        let options = VolumeOptions::default();
        let format = FormatOptions::new(128 * MIB);
        let volume = Volume::create_on(Arc::clone(&faulty) as _, &format, &options).unwrap();
        put(&volume, "/keep", &noise(3 << 20, 1));
        put(&volume, "/go", &noise(30 << 20, 2));
        volume.sync().unwrap();
        volume.remove_file("/go").unwrap();
        volume.sync().unwrap();
        assert!(!volume.discard_some());
        assert_eq!(faulty.fired(), 1);
        put(&volume, "/more", &noise(20 << 20, 3));
        let asked = volume.trim(ALL, 0);
        assert_eq!(asked.is_err(), lasting == Lasting::FromThenOn, "{asked:?}");
        put(&volume, "/most", &noise(20 << 20, 4));
        volume.close().unwrap();
        let volume = Volume::open_device(sim, &options).unwrap();
        assert_content(&volume, "/keep", &noise(3 << 20, 1));
        assert_content(&volume, "/more", &noise(20 << 20, 3));
        assert_content(&volume, "/most", &noise(20 << 20, 4));
    }
}

/// The power goes right after discards: nothing that the last checkpoint or an fsync after it needs is spoiled.
#[test]
fn a_power_cut_right_after_a_discard_finds_everything() {
    let blank = Arc::new(SimDevice::unlogged(Image::new(96 * MIB)));
    let options = VolumeOptions {
        cache_bytes: 16 << 20,
        threads: 1,
        ..VolumeOptions::default()
    };
    let format = FormatOptions::new(96 * MIB);
    let made = Volume::create_on(Arc::clone(&blank) as _, &format, &options).unwrap();
    made.close().unwrap();
    let device = Arc::new(SimDevice::new(blank.image()));
    let volume = Volume::open_device(Arc::clone(&device) as _, &options).unwrap();
    let mut rng = Rng::seeded(11);
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut states = 0;
    for round in 0..24 {
        for _ in 0..12 {
            let name = format!("/file{}", rng.below(40));
            if rng.below(3) == 0 && files.remove(&name).is_some() {
                volume.remove_file(&name).unwrap();
                continue;
            }
            let data = noise(1 + rng.below(600_000) as usize, rng.next_u64());
            let _ = volume.remove_file(&name);
            put(&volume, &name, &data);
            files.insert(name, data);
        }
        volume.sync().unwrap();
        // Behind the checkpoint, for recovery to find.
        let name = format!("/synced{}", round % 3);
        let data = noise(100_000, round);
        let _ = volume.remove_file(&name);
        put(&volume, &name, &data);
        let file = volume.open_file(&name).unwrap();
        file.sync_all().unwrap();
        files.insert(name, data);
        let before = volume.stats().device.discards;
        match round % 3 {
            0 => while volume.discard_some() {},
            1 => drop(volume.trim(ALL, 0).unwrap()),
            _ => drop(volume.trim(ALL, 64 << 10).unwrap()),
        }
        let after = volume.stats().device.discards;
        assert!(round % 3 == 0 || after > before, "round {round}");
        let log = device.log().unwrap();
        let mut replay = Replay::new(&log);
        replay.advance_to(log.events.len());
        let whole = |write| Pick {
            write,
            tear: Tear::Whole,
        };
        let all = CrashState {
            picks: replay.volatile().into_iter().map(whole).collect(),
        };
        for state in [all, CrashState::default()] {
            states += 1;
            let left = Arc::new(SimDevice::unlogged(replay.image(&state)));
            let found = Volume::open_device(left, &options).unwrap();
            for (name, data) in &files {
                assert_content(&found, name, data);
            }
        }
    }
    assert_eq!(states, 48);
}

/// Trims while threads fill a volume to the last block and empty it: no byte is lost, and the volume is never full
/// before it is.
#[test]
fn trims_and_writers_on_a_nearly_full_volume() {
    const THREADS: u64 = 3;
    let options = VolumeOptions {
        cache_bytes: 16 << 20,
        ..VolumeOptions::default()
    };
    let sim = Arc::new(SimDevice::unlogged(Image::new(160 * MIB)));
    let format = FormatOptions::new(160 * MIB);
    let volume = Volume::create_on(Arc::clone(&sim) as _, &format, &options).unwrap();
    let free = volume.statfs().blocks_free * 4096;
    // What each thread may have at a time leaves a little of the volume.
    let share = free * 85 / 100 / THREADS;
    let done = AtomicBool::new(false);
    let trims = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|n| {
                let volume = &volume;
                scope.spawn(move || fill_and_empty(volume, n, share))
            })
            .collect();
        let trimmer = scope.spawn(|| {
            let mut trims = 0;
            while !done.load(Ordering::Relaxed) {
                volume.trim(ALL, 0).unwrap();
                while volume.discard_some() {}
                trims += 1;
            }
            trims
        });
        for worker in workers {
            let files = worker.join().unwrap();
            for (name, data) in files {
                assert_content(&volume, &name, &data);
            }
        }
        done.store(true, Ordering::Relaxed);
        trimmer.join().unwrap()
    });
    assert!(trims > 3, "{trims} trims");
    assert!(volume.stats().device.discarded_bytes > 160 * MIB);
    volume.close().unwrap();
    Volume::open_device(sim, &options).unwrap();
}

fn fill_and_empty(volume: &Volume, thread: u64, share: u64) -> BTreeMap<String, Vec<u8>> {
    let mut rng = Rng::seeded(thread + 1);
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut used = 0;
    for n in 0..500 {
        let len = 4096 + rng.below(900_000);
        while used + len + 8192 > share {
            let (name, data) = files.pop_first().unwrap();
            assert_content(volume, &name, &data);
            volume.remove_file(&name).unwrap();
            used -= data.len() as u64 + 8192;
        }
        let name = format!("/file{thread}_{}", rng.next_u32());
        let data = noise(len as usize, rng.next_u64());
        let options = OpenOptions::new().write(true).create_new(true);
        let file = volume.open_with(&name, &options);
        let written = file.and_then(|file| file.write_all_at(0, &data));
        written.unwrap_or_else(|error| panic!("file {n} of thread {thread}: {error}"));
        files.insert(name, data);
        used += len + 8192;
    }
    files
}
