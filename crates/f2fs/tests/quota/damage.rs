//! Quota files that cannot be trusted.

use super::*;
use f2fs::{Error, QuotaLimits, QuotaState};
use std::os::unix::fs::FileExt;
use std::process::Command;

/// Where the quota file of users begins.
fn user_file(image: &NamedTempFile) -> u64 {
    let bytes = std::fs::read(image.path()).unwrap();
    let magic = [0x11, 0x1F, 0xC0, 0xD9, 1, 0, 0, 0];
    let block = bytes.chunks(4096).position(|block| block[..8] == magic);
    block.unwrap() as u64 * 4096
}

fn needs_fsck(volume: &Volume) -> bool {
    let flags = volume.info().checkpoint.flags;
    flags.contains(f2fs_format::CpFlags::QUOTA_NEED_FSCK)
}

fn repair(image: &NamedTempFile) {
    let fsck = Command::new("fsck.f2fs")
        .arg("-a")
        .arg(image.path())
        .output();
    assert!(fsck.unwrap().status.code().is_some_and(|code| code < 2));
}

#[test]
fn damaged_files_are_left_alone_and_rebuilt_by_fsck() {
    let image = made_by_mkfs();
    let at = user_file(&image);
    // Header, root of the tree, count of the leaf.
    for (offset, bytes) in [(0, [1, 2]), (1024, [77, 77]), (5 * 1024 + 8, [9, 0])] {
        let copy = tools::blank(0);
        std::fs::copy(image.path(), copy.path()).unwrap();
        copy.as_file().write_all_at(&bytes, at + offset).unwrap();
        let volume = open(&copy);
        assert_eq!(volume.quota_state(), QuotaState::Damaged);
        let _scope = volume.enforce_quota();
        create(&volume, "/a", 5, 5)
            .write_all_at(0, &[1; 9000])
            .unwrap();
        let refused = volume.set_quota(QuotaKind::User, 5, &QuotaLimits::default());
        assert!(matches!(refused, Err(Error::Unsupported(_))));
        assert!(volume.quota_report(QuotaKind::User).is_err());
        volume.sync().unwrap();
        assert!(needs_fsck(&volume));
        volume.close().unwrap();
        // Once written, the flag alone is enough.
        let volume = open(&copy);
        assert_eq!(volume.quota_state(), QuotaState::Damaged);
        create(&volume, "/b", 5, 5)
            .write_all_at(0, &[1; 9000])
            .unwrap();
        volume.close().unwrap();
        repair(&copy);
        testkit::fsck::assert_clean(copy.path());
        let volume = open(&copy);
        assert_eq!(volume.quota_state(), QuotaState::On);
        assert_counted(&volume);
        create(&volume, "/c", 5, 5)
            .write_all_at(0, &[1; 9000])
            .unwrap();
        assert_eq!(told(&volume, QuotaKind::User)[&5], (9 * 4096, 3));
        volume.close().unwrap();
        testkit::fsck::assert_clean(copy.path());
    }
}

#[test]
fn volumes_without_quota_files_do_not_count() {
    let image = tools::mkfs(&[], 64 << 20);
    let volume = open(&image);
    assert_eq!(volume.quota_state(), QuotaState::Off);
    assert!(matches!(
        volume.quota_report(QuotaKind::User),
        Err(Error::Unsupported(_))
    ));
    let limits = QuotaLimits::default();
    let refused = volume.set_quota(QuotaKind::User, 1, &limits);
    assert!(matches!(refused, Err(Error::Unsupported(_))));
}
