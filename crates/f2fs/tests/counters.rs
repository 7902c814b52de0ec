//! What large folios and whole-cluster overwrites promise, counted.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{compressed, pattern, volume, volume_with};
use f2fs::{CompressAlgorithm, Fill, OpenOptions, Stats, Volume, VolumeOptions};

const MIB: u64 = 1 << 20;

fn file(volume: &Volume) -> f2fs::File {
    volume
        .open_with(
            "/file",
            &OpenOptions::new().read(true).write(true).create(true),
        )
        .unwrap()
}

/// A volume with a compressed file of 4 MiB in 64 KiB clusters, on the device and not in the cache.
fn cold_file(options: &VolumeOptions) -> (tempfile::NamedTempFile, Volume) {
    let lz4 = compressed(CompressAlgorithm::Lz4, 4);
    let (image, volume) = volume_with(128 << 20, Some(lz4), options);
    file(&volume).write_all_at(0, &pattern(4 << 20, 1)).unwrap();
    volume.sync().unwrap();
    // The slots stay in memory, so that what is counted below is data alone.
    file(&volume).clusters().unwrap();
    volume.drop_caches();
    (image, volume)
}

/// Counters of one write.
fn counted(volume: &Volume, pos: u64, len: usize) -> (Stats, Stats) {
    let file = file(volume);
    let before = volume.stats();
    file.write_all_at(pos, &pattern(len, 9)).unwrap();
    (before, volume.stats())
}

#[test]
fn an_aligned_overwrite_reads_nothing() {
    let (_image, volume) = cold_file(&VolumeOptions::default());
    let (before, after) = counted(&volume, MIB, MIB as usize);
    assert_eq!(after.device.reads, before.device.reads);
    assert_eq!(after.data.clusters_read, before.data.clusters_read);
    assert_eq!(
        after.data.clusters_not_read - before.data.clusters_not_read,
        16
    );
    volume.sync().unwrap();
    let written = volume.stats().data.clusters_compressed - before.data.clusters_compressed;
    assert_eq!(written, 16);
}

#[test]
fn an_unaligned_overwrite_reads_the_first_and_the_last_cluster() {
    let (_image, volume) = cold_file(&VolumeOptions::default());
    let (before, after) = counted(&volume, MIB + 1000, MIB as usize);
    assert_eq!(after.data.clusters_read - before.data.clusters_read, 2);
    volume.sync().unwrap();
    let written = volume.stats().data.clusters_compressed - before.data.clusters_compressed;
    assert_eq!(written, 17);
}

#[test]
fn a_write_takes_one_folio_not_sixteen() {
    let (_image, volume) = cold_file(&VolumeOptions::default());
    let (before, after) = counted(&volume, MIB, MIB as usize);
    let made = |s: &Stats| s.cache.folios_by_order;
    let new: Vec<u64> = made(&after)
        .iter()
        .zip(made(&before))
        .map(|(a, b)| a - b)
        .collect();
    assert_eq!(new, [0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
}

#[test]
fn the_cluster_by_cluster_view_takes_sixteen() {
    let options = VolumeOptions {
        fill: Fill::Cluster,
        max_order: 4,
        ..Default::default()
    };
    let (_image, volume) = cold_file(&options);
    let (before, after) = counted(&volume, MIB, MIB as usize);
    assert_eq!(
        after.cache.folios_by_order[4] - before.cache.folios_by_order[4],
        16
    );
}

#[test]
fn overwriting_a_part_keeps_the_cluster_compressed() {
    let (image, volume) = cold_file(&VolumeOptions::default());
    let saved = |v: &Volume| file(v).clusters().unwrap().unwrap();
    let before = saved(&volume);
    for cluster in 0..64 {
        file(&volume)
            .write_all_at(cluster * 65_536, b"changed")
            .unwrap();
    }
    volume.sync().unwrap();
    assert_eq!(saved(&volume).compressed, before.compressed);
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
}

#[test]
fn small_overwrites_of_a_cluster_are_encoded_once() {
    let (_image, volume) = cold_file(&VolumeOptions::default());
    let before = volume.stats().data;
    for n in 0..16 {
        file(&volume).write_all_at(n * 4096 + 5, b"x").unwrap();
    }
    volume.sync().unwrap();
    let after = volume.stats().data;
    assert_eq!(after.clusters_compressed - before.clusters_compressed, 1);
    assert_eq!(after.clusters_read - before.clusters_read, 1);
}

#[test]
fn plain_large_writes_are_few_bios() {
    let (_image, volume) = volume(256 << 20, None);
    file(&volume).write_all_at(0, &pattern(8 << 20, 1)).unwrap();
    let before = volume.stats().device;
    volume.sync().unwrap();
    let after = volume.stats().device;
    let bios = after.writes - before.writes;
    // 8 MiB of data in runs of one segment each at least, and the checkpoint's own blocks.
    assert!(bios <= 24, "{bios} writes for 8 MiB");
}

#[test]
fn the_cache_stays_in_its_budget() {
    let options = VolumeOptions {
        cache_bytes: 16 << 20,
        ..Default::default()
    };
    let lz4 = compressed(CompressAlgorithm::Lz4, 4);
    let (_image, volume) = volume_with(256 << 20, Some(lz4), &options);
    let chunk = pattern(MIB as usize, 3);
    for n in 0..64 {
        file(&volume).write_all_at(n * MIB, &chunk).unwrap();
    }
    let mut buffer = vec![0; MIB as usize];
    let reader = file(&volume);
    for n in 0..64 {
        assert_eq!(reader.read_at(n * MIB, &mut buffer).unwrap(), buffer.len());
        assert!(buffer == chunk, "MiB {n} differs");
    }
    let cache = volume.stats().cache;
    assert!(
        cache.used_pages_max <= 16 << 8,
        "{} pages used",
        cache.used_pages_max
    );
    assert_eq!(cache.over_budget, 0);
}
