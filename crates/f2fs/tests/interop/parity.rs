//! The same operations, once by each side, have the same outcome and the same errors.

use crate::features;
use crate::guest::Guest;
use crate::manifest::Manifest;
use crate::ops::{Op, apply_all, command_all};
use crate::pool::NOISE;
use f2fs::{
    CompressAlgorithm, CompressDefaults, Fallocate, FormatOptions, InodeFlags, Volume,
    VolumeOptions,
};
use tempfile::NamedTempFile;
use testkit::fsck;

pub(crate) const ACCESS_LIST: &str = "system.posix_acl_access";
pub(crate) const DEFAULT_LIST: &str = "system.posix_acl_default";

pub(crate) fn fresh_volume(size: u64) -> (NamedTempFile, Volume) {
    let image = NamedTempFile::new().unwrap();
    let format = FormatOptions {
        features: FormatOptions::SUPPORTED,
        ..FormatOptions::new(size)
    };
    let volume = Volume::create(image.path(), &format, &VolumeOptions::default()).unwrap();
    (image, volume)
}

#[test]
fn both_sides_do_the_same() {
    let (image, volume) = fresh_volume(64 << 20);
    let parts = [
        some_of_each,
        ranges,
        lists_inherited,
        flags_inherited,
        features::some_of_everything,
    ];
    let mut guest = Guest::new();
    guest.mount(image.path(), "");
    for (n, part) in parts.into_iter().enumerate() {
        apply_all(&volume, &part(&format!("/e{n}")));
        command_all(&mut guest, &part(&format!("/k{n}")));
    }
    volume.close().unwrap();
    guest.then("sync").manifest().umount();
    let Some(manifests) = guest.run() else { return };
    fsck::assert_clean(image.path());
    let (ours, theirs) = halves(&manifests[0]);
    assert!(theirs.0.len() > 100);
    ours.assert_same(&theirs, "done by the engine <> by the kernel");
}

/// What lies below `/e` and below `/k`, without what time and chance decide.
pub(crate) fn halves(manifest: &Manifest) -> (Manifest, Manifest) {
    let half = |side: &str| {
        let files = manifest.0.iter().filter_map(|(path, fields)| {
            let mut fields = fields.clone();
            fields.retain(|name, _| !name.ends_with("time") && name != "generation");
            Some((path.strip_prefix(side)?.to_owned(), fields))
        });
        Manifest(files.collect())
    };
    (half("/e"), half("/k"))
}

/// One of each kind of operation, in an order in which they meet all kinds of clusters.
pub(crate) fn some_of_each(top: &str) -> Vec<Op> {
    let name = |name: &str| format!("{top}/{name}");
    let write = |file: &str, pos, len, source| Op::Write {
        path: name(file),
        pos,
        len,
        source,
    };
    let lzo = CompressDefaults {
        algorithm: CompressAlgorithm::Lzo,
        ..CompressDefaults::default()
    };
    vec![
        Op::Mkdir(top.into(), 0o755),
        Op::Create(name("inline"), None),
        write("inline", 0, 100, 0),
        write("inline", 3000, 100, 0),
        write("inline", 4000, 100, 0),
        Op::Create(name("plain"), None),
        write("plain", 0, 300_000, 0),
        write("plain", 100_000, 5000, 7),
        write("plain", 9_000_000, 5000, 7),
        Op::Truncate(name("plain"), 20_000_000),
        Op::Truncate(name("plain"), 4_000_001),
        Op::Truncate(name("plain"), 0),
        Op::Create(name("pressed"), Some(lzo)),
        write("pressed", 0, 400_000, 0),
        write("pressed", 70_000, 10, NOISE.start),
        write("pressed", 131_072, 65_536, NOISE.start),
        write("pressed", 140_000, 60_000, 0),
        write("pressed", 400_000, 100_000, 0),
        write("pressed", 900_000, 100_000, 0),
        Op::Truncate(name("pressed"), 930_000),
        Op::Truncate(name("pressed"), 2_000_000),
        Op::Truncate(name("pressed"), 131_072),
        Op::Truncate(name("pressed"), 100_000),
        Op::Fsync(name("pressed")),
        Op::Symlink("x".repeat(60), name("short")),
        Op::Symlink("x".repeat(4000), name("long")),
        Op::Pipe(name("pipe"), 0o600),
        Op::Device(name("device"), 5, 500),
        Op::Link(name("pressed"), format!("{top}-hard")),
        Op::Rename(name("pressed"), format!("{top}-moved")),
        Op::Rename(format!("{top}-moved"), name("inline")),
        Op::Mkdir(name("e"), 0o755),
        Op::Rename(name("e"), format!("{top}-e")),
        Op::Mkdir(name("e"), 0o755),
        Op::Rename(format!("{top}-e"), name("e")),
        Op::Chmod(name("plain"), 0o600),
        Op::Chown(name("plain"), 1, 2),
        Op::Utime(name("plain"), (1, 2), (3, 4)),
        Op::SetXattr(name("plain"), "user.a", vec![1; 50]),
        Op::SetXattr(name("plain"), "user.b", vec![1; 3000]),
        Op::RemoveXattr(name("plain"), "user.b"),
        Op::Unlink(format!("{top}-hard")),
    ]
}

