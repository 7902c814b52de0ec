//! Files compressed another way: bytes, counts and states stay what they should be.

use crate::common::{assert_content, compressed, noise, pattern, reopen, volume_with};
use crate::{counts, make, open, releasing};
use f2fs::{CompressAlgorithm, Error, OpenOptions, Recompress, Volume, VolumeOptions};
use testkit::fsck::assert_clean;

/// Many nodes, and clusters that do not compress.
fn mixed() -> Vec<u8> {
    [
        pattern(9_000_000, 1),
        noise(500_000, 2),
        vec![0; 1_000_000],
        pattern(2_500_001, 3),
    ]
    .concat()
}

fn to(algorithm: CompressAlgorithm, level: u8, log: Option<u8>) -> Recompress {
    Recompress {
        algorithm,
        level,
        log_cluster_size: log,
    }
}

fn saved(volume: &Volume, path: &str) -> u64 {
    let file = volume.open_file(path).unwrap();
    file.clusters().unwrap().unwrap().blocks_saved
}

/// Every kind of change, one after the other.
const WAYS: [(CompressAlgorithm, u8, Option<u8>); 9] = [
    (CompressAlgorithm::Lz4, 9, None),
    (CompressAlgorithm::Zstd, 9, None),
    (CompressAlgorithm::Zstd, 3, Some(6)),
    (CompressAlgorithm::Lz4, 0, Some(2)),
    (CompressAlgorithm::LzoRle, 0, None),
    (CompressAlgorithm::Zstd, 0, Some(8)),
    (CompressAlgorithm::Zstd, 12, Some(8)),
    (CompressAlgorithm::Lzo, 0, Some(4)),
    (CompressAlgorithm::Lz4, 0, Some(4)),
];

/// What a file saves that is written so at once.
fn saved_at_once(new: Recompress, log: u8, bytes: &[u8]) -> u64 {
    let mut format = compressed(new.algorithm, log);
    format.level = new.level;
    let (_image, volume) = volume_with(64 << 20, Some(format), &VolumeOptions::default());
    make(&volume, "/f", bytes);
    volume.sync().unwrap();
    saved(&volume, "/f")
}

#[test]
fn every_way_to_every_other() {
    for options in [VolumeOptions::default(), releasing()] {
        let format = compressed(CompressAlgorithm::Lz4, 4);
        let (image, volume) = volume_with(128 << 20, Some(format), &options);
        let bytes = mixed();
        drop(make(&volume, "/f", &bytes));
        volume.sync().unwrap();
        let ino = volume.metadata("/f").unwrap().ino();
        let mut log = 4;
        for (algorithm, level, new_log) in WAYS {
            let new = to(algorithm, level, new_log);
            log = new_log.unwrap_or(log);
            let modified = volume.metadata("/f").unwrap().modified();
            volume.recompress_file("/f", new).unwrap();
            let what = format!("{new:?}");
            let found = volume.metadata("/f").unwrap();
            assert_eq!((found.ino(), found.modified()), (ino, modified));
            let compression = found.compression().unwrap();
            assert_eq!(compression.algorithm, algorithm, "{what}");
            assert_eq!(compression.level, level, "{what}");
            let file = volume.open_file("/f").unwrap();
            assert_eq!(file.compress_option().unwrap(), (algorithm, log));
            drop(file);
            assert_content(&volume, "/f", &bytes);
            volume.sync().unwrap();
            assert_clean(image.path());
            volume.drop_caches();
            assert_content(&volume, "/f", &bytes);
            assert_eq!(
                saved(&volume, "/f"),
                saved_at_once(new, log, &bytes),
                "{what}"
            );
            // It goes on as a file of this form.
            let writer = open(&volume, "/f");
            writer
                .write_all_at(3_000_000, &bytes[3_000_000..3_100_000])
                .unwrap();
        }
        volume.close().unwrap();
        assert_clean(image.path());
        assert_content(&reopen(&image), "/f", &bytes);
    }
}

#[test]
fn a_released_file_comes_back_released() {
    let format = compressed(CompressAlgorithm::Lz4, 4);
    let (image, volume) = volume_with(128 << 20, Some(format), &VolumeOptions::default());
    let bytes = mixed();
    drop(make(&volume, "/f", &bytes));
    volume.release_blocks("/f").unwrap();
    for (algorithm, level, log) in WAYS {
        volume
            .recompress_file("/f", to(algorithm, level, log))
            .unwrap();
        assert!(volume.metadata("/f").unwrap().is_released());
        assert_eq!(volume.saved_blocks("/f").unwrap(), 0);
        volume.sync().unwrap();
        assert_clean(image.path());
        volume.drop_caches();
        assert_content(&volume, "/f", &bytes);
        let saved = saved(&volume, "/f");
        assert_eq!(volume.reserve_blocks("/f").unwrap(), saved);
        volume.release_blocks("/f").unwrap();
    }
}

