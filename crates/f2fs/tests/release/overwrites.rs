//! Overwriting parts of compressed clusters: afterwards as much is saved as the new bytes allow.

use crate::common::{assert_content, compressed, noise, pattern, volume_with};
use crate::{make, open, releasing};
use f2fs::{CompressAlgorithm, RootCompression, Volume, VolumeOptions};
use runtime::rng::Rng;
use testkit::fsck::assert_clean;

const FORMATS: [(CompressAlgorithm, u8); 4] = [
    (CompressAlgorithm::Lz4, 2),
    (CompressAlgorithm::Lz4, 6),
    (CompressAlgorithm::Zstd, 2),
    (CompressAlgorithm::Zstd, 6),
];
const LEN: usize = 3 << 20;

fn saved(volume: &Volume, path: &str) -> u64 {
    let file = volume.open_file(path).unwrap();
    file.clusters().unwrap().unwrap().blocks_saved
}

/// Blocks that these bytes save, written at once to a new volume.
fn saved_at_once(format: RootCompression, bytes: &[u8]) -> u64 {
    let (_image, volume) = volume_with(64 << 20, Some(format), &VolumeOptions::default());
    make(&volume, "/f", bytes);
    volume.sync().unwrap();
    saved(&volume, "/f")
}

/// Overwrites at random; `cold` forgets what is cached before each.
fn overwrite(format: RootCompression, options: &VolumeOptions, seed: u64, cold: bool) {
    let (image, volume) = volume_with(64 << 20, Some(format), options);
    let mut bytes = [pattern(LEN / 2, seed), vec![3; LEN / 2]].concat();
    make(&volume, "/f", &bytes);
    volume.sync().unwrap();
    let mut rng = Rng::seeded(seed);
    for round in 0..16 {
        if cold {
            volume.drop_caches();
        }
        let file = open(&volume, "/f");
        let at = rng.below(LEN as u64) as usize;
        let len = match rng.below(3) {
            0 => 1 + rng.below(100),
            1 => 1 + rng.below(10_000),
            _ => 1 + rng.below(600_000),
        };
        let len = (len as usize).min(LEN - at);
        // A raw cluster that is not in memory stays raw.
        let new = if !cold && rng.below(4) == 0 {
            noise(len, rng.next_u64())
        } else {
            pattern(len, rng.next_u64())
        };
        bytes[at..at + len].copy_from_slice(&new);
        file.write_all_at(at as u64, &new).unwrap();
        drop(file);
        if round % 4 == 3 {
            volume.sync().unwrap();
        }
    }
    volume.sync().unwrap();
    assert_eq!(
        saved(&volume, "/f"),
        saved_at_once(format, &bytes),
        "{format:?}"
    );
    volume.drop_caches();
    assert_content(&volume, "/f", &bytes);
    volume.close().unwrap();
    assert_clean(image.path());
}

#[test]
fn overwriting_saves_what_the_new_bytes_allow() {
    for (n, (algorithm, log)) in FORMATS.into_iter().enumerate() {
        let format = compressed(algorithm, log);
        overwrite(format, &VolumeOptions::default(), n as u64, false);
        overwrite(format, &releasing(), n as u64 + 10, false);
        overwrite(format, &VolumeOptions::default(), n as u64 + 20, true);
        overwrite(format, &releasing(), n as u64 + 30, true);
    }
}

#[test]
fn scattered_overwrites_of_one_cluster_are_encoded_once_a_flush() {
    for (algorithm, log) in FORMATS {
        for options in [VolumeOptions::default(), releasing()] {
            let format = compressed(algorithm, log);
            let (_image, volume) = volume_with(64 << 20, Some(format), &options);
            let cluster = 4096_u64 << log;
            make(&volume, "/f", &pattern(4 * cluster as usize, 1));
            volume.sync().unwrap();
            let before = volume.stats().data;
            let file = open(&volume, "/f");
            for n in 0..50 {
                let at = cluster + n * (cluster / 50);
                file.write_all_at(at, b"tiny").unwrap();
            }
            volume.sync().unwrap();
            let after = volume.stats().data;
            let encoded = after.clusters_compressed - before.clusters_compressed;
            assert_eq!(encoded, 1, "{format:?}");
            assert_eq!(after.raw_blocks_written, before.raw_blocks_written);
            assert_eq!(after.clusters_raw, before.clusters_raw);
        }
    }
}

#[test]
fn a_cluster_that_could_not_be_compressed_is_when_it_can_be() {
    for (algorithm, log) in FORMATS {
        let format = compressed(algorithm, log);
        let (image, volume) = volume_with(64 << 20, Some(format), &VolumeOptions::default());
        let cluster = 4096_usize << log;
        let mut bytes = noise(4 * cluster, 1);
        let file = make(&volume, "/f", &bytes);
        volume.sync().unwrap();
        assert_eq!(saved(&volume, "/f"), 0);
        // Half of the second cluster: its other half is in memory.
        bytes[cluster..cluster * 3 / 2].fill(0);
        file.write_all_at(cluster as u64, &vec![0; cluster / 2])
            .unwrap();
        volume.sync().unwrap();
        assert_eq!(saved(&volume, "/f"), saved_at_once(format, &bytes));
        assert!(saved(&volume, "/f") > 0);
        assert_content(&volume, "/f", &bytes);
        drop(file);
        volume.close().unwrap();
        assert_clean(image.path());
    }
}

#[test]
fn appending_to_a_file_that_is_not_cached_compresses_what_becomes_whole() {
    for (algorithm, log) in FORMATS {
        for options in [VolumeOptions::default(), releasing()] {
            let format = compressed(algorithm, log);
            let (image, volume) = volume_with(64 << 20, Some(format), &options);
            let bytes = pattern(900_000, 1);
            let mut rng = Rng::seeded(log.into());
            drop(make(&volume, "/f", b""));
            let mut at = 0;
            while at < bytes.len() {
                let len = (1 + rng.below(60_000) as usize).min(bytes.len() - at);
                let file = open(&volume, "/f");
                file.write_all_at(at as u64, &bytes[at..at + len]).unwrap();
                at += len;
                drop(file);
                volume.sync().unwrap();
                volume.drop_caches();
            }
            assert_eq!(
                saved(&volume, "/f"),
                saved_at_once(format, &bytes),
                "{format:?}"
            );
            assert_content(&volume, "/f", &bytes);
            volume.close().unwrap();
            assert_clean(image.path());
        }
    }
}
