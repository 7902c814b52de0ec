//! Access times, privileges and times that are far away.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{pattern, volume_with};
use f2fs::{
    Atime, InodeFlags, OpenOptions, Owner, Privileges, SetAttr, SetXattr, Timestamp, Volume,
    VolumeOptions,
};
use runtime::clock::Clock;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tempfile::NamedTempFile;
use testkit::fsck;

const DAY: i64 = 86_400;

/// A clock that stands still until it is set.
#[derive(Debug)]
struct SetClock(AtomicI64);

impl SetClock {
    fn set(&self, secs: i64) {
        self.0.store(secs, Ordering::Relaxed);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        at(self.0.load(Ordering::Relaxed))
    }
}

fn at(secs: i64) -> Timestamp {
    Timestamp { secs, nanos: 7 }
}

fn clocked(atime: Atime) -> (NamedTempFile, Volume, Arc<SetClock>) {
    let clock = Arc::new(SetClock(AtomicI64::new(1000)));
    let options = VolumeOptions {
        atime,
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        ..VolumeOptions::default()
    };
    let (image, volume) = volume_with(64 << 20, None, &options);
    volume.create_dir("/dir", Owner::root(0o755)).unwrap();
    write(&volume, "/dir/file", b"some bytes");
    volume
        .symlink("file", "/dir/link", Owner::root(0o777))
        .unwrap();
    (image, volume, clock)
}

fn write(volume: &Volume, path: &str, bytes: &[u8]) {
    let options = OpenOptions::new().write(true).create(true);
    let mut file = volume.open_with(path, &options).unwrap();
    file.write_all(bytes).unwrap();
}

const PATHS: [&str; 3] = ["/dir", "/dir/file", "/dir/link"];

fn accessed(volume: &Volume) -> [i64; 3] {
    PATHS.map(|path| volume.symlink_metadata(path).unwrap().accessed().secs)
}

fn read_all(volume: &Volume) {
    volume
        .read_dir("/dir")
        .unwrap()
        .for_each(|e| drop(e.unwrap()));
    let file = volume.open_file("/dir/file").unwrap();
    file.read_at(0, &mut [0; 100]).unwrap();
    volume.read_link("/dir/link").unwrap();
}

#[test]
fn reading_changes_nothing_by_default() {
    assert_eq!(VolumeOptions::default().atime, Atime::Noatime);
    let (image, volume, clock) = clocked(Atime::Noatime);
    volume.sync().unwrap();
    let checkpoints = volume.stats().data.checkpoints;
    clock.set(1000 + 10 * DAY);
    read_all(&volume);
    assert_eq!(accessed(&volume), [1000; 3]);
    volume.sync().unwrap();
    assert_eq!(volume.stats().data.checkpoints, checkpoints);
    volume.close().unwrap();
    fsck::assert_clean(image.path());
}

#[test]
fn relatime_counts_the_first_read_after_a_change_and_one_a_day() {
    let (image, volume, clock) = clocked(Atime::Relatime);
    clock.set(2000);
    read_all(&volume);
    assert_eq!(accessed(&volume), [2000; 3], "read after the change");
    clock.set(2000 + DAY - 1);
    read_all(&volume);
    assert_eq!(accessed(&volume), [2000; 3], "read again within the day");
    clock.set(2000 + DAY);
    read_all(&volume);
    assert_eq!(accessed(&volume), [2000 + DAY; 3], "read a day later");
    clock.set(3000 + DAY);
    write(&volume, "/dir/file", b"new");
    clock.set(3001 + DAY);
    read_all(&volume);
    assert_eq!(accessed(&volume), [2000 + DAY, 3001 + DAY, 2000 + DAY]);
    volume.close().unwrap();
    fsck::assert_clean(image.path());
    let again = common::reopen(&image);
    assert_eq!(accessed(&again), [2000 + DAY, 3001 + DAY, 2000 + DAY]);
}

#[test]
fn strictatime_counts_all_but_marked_files() {
    let (image, volume, clock) = clocked(Atime::Strictatime);
    let (mark, none) = (InodeFlags::NOATIME, InodeFlags::empty());
    volume.set_flags("/dir/file", mark, none).unwrap();
    for secs in [2000, 2001] {
        clock.set(secs);
        read_all(&volume);
        assert_eq!(accessed(&volume), [secs, 1000, secs]);
    }
    volume.close().unwrap();
    fsck::assert_clean(image.path());
}