#[test]
fn holes_names_and_attributes_stay() {
    let format = compressed(CompressAlgorithm::Lz4, 2);
    let (image, volume) = volume_with(64 << 20, Some(format), &VolumeOptions::default());
    let bytes = pattern(300_000, 1);
    let file = make(&volume, "/f", &bytes);
    // No node is missing: fsck.f2fs 1.15 then takes the nodes behind for others.
    file.write_all_at(3 << 20, &bytes).unwrap();
    file.write_all_at(9 << 20, &bytes).unwrap();
    volume.hard_link("/f", "/other").unwrap();
    let long = vec![b'x'; 3000];
    volume
        .set_xattr("/f", "user.long", &long, f2fs::SetXattr::Any)
        .unwrap();
    volume.sync().unwrap();
    assert_clean(image.path());
    let holes = |file: &f2fs::File| (file.seek_hole(0).unwrap(), file.seek_data(5 << 20).unwrap());
    let before = holes(&file);
    file.recompress(to(CompressAlgorithm::Zstd, 0, Some(5)))
        .unwrap();
    assert!(before.0 <= holes(&file).0 && holes(&file).1.is_some());
    volume.sync().unwrap();
    assert_clean(image.path());
    volume.drop_caches();
    let mut read = vec![0; bytes.len()];
    for at in [0, 3 << 20, 9 << 20] {
        file.read_at(at, &mut read).unwrap();
        assert!(read == bytes, "at {at}");
    }
    assert_eq!(volume.get_xattr("/other", "user.long").unwrap(), long);
    assert_eq!(file.metadata().links(), 2);
    assert_eq!(file.metadata().len(), (9 << 20) + 300_000);
    drop(file);
    volume.close().unwrap();
    assert_clean(image.path());
}

#[test]
fn without_room_the_file_stays_whole() {
    let format = compressed(CompressAlgorithm::Zstd, 4);
    let (image, volume) = volume_with(96 << 20, Some(format), &VolumeOptions::default());
    let bytes = pattern(12 << 20, 1);
    drop(make(&volume, "/f", &bytes));
    let raw = OpenOptions::new().write(true).create(true).compress(None);
    let filler = volume.open_with("/filler", &raw).unwrap();
    let mut at = 0;
    while filler.write_all_at(at, &noise(1 << 20, at)).is_ok() {
        at += 1 << 20;
    }
    volume.sync().unwrap();
    let saved = saved(&volume, "/f");
    // What it saves is there for it, but no copy has a place.
    let (lz4, zstd) = (CompressAlgorithm::Lz4, CompressAlgorithm::Zstd);
    let copied = volume.recompress_file("/f", to(zstd, 0, Some(6)));
    assert!(matches!(copied, Err(Error::NoSpace)), "{copied:?}");
    assert_content(&volume, "/f", &bytes);
    volume.recompress_file("/f", to(lz4, 0, None)).unwrap();
    volume.recompress_file("/f", to(zstd, 0, None)).unwrap();
    // Given back and used, they are not.
    volume.release_blocks("/f").unwrap();
    while filler.write_all_at(at, &noise(64 << 10, at)).is_ok() {
        at += 64 << 10;
    }
    for log in [None, Some(6)] {
        let result = volume.recompress_file("/f", to(lz4, 0, log));
        assert!(matches!(result, Err(Error::NoSpace)), "{result:?}");
        assert!(volume.metadata("/f").unwrap().is_released());
        assert_content(&volume, "/f", &bytes);
    }
    volume.sync().unwrap();
    assert_clean(image.path());
    drop(filler);
    volume.remove_file("/filler").unwrap();
    volume.reserve_blocks("/f").unwrap();
    volume.recompress_file("/f", to(zstd, 0, Some(4))).unwrap();
    assert_eq!(self::saved(&volume, "/f"), saved);
    volume.sync().unwrap();
    assert_clean(image.path());
    let before = counts(&volume, "/f");
    volume.close().unwrap();
    let volume = reopen(&image);
    assert_eq!(counts(&volume, "/f"), before);
    assert_content(&volume, "/f", &bytes);
}

#[test]
fn what_is_wrong_is_refused() {
    let format = compressed(CompressAlgorithm::Lz4, 4);
    let (_image, volume) = volume_with(64 << 20, Some(format), &VolumeOptions::default());
    let raw = OpenOptions::new().write(true).create(true).compress(None);
    volume.open_with("/raw", &raw).unwrap();
    let plain = volume.recompress_file("/raw", to(CompressAlgorithm::Lz4, 0, None));
    assert!(matches!(plain, Err(Error::Invalid(_))), "{plain:?}");
    drop(make(&volume, "/f", &pattern(100_000, 1)));
    for (algorithm, level, log) in [
        (CompressAlgorithm::Lz4, 99, None),
        (CompressAlgorithm::Lzo, 1, None),
        (CompressAlgorithm::Zstd, 3, Some(9)),
    ] {
        let result = volume.recompress_file("/f", to(algorithm, level, log));
        assert!(matches!(result, Err(Error::Invalid(_))), "{result:?}");
    }
}

/// Nothing but the last checkpoint and what was fsynced after it is left: it shows the file whole.
#[test]
fn a_power_cut_in_the_middle_leaves_the_file_whole() {
    for is_released in [false, true] {
        let format = compressed(CompressAlgorithm::Lz4, 4);
        let (image, volume) = volume_with(128 << 20, Some(format), &VolumeOptions::default());
        let bytes = mixed();
        drop(make(&volume, "/f", &bytes));
        if is_released {
            volume.release_blocks("/f").unwrap();
        }
        for (algorithm, level, log) in WAYS {
            volume.sync().unwrap();
            volume
                .recompress_file("/f", to(algorithm, level, log))
                .unwrap();
            let cut = tempfile::NamedTempFile::new().unwrap();
            std::fs::copy(image.path(), cut.path()).unwrap();
            let after = reopen(&cut);
            assert_content(&after, "/f", &bytes);
            after.close().unwrap();
            assert_clean(cut.path());
        }
        open(&volume, "/f").sync_all().unwrap();
        let cut = tempfile::NamedTempFile::new().unwrap();
        std::fs::copy(image.path(), cut.path()).unwrap();
        let after = reopen(&cut);
        let file = after.open_file("/f").unwrap();
        assert_eq!(file.compress_option().unwrap(), (CompressAlgorithm::Lz4, 4));
        assert_content(&after, "/f", &bytes);
    }
}
