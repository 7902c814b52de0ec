//! Random operations; the counts are compared with a walk, with `fsck.f2fs` and with the kernel.

use super::*;
use f2fs::{CompressAlgorithm, CompressDefaults, Fallocate, Special};
use runtime::rng::Rng;

const NAMES: u64 = 24;
/// Ids that share blocks of the quota files, and ids that do not.
const IDS: [u32; 7] = [0, 1, 2, 300, 70_000, 5_000_000, u32::MAX - 7];

const WAYS: [Fallocate; 5] = [
    Fallocate::Allocate,
    Fallocate::PunchHole,
    Fallocate::ZeroRange,
    Fallocate::CollapseRange,
    Fallocate::InsertRange,
];

struct Run {
    image: NamedTempFile,
    volume: Option<Volume>,
    rng: Rng,
}

impl Run {
    fn volume(&self) -> &Volume {
        self.volume.as_ref().unwrap()
    }

    fn name(&mut self) -> String {
        let n = self.rng.below(NAMES);
        if n.is_multiple_of(3) {
            format!("/dir{}/file{n}", n % 4)
        } else {
            format!("/file{n}")
        }
    }

    fn id(&mut self) -> u32 {
        IDS[self.rng.below(IDS.len() as u64) as usize]
    }

    fn write(&mut self) {
        let (name, uid, gid) = (self.name(), self.id(), self.id());
        let pos = match self.rng.below(4) {
            0 => self.rng.below(9 << 20),
            _ => self.rng.below(100_000),
        };
        let bytes = vec![self.rng.below(256) as u8; self.rng.below(60_000) as usize];
        // A link that leads nowhere is in the way.
        if let Ok(file) = try_create(self.volume(), &name, uid, gid) {
            match file.write_all_at(pos, &bytes) {
                // Its compressed blocks were released.
                Ok(()) | Err(f2fs::Error::NotPermitted(_)) => {}
                Err(error) => panic!("{name}: {error}"),
            }
        }
    }

    /// A change that may find nothing to change.
    fn step(&mut self) {
        let (name, other, id) = (self.name(), self.name(), self.id());
        let volume = self.volume.as_ref().unwrap();
        let rng = &mut self.rng;
        let _may_miss = match rng.below(17) {
            0..=3 => {
                self.write();
                Ok(())
            }
            4 => chown(volume, &name, id),
            5 => volume.set_attr(
                &name,
                &SetAttr {
                    gid: Some(id),
                    ..SetAttr::default()
                },
            ),
            6 => volume.set_project(&name, id),
            7 => volume
                .open_with(&name, &OpenOptions::new().write(true))
                .and_then(|file| file.set_len(rng.below(120_000))),
            8 => volume.remove_file(&name),
            9 => volume.rename(&name, &other),
            10 => volume.hard_link(&name, &other),
            11 => {
                let (at, len) = (4096 * rng.below(30), 4096 * (1 + rng.below(30)));
                let what = WAYS[rng.below(WAYS.len() as u64) as usize];
                volume
                    .open_with(&name, &OpenOptions::new().write(true))
                    .and_then(|file| file.fallocate(what, at..at + len))
            }
            12 => volume.release_blocks(&name).map(|_| ()),
            13 => volume.reserve_blocks(&name).map(|_| ()),
            14 => volume.symlink(
                "x".repeat(rng.below(4000) as usize + 1),
                &name,
                owned(id, 2),
            ),
            _ => {
                let value = vec![7; rng.below(3000) as usize];
                volume.set_xattr(&name, "user.a", &value, f2fs::SetXattr::Any)
            }
        };
    }

    fn reopen(&mut self) {
        self.volume.take().unwrap().close().unwrap();
        testkit::fsck::assert_clean(self.image.path());
        self.volume = Some(open(&self.image));
    }
}

/// What a power cut now would leave.
fn assert_cut_is_counted(image: &Path) {
    let copy = tools::blank(0);
    std::fs::copy(image, copy.path()).unwrap();
    testkit::fsck::assert_clean(copy.path());
    let volume = open(&copy);
    assert_counted(&volume);
    volume.close().unwrap();
    testkit::fsck::assert_clean(copy.path());
}

fn run(features: &str, seed: u64, steps: u64) {
    let image = tools::mkfs(&["-O", features], 96 << 20);
    let volume = open(&image);
    for n in 0..4 {
        let dir = format!("/dir{n}");
        volume.create_dir(&dir, owned(n, 300)).unwrap();
        if features.contains("compression") && n < 2 {
            let with = CompressDefaults {
                algorithm: CompressAlgorithm::Lz4,
                level: 0,
                log_cluster_size: 2,
                checksum: false,
            };
            volume.set_compression(&dir, Some(with)).unwrap();
        }
    }
    let mut run = Run {
        image,
        volume: Some(volume),
        rng: Rng::seeded(seed),
    };
    for n in 0..steps {
        run.step();
        if n % 100 == 60 {
            run.volume().sync().unwrap();
            testkit::fsck::assert_clean(run.image.path());
            assert_counted(run.volume());
        }
        if n % 300 == 140 {
            assert_cut_is_counted(run.image.path());
        }
        if n % 300 == 299 {
            run.reopen();
            assert_counted(run.volume());
        }
    }
    run.reopen();
    assert_counted(run.volume());
}

