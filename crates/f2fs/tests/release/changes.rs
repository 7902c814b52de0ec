//! Everything that changes a released file: it takes its blocks again first, in this mode and in no other.

use crate::common::{assert_content, compressed, pattern, volume, volume_with};
use crate::{counts, make, make_released, open, releasing};
use f2fs::{CompressAlgorithm, Error, Fallocate, File, Result, Volume};
use testkit::fsck::assert_clean;

const CLUSTER: u64 = 65_536;
const LEN: usize = 20 * CLUSTER as usize + 4096 * 3 + 77;

type Change = (&'static str, fn(&File) -> Result<()>, fn(&mut Vec<u8>));

/// Changes, and what they do to the bytes.
const CHANGES: [Change; 9] = [
    (
        "write",
        |f| f.write_all_at(100_000, b"changed"),
        |b| b[100_000..100_007].copy_from_slice(b"changed"),
    ),
    (
        "append",
        |f| f.write_all_at(LEN as u64, &[7; 200_000]),
        |b| b.extend([7; 200_000]),
    ),
    (
        "cut inside a cluster",
        |f| f.set_len(5 * CLUSTER + 9),
        |b| b.truncate(5 * CLUSTER as usize + 9),
    ),
    (
        "grow",
        |f| f.set_len(40 * CLUSTER),
        |b| b.resize(40 * CLUSTER as usize, 0),
    ),
    (
        "allocate",
        |f| f.fallocate(Fallocate::Allocate, 0..30 * CLUSTER),
        |b| b.resize(30 * CLUSTER as usize, 0),
    ),
    (
        "punch inside clusters",
        |f| f.fallocate(Fallocate::PunchHole, 100..3 * CLUSTER + 5),
        |b| b[100..3 * CLUSTER as usize + 5].fill(0),
    ),
    (
        "zero",
        |f| f.fallocate(Fallocate::ZeroRangeKeepSize, 1000..2 * CLUSTER + 9),
        |b| b[1000..2 * CLUSTER as usize + 9].fill(0),
    ),
    (
        "collapse",
        |f| f.fallocate(Fallocate::CollapseRange, CLUSTER..3 * CLUSTER),
        |b| drop(b.drain(CLUSTER as usize..3 * CLUSTER as usize)),
    ),
    (
        "insert",
        |f| f.fallocate(Fallocate::InsertRange, CLUSTER..3 * CLUSTER),
        |b| {
            let at = CLUSTER as usize;
            b.splice(at..at, vec![0; 2 * at]);
        },
    ),
];

#[test]
fn whatever_changes_a_released_file_takes_its_blocks_again() {
    let format = compressed(CompressAlgorithm::Lz4, 4);
    let (image, volume) = volume_with(128 << 20, Some(format), &releasing());
    for (n, (what, change, model)) in CHANGES.into_iter().enumerate() {
        let path = format!("/f{n}");
        let mut bytes = pattern(LEN, n as u64);
        make_released(&volume, &path, &bytes);
        let file = open(&volume, &path);
        change(&file).unwrap_or_else(|error| panic!("{what}: {error}"));
        model(&mut bytes);
        assert!(!file.metadata().is_released(), "{what}");
        assert!(file.saved_blocks().unwrap() > 0, "{what}");
        assert_content(&volume, &path, &bytes);
        volume.sync().unwrap();
        assert_clean(image.path());
        drop(file);
        volume.sync().unwrap();
        assert!(volume.metadata(&path).unwrap().is_released(), "{what}");
        volume.drop_caches();
        assert_content(&volume, &path, &bytes);
    }
    volume.close().unwrap();
    assert_clean(image.path());
}

#[test]
fn the_kernels_way_refuses_every_change() {
    let (_image, volume) = volume(128 << 20, Some(compressed(CompressAlgorithm::Lz4, 4)));
    let mut bytes = pattern(LEN, 1);
    let file = make(&volume, "/f", &bytes);
    volume.sync().unwrap();
    file.release_blocks().unwrap();
    for (what, change, _) in CHANGES {
        // Behind its raw end the file may grow.
        if what == "grow" {
            change(&open(&volume, "/f")).unwrap();
            volume.sync().unwrap();
            file.set_len(21 * CLUSTER).unwrap();
            bytes.resize(21 * CLUSTER as usize, 0);
            continue;
        }
        let error = change(&file).unwrap_err();
        let is_right = match what {
            "cut inside a cluster" => matches!(error, Error::Invalid(_)),
            _ => matches!(error, Error::NotPermitted(_)),
        };
        assert!(is_right, "{what}: {error}");
    }
    assert!(matches!(file.compress(), Err(Error::Invalid(_))));
    assert!(matches!(file.decompress(), Err(Error::Invalid(_))));
    assert!(file.metadata().is_released());
    assert_content(&volume, "/f", &bytes);
}

#[test]
fn whole_clusters_go_without_taking_blocks_again() {
    let format = compressed(CompressAlgorithm::Lz4, 4);
    let (image, volume) = volume_with(64 << 20, Some(format), &releasing());
    let mut bytes = pattern(LEN, 1);
    make_released(&volume, "/f", &bytes);
    let file = open(&volume, "/f");
    let (free, blocks) = counts(&volume, "/f");
    file.fallocate(Fallocate::PunchHole, CLUSTER..3 * CLUSTER)
        .unwrap();
    bytes[CLUSTER as usize..3 * CLUSTER as usize].fill(0);
    file.set_len(10 * CLUSTER).unwrap();
    bytes.truncate(10 * CLUSTER as usize);
    assert!(file.metadata().is_released());
    let now = counts(&volume, "/f");
    assert!(now.1 < blocks && now.0 > free && now.0 + now.1 == free + blocks);
    volume.sync().unwrap();
    assert_clean(image.path());
    assert_content(&volume, "/f", &bytes);
    file.set_len(0).unwrap();
    assert!(!file.metadata().is_released());
    volume.sync().unwrap();
    assert_clean(image.path());
}

#[test]
fn the_form_of_a_released_file_changes_by_request() {
    let format = compressed(CompressAlgorithm::Zstd, 4);
    let (image, volume) = volume_with(64 << 20, Some(format), &releasing());
    let bytes = pattern(LEN, 1);
    make_released(&volume, "/f", &bytes);
    let released = counts(&volume, "/f");
    volume.decompress_file("/f").unwrap();
    let raw = volume.open_file("/f").unwrap().clusters().unwrap().unwrap();
    assert_eq!((raw.compressed, raw.blocks_saved), (0, 0));
    assert_content(&volume, "/f", &bytes);
    volume.sync().unwrap();
    assert!(!volume.metadata("/f").unwrap().is_released());
    assert_clean(image.path());
    volume.compress_file("/f").unwrap();
    volume.sync().unwrap();
    assert!(volume.metadata("/f").unwrap().is_released());
    assert_eq!(counts(&volume, "/f"), released);
    volume.compress_file("/f").unwrap();
    volume.sync().unwrap();
    assert_eq!(counts(&volume, "/f"), released);
    assert_clean(image.path());
    assert_content(&volume, "/f", &bytes);
}

#[test]
fn asking_for_blocks_lasts_until_the_file_is_idle_again() {
    let format = compressed(CompressAlgorithm::Lz4, 4);
    let (_image, volume) = volume_with(64 << 20, Some(format), &releasing());
    make_released(&volume, "/f", &pattern(LEN, 1));
    let file = open(&volume, "/f");
    let taken = file.reserve_blocks().unwrap();
    assert!(taken > 100);
    volume.sync().unwrap();
    assert_eq!(file.saved_blocks().unwrap(), taken);
    assert_eq!(file.release_blocks().unwrap(), taken);
    check_writable(&volume);
    drop(file);
    volume.sync().unwrap();
    assert!(volume.metadata("/f").unwrap().is_released());
}

fn check_writable(volume: &Volume) {
    let file = open(volume, "/f");
    file.write_all_at(3, b"abc").unwrap();
    assert!(!file.metadata().is_released());
}