#[test]
fn a_read_waits_for_no_checkpoint_and_makes_none() {
    let (_image, volume, clock) = clocked(Atime::Strictatime);
    volume.sync().unwrap();
    let before = volume.stats();
    for secs in 2000..2200 {
        clock.set(secs);
        read_all(&volume);
    }
    let after = volume.stats();
    assert_eq!(after.data.checkpoints, before.data.checkpoints);
    assert_eq!(after.device.writes, before.device.writes);
    volume.sync().unwrap();
    assert_eq!(volume.stats().data.checkpoints, before.data.checkpoints + 1);
}

#[test]
fn a_volume_opened_for_reading_keeps_its_times() {
    let (image, volume, _) = clocked(Atime::Strictatime);
    volume.close().unwrap();
    let before = std::fs::read(image.path()).unwrap();
    let options = VolumeOptions {
        read_only: true,
        atime: Atime::Strictatime,
        ..VolumeOptions::default()
    };
    let volume = Volume::open(image.path(), &options).unwrap();
    read_all(&volume);
    assert_eq!(accessed(&volume), [1000; 3]);
    volume.close().unwrap();
    assert!(std::fs::read(image.path()).unwrap() == before);
}

#[test]
fn far_times_come_back() {
    let times = [
        (i64::MIN, 0),
        (-86_400 * 365 * 100, 999_999_999),
        (-1, 1),
        (0, 0),
        (1 << 32, 123_456_789),
        (1 << 40, 999_999_999),
        (i64::MAX, 999_999_999),
    ];
    for (n, (secs, nanos)) in times.into_iter().enumerate() {
        let (image, volume, clock) = clocked(Atime::Noatime);
        clock.set(secs);
        let (one, path) = (Timestamp { secs, nanos }, format!("/{n}"));
        write(&volume, &path, &pattern(5000, 1));
        let set = SetAttr {
            accessed: Some(one),
            modified: Some(one),
            changed: Some(one),
            ..SetAttr::default()
        };
        volume.set_attr(&path, &set).unwrap();
        volume.close().unwrap();
        fsck::assert_clean(image.path());
        let of = common::reopen(&image).metadata(&path).unwrap();
        assert_eq!([of.accessed(), of.modified(), of.changed()], [one; 3]);
        assert_eq!(of.created(), Some(at(secs)));
    }
    let (_image, volume, _) = clocked(Atime::Noatime);
    let set = SetAttr {
        changed: Some(Timestamp {
            secs: 0,
            nanos: 1_000_000_000,
        }),
        ..SetAttr::default()
    };
    assert!(volume.set_attr("/dir", &set).is_err());
}

#[test]
fn privileges_go_when_they_are_taken() {
    const NAME: &str = "security.capability";
    let (image, volume, _) = clocked(Atime::Noatime);
    let path = "/dir/file";
    let mode = |permissions| SetAttr {
        permissions: Some(permissions),
        ..SetAttr::default()
    };
    let file = volume
        .open_with(path, &OpenOptions::new().write(true))
        .unwrap();
    let cases = [
        (Privileges::Capability, 0o6755, 0o6755),
        (Privileges::All, 0o6755, 0o755),
        (Privileges::All, 0o6745, 0o2745),
    ];
    for (what, before, after) in cases {
        volume.set_attr(path, &mode(before)).unwrap();
        volume.set_xattr(path, NAME, b"cap", SetXattr::Any).unwrap();
        volume
            .set_xattr(path, "user.a", b"stays", SetXattr::Any)
            .unwrap();
        file.kill_privileges(what).unwrap();
        assert_eq!(file.metadata().mode() & 0o7777, after, "{what:?}");
        assert!(volume.get_xattr(path, NAME).is_err());
        assert_eq!(volume.get_xattr(path, "user.a").unwrap(), b"stays");
    }
    volume.sync().unwrap();
    let checkpoints = volume.stats().data.checkpoints;
    file.kill_privileges(Privileges::Capability).unwrap();
    volume.sync().unwrap();
    assert_eq!(
        volume.stats().data.checkpoints,
        checkpoints,
        "nothing to take, nothing changed"
    );
    // Permissions that come with a new owner are meant.
    let both = SetAttr {
        uid: Some(5),
        ..mode(0o4755)
    };
    volume.set_attr(path, &both).unwrap();
    assert_eq!(file.metadata().mode() & 0o7777, 0o4755);
    drop(file);
    volume.close().unwrap();
    fsck::assert_clean(image.path());
}
