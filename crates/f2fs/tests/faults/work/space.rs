//! Sizes and space: truncate and everything fallocate does.

use super::{base, inject};
use crate::common::{noise, pattern};
use crate::run::Run;
use f2fs::Fallocate;

const BLOCK: usize = 4096;

fn space(run: &mut Run) {
    run.sync();
    let Some(file) = run.make("/space", &pattern(30 * BLOCK, 1)) else {
        return;
    };
    run.fsync(&file);
    run.set_len(&file, 25 * BLOCK + 17);
    run.fsync(&file);
    run.fallocate(&file, Fallocate::PunchHole, 3 * BLOCK + 5..9 * BLOCK);
    run.fsync(&file);
    run.fallocate(&file, Fallocate::Allocate, 20 * BLOCK..40 * BLOCK);
    run.fallocate(&file, Fallocate::AllocateKeepSize, 40 * BLOCK..50 * BLOCK);
    run.fsync(&file);
    run.write(&file, 30 * BLOCK + 9, &noise(3 * BLOCK, 2));
    run.fdatasync(&file);
    run.fallocate(&file, Fallocate::ZeroRange, 10 * BLOCK + 1..13 * BLOCK);
    run.fsync(&file);
    run.sync();
    run.set_len(&file, 45 * BLOCK);
    run.set_len(&file, 12 * BLOCK + 1);
    run.fsync(&file);
}

#[test]
fn space_of_files() {
    inject("space", base(), space);
}

/// What moves in a file has a file of its own: the model knows states, not halves of them.
fn shifts(run: &mut Run) {
    run.sync();
    for (n, what) in [Fallocate::CollapseRange, Fallocate::InsertRange]
        .into_iter()
        .enumerate()
    {
        let path = format!("/d/shift-{n}");
        let Some(file) = run.make(&path, &noise(20 * BLOCK + 100, n as u64)) else {
            continue;
        };
        if run.fsync(&file) {
            run.fallocate(&file, what, 4 * BLOCK..7 * BLOCK);
            run.fsync(&file);
        }
        run.sync();
    }
}

#[test]
fn ranges_taken_out_and_put_in() {
    inject("shifts", base(), shifts);
}
