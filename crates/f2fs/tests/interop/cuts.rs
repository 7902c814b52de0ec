//! Volumes that were not unmounted: by a guest that was killed, and by an engine that is still at work.

use crate::guest::Guest;
use crate::manifest::{Manifest, sha256};
use crate::pool::POOL;
use f2fs::{FormatOptions, OpenOptions, RollForward, Volume, VolumeOptions};
use f2fs_format::checkpoint::CpFlags;
use std::path::Path;
use tempfile::NamedTempFile;
use testkit::{fsck, tools};

const MIB: u64 = 1 << 20;
const FEATURES: [&str; 2] = ["-O", "extra_attr,inode_checksum,compression"];

/// What an image holds now.
pub(crate) fn copy_of(image: &Path) -> NamedTempFile {
    let copy = NamedTempFile::new().unwrap();
    std::fs::copy(image, copy.path()).unwrap();
    copy
}

/// The manifest after a mount by the kernel and, in blocks, what is free then.
fn kernel_sees(image: &Path) -> Option<(Manifest, u64)> {
    let mut guest = Guest::new();
    guest.mount(image, "").manifest().umount();
    let manifest = guest.run()?.remove(0);
    let options = VolumeOptions {
        read_only: true,
        ..VolumeOptions::default()
    };
    Some((
        manifest,
        Volume::open(image, &options).unwrap().statfs().blocks_free,
    ))
}

/// Whether the image's checkpoint lists orphans.
fn has_orphans(image: &Path) -> bool {
    let options = VolumeOptions {
        read_only: true,
        ..VolumeOptions::default()
    };
    let volume = Volume::open(image, &options).unwrap();
    volume
        .info()
        .checkpoint
        .flags
        .contains(CpFlags::ORPHAN_PRESENT)
}

#[test]
fn orphans_of_a_killed_guest_are_freed() {
    let image = tools::mkfs(&FEATURES, 128 * MIB);
    let mut guest = Guest::new();
    guest
        .mount(image.path(), "")
        .then("mkdir /d 755")
        .then("create /kept 644")
        .then("write /kept 0 9000 0");
    for n in 0..40 {
        let kind = if n % 2 == 0 { "" } else { " 1 4" };
        guest
            .then(format!("create /d/{n} 644{kind}"))
            .then(format!("write /d/{n} 0 {} 0", n * 20_000));
        guest.then(format!("setxattr /d/{n} user.x {}", "00".repeat(n * 20)));
    }
    guest.then("sync");
    for n in 0..30 {
        guest.then(format!("hold /d/{n}"));
    }
    guest.then("sync");
    let Some(()) = guest.run_and_cut() else {
        return;
    };

    let copy = copy_of(image.path());
    let before = Manifest::of_image(image.path());
    assert_eq!(before.0.len(), 13);
    assert!(has_orphans(image.path()));
    let volume = Volume::open(image.path(), &VolumeOptions::default()).unwrap();
    Manifest::of(&volume).assert_same(&before, "with <> without orphans");
    let free = volume.statfs().blocks_free;
    volume.close().unwrap();
    assert!(!has_orphans(image.path()));
    fsck::assert_clean(image.path());
    // The kernel frees the same.
    let (manifest, kernel_free) = kernel_sees(copy.path()).unwrap();
    manifest.assert_same(&before, "kernel <> engine");
    assert_eq!(free, kernel_free);
    let (manifest, kernel_free) = kernel_sees(image.path()).unwrap();
    manifest.assert_same(&before, "kernel <> engine");
    assert_eq!(free, kernel_free);
}

/// The engine finds what a killed guest had fsynced, as the kernel does.
#[test]
fn a_killed_guests_fsynced_data_is_not_lost() {
    let image = tools::mkfs(&FEATURES, 128 * MIB);
    let mut guest = Guest::new();
    guest
        .mount(image.path(), "")
        .then("create /old 644")
        .then("write /old 0 50000 0")
        .then("sync");
    guest
        .then("create /new 644")
        .then("write /new 0 70000 5")
        .then("fsync /new");
    guest.then("write /old 100 5000 900").then("fsync /old");
    let Some(()) = guest.run_and_cut() else {
        return;
    };

    let last = VolumeOptions {
        read_only: true,
        roll_forward: RollForward::Ignore,
        ..VolumeOptions::default()
    };
    let before = Manifest::of(&Volume::open(image.path(), &last).unwrap());
    assert!(
        before.field("/old", "size") == "50000" && !before.0.contains_key("/new"),
        "{before:#?}"
    );
    let read = Manifest::of_image(image.path());
    assert_eq!(read.field("/new", "sha256"), sha256(&POOL[5..70_005]));
    let copy = copy_of(image.path());
    Volume::open(copy.path(), &VolumeOptions::default())
        .unwrap()
        .close()
        .unwrap();
    fsck::assert_clean(copy.path());
    let (mut manifest, _) = kernel_sees(image.path()).unwrap();
    let mut ours = Manifest::of_image(copy.path());
    for fields in [&mut manifest, &mut ours].map(|m| m.0.get_mut("/").unwrap()) {
        // The time of recovery.
        fields.remove("mtime");
        fields.remove("ctime");
    }
    ours.assert_same(&manifest, "engine <> kernel after recovery");
    fsck::assert_clean(image.path());
}

/// An engine that stopped in the middle: the kernel finds what was synced, and frees what was unlinked.
#[test]
fn the_kernel_takes_over_from_an_engine_that_stopped() {
    let image = NamedTempFile::new().unwrap();
    let format = FormatOptions::new(128 * MIB);
    let volume = Volume::create(image.path(), &format, &VolumeOptions::default()).unwrap();
    let create = OpenOptions::new().write(true).create(true);
    let mut held = Vec::new();
    for n in 0..20 {
        let file = volume.open_with(format!("/f{n}"), &create).unwrap();
        file.write_all_at(0, &POOL[n..n + 100_000]).unwrap();
        held.push(file);
    }
    volume.sync().unwrap();
    for n in 0..15 {
        volume.remove_file(format!("/f{n}")).unwrap();
    }
    volume.sync().unwrap();
    let synced = copy_of(image.path());
    assert!(has_orphans(synced.path()));
    let file = volume.open_with("/fsynced", &create).unwrap();
    file.write_all_at(0, &POOL[..300_000]).unwrap();
    file.sync_all().unwrap();
    let fsynced = copy_of(image.path());
    volume
        .open_with("/lost", &create)
        .unwrap()
        .write_all_at(0, &POOL[..300_000])
        .unwrap();

    let Some((manifest, free)) = kernel_sees(synced.path()) else {
        return;
    };
    fsck::assert_clean(synced.path());
    assert_eq!(manifest.0.len(), 6);
    let (manifest, _) = kernel_sees(fsynced.path()).unwrap();
    fsck::assert_clean(fsynced.path());
    assert_eq!(manifest.0.len(), 7);
    assert_eq!(
        manifest.field("/fsynced", "sha256"),
        sha256(&POOL[..300_000])
    );
    // What the unlinked files held is free when they are closed.
    drop((held, file));
    volume.remove_file("/fsynced").unwrap();
    volume.remove_file("/lost").unwrap();
    assert_eq!(volume.statfs().blocks_free, free);
    volume.close().unwrap();
    fsck::assert_clean(image.path());
}
