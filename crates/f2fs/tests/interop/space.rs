//! Blocks that compression saves, released and reserved, and files in the other form: what one side did, the other goes
//! on with, and both refuse the same.

use crate::guest::Guest;
use crate::manifest::Manifest;
use crate::ops::{Model, Op, apply_all, command_all};
use crate::parity::fresh_volume;
use crate::pool::NOISE;
use f2fs::{
    CompressAlgorithm, CompressDefaults, CompressMode, Fallocate, IomapKind, Volume, VolumeOptions,
};
use testkit::fsck;

/// What is done with a compressed file. The names are those of the guest's commands.
const VERBS: [&str; 4] = ["release", "reserve", "compress", "decompress"];

fn apply(volume: &Volume, verb: &str, path: &str) -> f2fs::Result<()> {
    match verb {
        "release" => volume.release_blocks(path).map(drop),
        "reserve" => volume.reserve_blocks(path).map(drop),
        "compress" => volume.compress_file(path),
        _ => volume.decompress_file(path),
    }
}

fn user_mode() -> VolumeOptions {
    VolumeOptions {
        compress_mode: CompressMode::User,
        ..VolumeOptions::default()
    }
}

/// A file for each algorithm and some cluster sizes, and what happens to it on each side.
fn files(top: &str) -> Vec<Op> {
    let mut ops = vec![Op::Mkdir(top.into(), 0o755)];
    for algorithm in CompressAlgorithm::ALL {
        for log_cluster_size in [2, 4, 8] {
            let path = path(top, algorithm, log_cluster_size);
            let compress = CompressDefaults {
                algorithm,
                log_cluster_size,
                ..CompressDefaults::default()
            };
            ops.push(Op::Create(path.clone(), Some(compress)));
            let write = |pos, len, source| Op::Write {
                path: path.clone(),
                pos,
                len,
                source,
            };
            ops.push(write(0, 1_200_000, 0));
            ops.push(write(600_000, 70_000, NOISE.start));
            ops.push(write(3_000_000, 100_000, 7));
        }
    }
    ops
}

fn path(top: &str, algorithm: CompressAlgorithm, log: u8) -> String {
    format!("{top}/{}-{log}", algorithm.name())
}

fn paths(top: &str) -> Vec<String> {
    let logs = |algorithm| [2, 4, 8].map(|log| path(top, algorithm, log));
    CompressAlgorithm::ALL.into_iter().flat_map(logs).collect()
}

/// Each side releases, reserves, compresses and decompresses what the other left in the other state.
#[test]
fn both_sides_take_turns_on_saved_blocks() {
    let (image, volume) = fresh_volume(512 << 20);
    volume.close().unwrap();
    let image = image.path();
    let mut model = Model::default();
    let volume = Volume::open(image, &user_mode()).unwrap();
    apply_all(&volume, &files("/e"));
    model.apply_all(&files("/e"));
    model.apply_all(&files("/k"));
    let mut kernel = Guest::new();
    kernel.mount(image, "compress_mode=user");
    command_all(&mut kernel, &files("/k"));
    // In each line: what the engine does, then the kernel, to every file of both.
    let turns: [(&[&str], &[&str]); 5] = [
        (&["compress"], &["compress"]),
        (&["release"], &["reserve"]),
        (&["decompress"], &["compress", "release"]),
        (&["reserve"], &["decompress"]),
        (&["compress", "release"], &["reserve", "decompress"]),
    ];
    let mut volume = Some(volume);
    for (n, (ours, theirs)) in turns.into_iter().enumerate() {
        let opened = volume
            .take()
            .unwrap_or_else(|| Volume::open(image, &user_mode()).unwrap());
        let tops: &[&str] = if n == 0 { &["/e"] } else { &["/e", "/k"] };
        for path in tops.iter().flat_map(|top| paths(top)) {
            for verb in ours {
                let done = apply(&opened, verb, &path);
                done.unwrap_or_else(|error| panic!("turn {n}: {verb} {path}: {error}"));
            }
        }
        opened.close().unwrap();
        fsck::assert_clean(image);
        let seen = Manifest::of_image(image);
        let tops = if n == 0 { vec!["/k"] } else { vec!["/e", "/k"] };
        for path in tops.iter().flat_map(|top| paths(top)) {
            for verb in theirs {
                kernel.then(format!("{verb} {path}"));
            }
        }
        kernel.then("sync").manifest().umount();
        let Some(manifests) = kernel.run() else {
            return;
        };
        fsck::assert_clean(image);
        let now = Manifest::of_image(image);
        manifests[0].assert_same(&now, &format!("turn {n}: kernel <> engine"));
        model.assert_in(&now, image, &format!("turn {n}"));
        check_saved(&seen, n, "engine");
        kernel = Guest::new();
        kernel.mount(image, "compress_mode=user");
    }
}

