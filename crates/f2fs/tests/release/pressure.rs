//! Many threads, little memory, few blocks: nobody waits for ever, and nothing is lost.

use crate::common::{assert_content, compressed, pattern, volume_with};
use crate::{make_released, open, releasing};
use f2fs::{CompressAlgorithm, Error, Volume, VolumeOptions};
use runtime::rng::Rng;
use testkit::fsck::assert_clean;

const FILES: usize = 4;
const LEN: usize = 6 << 20;

/// Writes its file over and over, in and out of idleness.
fn work(volume: &Volume, n: usize, rounds: u64) -> Vec<u8> {
    let path = format!("/f{n}");
    let mut rng = Rng::seeded(n as u64 + 1);
    let mut bytes = pattern(LEN, n as u64);
    for round in 0..rounds {
        let file = open(volume, &path);
        for _ in 0..5 {
            let at = rng.below(LEN as u64 - 300_000) as usize;
            let new = pattern(1 + rng.below(300_000) as usize, rng.next_u64());
            match file.write_at(at as u64, &new) {
                Ok(len) => bytes[at..at + len].copy_from_slice(&new[..len]),
                Err(Error::NoSpace) => {}
                Err(error) => panic!("{path}: {error}"),
            }
        }
        drop(file);
        if round % 3 == n as u64 % 3 {
            volume.sync().unwrap();
        }
    }
    bytes
}

#[test]
fn writers_that_release_each_others_files() {
    let options = VolumeOptions {
        cache_bytes: 16 << 20,
        ..releasing()
    };
    let format = compressed(CompressAlgorithm::Lz4, 4);
    // Room for all files released, and for some of them whole.
    let (image, volume) = volume_with(100 << 20, Some(format), &options);
    for n in 0..FILES {
        make_released(&volume, &format!("/f{n}"), &pattern(LEN, n as u64));
    }
    let raw = f2fs::OpenOptions::new().write(true).create(true);
    let filler = volume.open_with("/filler", &raw.compress(None)).unwrap();
    let free = volume.statfs().blocks_free;
    filler
        .fallocate(f2fs::Fallocate::Allocate, 0..(free - 2500) * 4096)
        .unwrap();
    let volume = &volume;
    let written: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..FILES)
            .map(|n| scope.spawn(move || work(volume, n, 12)))
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    volume.sync().unwrap();
    assert_clean(image.path());
    volume.drop_caches();
    for (n, bytes) in written.iter().enumerate() {
        let path = format!("/f{n}");
        assert!(volume.metadata(&path).unwrap().is_released());
        assert_content(volume, &path, bytes);
    }
}
