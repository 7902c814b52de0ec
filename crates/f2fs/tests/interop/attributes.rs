//! Owners, hints, flag words, far times and the room for extended attributes, as the kernel has them.

use crate::guest::{Guest, hex};
use crate::manifest::{Manifest, raw};
use crate::ops::{Op, apply_all, command_all};
use crate::parity::{fresh_volume, halves};
use f2fs::{SetXattr, Volume, VolumeOptions};
use std::path::Path;
use testkit::{fsck, tools};

const CAPABILITY: &str = "security.capability";
/// May raise the network's capabilities: version 2, permitted and inheritable sets.
const CAPABILITY_VALUE: [u8; 20] = [0, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Files and folders of many modes that get another owner, another group, or the ones they have.
fn new_owners(top: &str) -> Vec<Op> {
    let mut ops = vec![Op::Mkdir(top.into(), 0o755)];
    for mode in [0o6755, 0o6745, 0o4644, 0o2755, 0o2644, 0o7777] {
        for (n, (uid, gid)) in [(1, 0), (0, 2), (3, 4), (0, 0)].into_iter().enumerate() {
            let (file, folder) = (format!("{top}/f{mode}-{n}"), format!("{top}/d{mode}-{n}"));
            ops.push(Op::Create(file.clone(), None));
            ops.push(Op::SetXattr(
                file.clone(),
                CAPABILITY,
                CAPABILITY_VALUE.into(),
            ));
            ops.push(Op::SetXattr(file.clone(), "user.a", vec![1]));
            ops.push(Op::Chmod(file.clone(), mode));
            ops.push(Op::Chown(file, uid, gid));
            ops.push(Op::Mkdir(folder.clone(), 0o755));
            ops.push(Op::Chmod(folder.clone(), mode));
            ops.push(Op::Chown(folder, uid, gid));
        }
    }
    ops
}

#[test]
fn a_new_owner_takes_the_same_privileges() {
    let (image, volume) = fresh_volume(64 << 20);
    let mut guest = Guest::new();
    guest.mount(image.path(), "");
    apply_all(&volume, &new_owners("/e"));
    command_all(&mut guest, &new_owners("/k"));
    volume.close().unwrap();
    guest.then("sync").manifest().umount();
    let Some(manifests) = guest.run() else { return };
    fsck::assert_clean(image.path());
    let (ours, theirs) = halves(&manifests[0]);
    ours.assert_same(&theirs, "done by the engine <> by the kernel");
}

/// Something that may fail: the guest's command below a folder, and the same done with the engine.
type Attempt = (String, Box<dyn Fn(&Volume, &str) -> f2fs::Result<()>>);

fn hints() -> Vec<Attempt> {
    const NAME: &str = "system.advise";
    let mut attempts: Vec<Attempt> = Vec::new();
    let values: [&[u8]; 8] = [&[1], &[0x20], &[0x21], &[], b" zz", &[2], &[0x40], &[0x60]];
    for (n, value) in values.into_iter().enumerate() {
        for kind in ["file", "dir"] {
            attempts.push((
                format!("setxattr @/{kind}{n} {NAME} {}", hex(value)),
                Box::new(move |volume, top| {
                    let path = format!("{top}/{kind}{n}");
                    volume.set_xattr(path, NAME, value, SetXattr::Any)
                }),
            ));
        }
    }
    attempts.push((
        format!("rmxattr @/file0 {NAME}"),
        Box::new(|volume, top| volume.remove_xattr(format!("{top}/file0"), NAME)),
    ));
    attempts
}

fn flag_words() -> Vec<Attempt> {
    let words = [
        0x40,
        0x8,
        0x80,
        0x48,
        0x400,
        0x404,
        0x4,
        0x1,
        0x2,
        0x1000,
        0x1_0000,
        0x2000_0000,
        0x80_0000,
        0x10_0000,
        0x1000_0000,
        0x800,
        0x1_0088,
        0xFFFF_FFFF,
        0x100,
        0x8000_0000,
        0x40_0000,
    ];
    let mut attempts: Vec<Attempt> = Vec::new();
    for (n, word) in words.into_iter().enumerate() {
        for kind in ["empty", "file", "dir"] {
            attempts.push((
                format!("flagword @/{kind}{n} {word:x}"),
                Box::new(move |volume, top| volume.set_flag_word(format!("{top}/{kind}{n}"), word)),
            ));
        }
    }
    attempts
}

/// What the attempts are made on.
fn files(top: &str) -> Vec<Op> {
    let mut ops = vec![Op::Mkdir(top.into(), 0o755)];
    for n in 0..21 {
        ops.push(Op::Mkdir(format!("{top}/dir{n}"), 0o755));
        ops.push(Op::Create(format!("{top}/empty{n}"), None));
        ops.push(Op::Create(format!("{top}/file{n}"), None));
        ops.push(Op::Write {
            path: format!("{top}/file{n}"),
            pos: 0,
            len: 5000,
            source: 0,
        });
    }
    ops
}

/// Makes the attempts by both sides and compares errors; then, as the engine sees them, hints and flag words.
fn compare_attempts(attempts: &[Attempt]) {
    let (image, volume) = fresh_volume(64 << 20);
    apply_all(&volume, &files("/e"));
    apply_all(&volume, &files("/k"));
    let ours: Vec<_> = attempts.iter().map(|(_, act)| act(&volume, "/e")).collect();
    volume.close().unwrap();
    let mut guest = Guest::new();
    guest.mount(image.path(), "");
    for (n, (command, _)) in attempts.iter().enumerate() {
        guest.then(format!("attempt {n} {}", command.replace('@', "/k")));
    }
    guest.attempts().umount();
    let Some(manifests) = guest.run() else { return };
    let mut differences = Vec::new();
    for (n, ((command, _), ours)) in attempts.iter().zip(ours).enumerate() {
        let theirs = manifests[0].field(&n.to_string(), "errno");
        let number = ours.as_ref().map_or_else(f2fs::Error::errno, |()| 0);
        if number.to_string() != theirs {
            differences.push(format!(
                "{command}: {number} ({ours:?}), the kernel {theirs}"
            ));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    fsck::assert_clean(image.path());
    let state = |top: &str| {
        let volume = read_only(image.path());
        let state = |path: &str| {
            let path = raw(&format!("{top}/{path}"));
            let hint = volume.get_xattr(&path, "system.advise").unwrap();
            (hint, volume.metadata(&path).unwrap().flag_word())
        };
        let names =
            (0..21).flat_map(|n| [format!("dir{n}"), format!("empty{n}"), format!("file{n}")]);
        names.map(|name| (state(&name), name)).collect::<Vec<_>>()
    };
    assert_eq!(state("/e"), state("/k"));
}

fn read_only(image: &Path) -> Volume {
    let options = VolumeOptions {
        read_only: true,
        ..VolumeOptions::default()
    };
    Volume::open(image, &options).unwrap()
}

#[test]
fn hints_are_taken_and_refused_alike() {
    compare_attempts(&hints());
}

#[test]
fn flag_words_are_taken_and_refused_alike() {
    compare_attempts(&flag_words());
}

#[test]
fn the_kernel_shows_the_same_flag_words() {
    let (image, volume) = fresh_volume(64 << 20);
    apply_all(&volume, &files("/e"));
    for (n, word) in [0x48, 0x80, 0x400, 0x4, 0x20].into_iter().enumerate() {
        volume
            .set_flag_word(format!("/e/dir{n}"), word | 0x1000)
            .unwrap();
        volume.set_flag_word(format!("/e/empty{n}"), word).unwrap();
    }
    volume.close().unwrap();
    let mut guest = Guest::new();
    guest.mount(image.path(), "");
    guest
        .then("seal /e/file7")
        .then("pin /e/empty6")
        .words()
        .umount();
    let Some(manifests) = guest.run() else { return };
    let volume = read_only(image.path());
    for (path, fields) in &manifests[0].0 {
        let ours = volume.metadata(raw(path)).unwrap().flag_word();
        assert_eq!(format!("{ours:x}"), fields["word"], "{path}");
    }
    assert!(manifests[0].0.len() > 60);
}

#[test]
fn far_times_look_the_same_from_both_sides() {
    let times = [
        ((-1, 0), (-1, 999_999_999)),
        ((-2_208_988_800, 1), (0, 0)),
        ((1 << 32, 5), (1 << 33, 999_999_999)),
        ((253_402_300_799, 0), (-30_000_000_000, 3)),
    ];
    let ops = |top: &str| {
        let mut ops = vec![Op::Mkdir(top.into(), 0o755)];
        for (n, (accessed, modified)) in times.into_iter().enumerate() {
            ops.push(Op::Create(format!("{top}/{n}"), None));
            ops.push(Op::Utime(format!("{top}/{n}"), accessed, modified));
        }
        ops
    };
    let (image, volume) = fresh_volume(64 << 20);
    apply_all(&volume, &ops("/e"));
    volume.close().unwrap();
    let mut guest = Guest::new();
    guest.mount(image.path(), "");
    command_all(&mut guest, &ops("/k"));
    guest.then("sync").manifest().umount();
    let Some(manifests) = guest.run() else { return };
    Manifest::of_image(image.path()).assert_same(&manifests[0], "the engine <> the kernel");
    for n in 0..times.len() {
        for field in ["atime", "mtime"] {
            let of = |top| manifests[0].field(&format!("{top}/{n}"), field);
            assert_eq!(of("/e"), of("/k"));
        }
    }
}

/// The kernel's volumes with places of all sizes for attributes in the inode: arguments of `mkfs.f2fs`, mount options
/// and the words there.
const PLACES: [(&str, &str, usize); 6] = [
    ("extra_attr", "", 50),
    ("extra_attr", "noinline_xattr", 0),
    ("extra_attr,flexible_inline_xattr", "", 50),
    ("extra_attr,flexible_inline_xattr", "inline_xattr_size=6", 6),
    (
        "extra_attr,flexible_inline_xattr",
        "inline_xattr_size=400",
        400,
    ),
    ("extra_attr,flexible_inline_xattr", "noinline_xattr", 0),
];

#[test]
fn attributes_fill_their_place_to_the_same_byte() {
    for (features, options, words) in PLACES {
        let image = tools::mkfs(&["-O", features], 64 << 20);
        let room = 4 * words + 4072 - 24;
        let mut sets = Vec::new();
        for name_len in [1, 249, 250] {
            let name = format!("user.{}", "n".repeat(name_len));
            for size in room - 4 - name_len - 5..=room - 4 - name_len + 2 {
                sets.push((name.clone(), size));
            }
        }
        sets.push((format!("user.{}", "n".repeat(251)), 1));
        sets.push(("user.a".to_owned(), 1 << 16));
        sets.push(("user.a".to_owned(), (1 << 16) + 1));
        let mut guest = Guest::new();
        guest
            .mount(image.path(), options)
            .then("mkdir /e 755")
            .then("mkdir /k 755");
        for (n, (name, size)) in sets.iter().enumerate() {
            guest
                .then(format!("create /e/{n} 644"))
                .then(format!("create /k/{n} 644"));
            guest.then(format!(
                "attempt {n} setxattr /k/{n} {name} {}",
                hex(&vec![7; *size])
            ));
        }
        guest.attempts().umount();
        let Some(manifests) = guest.run() else { return };
        let volume = Volume::open(image.path(), &VolumeOptions::default()).unwrap();
        let mut differences = Vec::new();
        for (n, (name, size)) in sets.iter().enumerate() {
            let result = volume.set_xattr(format!("/e/{n}"), name, &vec![7; *size], SetXattr::Any);
            let ours = result.map_or_else(|e| e.errno(), |()| 0).to_string();
            let theirs = manifests[0].field(&n.to_string(), "errno");
            if ours != theirs {
                let name_len = name.len();
                differences.push(format!(
                    "name {name_len}, value {size}: {ours}, the kernel {theirs}"
                ));
            }
        }
        assert!(
            differences.is_empty(),
            "{features} {options}:\n{}",
            differences.join("\n")
        );
        volume.close().unwrap();
        fsck::assert_clean(image.path());
        let mut guest = Guest::new();
        guest.mount(image.path(), options).manifest().umount();
        let manifests = guest.run().unwrap();
        // Without the folders, to whose blocks the kernel adds their inline bytes.
        let files = |mut manifest: Manifest| {
            manifest.0.retain(|_, fields| fields["type"] == "file");
            manifest
        };
        let theirs = files(manifests[0].clone());
        files(Manifest::of_image(image.path())).assert_same(&theirs, "the engine <> the kernel");
    }
}
