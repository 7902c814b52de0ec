//! Limits, and what a refused operation leaves.

use super::*;
use f2fs::{Error, Fallocate, QuotaLimits};
use runtime::clock::StepClock;
use std::sync::Arc;

const KIB: u64 = 1024;

fn limit_space(volume: &Volume, id: u32, hard: u64) {
    let limits = QuotaLimits {
        space_hard: hard,
        ..QuotaLimits::default()
    };
    volume.set_quota(QuotaKind::User, id, &limits).unwrap();
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "results come straight from calls"
)]
fn is_refused<T>(result: f2fs::Result<T>) -> bool {
    matches!(result, Err(Error::QuotaExceeded))
}

#[test]
fn only_threads_in_a_scope_are_bound() {
    let image = made_by_mkfs();
    let volume = open(&image);
    limit_space(&volume, 7, 8 * KIB);
    let file = create(&volume, "/a", 7, 7);
    let scope = volume.enforce_quota();
    assert!(is_refused(file.write_all_at(0, &vec![1; 20_000])));
    std::thread::scope(|threads| {
        let work = || file.write_all_at(0, &vec![1; 20_000]).unwrap();
        threads.spawn(work).join().unwrap();
    });
    let inner = volume.enforce_quota();
    drop(inner);
    assert!(is_refused(file.write_all_at(20_000, &[1; 5000])));
    drop(scope);
    file.write_all_at(20_000, &[1; 5000]).unwrap();
    assert_counted(&volume);
}

#[test]
fn at_a_full_quota_old_blocks_are_overwritten_and_deleting_works() {
    let image = made_by_mkfs();
    let volume = open(&image);
    let _scope = volume.enforce_quota();
    limit_space(&volume, 7, 40 * KIB);
    let file = create(&volume, "/a", 7, 7);
    assert_eq!(file.write_at(0, &vec![1; 100_000]).unwrap(), 40_960);
    for round in 0..3 {
        file.write_all_at(0, &vec![round; 40_960]).unwrap();
        volume.sync().unwrap();
    }
    assert!(is_refused(file.write_all_at(40_960, &[1])));
    assert_eq!(file.metadata().len(), 40_960);
    file.set_len(9000).unwrap();
    file.write_all_at(12_288, &[1; 4096]).unwrap();
    drop(file);
    volume.remove_file("/a").unwrap();
    assert_eq!(told(&volume, QuotaKind::User).get(&7), None);
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
}

#[test]
fn refused_operations_leave_nothing() {
    let image = made_by_mkfs();
    let volume = open(&image);
    let one = QuotaLimits {
        inode_hard: 1,
        space_hard: 4 * KIB,
        ..QuotaLimits::default()
    };
    volume.set_quota(QuotaKind::Group, 8, &one).unwrap();
    volume.create_dir("/dir", owned(3, 3)).unwrap();
    create(&volume, "/dir/one", 3, 8);
    create(&volume, "/dir/other", 4, 4)
        .write_all_at(0, &[1; 5000])
        .unwrap();
    volume.sync().unwrap();
    let (before, space) = (walked(&volume), volume.statfs());
    let _scope = volume.enforce_quota();

    // The user was charged first, then the group refused.
    assert!(is_refused(try_create(&volume, "/dir/two", 3, 8)));
    assert!(is_refused(volume.create_dir("/dir/sub", owned(3, 8))));
    assert!(is_refused(volume.symlink("x", "/dir/link", owned(3, 8))));
    // Too large for the inode block and for the quota: the target is not stored.
    let long = "x".repeat(4000);
    assert!(is_refused(volume.symlink(&long, "/dir/link", owned(3, 8))));
    let to_group = SetAttr {
        uid: Some(3),
        gid: Some(8),
        ..SetAttr::default()
    };
    assert!(is_refused(volume.set_attr("/dir/other", &to_group)));
    // A block far out needs nodes too.
    let file = create(&volume, "/dir/one", 3, 8);
    assert!(is_refused(file.write_all_at(20 << 20, &[1; 4096])) || file.metadata().blocks() == 0);
    let value = vec![7; 3000];
    volume
        .set_xattr("/dir/one", "user.a", &value, f2fs::SetXattr::Any)
        .unwrap();
    assert!(is_refused(file.write_all_at(0, &[1; 4096])));
    volume.remove_xattr("/dir/one", "user.a").unwrap();

    assert_eq!(walked(&volume), before);
    assert_counted(&volume);
    volume.sync().unwrap();
    assert_eq!(volume.statfs(), space);
    assert_eq!(volume.metadata("/dir/other").unwrap().uid(), 4);
    drop(file);
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
}

