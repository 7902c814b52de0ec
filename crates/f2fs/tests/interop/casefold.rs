//! Directories that ignore case: the same operations by each side, then each undoes what the other did, by names in
//! another case.

use crate::guest::Guest;
use crate::manifest::Manifest;
use crate::ops::Op;
use f2fs::{Error, FormatOptions, InodeFlags, OpenOptions, Owner, Volume, VolumeOptions};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use tempfile::NamedTempFile;
use testkit::fsck;

fn fresh_volume(strict_names: bool) -> (NamedTempFile, Volume) {
    let image = NamedTempFile::new().unwrap();
    let format = FormatOptions {
        features: FormatOptions::SUPPORTED,
        strict_names,
        ..FormatOptions::new(64 << 20)
    };
    let volume = Volume::create(image.path(), &format, &VolumeOptions::default()).unwrap();
    (image, volume)
}

/// Operations that succeed and fail.
fn operations(top: &str) -> Vec<Op> {
    let none = InodeFlags::empty();
    let folds = InodeFlags::CASEFOLD;
    let name = |name: &str| format!("{top}/{name}");
    let create = |path: &str| Op::Create(name(path), None);
    let rename = |from: &str, to: &str| Op::Rename(name(from), name(to));
    let mut ops = vec![
        Op::Mkdir(top.into(), 0o755),
        Op::Flags(top.into(), folds, none),
        create("Hello"),
        create("HELLO"),
        Op::Mkdir(name("Sub"), 0o755),
        Op::Mkdir(name("sUB"), 0o755),
        create("sub/File"),
        create("SUB/file"),
        // Both names are the same file: nothing happens.
        rename("hello", "HELLO"),
        rename("hELLO", "World"),
        rename("sub", "SUB"),
        Op::Link(name("WORLD"), name("Hard")),
        Op::Link(name("WORLD"), name("hARD")),
        rename("hard", "WORLD"),
        Op::Unlink(name("hard")),
        Op::Rmdir(name("SUB")),
        create("Other"),
        // The entry that is replaced keeps its name.
        rename("OTHER", "sUB/FILE"),
        rename("world", "sub/\u{c9}t\u{e9}"),
        rename("SUB/e\u{301}TE\u{301}", "SUB/E\u{301}te\u{301}"),
        Op::Symlink("target".into(), name("Stra\u{df}e")),
        create("STRASSE"),
        Op::Unlink(name("stra\u{df}e")),
        Op::Unlink(name("strasse")),
        Op::Flags(top.into(), none, folds),
        Op::Flags(name("sub/file"), folds, none),
        Op::Mkdir(name("Plain"), 0o755),
        Op::Flags(name("plain"), none, folds),
        create("PLAIN/a"),
        create("plain/A"),
        Op::Flags(name("plain"), folds, none),
        Op::Unlink(name("plain/a")),
        Op::Unlink(name("plain/a")),
        Op::Mkdir(name("Many"), 0o755),
    ];
    for n in 0..400 {
        ops.push(create(&format!(
            "many/Name-{n}-{}",
            "x\u{c0}".repeat(n % 30)
        )));
    }
    for n in (0..400).step_by(3) {
        let tail = "Xa\u{300}".repeat(n % 30);
        ops.push(Op::Unlink(name(&format!("MANY/nAME-{n}-{tail}"))));
    }
    ops
}

/// Removes in another case what `operations` left.
fn undo(top: &str) -> Vec<Op> {
    let name = |name: &str| format!("{top}/{name}");
    let mut ops = vec![
        Op::Unlink(name("SUB/FILE")),
        Op::Unlink(name("Sub/E\u{301}T\u{c9}")),
        Op::Rmdir(name("suB")),
        Op::Unlink(name("pLAIN/A")),
        Op::Rmdir(name("pLAIN")),
    ];
    for n in (0..400).filter(|n| n % 3 > 0) {
        let tail = "X\u{e0}".repeat(n % 30);
        ops.push(Op::Unlink(name(&format!("Many/NAME-{n}-{tail}"))));
    }
    ops.push(Op::Rmdir(name("MANY")));
    ops
}

