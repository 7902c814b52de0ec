//! Recovery at open: the volume was cut off after fsyncs.

use super::{base, finish, inject};
use crate::common::{noise, pattern};
use crate::inject::{self as injecting, Base};
use crate::run::Run;

/// A byte below a direct node.
const FAR: usize = 1000 * 4096;

/// What `work` leaves when the power is cut at its end.
fn cut(work: fn(&mut Run)) -> Base {
    let start = base();
    let disk = start.disk.fork();
    let (_, run) = injecting::start(&disk, &start.model, None);
    let mut run = run.unwrap();
    work(&mut run);
    assert!(run.errors.is_empty(), "{:?}", run.errors);
    let cut = disk.cut();
    let model = run.model.clone();
    drop(run);
    finish(&cut, model)
}

fn read_all(run: &mut Run) {
    for path in run.model.names() {
        if run.model.now(&path).is_some_and(|seen| !seen.is_dir) {
            run.read(&path);
        }
    }
}

fn fsynced(run: &mut Run) {
    run.sync();
    for n in 0..3 {
        let path = format!("/d/new-{n}");
        if let Some(file) = run.make(&path, &pattern(30_000 * n + 10, n as u64)) {
            run.fsync(&file);
            run.set_xattr(&path, "user.x", b"x");
            run.fsync(&file);
        }
    }
    if let Some(keep) = run.open("/keep") {
        for n in 0..3 {
            run.write(&keep, n * 11_000, &noise(5000, n as u64));
            run.fdatasync(&keep);
        }
        run.write(&keep, 940 * 4096, &noise(5000, 7));
        run.fsync(&keep);
    }
    if let Some(packed) = run.open("/keep-packed") {
        run.write(&packed, 5000, &pattern(100, 8));
        run.fsync(&packed);
    }
}

#[test]
fn recovery() {
    inject("recovery", cut(fsynced), read_all);
}

/// Files that lose their name to a new file, and files unlinked while they were open.
fn replaced(run: &mut Run) {
    let held = run.open("/d/inline");
    run.unlink("/d/inline");
    let far = run.create("/far").unwrap();
    run.write(&far, FAR, &pattern(9000, 5));
    run.sync();
    if let Some(keep) = run.open("/keep") {
        run.write(&keep, 100, &noise(20_000, 1));
        run.fsync(&keep);
    }
    run.unlink("/keep");
    for (path, len) in [("/keep", 70_000), ("/other", 30_000)] {
        if let Some(new) = run.make(path, &pattern(len, 2)) {
            run.fsync(&new);
        }
    }
    // Its direct node is read when the others were recovered already.
    run.write(&far, FAR, &pattern(5000, 6));
    run.fdatasync(&far);
    drop(held);
}

#[test]
fn recovery_of_replaced_files() {
    inject("replaced", cut(replaced), read_all);
}
