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
