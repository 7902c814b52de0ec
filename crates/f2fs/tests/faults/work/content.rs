//! Bytes of files: plain, large, compressed, growing.

use super::{base, inject};
use crate::common::{noise, pattern};
use crate::run::Run;
use std::sync::LazyLock;

fn plain(run: &mut Run) {
    run.sync();
    for (n, len) in [500, 5000, 40_000, 150_000].into_iter().enumerate() {
        for dir in ["", "/d"] {
            let path = format!("{dir}/new-{n}");
            let Some(file) = run.make(&path, &pattern(len, n as u64)) else {
                continue;
            };
            if !run.fsync(&file) {
                run.fsync(&file);
            }
        }
    }
}

#[test]
fn files_made_and_fsynced() {
    inject("plain", base(), plain);
}

fn overwrite(run: &mut Run) {
    run.sync();
    let (Some(a), Some(b)) = (run.open("/keep"), run.open("/keep")) else {
        return;
    };
    for n in 0..6 {
        run.write(&a, n * 9000, &noise(5000, n as u64));
        if n % 2 == 0 {
            run.fdatasync(&a);
        } else {
            run.fsync(&b);
        }
    }
    run.write(&a, 100, &noise(50_000, 9));
    run.fsync(&a);
    run.fsync(&b);
}

#[test]
fn overwrites() {
    inject("overwrite", base(), overwrite);
}

/// Blocks of the inode, and of two direct nodes.
const FAR: [usize; 4] = [3, 930, 1100, 1960];

fn large(run: &mut Run) {
    run.sync();
    let Some(file) = run.create("/large") else {
        return;
    };
    for block in FAR {
        run.write(&file, block * 4096, &pattern(9000, block as u64));
        run.fsync(&file);
    }
    run.sync();
    for block in FAR {
        run.write(&file, block * 4096 + 100, &noise(6000, block as u64));
    }
    run.fdatasync(&file);
    run.set_len(&file, 931 * 4096 + 5);
    run.fsync(&file);
    run.set_len(&file, 1000 * 4096);
    run.fsync(&file);
}

#[test]
fn large_files() {
    inject("large", base(), large);
}

fn compressed(run: &mut Run) {
    run.sync();
    let Some(file) = run.make("/new-packed", &pattern(100_000, 1)) else {
        return;
    };
    run.fsync(&file);
    for n in 0..4 {
        run.write(&file, n * 20_000 + 3000, &pattern(6000, n as u64));
        run.fsync(&file);
    }
    run.write(&file, 0, &noise(40_000, 5));
    run.fdatasync(&file);
    run.write(&file, 100_000, &pattern(30_000, 6));
    run.fsync(&file);
    run.set_len(&file, 70_001);
    run.fsync(&file);
    if let Some(old) = run.open("/keep-packed") {
        run.write(&old, 17_000, &pattern(100, 7));
        run.fsync(&old);
    }
    run.volume.drop_caches();
    run.read("/new-packed");
    run.read("/keep-packed");
}

#[test]
fn compressed_files() {
    inject("compressed", base(), compressed);
}

fn log(run: &mut Run) {
    run.sync();
    let (Some(a), Some(b)) = (run.create("/log"), run.create("/d/log")) else {
        return;
    };
    let mut at = 0;
    for n in 0..12 {
        let record = pattern(300 + n * 350, n as u64);
        run.write(&a, at, &record);
        run.fdatasync(&a);
        run.write(&b, at, &record);
        run.fsync(&b);
        at += record.len();
    }
}

#[test]
fn logs() {
    inject("log", base(), log);
}

fn checkpoints(run: &mut Run) {
    for n in 0..4 {
        let made = run.make(&format!("/d/made-{n}"), &pattern(20_000 * n, n as u64));
        run.sync();
        if let (Some(made), Some(keep)) = (made, run.open("/keep")) {
            run.write(&keep, n * 5000, &noise(3000, n as u64));
            run.write(&made, 100, &noise(5000, n as u64));
            run.fsync(&made);
        }
        run.sync();
        run.unlink(&format!("/d/name-of-some-length-{n}"));
    }
    run.sync();
}

#[test]
fn checkpoints_between() {
    inject("checkpoints", base(), checkpoints);
}

/// More than the cache holds: it is written back long before the fsync, which tells what went wrong then.
fn pressure(run: &mut Run) {
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| noise(3 << 20, 1));
    run.sync();
    let (Some(a), Some(b)) = (run.create("/much"), run.create("/much-packed")) else {
        return;
    };
    for n in 0..2 {
        run.write(&a, n * BYTES.len(), &BYTES);
        run.write(&b, n * BYTES.len(), &BYTES);
    }
    run.fsync(&a);
    run.fsync(&b);
    run.fsync(&a);
}

#[test]
fn more_than_the_cache_holds() {
    inject("pressure", base(), pressure);
}

fn closing(run: &mut Run) {
    run.make("/new", &pattern(90_000, 1));
    run.make("/new-packed", &pattern(90_000, 2));
    run.unlink("/d/inline");
    if let Some(keep) = run.open("/keep") {
        run.write(&keep, 0, &noise(30_000, 3));
    }
}

#[test]
fn closing_a_volume() {
    inject("close", base(), closing);
}

fn cold(run: &mut Run) {
    for path in run.model.names() {
        if run.model.now(&path).is_some_and(|seen| !seen.is_dir) {
            run.read(&path);
        }
    }
    run.list("/d");
    run.volume.drop_caches();
    run.read("/keep");
    run.read("/keep-packed");
}

#[test]
fn reading_a_cold_tree() {
    inject("cold", base(), cold);
}
