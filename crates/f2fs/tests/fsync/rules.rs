//! When an fsync takes a checkpoint, and when it does not.

use crate::lab::Lab;
use f2fs::{Fallocate, SetXattr, Volume};

/// Checkpoints of an fsync after some work.
#[track_caller]
fn assert_checkpoints(lab: &Lab, wanted: u64, path: &str, work: impl FnOnce(&Volume)) {
    work(&lab.volume);
    let file = lab.file(path);
    let taken = lab.checkpoints(|_| file.sync_all().unwrap());
    assert_eq!(taken, wanted, "checkpoints of an fsync of {path}");
    lab.recovered();
}

#[test]
fn the_first_fsync_of_a_session_takes_a_checkpoint() {
    let lab = Lab::new();
    let left = lab.cut();
    let volume = Volume::open_device(left, &f2fs::VolumeOptions::default()).unwrap();
    let options = f2fs::OpenOptions::new().write(true).create(true);
    let file = volume.open_with("/f", &options).unwrap();
    for taken in [1, 0] {
        let before = volume.stats().data.checkpoints;
        file.write_all_at(0, b"x").unwrap();
        file.sync_all().unwrap();
        assert_eq!(volume.stats().data.checkpoints - before, taken);
    }
}

#[test]
fn plain_files_need_none() {
    let lab = Lab::new();
    for (path, len) in [
        ("/inline", 100),
        ("/d/small", 20_000),
        ("/d/large", 5_000_000),
    ] {
        assert_checkpoints(&lab, 0, path, |_| drop(lab.write(path, 0, len, 1)));
        assert_checkpoints(&lab, 0, path, |_| drop(lab.write(path, 50, len, 2)));
        assert_checkpoints(&lab, 0, path, |v| {
            v.set_xattr(path, "user.a", b"v", SetXattr::Any).unwrap();
        });
    }
    let again = lab.checkpoints(|lab| lab.file("/d/small").sync_all().unwrap());
    assert_eq!(again, 0);
}

#[test]
fn links_renames_and_new_directories_need_one() {
    let lab = Lab::new();
    drop(lab.write("/d/a", 0, 9000, 1));
    drop(lab.write("/d/b", 0, 9000, 1));
    lab.volume.sync().unwrap();
    assert_checkpoints(&lab, 1, "/d/a", |v| {
        v.rename("/d/a", "/d/x")
            .and_then(|()| v.rename("/d/x", "/d/a"))
            .unwrap();
    });
    // The checkpoint settled where it is.
    assert_checkpoints(&lab, 0, "/d/a", |_| drop(lab.write("/d/a", 0, 9000, 2)));
    assert_checkpoints(&lab, 1, "/d/b", |v| v.hard_link("/d/b", "/d/l").unwrap());
    assert_checkpoints(&lab, 1, "/d/b", |_| drop(lab.write("/d/b", 0, 10, 3)));
    assert_checkpoints(&lab, 1, "/d/l", |v| v.remove_file("/d/b").unwrap());
    assert_checkpoints(&lab, 0, "/d/l", |_| drop(lab.write("/d/l", 0, 10, 3)));
    assert_checkpoints(&lab, 1, "/d/n/f", |v| {
        v.create_dir("/d/n", f2fs::Owner::root(0o755)).unwrap();
    });
    assert_checkpoints(&lab, 0, "/d/n/g", |_| ());
    assert_checkpoints(&lab, 1, "/d/n/h", |v| {
        v.set_xattr("/d/n", "user.a", b"v", SetXattr::Any).unwrap();
    });
}