/// After the turns in which one side compresses, its files save blocks.
fn check_saved(seen: &Manifest, turn: usize, side: &str) {
    if turn == 0 {
        for path in paths("/e") {
            let compression = seen.field(&path, "compression");
            assert!(!compression.ends_with(":0"), "{side}: {path} {compression}");
        }
    }
}

/// Files of every kind of extent.
fn mapped(top: &str) -> (Vec<Op>, Vec<String>) {
    let name = |name: &str| format!("{top}/{name}");
    let write = |file: &str, pos, len, source| Op::Write {
        path: name(file),
        pos,
        len,
        source,
    };
    let space = |file: &str, what, pos, len| Op::Fallocate {
        path: name(file),
        what,
        pos,
        len,
    };
    let pressed = CompressDefaults {
        log_cluster_size: 2,
        ..CompressDefaults::default()
    };
    let mut ops = vec![Op::Mkdir(top.into(), 0o755)];
    for file in ["inline", "reserved", "written", "punched", "kept", "hole"] {
        ops.push(Op::Create(name(file), None));
    }
    for file in ["pressed", "end", "gaps"] {
        ops.push(Op::Create(name(file), Some(pressed)));
    }
    ops.extend([
        write("inline", 0, 100, 0),
        space("reserved", Fallocate::Allocate, 0, 400_000),
        space("written", Fallocate::Allocate, 0, 400_000),
        write("written", 20_480, 40_960, 0),
        write("punched", 0, 409_600, 0),
        space("punched", Fallocate::PunchHole, 40_960, 81_920),
        space("punched", Fallocate::ZeroRange, 200_704, 98_304),
        write("kept", 0, 300_000, 0),
        space("kept", Fallocate::AllocateKeepSize, 0, 600_000),
        write("hole", 262_144, 1, 0),
        Op::Truncate(name("hole"), 1 << 20),
        write("pressed", 0, 300_000, 0),
        write("end", 0, 30_000, NOISE.start),
        write("gaps", 65_536, 65_536, 0),
        space("gaps", Fallocate::Allocate, 0, 200_000),
    ]);
    let files = ops.iter().filter_map(|op| match op {
        Op::Create(path, _) => Some(path.clone()),
        _ => None,
    });
    let files = files.collect();
    (ops, files)
}

/// One file's extents in the words of the guest's answer.
fn extents(volume: &Volume, path: &str) -> (String, String) {
    let file = volume.open_file(path).unwrap();
    let extents = file.extents().unwrap().into_iter().map(|extent| {
        let kind = match extent.kind {
            IomapKind::Mapped(at) => at.to_string(),
            IomapKind::Delalloc => "reserved".to_owned(),
            IomapKind::Compressed => "compressed".to_owned(),
            IomapKind::Inline => "inline".to_owned(),
            IomapKind::Hole => "hole".to_owned(),
        };
        format!("{}+{}:{kind}", extent.pos, extent.len)
    });
    let extents: Vec<_> = extents.collect();
    let blocks = (0..200).step_by(7).map(|block| {
        let address = file.block_address(block).unwrap();
        address.unwrap_or(0).to_string()
    });
    (extents.join(","), blocks.collect::<Vec<_>>().join(","))
}