/// Ranges of plain files reserved, punched, zeroed, taken out and inserted.
fn ranges(top: &str) -> Vec<Op> {
    let path = format!("{top}/ranges");
    let change = |what, pos, len| Op::Fallocate {
        path: path.clone(),
        what,
        pos,
        len,
    };
    let write = |pos, len, source| Op::Write {
        path: path.clone(),
        pos,
        len,
        source,
    };
    vec![
        Op::Mkdir(top.into(), 0o755),
        Op::Create(path.clone(), None),
        write(0, 100, 0),
        change(Fallocate::AllocateKeepSize, 0, 2_000_000),
        write(1_000_000, 300_000, NOISE.start),
        change(Fallocate::Allocate, 1_900_000, 5000),
        change(Fallocate::PunchHole, 1_000_001, 70_000),
        change(Fallocate::PunchHole, 1_105_920, 4096),
        change(Fallocate::ZeroRange, 1_200_001, 70_000),
        change(Fallocate::ZeroRange, 2_500_001, 7000),
        change(Fallocate::ZeroRangeKeepSize, 2_500_001, 70_000),
        change(Fallocate::CollapseRange, 4096, 819_200),
        change(Fallocate::InsertRange, 409_600, 40_960),
        Op::Fsync(path.clone()),
        write(1_500_000, 300_000, 5),
        Op::Truncate(path.clone(), 1_900_001),
        change(Fallocate::Allocate, 0, 2_100_000),
        change(Fallocate::InsertRange, 0, 4096),
    ]
}

/// Files and folders of many modes below a folder with a default access list.
fn lists_inherited(top: &str) -> Vec<Op> {
    let mut ops = vec![Op::Mkdir(top.into(), 0o2755), Op::Chown(top.into(), 3, 4)];
    ops.push(Op::SetXattr(
        top.into(),
        DEFAULT_LIST,
        list(&[(1, 7), (2, 6), (4, 5), (8, 3), (16, 7), (32, 1)]),
    ));
    for mode in [0o777, 0o640, 0o600, 0o1031] {
        ops.push(Op::Mkdir(format!("{top}/d{mode}"), mode));
        ops.push(Op::Pipe(format!("{top}/p{mode}"), mode));
        ops.push(Op::Create(format!("{top}/d{mode}/f"), None));
        ops.push(Op::Create(format!("{top}/f{mode}"), None));
        ops.push(Op::Chmod(format!("{top}/f{mode}"), mode));
    }
    ops.push(Op::Symlink("f".into(), format!("{top}/link")));
    ops.push(Op::SetXattr(
        top.into(),
        ACCESS_LIST,
        list(&[(1, 7), (2, 4), (4, 5), (16, 2), (32, 0)]),
    ));
    let plain = format!("{top}/d{}", 0o640);
    ops.push(Op::SetXattr(
        plain.clone(),
        DEFAULT_LIST,
        list(&[(1, 6), (4, 4), (32, 5)]),
    ));
    ops.push(Op::SetXattr(
        plain.clone(),
        ACCESS_LIST,
        list(&[(1, 6), (4, 4), (32, 5)]),
    ));
    ops.push(Op::Mkdir(format!("{plain}/d"), 0o771));
    ops.push(Op::Create(format!("{plain}/g"), None));
    ops.push(Op::RemoveXattr(plain, DEFAULT_LIST));
    ops.push(Op::RemoveXattr(top.into(), ACCESS_LIST));
    ops
}

