//! Names: directories that grow, renames, links, files that lose their last name while open.

use super::{base, inject};
use crate::common::pattern;
use crate::run::Run;

fn names(run: &mut Run) {
    run.mkdir("/e");
    run.mkdir("/e/sub");
    for n in 0..50 {
        run.make(&format!("/e/a-rather-long-name-of-number-{n}"), b"y");
    }
    run.sync();
    run.rename("/keep", "/e/sub/kept");
    if let Some(kept) = run.open("/e/sub/kept") {
        run.fsync(&kept);
    }
    run.rename(
        "/e/a-rather-long-name-of-number-1",
        "/d/name-of-some-length-1",
    );
    run.link("/e/a-rather-long-name-of-number-2", "/d/linked");
    if let Some(linked) = run.open("/d/linked") {
        run.fsync(&linked);
    }
    for n in 10..30 {
        run.unlink(&format!("/e/a-rather-long-name-of-number-{n}"));
    }
    run.mkdir("/e/empty");
    run.rmdir("/e/empty");
    run.sync();
    run.rename("/d/name-of-some-length-3", "/d/name-of-some-length-4");
    if let Some(new) = run.make("/d/name-of-some-length-3", &pattern(5000, 3)) {
        run.fsync(&new);
    }
}

#[test]
fn directories() {
    inject("names", base(), names);
}

fn unlinked(run: &mut Run) {
    run.sync();
    let open = [
        run.open("/keep"),
        run.open("/keep-packed"),
        run.create("/short"),
    ];
    for path in ["/keep", "/keep-packed", "/short"] {
        run.unlink(path);
    }
    if let Some(again) = run.make("/keep", &pattern(9000, 4)) {
        run.fsync(&again);
    }
    run.sync();
    drop(open);
    run.sync();
}

#[test]
fn files_without_a_name() {
    inject("unlinked", base(), unlinked);
}
