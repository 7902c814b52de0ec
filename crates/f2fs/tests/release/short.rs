//! Blocks are short: idle files give theirs before anybody hears `NoSpace`.

use crate::common::{assert_content, compressed, noise, pattern, volume_with};
use crate::{make, make_released, open, releasing};
use f2fs::{CompressAlgorithm, Error, Fallocate, OpenOptions, Owner, Volume, VolumeOptions};
use testkit::fsck::assert_clean;

/// A volume with a closed file that still holds many saved blocks, and hardly any free ones. Blocks it holds.
fn short(options: &VolumeOptions) -> (tempfile::NamedTempFile, Volume, Vec<u8>) {
    let format = compressed(CompressAlgorithm::Zstd, 4);
    let (image, volume) = volume_with(128 << 20, Some(format), options);
    let bytes = pattern(16 << 20, 1);
    let file = make(&volume, "/idle", &bytes);
    volume.sync().unwrap();
    let raw = OpenOptions::new().write(true).create(true).compress(None);
    let filler = volume.open_with("/filler", &raw).unwrap();
    let free = volume.statfs().blocks_free;
    filler
        .fallocate(Fallocate::Allocate, 0..(free - 100) * 4096)
        .unwrap();
    drop(file);
    assert!(volume.saved_blocks("/idle").unwrap() > 1000);
    (image, volume, bytes)
}

#[test]
fn a_write_finds_the_blocks_of_idle_files() {
    let (image, volume, bytes) = short(&releasing());
    let other = noise(3 << 20, 7);
    let raw = OpenOptions::new().write(true).create(true).compress(None);
    let file = volume.open_with("/other", &raw).unwrap();
    file.write_all_at(0, &other).unwrap();
    assert!(volume.metadata("/idle").unwrap().is_released());
    drop(file);
    volume.sync().unwrap();
    assert_clean(image.path());
    volume.drop_caches();
    assert_content(&volume, "/idle", &bytes);
    assert_content(&volume, "/other", &other);
}

#[test]
fn without_it_the_volume_is_full() {
    let (_image, volume, _) = short(&VolumeOptions::default());
    let raw = OpenOptions::new().write(true).create(true).compress(None);
    let file = volume.open_with("/other", &raw).unwrap();
    let result = file.write_all_at(0, &noise(3 << 20, 7));
    assert!(matches!(result, Err(Error::NoSpace)));
    assert!(!volume.metadata("/idle").unwrap().is_released());
}

#[test]
fn reserving_a_range_and_making_files_find_them_too() {
    let (image, volume, bytes) = short(&releasing());
    let raw = OpenOptions::new().write(true).create(true).compress(None);
    let file = volume.open_with("/other", &raw).unwrap();
    file.fallocate(Fallocate::Allocate, 0..4 << 20).unwrap();
    assert!(volume.metadata("/idle").unwrap().is_released());
    drop(file);
    assert_content(&volume, "/idle", &bytes);
    volume.close().unwrap();
    assert_clean(image.path());

    let (image, volume, _) = short(&releasing());
    for n in 0..500 {
        let dir = format!("/dir{n}");
        volume.create_dir(dir, Owner::root(0o755)).unwrap();
    }
    assert!(volume.metadata("/idle").unwrap().is_released());
    volume.close().unwrap();
    assert_clean(image.path());
}

#[test]
fn a_released_file_takes_blocks_that_another_gives() {
    let format = compressed(CompressAlgorithm::Zstd, 4);
    let (image, volume) = volume_with(128 << 20, Some(format), &releasing());
    let bytes = pattern(8 << 20, 1);
    make_released(&volume, "/a", &bytes);
    let b = make(&volume, "/b", &bytes);
    b.sync_all().unwrap();
    let raw = OpenOptions::new().write(true).create(true).compress(None);
    let filler = volume.open_with("/filler", &raw).unwrap();
    let free = volume.statfs().blocks_free;
    filler
        .fallocate(Fallocate::Allocate, 0..(free - 100) * 4096)
        .unwrap();
    let a = open(&volume, "/a");
    assert!(matches!(a.write_at(0, b"x"), Err(Error::NoSpace)));
    assert!(a.metadata().is_released());
    drop(b);
    a.write_all_at(0, &bytes[..10]).unwrap();
    assert!(volume.metadata("/b").unwrap().is_released());
    assert_eq!(
        a.saved_blocks().unwrap(),
        a.clusters().unwrap().unwrap().blocks_saved
    );
    drop(a);
    volume.sync().unwrap();
    assert_clean(image.path());
    assert_content(&volume, "/a", &bytes);
    assert_content(&volume, "/b", &bytes);
}

#[test]
fn a_volume_takes_more_than_its_size() {
    let format = compressed(CompressAlgorithm::Lz4, 4);
    let (image, volume) = volume_with(128 << 20, Some(format), &releasing());
    let bytes = vec![b'x'; 8 << 20];
    let mut files = 0;
    while files < 60 {
        let path = format!("/f{files}");
        let options = OpenOptions::new().write(true).create(true);
        let file = volume.open_with(&path, &options).unwrap();
        let before = volume.statfs().blocks_free;
        if let Err(error) = file.write_all_at(0, &bytes) {
            panic!("file {files}: {error}, {before} {:?}", volume.statfs());
        }
        files += 1;
    }
    volume.sync().unwrap();
    assert_clean(image.path());
    assert_content(&volume, "/f7", &bytes);
}
