//! Our mount under the programs: what needs the guard of `testkit` and no long run.

use mount_tests::fsx;
use std::fs;
use testkit::manifest;
use testkit::mount::{Mount, MountOptions};
use testkit::system::System;

fn mounted(change: impl FnOnce(&mut MountOptions)) -> Option<Mount> {
    let mut options = MountOptions::new(System::ours(), 1 << 30);
    change(&mut options);
    Mount::or_skip(options).map(Result::unwrap)
}

#[test]
fn the_image_is_complete_when_a_detached_mount_ends() {
    let Some(mut mount) = mounted(|options| options.is_detached = true) else {
        return;
    };
    let text = vec![7; 3_000_000];
    fs::write(mount.dir().join("file"), &text).unwrap();
    mount.check_by_kernel().unwrap();
    mount.mount().unwrap();
    assert!(fs::read(mount.dir().join("file")).unwrap() == text);
    mount.check().unwrap();
}

#[test]
fn fsx_on_compressed_files() {
    for (compress, space) in [("lz4", "space=reserve"), ("zstd", "space=release")] {
        let Some(mut mount) = mounted(|options| {
            options.compress = Some(compress);
            options.options.push(space);
        }) else {
            return;
        };
        let mut options = fsx::Options::new(&mount.dir().join("file"), 1, 2000);
        options.may_lack = vec!["collapse".into(), "insert".into()];
        fsx::run(&options).unwrap();
        mount.check().unwrap();
    }
}

#[test]
fn a_killed_daemon_leaves_a_clean_volume() {
    let Some(mut mount) = mounted(|_| {}) else {
        return;
    };
    let path = mount.dir().join("synced");
    let file = fs::File::create(&path).unwrap();
    file.set_len(5000).unwrap();
    file.sync_all().unwrap();
    drop(file);
    fs::write(mount.dir().join("lost"), vec![1; 100_000]).unwrap();
    mount.kill().unwrap();
    mount.unmount().unwrap();
    mount.mount().unwrap();
    assert_eq!(path.metadata().unwrap().len(), 5000);
    mount.check().unwrap();
}

#[test]
fn trees_that_differ_are_told() {
    let work = tempfile::tempdir().unwrap();
    fs::write(work.path().join("file"), b"one").unwrap();
    let before = manifest::of(work.path()).unwrap();
    manifest::compare(&before, &before).unwrap();
    fs::write(work.path().join("file"), b"two").unwrap();
    let after = manifest::of(work.path()).unwrap();
    let error = manifest::compare(&before, &after).unwrap_err().to_string();
    assert!(error.contains("file"), "{error}");
}

#[test]
fn a_damaged_volume_is_told() {
    let Some(mut mount) = mounted(|_| {}) else {
        return;
    };
    fs::write(mount.dir().join("file"), vec![1; 100_000]).unwrap();
    mount.unmount().unwrap();
    assert_eq!(testkit::fsck::complaints(&mount.image()), None);
    // Everything from the third segment of the volume on, tables included, becomes what it was not.
    let image = fs::File::options().write(true).open(mount.image()).unwrap();
    let noise = vec![0x5a; 4 << 20];
    std::os::unix::fs::FileExt::write_all_at(&image, &noise, 6 << 20).unwrap();
    assert!(testkit::fsck::complaints(&mount.image()).is_some());
}
