//! A volume with files of every kind and holes in most segments.

use crate::common::{compressed, noise, pattern, reopen, volume_with};
use f2fs::{
    CompressAlgorithm, CompressDefaults, GcOptions, OpenOptions, Owner, Result, SetXattr, Volume,
    VolumeOptions,
};
use std::collections::BTreeMap;
use std::io::Read;

/// Content by path.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Writes, overwrites and removes so that segments of every kind have holes.
pub(crate) fn age(volume: &Volume) -> Result<Files> {
    let mut files = Files::new();
    for dir in 0..4 {
        volume.create_dir(format!("/d{dir}"), Owner::root(0o755))?;
    }
    for n in 0..700_u64 {
        let path = format!("/d{}/file{n}", n % 4);
        let len = 3000 + (n as usize * 7919) % 60_000;
        let bytes = if n % 3 == 0 {
            pattern(len, n)
        } else {
            noise(len, n)
        };
        write(volume, &path, &bytes, n % 5 == 0)?;
        if n % 11 == 0 {
            volume.set_xattr(&path, "user.long", &noise(3500, n), SetXattr::Any)?;
        }
        files.insert(path, bytes);
        if n % 40 == 39 {
            volume.sync()?;
        }
    }
    // One with indirect nodes, and holes between its blocks.
    let mut large = pattern(9 << 20, 77);
    write(volume, "/large", &large, true)?;
    volume.sync()?;
    let file = volume.open_with("/large", &OpenOptions::new().write(true))?;
    for at in (0..large.len() - 9000).step_by(300_000) {
        let piece = noise(9000, at as u64);
        file.write_all_at(at as u64, &piece)?;
        large[at..at + 9000].copy_from_slice(&piece);
    }
    drop(file);
    files.insert("/large".to_owned(), large);
    for n in (0..700).filter(|n| n % 2 == 1) {
        let path = format!("/d{}/file{n}", n % 4);
        volume.remove_file(&path)?;
        files.remove(&path);
    }
    volume.sync()?;
    Ok(files)
}

fn write(volume: &Volume, path: &str, bytes: &[u8], compress: bool) -> Result<()> {
    let mut options = OpenOptions::new().write(true).create(true);
    if compress {
        options = options.compress(Some(CompressDefaults::default()));
    }
    volume.open_with(path, &options)?.write_all_at(0, bytes)
}

pub(crate) fn assert_files(volume: &Volume, files: &Files) {
    for (path, expected) in files {
        let mut content = Vec::new();
        let mut file = volume.open_file(path).unwrap();
        file.read_to_end(&mut content).unwrap();
        assert!(content == *expected, "content of {path}");
    }
}

#[test]
fn cleaning_packs_a_fragmented_volume() {
    let root = compressed(CompressAlgorithm::Zstd, 3);
    for root in [None, Some(root)] {
        let (image, volume) = volume_with(160 << 20, root, &VolumeOptions::default());
        let files = age(&volume).unwrap();
        let before = (volume.statfs(), volume.info());
        let report = volume.gc(GcOptions::default()).unwrap();
        assert!(
            report.data_blocks > 500 && report.node_blocks > 20 && report.segments > 5,
            "{report:?}"
        );
        assert_eq!(report.refused, 0);
        let after = volume.info();
        assert!(after.free_segments > before.1.free_segments, "{report:?}");
        assert!(after.dirty_segments < before.1.dirty_segments, "{report:?}");
        assert_eq!(volume.statfs(), before.0, "space for users stays the same");
        volume.drop_caches();
        assert_files(&volume, &files);
        volume.close().unwrap();
        testkit::fsck::assert_clean(image.path());
        assert_files(&reopen(&image), &files);
    }
}

#[test]
fn cleaning_to_the_last_hole_leaves_nothing_to_clean() {
    let (image, volume) = volume_with(160 << 20, None, &VolumeOptions::default());
    let files = age(&volume).unwrap();
    let all = GcOptions {
        utilisation_max: 100,
        ..GcOptions::default()
    };
    volume.gc(all).unwrap();
    let info = volume.info();
    let valid = info.checkpoint.valid_block_count.div_ceil(512) as u32;
    let used = info.main_segments - info.free_segments;
    assert!(used <= valid + 9, "{used} segments for {valid} full ones");
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
    assert_files(&reopen(&image), &files);
}

#[test]
fn an_idle_volume_is_cleaned_while_that_pays() {
    let (image, volume) = volume_with(256 << 20, None, &VolumeOptions::default());
    let files = age(&volume).unwrap();
    // Fill up, so that what is left lies in holes.
    let mut fills = 0;
    while volume.info().free_segments > 24 {
        let path = format!("/fill{fills}");
        write(&volume, &path, &noise(100_000, fills), false).unwrap();
        volume.sync().unwrap();
        fills += 1;
    }
    for n in (0..fills).filter(|n| n % 4 != 0) {
        volume.remove_file(format!("/fill{n}")).unwrap();
    }
    volume.sync().unwrap();
    let free = volume.info().free_segments;
    let mut steps = 0;
    while volume.gc_idle().unwrap() {
        steps += 1;
        assert!(steps < 1000, "it never ends");
    }
    volume.sync().unwrap();
    let after = volume.info().free_segments;
    assert!(
        steps > 0 && after > free,
        "{steps} steps: {free} to {after}"
    );
    assert!(!volume.gc_idle().unwrap());
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
    assert_files(&reopen(&image), &files);
}
