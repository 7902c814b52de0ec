//! The kernel and the engine take turns.

use super::*;
use f2fs::{Error, QuotaLimits};

/// A line of the kernel's report: id, space, inodes, limits, times.
fn kernel_report(text: &str, kind: QuotaKind) -> Vec<QuotaRecord> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("quota "));
    let numbers = lines.map(|line| {
        let numbers = line.split_whitespace().map(|n| n.parse().unwrap());
        numbers.collect::<Vec<u64>>()
    });
    let of_kind = numbers.filter(|n| n[0] == kind.index() as u64);
    let record = |n: Vec<u64>| QuotaRecord {
        id: n[1] as u32,
        space: n[2],
        inodes: n[3],
        limits: QuotaLimits {
            space_hard: n[4] << 10,
            space_soft: n[5] << 10,
            inode_hard: n[6],
            inode_soft: n[7],
        },
        space_time: n[8],
        inode_time: n[9],
    };
    let records = of_kind.map(record);
    records
        .filter(|r| r.space > 0 || r.inodes > 0 || !r.limits.is_unlimited())
        .collect()
}

#[test]
fn both_sides_count_the_same() {
    let image = made_by_mkfs();
    for round in 0..3 {
        let volume = open(&image);
        assert_counted(&volume);
        for n in 0..20 {
            let id = n * (round + 1) * 77;
            let file = create(&volume, &format!("/engine{round}-{n}"), id, n);
            file.write_all_at(u64::from(n) * 50_000, &vec![1; 3000 * n as usize])
                .unwrap();
            volume
                .set_project(format!("/engine{round}-{n}"), n % 3)
                .unwrap();
        }
        let limits = QuotaLimits {
            space_hard: 900 << 10,
            inode_soft: 1,
            ..QuotaLimits::default()
        };
        volume.set_quota(QuotaKind::User, 77, &limits).unwrap();
        let ours = QuotaKind::ALL.map(|kind| volume.quota_report(kind).unwrap());
        volume.close().unwrap();
        testkit::fsck::assert_clean(image.path());
        let work = format!(
            "tell_all()\nprint('then')\n\
             for i in range(30):\n    p = f'/tmp/m/kernel{round}-{{i}}'\n    open(p, 'wb').write(b'x' * 4000 * i)\n    \
             os.chown(p, i * 1000 * {round}, i)\n\
             for i in range(0, 20, 3): os.unlink(f'/tmp/m/engine{round}-{{i}}')\n\
             os.truncate('/tmp/m/engine{round}-5', 100)\nset_limits(1, 9, 0, 0, 1000, 0)\ntell_all()"
        );
        let Some(text) = in_kernel(image.path(), &work) else {
            return;
        };
        let (before, after) = text.split_once("then").unwrap();
        testkit::fsck::assert_clean(image.path());
        let volume = open(&image);
        for kind in QuotaKind::ALL {
            assert_eq!(
                kernel_report(before, kind),
                ours[kind.index()],
                "{}",
                kind.name()
            );
            let ours = volume.quota_report(kind).unwrap();
            assert_eq!(kernel_report(after, kind), ours, "{}", kind.name());
        }
        assert_counted(&volume);
        volume.close().unwrap();
    }
}

#[test]
fn our_limits_bind_the_kernel() {
    let image = made_by_mkfs();
    let volume = open(&image);
    volume
        .create_dir(
            "/work",
            Owner {
                permissions: 0o777,
                uid: 0,
                gid: 0,
            },
        )
        .unwrap();
    let limits = QuotaLimits {
        space_hard: 100 << 10,
        inode_hard: 3,
        ..QuotaLimits::default()
    };
    volume.set_quota(QuotaKind::User, 1000, &limits).unwrap();
    volume.close().unwrap();
    let work = "
EDQUOT = 122
def write(name, size):
    with open('/tmp/m/work/' + name, 'wb', buffering=0) as f:
        while size > 0: size -= f.write(b'x' * min(size, 4096))
assert as_user(1000, lambda: write('a', 90000)) == 0
assert as_user(1000, lambda: write('b', 90000)) == EDQUOT
assert as_user(1000, lambda: write('c', 0)) == 0
assert as_user(1000, lambda: write('d', 0)) == EDQUOT
assert as_user(1001, lambda: write('e', 500000)) == 0
print('done')";
    let Some(text) = in_kernel(image.path(), work) else {
        return;
    };
    assert!(text.contains("done"), "{text}");
    testkit::fsck::assert_clean(image.path());
    let volume = open(&image);
    assert_counted(&volume);
    let scope = volume.enforce_quota();
    let again = try_create(&volume, "/work/d", 1000, 1000);
    assert!(matches!(again, Err(Error::QuotaExceeded)));
    drop(scope);
    volume.close().unwrap();
}

#[test]
fn the_kernels_limits_bind_us() {
    let image = made_by_mkfs();
    let work = "set_limits(0, 1000, 40, 0, 2, 0); set_limits(1, 50, 0, 8, 0, 0); print('done')";
    let Some(_) = in_kernel(image.path(), work) else {
        return;
    };
    let volume = open(&image);
    let _scope = volume.enforce_quota();
    let file = create(&volume, "/a", 1000, 5);
    assert_eq!(file.write_at(0, &vec![1; 100_000]).unwrap(), 40 << 10);
    assert!(matches!(
        file.write_at(40 << 10, &[1]),
        Err(Error::QuotaExceeded)
    ));
    create(&volume, "/b", 1000, 5);
    assert!(matches!(
        try_create(&volume, "/c", 1000, 5),
        Err(Error::QuotaExceeded)
    ));
    create(&volume, "/d", 6, 50)
        .write_all_at(0, &[1; 9000])
        .unwrap();
    let group = of(&volume, QuotaKind::Group, 50);
    assert!(group.space_time > 0 && group.limits.space_soft == 8192);
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
    let text = in_kernel(image.path(), "tell_all()").unwrap();
    assert!(
        kernel_report(&text, QuotaKind::Group).contains(&group),
        "{text}"
    );
}