#[test]
fn both_sides_report_the_same_extents() {
    let (image, volume) = fresh_volume(64 << 20);
    let mut guest = Guest::new();
    guest.mount(image.path(), "");
    let (ops, mut files) = mapped("/e");
    apply_all(&volume, &ops);
    let (ops, theirs) = mapped("/k");
    command_all(&mut guest, &ops);
    guest.then("sync");
    files.extend(theirs);
    for (n, path) in files.iter().enumerate() {
        guest.then(format!("extents {n} {path}"));
    }
    volume.close().unwrap();
    guest.attempts().umount();
    let Some(manifests) = guest.run() else { return };
    fsck::assert_clean(image.path());
    let options = VolumeOptions {
        read_only: true,
        ..VolumeOptions::default()
    };
    let volume = Volume::open(image.path(), &options).unwrap();
    let mut differences = Vec::new();
    for (n, path) in files.iter().enumerate() {
        let field = |name| manifests[0].field(&n.to_string(), name).to_owned();
        let (ours, theirs) = (extents(&volume, path), (field("extents"), field("blocks")));
        if ours != theirs {
            differences.push(format!("{path}: {ours:?}, the kernel {theirs:?}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// What the verbs are tried on.
fn targets(top: &str) -> (Vec<Op>, Vec<String>) {
    let name = |name: &str| format!("{top}/{name}");
    let mut ops = vec![
        Op::Mkdir(top.into(), 0o755),
        Op::Create(name("plain"), None),
        Op::Create(name("empty"), Some(CompressDefaults::default())),
        Op::Create(name("noise"), Some(CompressDefaults::default())),
        Op::Create(name("full"), Some(CompressDefaults::default())),
    ];
    for (file, source) in [("plain", 0), ("noise", NOISE.start), ("full", 0)] {
        ops.push(Op::Write {
            path: name(file),
            pos: 0,
            len: 200_000,
            source,
        });
    }
    let files = ["plain", "empty", "noise", "full"];
    (ops, files.map(name).to_vec())
}

#[test]
fn both_sides_refuse_the_same_verbs() {
    // The kernel compresses and decompresses on request only in this mode.
    let (image, volume) = fresh_volume(64 << 20);
    volume.close().unwrap();
    let volume = Volume::open(image.path(), &user_mode()).unwrap();
    let mut guest = Guest::new();
    guest.mount(image.path(), "compress_mode=user");
    let (ops, ours) = targets("/e");
    apply_all(&volume, &ops);
    let (ops, theirs) = targets("/k");
    command_all(&mut guest, &ops);
    guest.then("sync");
    let mut results = Vec::new();
    // Twice over, so that each meets what the other left.
    for verb in VERBS
        .iter()
        .chain(&VERBS)
        .chain(&["reserve", "compress", "release"])
    {
        for (ours, theirs) in ours.iter().zip(&theirs) {
            guest.then(format!("attempt {} {verb} {theirs}", results.len()));
            let result = apply(&volume, verb, ours);
            results.push((format!("{verb} {ours}"), result));
        }
    }
    let cut = |path: &str, size| Op::Truncate(path.to_owned(), size);
    for size in [1, 150_000, 200_000, 196_608, 300_000, 65_536] {
        let (ours, theirs) = (cut(&ours[3], size), cut(&theirs[3], size));
        guest.then(format!("attempt {} {}", results.len(), theirs.command()));
        results.push((ours.command(), ours.apply(&volume)));
    }
    volume.close().unwrap();
    guest.attempts().umount();
    let Some(manifests) = guest.run() else { return };
    let differences = results
        .iter()
        .enumerate()
        .filter_map(|(n, (what, result))| {
            let theirs = manifests[0].field(&n.to_string(), "errno");
            let ours = result.as_ref().map_or_else(f2fs::Error::errno, |()| 0);
            (ours.to_string() != theirs)
                .then(|| format!("{what}: {ours} ({result:?}), the kernel {theirs}"))
        });
    let differences: Vec<_> = differences.collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    fsck::assert_clean(image.path());
}

/// Overwrites inside clusters, and an end inside one.
fn changes(top: &str, seed: usize) -> Vec<Op> {
    let paths = paths(top).into_iter().enumerate();
    let changes = paths.flat_map(|(n, path)| {
        let write = |pos, len, source| Op::Write {
            path: path.clone(),
            pos,
            len,
            source,
        };
        let pos = 4321 * (n + seed) as u64;
        [
            write(pos, 50_000, seed),
            write(800_000 + pos, 1000, NOISE.start),
            Op::Truncate(path.clone(), 3_000_000 + 3 * pos),
        ]
    });
    changes.collect()
}

fn check_released(image: &std::path::Path, top: &str, is_released: bool) {
    let volume = Volume::open(
        image,
        &VolumeOptions {
            read_only: true,
            ..Default::default()
        },
    );
    let volume = volume.unwrap();
    for path in paths(top) {
        assert_eq!(
            volume.metadata(&path).unwrap().is_released(),
            is_released,
            "{path}"
        );
    }
}

/// The engine releases what nobody writes; the kernel reads that, refuses to write it, reserves it, writes it, and
/// releases it; the engine writes that without being asked to reserve it.
#[test]
fn files_that_free_space_go_to_the_kernel_and_back() {
    let (image, volume) = fresh_volume(512 << 20);
    volume.close().unwrap();
    let image = image.path();
    let releasing = VolumeOptions {
        space: f2fs::Space::Release,
        ..VolumeOptions::default()
    };
    let mut model = Model::default();
    let volume = Volume::open(image, &releasing).unwrap();
    apply_all(&volume, &files("/e"));
    model.apply_all(&files("/e"));
    volume.close().unwrap();
    for turn in 0..2 {
        fsck::assert_clean(image);
        check_released(image, "/e", true);
        let mut guest = Guest::new();
        guest.mount(image, "").manifest();
        for (n, path) in paths("/e").into_iter().enumerate() {
            let write = Op::Write {
                path: path.clone(),
                pos: 5,
                len: 9,
                source: 0,
            };
            guest.then(format!("attempt {n} {}", write.command()));
            guest.then(format!("reserve {path}"));
        }
        guest.attempts();
        command_all(&mut guest, &changes("/e", 2 * turn));
        model.apply_all(&changes("/e", 2 * turn));
        guest.then("sync");
        for path in paths("/e") {
            guest.then(format!("release {path}"));
        }
        guest.then("sync").manifest().umount();
        let before = Manifest::of_image(image);
        let Some(manifests) = guest.run() else { return };
        manifests[0].assert_same(&before, "released by the engine: kernel <> engine");
        for n in 0..paths("/e").len() {
            assert_eq!(manifests[1].field(&n.to_string(), "errno"), "1", "EPERM");
        }
        fsck::assert_clean(image);
        let now = Manifest::of_image(image);
        manifests[2].assert_same(&now, "released by the kernel: kernel <> engine");
        model.assert_in(&now, image, "written by the kernel");
        check_released(image, "/e", true);
        let volume = Volume::open(image, &releasing).unwrap();
        apply_all(&volume, &changes("/e", 2 * turn + 1));
        model.apply_all(&changes("/e", 2 * turn + 1));
        volume.close().unwrap();
        let now = Manifest::of_image(image);
        model.assert_in(&now, image, "written by the engine");
    }
    fsck::assert_clean(image);
    check_released(image, "/e", true);
}

/// Files that the engine compressed another way, released or not, are files like others.
#[test]
fn the_kernel_goes_on_with_files_compressed_another_way() {
    let (image, volume) = fresh_volume(512 << 20);
    let image = image.path();
    apply_all(&volume, &files("/e"));
    let mut model = Model::default();
    model.apply_all(&files("/e"));
    for (n, path) in paths("/e").into_iter().enumerate() {
        if n % 2 == 0 {
            volume.release_blocks(&path).unwrap();
        }
        let algorithm = CompressAlgorithm::ALL[n % CompressAlgorithm::ALL.len()];
        let new = f2fs::Recompress {
            algorithm,
            level: 0,
            log_cluster_size: (n % 3 > 0).then_some(2 + (n % 7) as u8),
        };
        volume.recompress_file(&path, new).unwrap();
        assert_eq!(volume.metadata(&path).unwrap().is_released(), n % 2 == 0);
    }
    volume.close().unwrap();
    fsck::assert_clean(image);
    let mut guest = Guest::new();
    guest.mount(image, "").manifest();
    for path in paths("/e").iter().step_by(2) {
        guest.then(format!("reserve {path}"));
    }
    command_all(&mut guest, &changes("/e", 3));
    model.apply_all(&changes("/e", 3));
    guest.then("sync").manifest().umount();
    let before = Manifest::of_image(image);
    let Some(manifests) = guest.run() else { return };
    manifests[0].assert_same(&before, "as the engine left them: kernel <> engine");
    fsck::assert_clean(image);
    let now = Manifest::of_image(image);
    manifests[1].assert_same(&now, "written by the kernel: kernel <> engine");
    model.assert_in(&now, image, "written by the kernel");
}
