//! Engine and kernel take turns on compressed and plain, dense and sparse files of every algorithm and cluster size.

use crate::guest::Guest;
use crate::manifest::Manifest;
use crate::ops::{Model, Op, apply_all, command_all};
use crate::pool::Rng;
use f2fs::{CompressAlgorithm, CompressDefaults, Fill, FormatOptions, Volume, VolumeOptions};
use std::path::Path;
use tempfile::NamedTempFile;
use testkit::{fsck, tools};

/// Turns of each side.
const ROUNDS: u64 = 3;
/// Changes of each file in a turn.
const CHANGES: usize = 4;
const LOGS: [u8; 4] = [2, 4, 6, 8];
const BLOCK: u64 = 4096;

/// One volume that both sides work on.
struct Arena {
    image: NamedTempFile,
    /// Mount options of the kernel. They decide the level of what the kernel makes.
    options: &'static str,
    /// Parameters of the compressed files that are made.
    kinds: Vec<CompressDefaults>,
    model: Model,
}

#[test]
fn both_sides_rewrite_files_of_every_algorithm_and_cluster_size() {
    let mut arenas = [default_arena(), lz4hc_arena()];
    for round in 0..ROUNDS {
        for arena in &mut arenas {
            engine_turn(arena, round);
        }
        let Some(()) = kernel_turn(&mut arenas, round) else {
            return;
        };
    }
    for arena in &arenas {
        let seen = Manifest::of_image(arena.image.path());
        arena
            .model
            .assert_in(&seen, arena.image.path(), "the engine at the end");
        check_savings(arena, &seen);
    }
}

/// Every algorithm and cluster size saves blocks, whichever side wrote last.
fn check_savings(arena: &Arena, seen: &Manifest) {
    for kind in &arena.kinds {
        let kind = format!("{}:{}:", kind.algorithm.to_raw(), kind.log_cluster_size);
        for side in ["/engine", "/kernel"] {
            let files = seen.0.iter().filter(|(path, _)| path.starts_with(side));
            let saved =
                files.filter_map(|(_, fields)| fields.get("compression")?.strip_prefix(&kind));
            let saved: u64 = saved.map(|blocks| blocks.parse::<u64>().unwrap()).sum();
            assert!(saved > 0, "{side}, {kind}");
        }
    }
}

/// Made by our formatter: four algorithms.
fn default_arena() -> Arena {
    let image = NamedTempFile::new().unwrap();
    let format = FormatOptions::new(512 << 20);
    Volume::create(image.path(), &format, &VolumeOptions::default())
        .unwrap()
        .close()
        .unwrap();
    let kinds = CompressAlgorithm::ALL.into_iter().flat_map(|algorithm| {
        LOGS.map(|log_cluster_size| CompressDefaults {
            algorithm,
            level: 0,
            log_cluster_size,
            checksum: false,
        })
    });
    Arena {
        image,
        options: "compress_algorithm=lzo",
        kinds: kinds.collect(),
        model: Model::default(),
    }
}

/// Made by `mkfs.f2fs`: lz4 at level 9, with checksums of clusters.
fn lz4hc_arena() -> Arena {
    let features =
        "extra_attr,inode_checksum,sb_checksum,compression,inode_crtime,flexible_inline_xattr";
    let kinds = LOGS.map(|log_cluster_size| CompressDefaults {
        algorithm: CompressAlgorithm::Lz4,
        level: 9,
        log_cluster_size,
        checksum: true,
    });
    Arena {
        image: tools::mkfs(&["-O", features], 256 << 20),
        options: "compress_algorithm=lz4:9,compress_chksum",
        kinds: kinds.to_vec(),
        model: Model::default(),
    }
}

fn engine_turn(arena: &mut Arena, round: u64) {
    let path = arena.image.path();
    let volume = Volume::open(path, &options(round)).unwrap();
    if round > 0 {
        arena.model.assert_in(
            &Manifest::of(&volume),
            path,
            "the engine reads the kernel's turn",
        );
    }
    let ops = turn(arena, "engine", round);
    arena.model.apply_all(&ops);
    // Written back now and then, so that later changes meet clusters on the volume.
    for part in ops.chunks(ops.len() / 3 + 1) {
        apply_all(&volume, part);
        volume.sync().unwrap();
        volume.drop_caches();
    }
    volume.close().unwrap();
    fsck::assert_clean(path);
    arena.model.assert_in(
        &Manifest::of_image(path),
        path,
        "the engine reads its own turn",
    );
}

/// Another way through the engine each round; what is on the volume must not depend on it.
fn options(round: u64) -> VolumeOptions {
    let all = VolumeOptions::default();
    match round {
        0 => all,
        1 => VolumeOptions {
            fill: Fill::Cluster,
            cache_bytes: 16 << 20,
            ..all
        },
        _ => VolumeOptions {
            max_order: 0,
            readahead_bytes: 0,
            device_threads: 2,
            ..all
        },
    }
}

