//! Blocks that compression saves, released and reserved; files compressed and decompressed by request.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{assert_content, compressed, noise, pattern, reopen, volume, volume_with};
use f2fs::{CompressAlgorithm, CompressMode, Error, File, OpenOptions, Volume, VolumeOptions};
use testkit::fsck::assert_clean;

const CLUSTER: u64 = 65_536;

fn user_mode() -> VolumeOptions {
    VolumeOptions {
        compress_mode: CompressMode::User,
        ..VolumeOptions::default()
    }
}

fn make(volume: &Volume, path: &str, bytes: &[u8]) -> File {
    let options = OpenOptions::new().read(true).write(true).create_new(true);
    let file = volume.open_with(path, &options).unwrap();
    file.write_all_at(0, bytes).unwrap();
    file
}

/// OnF2fs, incompressible, all zeros, and an end inside a cluster.
fn mixed() -> Vec<u8> {
    [
        pattern(1_000_000, 1),
        noise(300_000, 2),
        vec![0; 200_000],
        pattern(500_001, 3),
    ]
    .concat()
}

#[test]
fn released_blocks_are_free_until_they_are_reserved() {
    for log in [2, 4, 8] {
        let format = compressed(CompressAlgorithm::Lz4, log);
        let (image, volume) = volume(64 << 20, Some(format));
        let bytes = mixed();
        let file = make(&volume, "/f", &bytes);
        volume.sync().unwrap();
        let saved = file.saved_blocks().unwrap();
        let (blocks, free) = (file.metadata().blocks(), volume.statfs().blocks_free);
        assert!(saved > 50);
        assert_eq!(file.release_blocks().unwrap(), saved);
        assert!(file.metadata().is_released());
        assert_eq!(file.metadata().blocks(), blocks - saved);
        assert_eq!(volume.statfs().blocks_free, free + saved);
        assert_eq!(file.saved_blocks().unwrap(), 0);
        let written = file.write_at(0, b"x");
        assert!(matches!(written, Err(Error::NotPermitted(_))));
        assert!(matches!(file.set_len(10), Err(Error::Invalid(_))));
        volume.sync().unwrap();
        assert_clean(image.path());
        volume.drop_caches();
        assert_content(&volume, "/f", &bytes);
        assert_eq!(file.reserve_blocks().unwrap(), saved);
        let now = (file.metadata().blocks(), volume.statfs().blocks_free);
        assert_eq!(now, (blocks, free));
        assert_eq!(file.saved_blocks().unwrap(), saved);
        file.write_all_at(5, &bytes[..100]).unwrap();
        volume.sync().unwrap();
        assert_clean(image.path());
        file.release_blocks().unwrap();
        file.set_len(512 << 10 << log.saturating_sub(7)).unwrap();
        file.set_len(0).unwrap();
        assert!(!file.metadata().is_released());
        file.write_all_at(0, &bytes).unwrap();
        drop(file);
        volume.close().unwrap();
        assert_clean(image.path());
        assert_content(&reopen(&image), "/f", &bytes);
    }
}

#[test]
fn a_full_volume_cannot_reserve_and_stays_as_it_is() {
    let (image, volume) = volume(64 << 20, Some(compressed(CompressAlgorithm::Zstd, 4)));
    let bytes = pattern(8 << 20, 1);
    let file = make(&volume, "/f", &bytes);
    let saved = file.release_blocks().unwrap();
    let raw = OpenOptions::new().write(true).create(true).compress(None);
    let other = volume.open_with("/other", &raw).unwrap();
    let free = volume.statfs().blocks_free;
    other
        .fallocate(f2fs::Fallocate::Allocate, 0..(free - saved / 2) * 4096)
        .unwrap();
    assert!(matches!(file.reserve_blocks(), Err(Error::NoSpace)));
    assert!(file.metadata().is_released());
    volume.sync().unwrap();
    assert_clean(image.path());
    other.set_len(0).unwrap();
    assert_eq!(file.reserve_blocks().unwrap(), saved);
    volume.sync().unwrap();
    assert_clean(image.path());
}

