//! The cleaner beside readers, writers, truncation and checkpoints.

use crate::aged::{age, assert_files};
use crate::common::{noise, reopen, volume_with};
use f2fs::{GcOptions, OpenOptions, VolumeOptions};
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn nobody_notices_the_cleaner() {
    let options = VolumeOptions {
        cache_bytes: 16 << 20,
        device_threads: 2,
        ..VolumeOptions::default()
    };
    let (image, volume) = volume_with(200 << 20, None, &options);
    let files = age(&volume).unwrap();
    let is_over = AtomicBool::new(false);
    let mut moved = 0;
    std::thread::scope(|scope| {
        for reader in 0..2 {
            let (volume, files, is_over) = (&volume, &files, &is_over);
            scope.spawn(move || {
                for (path, expected) in files.iter().cycle().skip(reader * 100) {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let mut content = Vec::new();
                    let mut file = volume.open_file(path).unwrap();
                    file.read_to_end(&mut content).unwrap();
                    assert!(content == *expected, "content of {path}");
                    if path.ends_with('7') {
                        volume.drop_caches();
                    }
                }
            });
        }
        for writer in 0..2_u64 {
            let (volume, is_over) = (&volume, &is_over);
            scope.spawn(move || {
                let options = OpenOptions::new().write(true).read(true).create(true);
                let mut round = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let path = format!("/own{writer}-{}", round % 5);
                    let file = volume.open_with(&path, &options).unwrap();
                    let bytes = noise(150_000, round);
                    file.write_all_at(round % 7 * 1000, &bytes).unwrap();
                    let mut back = vec![0; bytes.len()];
                    assert_eq!(
                        file.read_at(round % 7 * 1000, &mut back).unwrap(),
                        back.len()
                    );
                    assert!(back == bytes, "{path} in round {round}");
                    match round % 4 {
                        0 => file.sync_all().unwrap(),
                        1 => file.set_len(round * 37 % 150_000).unwrap(),
                        2 => volume.sync().unwrap(),
                        _ => volume.remove_file(&path).unwrap(),
                    }
                    round += 1;
                }
            });
        }
        let all = GcOptions {
            utilisation_max: 99,
            ..GcOptions::default()
        };
        for _ in 0..25 {
            moved += volume.gc(all).unwrap().data_blocks;
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(moved > 1000, "{moved} blocks");
    assert_files(&volume, &files);
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
    assert_files(&reopen(&image), &files);
}
