//! Sizes and space: truncate and everything fallocate does.

use super::{base, finish, inject, prepare};
use crate::common::{noise, pattern};
use crate::formatted;
use crate::inject::Base;
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

/// Blocks of the inode, of direct nodes, and of one below an indirect node.
const FAR: [usize; 4] = [3, 930, 1960, 3050];

fn with_far_blocks() -> Base {
    let disk = formatted();
    let model = prepare(&disk, |run| {
        for path in ["/cut", "/gone", "/punched"] {
            let file = run.create(path).unwrap();
            for block in FAR {
                run.write(&file, block * BLOCK, &pattern(9000, block as u64));
            }
            run.set_xattr(path, "user.large", &[b'x'; 1500]);
        }
    });
    finish(&disk, model)
}

/// Nodes that are freed were never read before.
fn shrinking(run: &mut Run) {
    if let Some(file) = run.open("/cut") {
        // Dirty behind the end that the volume knows.
        run.write(&file, 3060 * BLOCK, &noise(9000, 1));
        run.set_len(&file, 1961 * BLOCK + 7);
        run.fsync(&file);
        run.set_len(&file, 931 * BLOCK);
        run.fsync(&file);
    }
    if let Some(file) = run.open("/punched") {
        run.fallocate(&file, Fallocate::PunchHole, 4 * BLOCK + 9..3051 * BLOCK);
        run.fsync(&file);
    }
    run.unlink("/gone");
    run.sync();
    if let Some(file) = run.open("/punched") {
        run.set_len(&file, 0);
        run.fsync(&file);
    }
}

#[test]
fn files_that_shrink() {
    inject("shrink", with_far_blocks(), shrinking);
}

fn with_torn_files() -> Base {
    let disk = formatted();
    let model = prepare(&disk, |run| {
        let files = ["/torn", "/torn-packed"].map(|path| run.create(path).unwrap());
        for n in 0..12 {
            for file in &files {
                run.write(file, n * 4 * BLOCK, &pattern(4 * BLOCK, n as u64));
                run.fsync(file);
            }
        }
    });
    finish(&disk, model)
}

/// Files in pieces are written anew; whatever fails, they keep their bytes.
fn gathering(run: &mut Run) {
    for path in ["/torn", "/torn-packed"] {
        if let Some(file) = run.open(path) {
            run.defragment(&file);
            run.fsync(&file);
            run.write(&file, 5 * BLOCK, &noise(BLOCK, 1));
            run.defragment(&file);
            run.fsync(&file);
        }
    }
    run.sync();
}

#[test]
fn files_in_pieces() {
    inject("gather", with_torn_files(), gathering);
}