#[test]
fn files_change_their_form_by_request() {
    let format = compressed(CompressAlgorithm::Lz4, 4);
    let (image, volume) = volume_with(128 << 20, Some(format), &user_mode());
    let mut bytes = mixed();
    bytes.extend(pattern(20 << 20, 9));
    let file = make(&volume, "/f", &bytes);
    volume.sync().unwrap();
    assert_eq!(file.clusters().unwrap().unwrap().compressed, 0);
    for round in 0..3 {
        file.compress().unwrap();
        let counts = file.clusters().unwrap().unwrap();
        assert!(counts.compressed > 300 && counts.blocks_saved > 1000);
        assert_eq!(file.saved_blocks().unwrap(), counts.blocks_saved);
        volume.sync().unwrap();
        assert_clean(image.path());
        volume.drop_caches();
        assert_content(&volume, "/f", &bytes);
        // Written over, a cluster is raw again.
        let at = 100_000 * round;
        file.write_all_at(at as u64, &noise(70_000, 1)).unwrap();
        bytes[at..at + 70_000].copy_from_slice(&noise(70_000, 1));
        volume.sync().unwrap();
        let left = file.clusters().unwrap().unwrap().compressed;
        assert!(left < counts.compressed);
        file.decompress().unwrap();
        assert_eq!(file.clusters().unwrap().unwrap().compressed, 0);
        assert_eq!(file.saved_blocks().unwrap(), 0);
        volume.sync().unwrap();
        assert_clean(image.path());
        volume.drop_caches();
        assert_content(&volume, "/f", &bytes);
    }
    assert!(file.metadata().compression().is_some());
    drop(file);
    volume.close().unwrap();
    // In the usual mode what is written is compressed.
    let volume = reopen(&image);
    let write = OpenOptions::new().read(true).write(true);
    let file = volume.open_with("/f", &write).unwrap();
    file.write_all_at(0, &bytes[..1 << 20]).unwrap();
    volume.sync().unwrap();
    assert!(file.saved_blocks().unwrap() > 0);
    file.decompress().unwrap();
    assert_eq!(file.saved_blocks().unwrap(), 0);
    assert_content(&volume, "/f", &bytes);
}

#[test]
fn holes_and_reserved_space_are_left_alone() {
    let format = compressed(CompressAlgorithm::Lz4, 4);
    let (image, volume) = volume_with(64 << 20, Some(format), &user_mode());
    let file = make(&volume, "/f", &pattern(CLUSTER as usize, 1));
    file.write_all_at(3 * CLUSTER, &pattern(10_000, 1)).unwrap();
    file.write_all_at(1 << 40, &pattern(2 * CLUSTER as usize, 1))
        .unwrap();
    file.fallocate(f2fs::Fallocate::Allocate, 8 * CLUSTER..16 * CLUSTER)
        .unwrap();
    file.compress().unwrap();
    let clusters = |from: u64, to: u64| {
        let extents = file.extents().unwrap();
        let inside = extents.iter().filter(|e| (from..to).contains(&e.pos));
        inside.map(|e| (e.len, e.kind)).collect::<Vec<_>>()
    };
    let compressed = |len| vec![(len, f2fs::IomapKind::Compressed)];
    assert_eq!(clusters(0, CLUSTER), compressed(CLUSTER));
    assert_eq!(clusters(1 << 40, u64::MAX), compressed(2 * CLUSTER));
    let reserved = vec![(8 * CLUSTER, f2fs::IomapKind::Delalloc)];
    assert_eq!(clusters(8 * CLUSTER, 1 << 40), reserved);
    file.set_len(20 * CLUSTER).unwrap();
    drop(file);
    volume.close().unwrap();
    assert_clean(image.path());
}

#[test]
fn others_read_and_write_while_a_file_changes_its_form() {
    let format = compressed(CompressAlgorithm::Lz4, 4);
    let options = VolumeOptions {
        cache_bytes: 16 << 20,
        ..VolumeOptions::default()
    };
    let (image, volume) = volume_with(128 << 20, Some(format), &options);
    let len = 30 << 20;
    let bytes = pattern(len, 1);
    let file = make(&volume, "/f", &bytes);
    let is_done = std::sync::atomic::AtomicBool::new(false);
    let order = std::sync::atomic::Ordering::SeqCst;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..4 {
                file.decompress().unwrap();
                file.compress().unwrap();
            }
            is_done.store(true, order);
        });
        scope.spawn(|| {
            let mut at = 0;
            while !is_done.load(order) {
                at = (at + 7_654_321) % (len - 100_000);
                let mut buffer = vec![0; 100_000];
                file.read_at(at as u64, &mut buffer).unwrap();
                assert!(buffer == bytes[at..at + 100_000], "at {at}");
            }
        });
        let mut at = 0;
        while !is_done.load(order) {
            at = (at + 1_234_567) % (len - 100_000);
            file.write_all_at(at as u64, &bytes[at..at + 50_000])
                .unwrap();
        }
    });
    volume.sync().unwrap();
    assert_clean(image.path());
    volume.drop_caches();
    assert_content(&volume, "/f", &bytes);
}

#[test]
fn options_are_chosen_while_a_file_is_empty() {
    let (image, volume) = volume(64 << 20, Some(compressed(CompressAlgorithm::Lz4, 4)));
    let file = make(&volume, "/f", b"");
    file.set_compress_option(CompressAlgorithm::Zstd, 6)
        .unwrap();
    let zstd = (CompressAlgorithm::Zstd, 6);
    assert_eq!(file.compress_option().unwrap(), zstd);
    let tiny = file.set_compress_option(CompressAlgorithm::Zstd, 1);
    assert!(matches!(tiny, Err(Error::Invalid(_))));
    file.write_all_at(0, &pattern(1 << 20, 1)).unwrap();
    let late = file.set_compress_option(CompressAlgorithm::Lzo, 2);
    assert!(matches!(late, Err(Error::TooLarge)), "{late:?}");
    assert_eq!(file.clusters().unwrap().unwrap().raw, 4);
    volume.sync().unwrap();
    assert_eq!(file.clusters().unwrap().unwrap().compressed, 4);
    assert_clean(image.path());
}
