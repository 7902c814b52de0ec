//! The workloads.

mod attrs;
mod content;
mod crash;
mod names;
mod quota;
mod shared;
mod space;

use crate::check;
use crate::common::pattern;
use crate::disk::Disk;
use crate::inject::{self, Base, inject};
use crate::model::Model;
use crate::run::Run;
use crate::{formatted, options};
use f2fs::Volume;
use std::sync::Arc;

/// A volume with one file of each kind, cleanly closed.
fn base() -> Base {
    let disk = formatted();
    let model = prepare(&disk, |run| {
        run.mkdir("/d");
        run.make("/keep", &pattern(60_000, 1));
        run.make("/keep-packed", &pattern(50_000, 2));
        run.make("/d/inline", &pattern(700, 3));
        run.make("/attrs", b"attrs");
        run.set_xattr("/attrs", "user.small", b"small");
        run.set_xattr("/attrs", "user.large", &[b'x'; 1500]);
        for n in 0..20 {
            run.make(&format!("/d/name-of-some-length-{n}"), b"x");
        }
    });
    finish(&disk, model)
}

/// Does something to a disk without faults, and closes the volume.
fn prepare(disk: &Arc<Disk>, work: impl FnOnce(&mut Run)) -> Model {
    let (_, run) = inject::start(disk, &Model::default(), None);
    let mut run = run.unwrap();
    work(&mut run);
    assert!(run.errors.is_empty(), "{:?}", run.errors);
    run.volume.finish().unwrap();
    run.model.all_synced();
    run.model
}

/// A disk as the start of a workload.
fn finish(disk: &Disk, model: Model) -> Base {
    let disk = disk.freeze();
    let emptied = Volume::open_device(disk.fork(), &options()).unwrap();
    let free = Some(check::free_when_empty(&emptied));
    Base { disk, model, free }
}
