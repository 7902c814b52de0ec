//! Volumes that are nearly full and have no clean segment left: both sides place blocks into the gaps of the other.

use crate::guest::Guest;
use crate::manifest::Manifest;
use crate::ops::{Model, Op, apply_all, command_all};
use crate::pool::Rng;
use f2fs::{CompressDefaults, GcOptions, Volume, VolumeOptions};
use testkit::{fsck, tools};

const ROUNDS: u64 = 4;
/// Operations of a turn, and after how many everything is written.
const CHANGES: usize = 240;
const SYNC_EVERY: usize = 40;
/// Percents of the volume that files may fill.
const FULL: u64 = 94;

#[test]
fn both_sides_fill_the_gaps_of_a_full_volume() {
    let image = tools::mkfs(&["-O", "extra_attr,inode_checksum,compression"], 96 << 20);
    let mut model = Model::default();
    let mut rng = Rng::new(99);
    for round in 0..ROUNDS {
        let volume = Volume::open(image.path(), &VolumeOptions::default()).unwrap();
        let limit = volume.statfs().user_blocks * 4096 * FULL / 100;
        for part in turn(&mut model, &mut rng, limit, "e", round) {
            apply_all(&volume, &part);
            volume.sync().unwrap();
        }
        if round % 2 == 1 {
            volume.gc(GcOptions::default()).unwrap();
        }
        volume.close().unwrap();
        fsck::assert_clean(image.path());
        let ours = Manifest::of_image(image.path());
        model.assert_in(&ours, image.path(), "the engine reads its own turn");

        let before = model.clone();
        let mut guest = Guest::new();
        // The kernel leaves gaps on purpose, as years of use would.
        guest.mount(image.path(), "mode=fragment:block").manifest();
        for part in turn(&mut model, &mut rng, limit, "k", round) {
            command_all(&mut guest, &part);
            guest.then("sync");
        }
        guest.manifest().umount();
        eprintln!(
            "free {:?} segs {}",
            Volume::open(image.path(), &VolumeOptions::default())
                .map(|v| (v.statfs(), v.info().free_segments)),
            0
        );
        let Some(manifests) = guest.run() else { return };
        before.assert_in(
            &manifests[0],
            image.path(),
            "the kernel reads the engine's turn",
        );
        ours.assert_same(&manifests[0], "engine <> kernel after the engine's turn");
        model.assert_in(&manifests[1], image.path(), "the kernel reads its own turn");
        fsck::assert_clean(image.path());
        let ours = Manifest::of_image(image.path());
        ours.assert_same(&manifests[1], "engine <> kernel after the kernel's turn");
    }
    let space = Volume::open(image.path(), &VolumeOptions::default())
        .unwrap()
        .statfs();
    assert!(
        space.blocks_free < space.user_blocks / 5,
        "not nearly full: {space:?}"
    );
}

fn turn(model: &mut Model, rng: &mut Rng, limit: u64, side: &str, round: u64) -> Vec<Vec<Op>> {
    let mut parts = vec![Vec::new()];
    for n in 0..CHANGES {
        let ops = change(model, rng, limit, &format!("/{side}{round}-{n}"));
        model.apply_all(&ops);
        parts.last_mut().unwrap().extend(ops);
        if n % SYNC_EVERY == SYNC_EVERY - 1 {
            parts.push(Vec::new());
        }
    }
    parts
}

/// Makes, changes or removes a file.
fn change(model: &Model, rng: &mut Rng, limit: u64, new: &str) -> Vec<Op> {
    let paths: Vec<_> = model.paths().collect();
    // Clusters count whole until the blocks that compression saves are released; and there are nodes.
    let used = paths
        .iter()
        .map(|path| model.len(path).next_multiple_of(32 << 10) + 4096);
    let used: u64 = used.sum();
    let path = paths
        .get(rng.below(paths.len() as u64) as usize)
        .copied()
        .unwrap_or_default();
    let len = (1 + rng.below(300_000)) as usize;
    let source = rng.source(len);
    let (path, pos) = match rng.below(10) {
        0..5 if used + (400 << 10) < limit => (new.to_owned(), 0),
        0..7 if paths.len() > 10 => return vec![Op::Unlink(path.to_owned())],
        _ if !paths.is_empty() => {
            let size = model.len(path);
            let len = len.min(size as usize / 2 + 1);
            let pos = rng.below(size - len as u64 + 1);
            return vec![Op::Write {
                path: path.to_owned(),
                pos,
                len,
                source,
            }];
        }
        _ => (new.to_owned(), 0),
    };
    let compress = (rng.below(2) == 0).then(CompressDefaults::default);
    vec![
        Op::Create(path.clone(), compress),
        Op::Write {
            path,
            pos,
            len,
            source,
        },
    ]
}
