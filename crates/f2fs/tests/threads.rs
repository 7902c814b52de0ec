//! Many threads on one volume: own files, shared directories, a shared file, checkpoints in between.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{compressed, pattern, volume_with};
use f2fs::{CompressAlgorithm, Error, OpenOptions, Owner, Volume, VolumeOptions};
use runtime::rng::Rng;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// One thread's own files, each in a model; names and directories are shared with the others.
fn work(volume: &Volume, thread: u64, steps: u64) -> BTreeMap<String, Vec<u8>> {
    let mut rng = Rng::seeded(thread + 1);
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for _ in 0..steps {
        let dir = rng.below(3);
        let name = format!("/dir{dir}/thread{thread}_{}", rng.below(10));
        match rng.below(10) {
            0..5 => {
                let (pos, len) = (rng.below(150_000), rng.below(70_000) + 1);
                let bytes = pattern(len as usize, rng.next_u64());
                let options = OpenOptions::new().write(true).create(true);
                volume
                    .open_with(&name, &options)
                    .unwrap()
                    .write_all_at(pos, &bytes)
                    .unwrap();
                let content = files.entry(name).or_default();
                let end = (pos + len) as usize;
                content.resize(content.len().max(end), 0);
                content[pos as usize..end].copy_from_slice(&bytes);
            }
            5..7 => match files.get(&name) {
                Some(content) => common::assert_content(volume, &name, content),
                None => assert!(matches!(volume.open_file(&name), Err(Error::NotFound))),
            },
            7 => {
                let to = format!("/dir{}/thread{thread}_{}", rng.below(3), rng.below(10));
                if let Some(content) = files.remove(&name) {
                    volume.rename(&name, &to).unwrap();
                    files.insert(to, content);
                }
            }
            8 => {
                if files.remove(&name).is_some() {
                    volume.remove_file(&name).unwrap();
                }
            }
            _ => {
                let size = rng.below(100_000);
                if let Some(content) = files.get_mut(&name) {
                    let file = volume
                        .open_with(&name, &OpenOptions::new().write(true))
                        .unwrap();
                    file.set_len(size).unwrap();
                    content.resize(size as usize, 0);
                }
            }
        }
    }
    files
}

#[test]
fn threads_share_a_volume() {
    let options = VolumeOptions {
        cache_bytes: 16 << 20,
        device_threads: 2,
        ..Default::default()
    };
    let lz4 = compressed(CompressAlgorithm::Lz4, 2);
    let (image, volume) = volume_with(256 << 20, Some(lz4), &options);
    for dir in 0..3 {
        volume
            .create_dir(format!("/dir{dir}"), Owner::root(0o755))
            .unwrap();
    }
    let shared = pattern(3 << 20, 99);
    let options = OpenOptions::new().read(true).write(true).create(true);
    let file = volume.open_with("/shared", &options).unwrap();
    file.write_all_at(0, &shared).unwrap();

    let done = AtomicBool::new(false);
    let models: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|n| {
                scope.spawn({
                    let volume = &volume;
                    move || work(volume, n, 3000)
                })
            })
            .collect();
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                volume.sync().unwrap();
            }
        });
        scope.spawn(|| {
            // Writes the same bytes over and over while others read them.
            let mut rng = Rng::seeded(7);
            while !done.load(Ordering::Relaxed) {
                let pos = rng.below(shared.len() as u64 - 200_000) as usize;
                file.write_all_at(pos as u64, &shared[pos..pos + 200_000])
                    .unwrap();
                volume.drop_caches();
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                common::assert_content(&volume, "/shared", &shared);
            }
        });
        let models = workers.into_iter().map(|w| w.join().unwrap()).collect();
        done.store(true, Ordering::Relaxed);
        models
    });
    drop(file);
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
    let volume = common::reopen(&image);
    for (name, content) in models.iter().flatten() {
        common::assert_content(&volume, name, content);
    }
    common::assert_content(&volume, "/shared", &shared);
}

/// Numbers of inodes that never reached the volume are handed out again at once, while their last owner may still be
/// on its way out.
#[test]
fn files_that_come_and_go_do_not_take_each_others_numbers() {
    let (image, volume) = volume_with(128 << 20, None, &VolumeOptions::default());
    let create = OpenOptions::new().write(true).create_new(true);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (volume, create) = (&volume, &create);
            scope.spawn(move || {
                let dir = format!("/dir{thread}");
                volume.create_dir(&dir, Owner::root(0o755)).unwrap();
                for n in 0..4000 {
                    let name = format!("{dir}/file{}", n % 7);
                    let file = volume.open_with(&name, create).unwrap();
                    file.write_all_at(0, &pattern(100, n)).unwrap();
                    if n % 3 == 0 {
                        drop(file); // The removal frees it, otherwise the last handle.
                        volume.remove_file(&name).unwrap();
                    } else {
                        volume.remove_file(&name).unwrap();
                        drop(file);
                    }
                }
            });
        }
    });
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
}

/// A sync that waits for another thread's checkpoint must not take that for its own.
#[test]
fn what_a_sync_promised_is_on_the_volume() {
    let (image, volume) = volume_with(64 << 20, None, &VolumeOptions::default());
    // Syncs go on together; the image is copied when none is under way.
    let syncs = std::sync::RwLock::new(());
    let options = OpenOptions::new().write(true).create(true);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (volume, image, syncs, options) = (&volume, &image, &syncs, &options);
            scope.spawn(move || {
                for n in 0..60 {
                    let name = format!("/file{thread}_{n}");
                    let bytes = pattern(20_000, n);
                    {
                        let _shared = syncs.read().unwrap();
                        let file = volume.open_with(&name, options).unwrap();
                        file.write_all_at(0, &bytes).unwrap();
                        file.sync_all().unwrap();
                    }
                    let _alone = syncs.write().unwrap();
                    let copy = tempfile::NamedTempFile::new().unwrap();
                    std::fs::copy(image.path(), copy.path()).unwrap();
                    let then = common::reopen(&copy);
                    common::assert_content(&then, &name, &bytes);
                }
            });
        }
    });
}