#[test]
fn soft_limits_bind_after_their_grace_time() {
    let image = made_by_mkfs();
    let week = 604_800;
    let open_at = |secs| {
        let options = VolumeOptions {
            clock: Arc::new(StepClock::starting_at(secs)),
            ..VolumeOptions::default()
        };
        Volume::open(image.path(), &options).unwrap()
    };
    let volume = open_at(1_000_000);
    let limits = QuotaLimits {
        space_soft: 8 * KIB,
        inode_soft: 1,
        ..QuotaLimits::default()
    };
    volume.set_quota(QuotaKind::User, 7, &limits).unwrap();
    {
        let _scope = volume.enforce_quota();
        create(&volume, "/a", 7, 7)
            .write_all_at(0, &[1; 12_000])
            .unwrap();
        create(&volume, "/b", 7, 7);
    }
    let record = of(&volume, QuotaKind::User, 7);
    assert!(record.space_time > 1_000_000 + week && record.inode_time > 1_000_000 + week);
    volume.close().unwrap();

    let volume = open_at(1_000_000 + week + 1000);
    let scope = volume.enforce_quota();
    assert_eq!(of(&volume, QuotaKind::User, 7), record);
    let file = create(&volume, "/a", 7, 7);
    assert!(is_refused(file.write_all_at(12_288, &[1])));
    assert!(is_refused(try_create(&volume, "/c", 7, 7)));
    volume.remove_file("/b").unwrap();
    file.set_len(0).unwrap();
    let record = of(&volume, QuotaKind::User, 7);
    assert_eq!((record.space_time, record.inode_time), (0, 0));
    file.write_all_at(0, &[1; 12_000]).unwrap();
    drop(file);
    drop(scope);
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
}

#[test]
fn limits_are_kept_and_changed() {
    let image = made_by_mkfs();
    let volume = open(&image);
    let limits = QuotaLimits {
        space_hard: 10_000,
        space_soft: 1,
        inode_hard: 3,
        inode_soft: 2,
    };
    for kind in QuotaKind::ALL {
        volume.set_quota(kind, 4_000_000_000, &limits).unwrap();
    }
    let huge = QuotaLimits {
        inode_hard: u64::MAX,
        ..limits
    };
    let refused = volume.set_quota(QuotaKind::User, 1, &huge);
    assert!(matches!(refused, Err(Error::Invalid(_))));
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
    let volume = open(&image);
    for kind in QuotaKind::ALL {
        let stored = of(&volume, kind, 4_000_000_000).limits;
        let rounded = QuotaLimits {
            space_hard: 10 * KIB,
            space_soft: KIB,
            ..limits
        };
        assert_eq!(stored, rounded);
        volume
            .set_quota(kind, 4_000_000_000, &QuotaLimits::default())
            .unwrap();
    }
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
    let read_only = VolumeOptions {
        read_only: true,
        ..VolumeOptions::default()
    };
    let volume = Volume::open(image.path(), &read_only).unwrap();
    assert_eq!(volume.quota_report(QuotaKind::User).unwrap().len(), 1);
    assert!(matches!(
        volume.set_quota(QuotaKind::User, 1, &limits),
        Err(Error::ReadOnly(_))
    ));
}

#[test]
fn reserving_ranges_is_limited_too() {
    let image = made_by_mkfs();
    let volume = open(&image);
    limit_space(&volume, 7, 64 * KIB);
    let file = create(&volume, "/a", 7, 7);
    file.write_all_at(0, &[1; 5000]).unwrap();
    let before = of(&volume, QuotaKind::User, 7);
    let _scope = volume.enforce_quota();
    let reserve = |range| file.fallocate(Fallocate::AllocateKeepSize, range);
    assert!(is_refused(reserve(0..100 << 10)));
    assert_eq!(of(&volume, QuotaKind::User, 7), before);
    reserve(0..64 << 10).unwrap();
    assert!(is_refused(file.write_all_at(64 << 10, &[1])));
    // What is reserved was charged already.
    file.write_all_at(0, &vec![2; 64 << 10]).unwrap();
    file.fallocate(Fallocate::PunchHole, 0..8192).unwrap();
    file.write_all_at(0, &[3; 8192]).unwrap();
    assert_counted(&volume);
    drop(file);
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
}

#[test]
fn a_released_file_takes_no_more_than_the_limit() {
    let features = ["-O", "extra_attr,project_quota,quota,compression"];
    let image = tools::mkfs(&features, 96 << 20);
    let options = VolumeOptions {
        space: f2fs::Space::Release,
        ..VolumeOptions::default()
    };
    let volume = Volume::open(image.path(), &options).unwrap();
    let options = OpenOptions::new().read(true).write(true).create(true);
    let options = options
        .owner(7, 7)
        .compress(Some(f2fs::CompressDefaults::default()));
    let make = |path: &str| {
        let file = volume.open_with(path, &options).unwrap();
        file.write_all_at(0, &vec![1; 1 << 20]).unwrap();
        file
    };
    drop(make("/a"));
    volume.sync().unwrap();
    let used = told(&volume, QuotaKind::User)[&7].0;
    assert!(used < 200 * KIB, "{used}");
    assert_counted(&volume);
    let _scope = volume.enforce_quota();
    limit_space(&volume, 7, 800 * KIB);
    let file = volume.open_with("/a", &options).unwrap();
    assert!(is_refused(file.write_at(9, b"x")));
    assert!(file.metadata().is_released());
    limit_space(&volume, 7, 1200 * KIB);
    file.write_all_at(9, b"x").unwrap();
    drop(file);
    // What it saves is the other's as soon as that needs it.
    drop(make("/b"));
    volume.sync().unwrap();
    assert!(volume.metadata("/a").unwrap().is_released());
    assert!(told(&volume, QuotaKind::User)[&7].0 < 400 * KIB);
    assert_counted(&volume);
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
}