/// One guest for all volumes: verify, change, verify.
fn kernel_turn(arenas: &mut [Arena], round: u64) -> Option<()> {
    let before: Vec<_> = arenas
        .iter()
        .map(|a| (a.model.clone(), Manifest::of_image(a.image.path())))
        .collect();
    let turns: Vec<_> = arenas
        .iter()
        .map(|arena| turn(arena, "kernel", round))
        .collect();
    let mut guest = Guest::new();
    for (arena, ops) in arenas.iter().zip(&turns) {
        guest.mount(arena.image.path(), arena.options).manifest();
        command_all(&mut guest, ops);
        guest.then("sync").manifest().umount();
    }
    let manifests = guest.run()?;
    for (n, (arena, ops)) in arenas.iter_mut().zip(&turns).enumerate() {
        let (model, ours) = &before[n];
        model.assert_in(
            &manifests[2 * n],
            arena.image.path(),
            "the kernel reads the engine's turn",
        );
        ours.assert_same(
            &manifests[2 * n],
            "engine <> kernel after the engine's turn",
        );
        arena.model.apply_all(ops);
        arena.model.assert_in(
            &manifests[2 * n + 1],
            arena.image.path(),
            "the kernel reads its own turn",
        );
        check_after(arena.image.path(), &manifests[2 * n + 1]);
    }
    Some(())
}

fn check_after(image: &Path, theirs: &Manifest) {
    fsck::assert_clean(image);
    Manifest::of_image(image).assert_same(theirs, "engine <> kernel after the kernel's turn");
}

/// What one side does in one turn: new files, then changes of all.
fn turn(arena: &Arena, side: &str, round: u64) -> Vec<Op> {
    let mut rng = Rng::new(round * 2 + u64::from(side == "kernel") + 1);
    let mut ops = Vec::new();
    if round == 0 {
        ops.push(Op::Mkdir(format!("/{side}"), 0o755));
        let plain = [None, None].into_iter();
        let kinds = arena
            .kinds
            .iter()
            .flat_map(|&kind| [Some(kind), Some(kind)])
            .chain(plain);
        for (n, kind) in kinds.enumerate() {
            let path = file_name(side, n, kind);
            ops.push(Op::Create(path.clone(), kind));
            fill(&mut ops, &mut rng, &path, cluster_of(&path), n % 2 == 1);
        }
    }
    let mut model = arena.model.clone();
    model.apply_all(&ops);
    for path in arena.model.paths().map(str::to_owned).collect::<Vec<_>>() {
        for _ in 0..CHANGES {
            let size = model.len(&path);
            let op = change(&mut rng, &path, size);
            let shrinks = matches!(op, Op::Truncate(_, new) if new < size);
            model.apply_all(std::slice::from_ref(&op));
            ops.push(op);
            if shrinks && side == "kernel" {
                // Linux 6.12 shows old bytes of the last cluster if the file grows before that is written.
                ops.push(Op::Fsync(path.clone()));
            }
        }
    }
    ops
}

/// A name that tells the cluster's size, for [`cluster_of`].
fn file_name(side: &str, n: usize, kind: Option<CompressDefaults>) -> String {
    match kind {
        Some(kind) => {
            let (name, log) = (kind.algorithm.name(), kind.log_cluster_size);
            format!("/{side}/{n:02}-{name}-{}-c{log}", kind.level)
        }
        None => format!("/{side}/{n:02}-plain-c4"),
    }
}

fn cluster_of(path: &str) -> u64 {
    let (_, log) = path.rsplit_once("-c").unwrap();
    BLOCK << log.parse::<u8>().unwrap()
}

/// First content: five clusters and a part of one, dense or with holes.
fn fill(ops: &mut Vec<Op>, rng: &mut Rng, path: &str, cluster: u64, sparse: bool) {
    let path = path.to_owned();
    let size = cluster * 4 + rng.below(cluster);
    if !sparse {
        let len = size.min(5 * cluster - 1);
        for pos in (0..len).step_by(cluster as usize) {
            let len = (len - pos).min(cluster) as usize;
            let source = rng.source(len);
            ops.push(Op::Write {
                path: path.clone(),
                pos,
                len,
                source,
            });
        }
        return;
    }
    for index in [0, 2, 7] {
        let len = (1 + rng.below(cluster)) as usize;
        let pos = index * cluster + rng.below(cluster);
        ops.push(Op::Write {
            path: path.clone(),
            pos,
            len,
            source: rng.source(len),
        });
    }
    ops.push(Op::Truncate(path, 9 * cluster + rng.below(cluster)));
}

/// One change of a file of `size` bytes.
fn change(rng: &mut Rng, path: &str, size: u64) -> Op {
    let cluster = cluster_of(path);
    let pos = rng.below(size);
    let (pos, len) = match rng.below(10) {
        // Some bytes within a cluster; within a block; the whole of a cluster; a block.
        0 | 1 => (pos, 1 + rng.below(cluster / 2)),
        2 => (pos, 1 + rng.below(100)),
        3 => (pos / cluster * cluster, cluster),
        4 => (pos / BLOCK * BLOCK, BLOCK),
        // Across clusters.
        5 => (pos, cluster + rng.below(cluster / 2)),
        // At the end, and beyond it.
        6 => (size, 1 + rng.below(cluster)),
        7 => (size + rng.below(2 * cluster), 1 + rng.below(cluster / 2)),
        8 => return Op::Truncate(path.to_owned(), size - rng.below(size / 4)),
        _ => return Op::Truncate(path.to_owned(), size + rng.below(cluster)),
    };
    let len = len as usize;
    Op::Write {
        path: path.to_owned(),
        pos,
        len,
        source: rng.source(len),
    }
}