#[test]
fn plain_files_are_counted() {
    run("extra_attr,project_quota,quota", 1, 1500);
}

#[test]
fn compressed_files_are_counted_before_compression() {
    run(
        "extra_attr,project_quota,quota,compression,inode_checksum",
        2,
        1500,
    );
}

#[test]
fn volumes_without_projects_count_users_and_groups() {
    let image = tools::mkfs(&["-O", "quota"], 64 << 20);
    let volume = open(&image);
    create(&volume, "/a", 5, 6)
        .write_all_at(0, &[1; 9000])
        .unwrap();
    assert_eq!(told(&volume, QuotaKind::User)[&5], (3 * 4096, 1));
    assert!(volume.quota_report(QuotaKind::Project).is_err());
    assert!(matches!(
        volume.set_project("/a", 1),
        Err(f2fs::Error::Unsupported(_))
    ));
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
}

/// Thousands of ids make the files outgrow their inode blocks.
#[test]
fn many_ids_fit() {
    let image = tools::mkfs(&ALL, 256 << 20);
    let volume = open(&image);
    for n in 0..4000u32 {
        let fifo = format!("/pipe{n}");
        let owner = owned(n.wrapping_mul(2_654_435_761), n);
        volume.mknod(&fifo, Special::Fifo, owner).unwrap();
        if n % 900 == 899 {
            volume.sync().unwrap();
        }
    }
    assert_counted(&volume);
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
    assert_counted(&open(&image));
}

#[test]
fn an_unlinked_file_counts_until_it_is_freed() {
    let image = made_by_mkfs();
    let volume = open(&image);
    let file = create(&volume, "/a", 7, 7);
    file.write_all_at(0, &vec![1; 20_000]).unwrap();
    volume.remove_file("/a").unwrap();
    volume.sync().unwrap();
    testkit::fsck::assert_clean(image.path());
    assert_eq!(told(&volume, QuotaKind::User)[&7], (5 * 4096, 1));
    // As after a power cut: the next mount frees it.
    let copy = tools::blank(0);
    std::fs::copy(image.path(), copy.path()).unwrap();
    let again = open(&copy);
    assert_eq!(told(&again, QuotaKind::User).get(&7), None);
    assert_counted(&again);
    again.close().unwrap();
    testkit::fsck::assert_clean(copy.path());
    drop(file);
    assert_eq!(told(&volume, QuotaKind::User).get(&7), None);
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
}

/// New ids need room in the quota files, which a checkpoint has to find even on a full volume.
#[test]
fn a_full_volume_keeps_its_counts() {
    let image = tools::mkfs(&ALL, 64 << 20);
    let volume = open(&image);
    let mut made = 0;
    let is_full = |result: f2fs::Result<()>| match result {
        Ok(()) => false,
        Err(f2fs::Error::NoSpace) => true,
        Err(error) => panic!("{error}"),
    };
    while !is_full(
        try_create(&volume, &format!("/file{made}"), made * 1009, made)
            .and_then(|file| file.write_all_at(0, &[1; 16_000])),
    ) {
        made += 1;
        if made % 500 == 0 {
            volume.sync().unwrap();
        }
    }
    assert!(made > 500, "{made} files");
    volume.sync().unwrap();
    testkit::fsck::assert_clean(image.path());
    assert_counted(&volume);
    for n in (0..made).step_by(3) {
        volume.remove_file(format!("/file{n}")).unwrap();
    }
    assert_counted(&volume);
    assert_eq!(volume.quota_state(), f2fs::QuotaState::On);
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
    assert_counted(&open(&image));
}

#[test]
fn threads_lose_no_count() {
    let image = made_by_mkfs();
    let volume = open(&image);
    std::thread::scope(|threads| {
        for thread in 0..4u32 {
            let volume = &volume;
            threads.spawn(move || {
                for n in 0..60u32 {
                    let path = format!("/file{thread}-{}", n % 7);
                    // All threads charge the same group, each its own user.
                    let file = create(volume, &path, thread, 9);
                    file.write_all_at(0, &vec![1; (n * 997) as usize]).unwrap();
                    chown(volume, &path, n % 3).unwrap();
                    match n % 5 {
                        0 => volume.remove_file(&path).unwrap(),
                        1 => volume.sync().unwrap(),
                        _ => file.set_len(u64::from(n) * 300).unwrap(),
                    }
                }
            });
        }
    });
    assert_counted(&volume);
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
}
