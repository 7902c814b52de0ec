//! Volumes that `sload.f2fs` filled, among them the read-only ones of firmware.

use crate::guest::Guest;
use crate::manifest::{Manifest, sha256};
use crate::pool::POOL;
use f2fs::{Error, OpenOptions, Volume, VolumeOptions};
use std::path::Path;
use std::process::Command;
use testkit::{fsck, tools};

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("a/b/c")).unwrap();
    for size in [0, 1, 3000, 4096, 5000, 5_000_000] {
        std::fs::write(at(&format!("a/{size}")), &POOL[..size]).unwrap();
    }
    for n in 0..300 {
        std::fs::write(at(&format!("a/b/file-with-a-name-{n}")), [n as u8]).unwrap();
    }
    std::os::unix::fs::symlink("../5000", at("a/b/link")).unwrap();
    folder
}

fn sload(folder: &Path, image: &Path) {
    let out = Command::new("sload.f2fs")
        .arg("-f")
        .arg(folder)
        .arg(image)
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stdout)
    );
}

#[test]
fn a_loaded_volume_is_read_and_changed() {
    let folder = folder();
    let image = tools::mkfs(&["-O", "extra_attr,inode_checksum,compression"], 128 << 20);
    sload(folder.path(), image.path());
    let mut guest = Guest::new();
    guest.mount(image.path(), "ro").manifest().umount();
    let Some(manifests) = guest.run() else { return };
    Manifest::of_image(image.path()).assert_same(&manifests[0], "engine <> kernel");

    let volume = Volume::open(image.path(), &VolumeOptions::default()).unwrap();
    let create = OpenOptions::new().write(true).create(true);
    for name in ["a/5000000", "a/3000", "a/b/new"] {
        volume
            .open_with(name, &create)
            .unwrap()
            .write_all_at(100, &POOL[7..90_000])
            .unwrap();
    }
    volume.remove_all("a/b/c").unwrap();
    volume.remove_file("a/b/file-with-a-name-7").unwrap();
    volume.close().unwrap();
    fsck::assert_clean(image.path());
    let mut guest = Guest::new();
    guest.mount(image.path(), "").manifest().umount();
    let manifests = guest.run().unwrap();
    Manifest::of_image(image.path()).assert_same(&manifests[0], "engine <> kernel");
    let expected = [&POOL[..100], &POOL[7..90_000], &POOL[90_093..5_000_000]].concat();
    assert_eq!(
        manifests[0].field("/a/5000000", "sha256"),
        sha256(&expected)
    );
}

#[test]
fn a_read_only_volume_is_read_and_not_changed() {
    let folder = folder();
    let image = tools::mkfs(&["-O", "ro,extra_attr,compression"], 64 << 20);
    sload(folder.path(), image.path());
    let mut guest = Guest::new();
    guest.mount(image.path(), "ro").manifest().umount();
    let Some(manifests) = guest.run() else { return };
    Manifest::of_image(image.path()).assert_same(&manifests[0], "engine <> kernel");
    let error = Volume::open(image.path(), &VolumeOptions::default()).unwrap_err();
    assert!(matches!(error, Error::ReadOnly(_)), "{error:?}");
}
