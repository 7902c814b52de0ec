//! Volumes that the kernel fragmented and we clean, and the other way round.

use crate::guest::Guest;
use crate::manifest::Manifest;
use crate::ops::{Model, Op, apply_all, command_all};
use crate::pool::Rng;
use f2fs::{CompressDefaults, GcOptions, Volume, VolumeOptions};
use std::path::Path;
use testkit::{fsck, tools};

const SIZE: u64 = 256 << 20;
const FILES: usize = 90;
const ALL: GcOptions = GcOptions {
    free_segments: u32::MAX,
    utilisation_max: 100,
};

/// Files of every kind, of which many go again: holes in most segments.
fn turn(model: &mut Model, rng: &mut Rng, side: &str) -> Vec<Vec<Op>> {
    let mut parts = Vec::new();
    for part in 0..3 {
        let mut ops = Vec::new();
        for n in 0..FILES / 3 {
            let path = format!("/{side}{part}-{n}");
            let len = (1 + rng.below(330_000)) as usize;
            let compress = (rng.below(2) == 0).then(CompressDefaults::default);
            let (pos, source) = (rng.below(3) * 4096, rng.source(len));
            ops.push(Op::Create(path.clone(), compress));
            ops.push(Op::Write {
                path,
                pos,
                len,
                source,
            });
        }
        model.apply_all(&ops);
        parts.push(ops);
    }
    let paths: Vec<String> = model.paths().map(ToOwned::to_owned).collect();
    let mut ops = Vec::new();
    for (n, path) in paths.into_iter().enumerate() {
        if n % 5 < 2 {
            ops.push(Op::Unlink(path));
        }
    }
    model.apply_all(&ops);
    parts.push(ops);
    parts
}

fn clean(image: &Path, model: &Model) -> Manifest {
    let volume = Volume::open(image, &VolumeOptions::default()).unwrap();
    let report = volume.gc(ALL).unwrap();
    assert!(
        report.refused == 0 && report.data_blocks > 200,
        "{report:?}"
    );
    assert!(report.free_after > report.free_before, "{report:?}");
    volume.close().unwrap();
    fsck::assert_clean(image);
    let ours = Manifest::of_image(image);
    model.assert_in(&ours, image, "the engine after cleaning");
    ours
}

#[test]
fn what_we_clean_the_kernel_goes_on_with() {
    let features = "extra_attr,inode_checksum,compression,flexible_inline_xattr";
    // With quotas and larger sections at once the kernel's fragmenting hangs.
    for (quota, sections) in [(",quota", "1"), ("", "4")] {
        let features = format!("{features}{quota}");
        let image = tools::mkfs(&["-O", &features, "-s", sections], SIZE);
        let mut model = Model::default();
        let mut rng = Rng::new(4711);
        // The kernel makes the holes.
        let kernel_turn = turn(&mut model, &mut rng, "k");
        let mut guest = Guest::new();
        guest.mount(image.path(), "mode=fragment:block");
        for part in kernel_turn {
            command_all(&mut guest, &part);
            guest.then("sync");
        }
        guest.umount();
        if guest.run().is_none() {
            return;
        }
        let cleaned = clean(image.path(), &model);
        // Now the engine does, the kernel finds what was cleaned, and makes more.
        let volume = Volume::open(image.path(), &VolumeOptions::default()).unwrap();
        for part in turn(&mut model, &mut rng, "e") {
            apply_all(&volume, &part);
            volume.sync().unwrap();
        }
        volume.close().unwrap();
        drop(cleaned);
        let cleaned = clean(image.path(), &model);
        let mut guest = Guest::new();
        guest.mount(image.path(), "").manifest();
        for part in turn(&mut model, &mut rng, "l") {
            command_all(&mut guest, &part);
            guest.then("sync");
        }
        guest.manifest().umount();
        let manifests = guest.run().unwrap();
        cleaned.assert_same(&manifests[0], "engine <> kernel after cleaning");
        model.assert_in(&manifests[1], image.path(), "the kernel after its own turn");
        fsck::assert_clean(image.path());
        clean(image.path(), &model);
    }
}