#[test]
fn what_direct_nodes_do_not_tell_needs_one() {
    let lab = Lab::new();
    drop(lab.write("/d/f", 0, 6_000_000, 1));
    lab.volume
        .set_xattr("/d/f", "user.big", &[1; 3000], SetXattr::Any)
        .unwrap();
    lab.volume.sync().unwrap();
    assert_checkpoints(&lab, 1, "/d/f", |v| {
        v.remove_xattr("/d/f", "user.big").unwrap();
    });
    assert_checkpoints(&lab, 0, "/d/f", |_| {
        lab.file("/d/f").set_len(5_999_000).unwrap();
    });
    assert_checkpoints(&lab, 1, "/d/f", |_| lab.file("/d/f").set_len(100).unwrap());
    let insert = Fallocate::InsertRange;
    assert_checkpoints(&lab, 1, "/d/f", |_| {
        lab.file("/d/f").fallocate(insert, 0..4096).unwrap();
    });
}

/// generic/342: a file that only moved must not be lost to a new file of its name.
#[test]
fn a_new_file_of_a_name_that_was_left_needs_one() {
    let lab = Lab::new();
    drop(lab.write("/d/a", 0, 9000, 1));
    drop(lab.write("/d/b", 0, 9000, 2));
    lab.volume.sync().unwrap();
    assert_checkpoints(&lab, 1, "/d/a", |v| v.rename("/d/a", "/d/moved").unwrap());
    // One that is gone may lose it.
    assert_checkpoints(&lab, 0, "/d/b", |v| v.remove_file("/d/b").unwrap());
    lab.volume.sync().unwrap();
    assert_checkpoints(&lab, 1, "/d/b", |v| {
        v.hard_link("/d/b", "/d/c").unwrap();
        v.remove_file("/d/b").unwrap();
    });
    assert_checkpoints(&lab, 1, "/d/moved", |v| {
        v.exchange("/d/moved", "/d/c").unwrap();
        v.remove_file("/d/moved").unwrap();
    });
}

#[test]
fn strict_mode_minds_all_names_of_the_directory() {
    for (lab, taken) in [(Lab::new(), 0), (Lab::strict(), 1)] {
        drop(lab.write("/d/a", 0, 9000, 1));
        lab.volume.sync().unwrap();
        assert_checkpoints(&lab, taken, "/d/new", |v| v.remove_file("/d/a").unwrap());
    }
}

#[test]
fn compressed_files_need_one_where_clusters_change_their_form() {
    let lab = Lab::new();
    // New ones always: the kernel's recovery would refuse them, and all that follows.
    assert_checkpoints(&lab, 1, "/c/small", |_| {
        drop(lab.write("/c/small", 0, 10, 1));
    });
    assert_checkpoints(&lab, 0, "/c/small", |_| {
        drop(lab.write("/c/small", 10, 10, 1));
    });
    // Four clusters of 16 KiB.
    assert_checkpoints(&lab, 1, "/c/f", |_| drop(lab.write("/c/f", 0, 65_536, 1)));
    // Appended to: raw until the cluster is whole.
    for n in 0..3 {
        assert_checkpoints(&lab, 0, "/c/f", |_| {
            drop(lab.write("/c/f", 65_536 + n * 4096, 4096, n));
        });
    }
    assert_checkpoints(&lab, 1, "/c/f", |_| {
        drop(lab.write("/c/f", 65_536 + 3 * 4096, 4096, 9));
    });
    // Overwritten by what takes as many blocks.
    assert_checkpoints(&lab, 0, "/c/f", |_| drop(lab.write("/c/f", 0, 16_384, 5)));
    let noise = crate::common::noise(16_384, 3);
    assert_checkpoints(&lab, 1, "/c/f", |_| {
        lab.file("/c/f").write_all_at(16_384, &noise).unwrap();
    });
}

#[test]
fn directories_and_unlinked_files() {
    let lab = Lab::new();
    let file = lab.write("/d/f", 0, 9000, 1);
    lab.volume.remove_file("/d/f").unwrap();
    assert_eq!(lab.checkpoints(|_| file.sync_all().unwrap()), 0);
    assert_eq!(lab.checkpoints(|lab| lab.volume.sync().unwrap()), 1);
    assert_eq!(lab.checkpoints(|lab| lab.volume.sync().unwrap()), 0);
}
