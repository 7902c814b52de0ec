//! Calls that are durable when they return without an fsync.

use crate::common::{assert_content, pattern};
use crate::lab::Lab;
use f2fs::{InodeFlags, OpenOptions, Owner, Synchronous, VolumeOptions};

#[test]
fn writes_through_synchronous_handles() {
    let lab = Lab::new();
    let options = OpenOptions::new().write(true).create(true);
    let sync = lab
        .volume
        .open_with("/d/sync", &options.clone().sync(true))
        .unwrap();
    let data = lab
        .volume
        .open_with("/d/data", &options.clone().data_sync(true))
        .unwrap();
    let none = lab.volume.open_with("/d/none", &options).unwrap();
    for file in [&sync, &data, &none] {
        file.write_all_at(0, &pattern(30_000, 1)).unwrap();
        file.write_all_at(10_000, &pattern(500, 2)).unwrap();
    }
    let mut wanted = pattern(30_000, 1);
    wanted[10_000..10_500].copy_from_slice(&pattern(500, 2));
    let volume = lab.recovered();
    assert_content(&volume, "/d/sync", &wanted);
    assert_content(&volume, "/d/data", &wanted);
    assert!(volume.metadata("/d/none").is_err() || volume.metadata("/d/none").unwrap().len() == 0);
}

#[test]
fn files_and_directories_that_are_marked() {
    let lab = Lab::new();
    drop(lab.file("/d/f"));
    let none = InodeFlags::empty();
    lab.volume
        .set_flags("/d/f", InodeFlags::SYNC, none)
        .unwrap();
    drop(lab.write("/d/f", 0, 9000, 1));
    assert_content(&lab.recovered(), "/d/f", &pattern(9000, 1));

    lab.volume
        .set_flags("/d", InodeFlags::DIRSYNC, none)
        .unwrap();
    drop(lab.file("/d/named"));
    assert!(lab.recovered().metadata("/d/named").is_ok());
    lab.volume.rename("/d/named", "/d/renamed").unwrap();
    assert!(lab.recovered().metadata("/d/renamed").is_ok());
    lab.volume.remove_file("/d/renamed").unwrap();
    assert!(lab.recovered().metadata("/d/renamed").is_err());
    drop(lab.file("/c/unmarked"));
    assert!(lab.recovered().metadata("/c/unmarked").is_err());
}

#[test]
fn volumes_that_are_synchronous() {
    let lab = Lab::with(&VolumeOptions {
        synchronous: Synchronous::All,
        ..VolumeOptions::default()
    });
    drop(lab.write("/d/f", 0, 9000, 1));
    assert_content(&lab.recovered(), "/d/f", &pattern(9000, 1));
    let lab = Lab::with(&VolumeOptions {
        synchronous: Synchronous::Names,
        ..VolumeOptions::default()
    });
    lab.volume.create_dir("/d/n", Owner::root(0o755)).unwrap();
    lab.volume
        .symlink("target", "/d/n/l", Owner::root(0o777))
        .unwrap();
    assert!(lab.recovered().symlink_metadata("/d/n/l").is_ok());
}

/// An fsync of a directory makes its names durable, and does not write the data of files that nobody asked for.
#[test]
fn directories_by_themselves() {
    let lab = Lab::new();
    drop(lab.write("/d/f", 0, 500_000, 1));
    lab.volume.create_dir("/d/n", Owner::root(0o755)).unwrap();
    let before = lab.volume.stats().data.raw_blocks_written;
    lab.volume
        .root()
        .unwrap()
        .lookup(b"d")
        .unwrap()
        .sync()
        .unwrap();
    assert!(lab.volume.stats().data.raw_blocks_written - before < 5);
    let volume = lab.recovered();
    assert!(volume.metadata("/d/n").unwrap().is_dir());
    assert_eq!(volume.metadata("/d/f").unwrap().len(), 0);
}
