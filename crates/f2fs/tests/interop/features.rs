//! Volumes of every combination of features: the same work on each, by both sides in turns.

use crate::guest::Guest;
use crate::manifest::Manifest;
use crate::ops::{Model, Op, apply_all, command_all};
use crate::pool::Rng;
use f2fs::{CompressDefaults, FormatOptions, Volume, VolumeOptions};
use f2fs_format::Features;
use tempfile::NamedTempFile;
use testkit::{fsck, tools};

/// Turns of each side.
const ROUNDS: u64 = 2;
const MIB: u64 = 1 << 20;

/// Arguments of `mkfs.f2fs`, the volume's size in MiB, and options of the kernel's mounts that change what it writes.
const THEIRS: [(&[&str], u64, &str); 12] = [
    (&[], 64, "active_logs=2,noinline_data,noinline_dentry"),
    (&["-O", "extra_attr"], 64, "mode=lfs"),
    (
        &["-O", "extra_attr,inode_checksum,sb_checksum"],
        100,
        "active_logs=4,fsync_mode=strict",
    ),
    (
        &["-O", "extra_attr,compression"],
        64,
        "compress_algorithm=zstd:5,compress_chksum,compress_extension=*",
    ),
    (
        &["-O", "extra_attr,inode_crtime,lost_found"],
        64,
        "noinline_xattr",
    ),
    (
        &["-O", "extra_attr,flexible_inline_xattr"],
        64,
        "inline_xattr_size=120",
    ),
    (&["-O", "encrypt,verity"], 64, "alloc_mode=reuse"),
    (
        &["-O", "extra_attr,project_quota,quota,compression"],
        64,
        "usrquota,grpquota,prjquota,compress_algorithm=lz4,compress_extension=*",
    ),
    (&["-O", "casefold", "-C", "utf8"], 64, "noextent_cache"),
    (&["-i", "-O", "extra_attr,inode_checksum"], 128, "fastboot"),
    (
        &["-s", "4", "-z", "2", "-O", "extra_attr,compression"],
        512,
        "",
    ),
    (
        &[
            "-i",
            "-C",
            "utf8",
            "-O",
            "encrypt,extra_attr,inode_checksum,flexible_inline_xattr,inode_crtime,lost_found,verity,\
             sb_checksum,casefold,compression",
        ],
        256,
        "compress_algorithm=lzo-rle,compress_log_size=3",
    ),
];

/// What our formatter is asked for: no feature, all of them (project quota without quota files), and larger sections.
fn ours() -> [FormatOptions; 3] {
    let bare = FormatOptions {
        features: Features::empty(),
        ..FormatOptions::new(64 * MIB)
    };
    let all = FormatOptions {
        features: FormatOptions::SUPPORTED,
        ..FormatOptions::new(100 * MIB)
    };
    let large = FormatOptions {
        segments_per_section: 4,
        sections_per_zone: 2,
        ..FormatOptions::new(1024 * MIB)
    };
    [bare, all, large]
}

struct Arena {
    name: String,
    image: NamedTempFile,
    /// How the kernel mounts it.
    mount: &'static str,
    compresses: bool,
    model: Model,
}

fn arenas() -> Vec<Arena> {
    let theirs = THEIRS.iter().map(|&(args, size, mount)| Arena {
        name: format!("mkfs.f2fs {args:?}, {mount}"),
        image: tools::mkfs(args, size * MIB),
        mount,
        compresses: args.iter().any(|arg| arg.contains("compression")),
        model: Model::default(),
    });
    let ours = ours().into_iter().map(|format| {
        let image = NamedTempFile::new().unwrap();
        let volume = Volume::create(image.path(), &format, &VolumeOptions::default()).unwrap();
        volume.close().unwrap();
        Arena {
            name: format!("our mkfs, {} MiB, {:?}", format.size / MIB, format.features),
            image,
            mount: "",
            compresses: format.features.contains(Features::COMPRESSION),
            model: Model::default(),
        }
    });
    theirs.chain(ours).collect()
}

#[test]
fn both_sides_work_on_volumes_of_all_features() {
    let mut arenas = arenas();
    for round in 0..ROUNDS {
        for arena in &mut arenas {
            engine_turn(arena, round);
        }
        let Some(()) = kernel_turn(&mut arenas, round) else {
            return;
        };
    }
}