fn assert_same_errors(ours: &[(Op, f2fs::Result<()>)], theirs: &Manifest) {
    for (n, (op, ours)) in ours.iter().enumerate() {
        let errno = ours.as_ref().map_or_else(Error::errno, |()| 0);
        let theirs = theirs.field(&n.to_string(), "errno");
        assert_eq!(errno.to_string(), theirs, "{}: {ours:?}", op.command());
    }
}

#[test]
fn both_sides_ignore_case_in_the_same_way() {
    for strict_names in [false, true] {
        let (image, volume) = fresh_volume(strict_names);
        let apply = |op: Op| {
            let result = op.apply(&volume);
            (op, result)
        };
        let ours: Vec<_> = operations("/e").into_iter().map(apply).collect();
        volume.close().unwrap();
        fsck::assert_clean(image.path());
        let mut guest = Guest::new();
        guest.mount(image.path(), "");
        for (n, op) in operations("/k").iter().enumerate() {
            guest.then(format!("attempt {n} {}", op.command()));
        }
        guest.attempts().then("sync").manifest();
        for op in undo("/e") {
            guest.then(op.command());
        }
        guest.then("sync").manifest().umount();
        let Some(seen) = guest.run() else { return };
        fsck::assert_clean(image.path());
        assert_same_errors(&ours, &seen[0]);
        half(&seen[1], "/e").assert_same(&half(&seen[1], "/k"), "engine <> kernel");
        Manifest::of_image(image.path()).assert_same(&seen[2], "engine <> kernel, at the end");
        assert_eq!(half(&seen[2], "/e").0.len(), 1);

        let volume = Volume::open(image.path(), &VolumeOptions::default()).unwrap();
        for op in undo("/k") {
            op.apply(&volume).unwrap();
        }
        assert_eq!(volume.read_dir("/k").unwrap().count(), 0);
        volume.close().unwrap();
        fsck::assert_clean(image.path());
    }
}

/// What is below a folder, without what differs between any two files.
fn half(all: &Manifest, top: &str) -> Manifest {
    let files = all.0.iter().filter_map(|(path, fields)| {
        let mut fields = fields.clone();
        fields.retain(|name, _| !name.ends_with("time") && name != "generation");
        Some((path.strip_prefix(top)?.to_owned(), fields))
    });
    Manifest(files.collect())
}

#[test]
fn names_that_are_no_text_are_bytes_or_refused() {
    for strict_names in [false, true] {
        let (image, volume) = fresh_volume(strict_names);
        volume.create_dir("/d", Owner::root(0o755)).unwrap();
        let none = InodeFlags::empty();
        volume.set_flags("/d", InodeFlags::CASEFOLD, none).unwrap();
        let create = OpenOptions::new().write(true).create_new(true);
        let path = |name: &[u8]| OsStr::from_bytes(&[b"/d/", name].concat()).to_owned();
        for name in [b"A\xff", b"a\xff"] {
            let result = volume.open_with(path(name), &create);
            assert_eq!(result.is_ok(), !strict_names, "{result:?}");
            let found = volume.metadata(path(name));
            assert_eq!(found.is_ok(), !strict_names, "{found:?}");
            if let Err(error) = result {
                assert!(matches!(error, Error::Invalid(_)), "{error:?}");
            }
        }
        volume.close().unwrap();
        fsck::assert_clean(image.path());
    }
}

#[test]
fn a_volume_made_without_it_always_minds_case() {
    let image = NamedTempFile::new().unwrap();
    let format = FormatOptions::new(64 << 20);
    let volume = Volume::create(image.path(), &format, &VolumeOptions::default()).unwrap();
    let none = InodeFlags::empty();
    let error = volume.set_flags("/", InodeFlags::CASEFOLD, none);
    assert!(matches!(error, Err(Error::Unsupported(_))), "{error:?}");
}
