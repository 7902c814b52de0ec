//! A volume that counts what users, groups and projects have.

use super::{inject, prepare};
use crate::common::pattern;
use crate::disk::Disk;
use crate::inject::Base;
use crate::run::Run;
use f2fs::SetAttr;
use testkit::tools;

const SIZE: u64 = 96 << 20;

fn base() -> Base {
    let image = tools::mkfs(&["-O", "extra_attr,project_quota,quota"], SIZE);
    let disk = Disk::new(SIZE);
    disk.load(&std::fs::read(image.path()).unwrap());
    let model = prepare(&disk, |run| {
        run.mkdir("/d");
        run.make("/keep", &pattern(60_000, 1));
    });
    // The quota files grow and stay.
    let free = None;
    let disk = disk.freeze();
    Base { disk, model, free }
}

fn counted(run: &mut Run) {
    run.sync();
    for n in 0..4 {
        let path = format!("/d/of-{n}");
        let Some(file) = run.make(&path, &pattern(9000 * n, n as u64)) else {
            continue;
        };
        run.fsync(&file);
        let set = SetAttr {
            uid: Some(1000 * n as u32),
            ..SetAttr::default()
        };
        run.set_attr(&path, &set);
        run.write(&file, 50_000, &pattern(9000, 7));
        run.fsync(&file);
    }
    run.sync();
    run.unlink("/d/of-1");
    run.sync();
}

#[test]
fn quotas() {
    inject("quota", base(), counted);
}