#[test]
fn projects_of_the_kernel_read_back() {
    let image = tools::mkfs(&["-O", "extra_attr,project_quota,quota"], 64 * MIB);
    let mut model = Model::default();
    let mut guest = Guest::new();
    guest.mount(image.path(), "usrquota,grpquota,prjquota");
    command_all(&mut guest, &work("k", 0, false, &mut model));
    guest
        .then("mkdir /project 755")
        .then("project /project 4711");
    guest
        .then("flags /project 20000000 0")
        .then("mkdir /project/heir 755");
    guest.then("sync").manifest().umount();
    let Some(manifests) = guest.run() else { return };
    fsck::assert_clean(image.path());
    let seen = Manifest::of_image(image.path());
    seen.assert_same(&manifests[0], "engine <> kernel");
    model.assert_in(&seen, image.path(), "the engine");
}

fn engine_turn(arena: &mut Arena, round: u64) {
    let (name, path) = (&arena.name, arena.image.path());
    let volume =
        Volume::open(path, &VolumeOptions::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
    arena.model.assert_in(&Manifest::of(&volume), path, name);
    let ops = work("e", round, arena.compresses, &mut arena.model);
    apply_all(&volume, &ops);
    volume.close().unwrap();
    if let Some(complaint) = fsck::complaints(path) {
        panic!("{name} after the engine's turn {round}: {complaint}");
    }
}

fn kernel_turn(arenas: &mut [Arena], round: u64) -> Option<()> {
    let mut guest = Guest::new();
    let before: Vec<_> = arenas.iter().map(|arena| arena.model.clone()).collect();
    let ours: Vec<_> = arenas
        .iter()
        .map(|arena| Manifest::of_image(arena.image.path()))
        .collect();
    for arena in arenas.iter_mut() {
        guest.mount(arena.image.path(), arena.mount).manifest();
        command_all(
            &mut guest,
            &work("k", round, arena.compresses, &mut arena.model),
        );
        guest.then("sync").manifest().umount();
    }
    let manifests = guest.run()?;
    for (n, arena) in arenas.iter().enumerate() {
        let (name, path) = (&arena.name, arena.image.path());
        before[n].assert_in(&manifests[2 * n], path, name);
        ours[n].assert_same(&manifests[2 * n], &format!("engine <> kernel, {name}"));
        let after = &manifests[2 * n + 1];
        arena.model.assert_in(after, path, name);
        if let Some(complaint) = fsck::complaints(path) {
            panic!("{name} after the kernel's turn {round}: {complaint}");
        }
        let what = format!("engine <> kernel after the kernel's turn, {name}");
        Manifest::of_image(path).assert_same(after, &what);
    }
    Some(())
}

/// Something of everything, in a folder of its own for each side and round, and changes of what the others made.
fn work(side: &str, round: u64, compresses: bool, model: &mut Model) -> Vec<Op> {
    let top = format!("/{side}{round}");
    let mut rng = Rng::new(round + u64::from(side == "k") * 7);
    let mut ops = vec![Op::Mkdir(top.clone(), 0o2775)];
    make_files(&top, compresses, &mut rng, &mut ops);
    make_names(&top, &mut ops);
    make_attributes(&top, &mut ops);
    change_others(model, &mut rng, &mut ops);
    model.apply_all(&ops);
    ops
}

/// Without changes of what is there.
pub(crate) fn some_of_everything(top: &str) -> Vec<Op> {
    let mut ops = vec![Op::Mkdir(top.to_owned(), 0o2775)];
    make_files(top, true, &mut Rng::new(5), &mut ops);
    make_names(top, &mut ops);
    make_attributes(top, &mut ops);
    ops
}

fn make_files(top: &str, compresses: bool, rng: &mut Rng, ops: &mut Vec<Op>) {
    for (n, size) in [0, 5, 3000, 4096, 5000, 70_000, 400_000]
        .into_iter()
        .enumerate()
    {
        let path = format!("{top}/file{n}");
        ops.push(Op::Create(path.clone(), None));
        if size > 0 {
            ops.push(Op::Write {
                path,
                pos: 0,
                len: size,
                source: rng.source(size),
            });
        }
    }
    let path = format!("{top}/holes");
    ops.push(Op::Create(path.clone(), None));
    // Into the inode, a direct node, the second one, and one below an indirect node.
    for block in [1_u64, 1000, 2000, 9000] {
        let (pos, len) = (block * 4096 + 10, 5000);
        ops.push(Op::Write {
            path: path.clone(),
            pos,
            len,
            source: rng.source(len),
        });
    }
    if compresses {
        let path = format!("{top}/compressed");
        ops.push(Op::Create(path.clone(), Some(CompressDefaults::default())));
        for pos in [0, 200_000, 500_000] {
            let len = 150_000;
            ops.push(Op::Write {
                path: path.clone(),
                pos,
                len,
                source: rng.source(len),
            });
        }
    }
}

fn make_names(top: &str, ops: &mut Vec<Op>) {
    ops.push(Op::Mkdir(format!("{top}/names"), 0o755));
    ops.push(Op::Mkdir(format!("{top}/names/below"), 0o700));
    for n in 0..80 {
        // More than an inode block holds.
        ops.push(Op::Create(
            format!("{top}/names/{}-{n}", "n".repeat(n % 40)),
            None,
        ));
    }
    for n in (0..80).step_by(3) {
        ops.push(Op::Unlink(format!(
            "{top}/names/{}-{n}",
            "n".repeat(n % 40)
        )));
    }
    ops.push(Op::Create(format!("{top}/names/{}", "x".repeat(255)), None));
    ops.push(Op::Link(
        format!("{top}/file3"),
        format!("{top}/names/hard"),
    ));
    ops.push(Op::Rename(
        format!("{top}/file4"),
        format!("{top}/names/below/moved"),
    ));
    ops.push(Op::Rename(format!("{top}/file1"), format!("{top}/file2")));
    ops.push(Op::Rename(
        format!("{top}/names/below"),
        format!("{top}/below"),
    ));
    ops.push(Op::Symlink("names/hard".to_owned(), format!("{top}/short")));
    ops.push(Op::Symlink("../".repeat(1300), format!("{top}/long")));
    ops.push(Op::Pipe(format!("{top}/pipe"), 0o600));
    ops.push(Op::Device(format!("{top}/null"), 1, 3));
    ops.push(Op::Device(format!("{top}/far"), 300, 70_000));
}

fn make_attributes(top: &str, ops: &mut Vec<Op>) {
    let file = format!("{top}/file3");
    // In this order: Linux takes the set-id bits from a file that changes its owner.
    ops.push(Op::Chown(file.clone(), 1000, 70_000));
    ops.push(Op::Chmod(file.clone(), 0o4751));
    ops.push(Op::Utime(
        file.clone(),
        (1_000_000_000, 5),
        (-3, 999_999_999),
    ));
    ops.push(Op::SetXattr(file.clone(), "user.small", b"value".to_vec()));
    ops.push(Op::SetXattr(file.clone(), "trusted.big", vec![7; 3000]));
    ops.push(Op::SetXattr(
        file.clone(),
        "security.label",
        b"a:b:c\0".to_vec(),
    ));
    ops.push(Op::RemoveXattr(file, "user.small"));
    ops.push(Op::SetXattr(
        format!("{top}/names"),
        "user.of.a.folder",
        vec![1; 150],
    ));
    ops.push(Op::SetXattr(
        format!("{top}/short"),
        "trusted.link",
        b"x".to_vec(),
    ));
}

/// Appends to, overwrites and removes some of what is there already.
fn change_others(model: &Model, rng: &mut Rng, ops: &mut Vec<Op>) {
    let paths: Vec<_> = model
        .paths()
        .filter(|path| !path.contains("/names/"))
        .collect();
    for path in paths {
        let path = path.to_owned();
        let size = model.len(&path);
        let (pos, len) = match rng.below(4) {
            0 => (size, 1 + rng.below(5000)),
            1 => (rng.below(size.max(1)), 1 + rng.below(9000)),
            2 => (0, 4096),
            _ => {
                ops.push(Op::Unlink(path));
                continue;
            }
        };
        let len = len as usize;
        ops.push(Op::Write {
            path,
            pos,
            len,
            source: rng.source(len),
        });
    }
}
