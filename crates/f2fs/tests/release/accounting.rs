//! Exact counts: of the volume, of the file, of what it saves.

use crate::common::{assert_content, compressed, noise, pattern, reopen, volume, volume_with};
use crate::{counts, make, make_released, open, releasing};
use f2fs::{CompressAlgorithm, Error, OpenOptions, Volume};
use testkit::fsck::assert_clean;

/// Leaves so many blocks free, in a file that is not compressed.
fn fill(volume: &Volume, left: u64) {
    let raw = OpenOptions::new().write(true).create(true).compress(None);
    let file = volume.open_with("/filler", &raw).unwrap();
    let reserve = |len: u64| file.fallocate(f2fs::Fallocate::AllocateKeepSize, 0..len * 4096);
    let mut len = volume.statfs().blocks_free - left;
    // Its nodes take some too.
    while volume.statfs().blocks_free > left {
        while reserve(len).is_err() {
            len -= 1;
        }
        len += 1;
    }
}

#[test]
fn released_and_rewritten_a_hundred_times_on_a_nearly_full_volume() {
    for (log, algorithm) in [(2, CompressAlgorithm::Lz4), (6, CompressAlgorithm::Zstd)] {
        let format = compressed(algorithm, log);
        let (image, volume) = volume_with(96 << 20, Some(format), &releasing());
        let mut bytes = [
            pattern(3_000_000, 1),
            noise(300_000, 2),
            pattern(700_001, 3),
        ]
        .concat();
        make_released(&volume, "/f", &bytes);
        let saved = open(&volume, "/f")
            .clusters()
            .unwrap()
            .unwrap()
            .blocks_saved;
        assert!(saved > 300, "{saved}");
        fill(&volume, saved + 40);
        volume.sync().unwrap();
        let before = counts(&volume, "/f");
        for round in 0..100 {
            let at = (round * 39_119) % bytes.len();
            let new = pattern(
                (bytes.len() - at).min(5_000 + round * 611),
                round as u64 + 10,
            );
            bytes[at..at + new.len()].copy_from_slice(&new);
            let file = open(&volume, "/f");
            assert_eq!(file.saved_blocks().unwrap(), 0);
            file.write_all_at(at as u64, &new).unwrap();
            // All of it is held while it is open.
            assert!(!file.metadata().is_released());
            volume.sync().unwrap();
            let held = file.saved_blocks().unwrap();
            let (free, blocks) = counts(&volume, "/f");
            assert_eq!(held, file.clusters().unwrap().unwrap().blocks_saved);
            drop(file);
            volume.sync().unwrap();
            assert!(volume.metadata("/f").unwrap().is_released());
            assert_eq!(volume.saved_blocks("/f").unwrap(), 0);
            assert_eq!(
                counts(&volume, "/f"),
                (free + held, blocks - held),
                "round {round}"
            );
            let now = counts(&volume, "/f");
            assert_eq!(now.0 + now.1, before.0 + before.1, "round {round}");
            if round % 25 == 3 {
                assert_clean(image.path());
                volume.drop_caches();
                assert_content(&volume, "/f", &bytes);
            }
        }
        // Now too full to take them again: the file stays whole.
        let last = counts(&volume, "/f");
        let raw = OpenOptions::new().write(true).create(true).compress(None);
        let other = volume.open_with("/other", &raw).unwrap();
        let all = f2fs::Fallocate::Allocate;
        other.fallocate(all, 0..(last.0 - 30) * 4096).unwrap();
        let file = open(&volume, "/f");
        assert!(matches!(file.write_at(9, b"x"), Err(Error::NoSpace)));
        assert!(matches!(file.set_len(5), Err(Error::NoSpace)));
        assert!(file.metadata().is_released());
        volume.sync().unwrap();
        assert_clean(image.path());
        volume.drop_caches();
        assert_content(&volume, "/f", &bytes);
        drop(other);
        volume.remove_file("/other").unwrap();
        file.write_all_at(9, &bytes[9..30]).unwrap();
        drop(file);
        volume.close().unwrap();
        assert_clean(image.path());
        let volume = reopen(&image);
        assert!(volume.metadata("/f").unwrap().is_released());
        assert_content(&volume, "/f", &bytes);
    }
}

#[test]
fn files_are_released_when_nobody_writes_them() {
    let format = compressed(CompressAlgorithm::Lz4, 4);
    let (image, volume) = volume_with(64 << 20, Some(format), &releasing());
    let bytes = pattern(2_000_000, 1);
    let file = make(&volume, "/f", &bytes);
    let reader = volume.open_file("/f").unwrap();
    let is_released = || volume.metadata("/f").unwrap().is_released();
    volume.sync().unwrap();
    assert!(!is_released(), "it is open for writing");
    let (free, blocks) = counts(&volume, "/f");
    let saved = file.saved_blocks().unwrap();
    let changed = file.metadata().changed();
    drop(file);
    assert!(!is_released(), "nothing was synced");
    volume.sync().unwrap();
    assert!(is_released(), "only a reader has it open");
    assert_eq!(counts(&volume, "/f"), (free + saved, blocks - saved));
    assert_eq!(reader.metadata().changed(), changed);
    assert_clean(image.path());
    // One that is written again, and never synced: the end of the volume does it.
    let writer = open(&volume, "/f");
    writer.write_all_at(70_000, &bytes[..100]).unwrap();
    assert!(!is_released());
    make(&volume, "/g", &bytes);
    drop(reader);
    volume.close().unwrap();
    drop(writer);
    assert_clean(image.path());
    let volume = reopen(&image);
    assert!(volume.metadata("/f").unwrap().is_released());
    assert!(volume.metadata("/g").unwrap().is_released());
    assert_content(&volume, "/g", &bytes);
}

#[test]
fn a_file_of_an_older_volume_is_released_after_its_next_writer() {
    let (image, older) = volume(64 << 20, Some(compressed(CompressAlgorithm::Zstd, 4)));
    let bytes = pattern(1_000_000, 1);
    make(&older, "/f", &bytes);
    older.close().unwrap();
    let volume = Volume::open(image.path(), &releasing()).unwrap();
    let is_released = || volume.metadata("/f").unwrap().is_released();
    drop(volume.open_file("/f").unwrap());
    volume.sync().unwrap();
    assert!(!is_released());
    drop(open(&volume, "/f"));
    volume.sync().unwrap();
    assert!(is_released());
    volume.close().unwrap();
    assert_clean(image.path());
}

#[test]
fn what_was_fsynced_after_taking_blocks_again_survives_a_crash() {
    let format = compressed(CompressAlgorithm::Lz4, 4);
    let (image, volume) = volume_with(64 << 20, Some(format), &releasing());
    let mut bytes = pattern(1_000_000, 1);
    make_released(&volume, "/f", &bytes);
    for round in 0..3_u64 {
        let file = open(&volume, "/f");
        let new = pattern(100_000, round + 5);
        let at = 200_000 * round as usize;
        bytes[at..at + new.len()].copy_from_slice(&new);
        file.write_all_at(at as u64, &new).unwrap();
        file.sync_all().unwrap();
        // What a power cut leaves now.
        let copy = tempfile::NamedTempFile::new().unwrap();
        std::fs::copy(image.path(), copy.path()).unwrap();
        let after = reopen(&copy);
        assert_content(&after, "/f", &bytes);
        after.close().unwrap();
        assert_clean(copy.path());
        drop(file);
        volume.sync().unwrap();
        assert!(volume.metadata("/f").unwrap().is_released());
    }
}