/// An access list in the form of the system's calls. Named users and groups have the id 1000.
pub(crate) fn list(entries: &[(u16, u16)]) -> Vec<u8> {
    let mut list = 2_u32.to_le_bytes().to_vec();
    for &(tag, permissions) in entries {
        let id = if matches!(tag, 2 | 8) { 1000 } else { u32::MAX };
        list.extend(tag.to_le_bytes());
        list.extend(permissions.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    list
}

/// Flags that children take over, and those that they do not.
fn flags_inherited(top: &str) -> Vec<Op> {
    let none = InodeFlags::empty();
    let passed_on =
        InodeFlags::SYNC | InodeFlags::NODUMP | InodeFlags::NOATIME | InodeFlags::DIRSYNC;
    let mut ops = vec![Op::Mkdir(top.into(), 0o755)];
    for (n, flags) in [passed_on, InodeFlags::APPEND, InodeFlags::PROJINHERIT]
        .into_iter()
        .enumerate()
    {
        let folder = format!("{top}/d{n}");
        ops.push(Op::Mkdir(folder.clone(), 0o755));
        ops.push(Op::Flags(folder.clone(), flags, none));
        ops.push(Op::Create(format!("{folder}/f"), None));
        ops.push(Op::Mkdir(format!("{folder}/d"), 0o755));
        ops.push(Op::Symlink("x".into(), format!("{folder}/l")));
        ops.push(Op::Pipe(format!("{folder}/p"), 0o644));
        ops.push(Op::Flags(folder, none, flags));
    }
    ops
}

/// What must not work, on what [`for_refusals`] makes.
fn refusals(top: &str) -> Vec<Op> {
    let name = |name: &str| format!("{top}/{name}");
    let rename = |old: &str, new: &str| Op::Rename(name(old), name(new));
    let write = |file: &str, pos| Op::Write {
        path: name(file),
        pos,
        len: 1,
        source: 0,
    };
    let set = |file: &str, key, len| Op::SetXattr(name(file), key, vec![1; len]);
    vec![
        Op::Unlink(name("dir")),
        Op::Unlink(name("none")),
        Op::Unlink(name("file/x")),
        Op::Rmdir(name("file")),
        Op::Rmdir(name("full")),
        Op::Rmdir(name("none")),
        Op::Mkdir(name("dir"), 0o755),
        Op::Mkdir(name("none/dir"), 0o755),
        Op::Mkdir(name("link"), 0o755),
        Op::Create(name("file"), None),
        Op::Create(name("link"), None),
        Op::Create(name("dir"), None),
        Op::Create(name(&"n".repeat(256)), None),
        Op::Symlink("t".repeat(4096), name("toolong")),
        Op::Symlink("t".into(), name("file")),
        Op::Link(name("dir"), name("dir2")),
        Op::Link(name("file"), name("file2")),
        Op::Link(name("none"), name("file3")),
        rename("none", "x"),
        rename("dir", "dir/sub"),
        rename("full", "full/sub/deep"),
        rename("file", "dir"),
        rename("dir", "file"),
        rename("dir", "full"),
        rename("file", "none/x"),
        rename("fixed", "x"),
        rename("file", "fixed"),
        Op::Unlink(name("fixed")),
        Op::Link(name("fixed"), name("y")),
        Op::Chmod(name("fixed"), 0o600),
        Op::Utime(name("fixed"), (1, 1), (1, 1)),
        write("fixed", 0),
        Op::Truncate(name("fixed"), 0),
        set("fixed", "user.a", 1),
        Op::Create(name("sealed/f"), None),
        Op::Unlink(name("sealed/old")),
        rename("sealed/old", "x"),
        write("log", 0),
        Op::Unlink(name("log")),
        rename("log", "x"),
        Op::Link(name("log"), name("z")),
        Op::Truncate(name("log"), 0),
        Op::Chmod(name("log"), 0o600),
        Op::Utime(name("log"), (1, 1), (1, 1)),
        set("log", "user.a", 1),
        Op::Create(name("logs/new"), None),
        Op::Unlink(name("logs/old")),
        rename("logs/old", "logs/new"),
        write("dir", 0),
        Op::Truncate(name("dir"), 0),
        write("file", 1 << 60),
        Op::Truncate(name("file"), 1 << 60),
        Op::Truncate(name("file"), 1 << 43),
        write("pressed", 1 << 43),
        set("file", "user.a", 4096),
        set("file", "user.a", 65_536),
        set("file", "nothing.a", 1),
        set("file", "bare", 1),
        set("symlink", "user.a", 1),
        set("pipe", "user.a", 1),
        Op::SetXattr(name("file"), DEFAULT_LIST, list(&[(1, 7), (4, 7), (32, 7)])),
        Op::RemoveXattr(name("file"), "user.none"),
        Op::RemoveXattr(name("file"), ACCESS_LIST),
        Op::Flags(name("file"), InodeFlags::DIRSYNC, InodeFlags::empty()),
    ]
    .into_iter()
    .chain(refused_ranges(top))
    .collect()
}

/// Ranges that cannot be changed so.
fn refused_ranges(top: &str) -> Vec<Op> {
    let change = |file: &str, what, pos, len| Op::Fallocate {
        path: format!("{top}/{file}"),
        what,
        pos,
        len,
    };
    let mut ops = Vec::new();
    for what in [Fallocate::CollapseRange, Fallocate::InsertRange] {
        ops.push(change("file", what, 0, 4096));
        ops.push(change("file", what, 0, 1));
        ops.push(change("file", what, 1, 4096));
        ops.push(change("file", what, 4096, 4096));
        ops.push(change("pressed", what, 4096, 4096));
    }
    for what in [
        Fallocate::Allocate,
        Fallocate::AllocateKeepSize,
        Fallocate::PunchHole,
        Fallocate::ZeroRange,
    ] {
        ops.push(change("file", what, 0, 0));
        ops.push(change("file", what, 1 << 60, 1));
        ops.push(change("file", what, 1 << 43, 1));
        ops.push(change("fixed", what, 0, 10));
        ops.push(change("dir", what, 0, 10));
    }
    ops.push(change("log", Fallocate::PunchHole, 0, 10));
    ops.push(change("log", Fallocate::ZeroRange, 0, 10));
    ops
}

fn for_refusals(top: &str) -> Vec<Op> {
    let name = |name: &str| format!("{top}/{name}");
    let none = InodeFlags::empty();
    let mut ops = vec![Op::Mkdir(top.into(), 0o755)];
    for folder in ["dir", "full", "full/sub", "sealed", "logs"] {
        ops.push(Op::Mkdir(name(folder), 0o755));
    }
    for file in [
        "file",
        "file2",
        "fixed",
        "log",
        "full/file",
        "sealed/old",
        "logs/old",
    ] {
        ops.push(Op::Create(name(file), None));
        ops.push(Op::Write {
            path: name(file),
            pos: 0,
            len: 9,
            source: 0,
        });
    }
    ops.push(Op::Create(
        name("pressed"),
        Some(CompressDefaults::default()),
    ));
    ops.push(Op::Symlink("nowhere".into(), name("link")));
    ops.push(Op::Symlink("file".into(), name("symlink")));
    ops.push(Op::Pipe(name("pipe"), 0o644));
    ops.push(Op::Flags(name("fixed"), InodeFlags::IMMUTABLE, none));
    ops.push(Op::Flags(name("sealed"), InodeFlags::IMMUTABLE, none));
    ops.push(Op::Flags(name("log"), InodeFlags::APPEND, none));
    ops.push(Op::Flags(name("logs"), InodeFlags::APPEND, none));
    ops
}

#[test]
fn both_sides_refuse_the_same() {
    let (image, volume) = fresh_volume(64 << 20);
    let mut guest = Guest::new();
    guest.mount(image.path(), "");
    apply_all(&volume, &for_refusals("/e"));
    command_all(&mut guest, &for_refusals("/k"));
    let ours = refusals("/e");
    let ours = ours.iter().map(|op| (op, op.apply(&volume)));
    let ours: Vec<_> = ours.map(|(op, result)| (op.clone(), result)).collect();
    volume.close().unwrap();
    let ops = refusals("/k");
    for (n, op) in ops.iter().enumerate() {
        guest.then(format!("attempt {n} {}", op.command()));
    }
    guest.attempts().umount();
    let Some(manifests) = guest.run() else { return };
    let mut differences = Vec::new();
    for (n, (op, ours)) in ours.into_iter().enumerate() {
        let theirs = manifests[0].field(&n.to_string(), "errno");
        let number = ours.as_ref().map_or_else(f2fs::Error::errno, |()| 0);
        if number.to_string() != theirs {
            let op: String = op.command().chars().take(80).collect();
            differences.push(format!("{op}: {number} ({ours:?}), the kernel {theirs}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    fsck::assert_clean(image.path());
}
