//! Everything the engine can make, read by the kernel, which then removes it all.

use crate::guest::Guest;
use crate::manifest::Manifest;
use crate::ops::{Model, Op, apply_all};
use crate::parity::{ACCESS_LIST, DEFAULT_LIST, list, some_of_each};
use crate::pool::{DULL, NOISE, POOL};
use f2fs::{
    CompressAlgorithm, CompressDefaults, FormatOptions, InodeFlags, OpenOptions, Owner, SetAttr,
    SetXattr, Special, Timestamp, Toggle, Volume, VolumeOptions,
};
use f2fs_format::Features;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use tempfile::NamedTempFile;
use testkit::fsck;

const DIR: Owner = Owner {
    permissions: 0o755,
    uid: 0,
    gid: 0,
};

/// Features of the volumes: none, what we choose, all we know.
const VOLUMES: [Features; 3] = [
    Features::empty(),
    FormatOptions::DEFAULT_FEATURES,
    FormatOptions::SUPPORTED,
];

#[test]
fn the_kernel_reads_and_removes_what_the_engine_makes() {
    let images: Vec<_> = VOLUMES.into_iter().map(make_volume).collect();
    let mut guest = Guest::new();
    for (image, _) in &images {
        guest.mount(image.path(), "").manifest();
        guest.then("shell chattr%20-i%20attributes/f0%3bchattr%20-a%20attributes/f1");
        guest
            .then("shell find%20.%20-mindepth%201%20-delete")
            .then("sync")
            .umount();
    }
    let Some(manifests) = guest.run() else { return };
    for (((image, seen), manifest), features) in images.iter().zip(&manifests).zip(VOLUMES) {
        seen.assert_same(manifest, &format!("engine <> kernel, {features:?}"));
        fsck::assert_clean(image.path());
        let options = VolumeOptions {
            read_only: true,
            ..VolumeOptions::default()
        };
        let space = Volume::open(image.path(), &options).unwrap().statfs();
        // The root directory has its inode and some blocks that it never gives back.
        assert!(space.user_blocks - space.blocks_free < 10, "{space:?}");
    }
}

/// `fsck.f2fs` after each kind of operation, and the kernel at the end.
#[test]
fn every_operation_leaves_a_clean_volume() {
    let image = NamedTempFile::new().unwrap();
    let format = FormatOptions {
        features: FormatOptions::SUPPORTED,
        ..FormatOptions::new(64 << 20)
    };
    let volume = Volume::create(image.path(), &format, &VolumeOptions::default()).unwrap();
    let mut model = Model::default();
    for op in one_of_each() {
        apply_all(&volume, std::slice::from_ref(&op));
        volume.sync().unwrap();
        volume.drop_caches();
        if let Some(complaint) = fsck::complaints(image.path()) {
            panic!("{op:?}: {complaint}");
        }
        model.apply_all(&[op]);
        model.assert_in(&Manifest::of(&volume), image.path(), "the engine");
    }
    volume.close().unwrap();
    let mut guest = Guest::new();
    guest.mount(image.path(), "").manifest().umount();
    let Some(manifests) = guest.run() else { return };
    model.assert_in(&manifests[0], image.path(), "the kernel");
    Manifest::of_image(image.path()).assert_same(&manifests[0], "engine <> kernel");
}

fn one_of_each() -> Vec<Op> {
    let mut ops = some_of_each("/d");
    let name = |name: &str| format!("/d/{name}");
    ops.extend(["inline", "plain", "long", "device"].map(|file| Op::Unlink(name(file))));
    ops.push(Op::Rmdir(name("e")));
    ops
}

fn make_volume(features: Features) -> (NamedTempFile, Manifest) {
    let image = NamedTempFile::new().unwrap();
    let format = FormatOptions {
        features,
        ..FormatOptions::new(256 << 20)
    };
    let volume = Volume::create(image.path(), &format, &VolumeOptions::default()).unwrap();
    for part in [files, names, links, attributes, lists] {
        part(&volume).unwrap();
    }
    if features.contains(Features::COMPRESSION) {
        compressed(&volume).unwrap();
    }
    volume.close().unwrap();
    fsck::assert_clean(image.path());
    let seen = Manifest::of_image(image.path());
    (image, seen)
}

fn put(volume: &Volume, path: impl AsRef<OsStr>, pos: u64, bytes: &[u8]) -> f2fs::Result<()> {
    let create = OpenOptions::new().write(true).create(true);
    volume
        .open_with(path.as_ref(), &create)?
        .write_all_at(pos, bytes)
}

/// Every size around the limits of the inode block, and blocks below every kind of node.
fn files(volume: &Volume) -> f2fs::Result<()> {
    volume.create_dir("/files", DIR)?;
    for size in [
        0, 1, 3450, 3451, 3452, 3453, 3488, 3489, 3492, 4096, 4097, 3_600_000, 8_000_001,
    ] {
        put(volume, format!("/files/{size}"), 0, &POOL[..size])?;
    }
    for block in [
        0_u64, 872, 873, 1890, 1891, 2909, 5000, 1_040_000, 2_080_000, 3_500_000,
    ] {
        put(volume, "/files/far", block * 4096 + 5, &POOL[..4096])?;
    }
    let create = OpenOptions::new().write(true).create(true);
    for (name, first, then) in [
        ("cut", 4_000_000, 9),
        ("cut-far", 4_000_000, 1_000_001),
        ("grown", 100, 1 << 40),
    ] {
        let file = volume.open_with(format!("/files/{name}"), &create)?;
        file.write_all_at(0, &POOL[..first])?;
        file.sync_all()?;
        file.set_len(then)?;
    }
    // The kernel would read all of it for the manifest.
    volume.open_with("/files/grown", &create)?.set_len(50 << 20)
}

/// Directories from inline to five levels, names of all lengths and bytes.
fn names(volume: &Volume) -> f2fs::Result<()> {
    volume.create_dir("/names", DIR)?;
    volume.create_dir("/names/many", DIR)?;
    for n in 0..2500 {
        put(volume, format!("/names/many/entry-{n}"), 0, b"")?;
    }
    for n in (0..2500).filter(|n| n % 3 != 0) {
        volume.remove_file(format!("/names/many/entry-{n}"))?;
    }
    for byte in (1..=255).filter(|&byte| byte != b'/') {
        put(
            volume,
            OsStr::from_bytes(&[b"/names/byte", &[byte][..]].concat()),
            0,
            &[byte],
        )?;
    }
    for len in [1, 7, 8, 9, 16, 17, 128, 254, 255] {
        put(volume, format!("/names/{}", "L".repeat(len)), 0, b"long")?;
    }
    let deep: String = (0..40).map(|n| format!("/d{n}")).collect();
    volume.create_dir_all(format!("/names{deep}"), DIR)?;
    volume.rename("/names/d0/d1/d2", "/names/moved")?;
    volume.create_dir_all("/names/a/b", DIR)?;
    volume.create_dir("/names/empty", DIR)?;
    volume.rename("/names/a/b", "/names/empty")?;
    volume.remove_dir("/names/a")
}

/// Symbolic links of every length, hard links, devices.
fn links(volume: &Volume) -> f2fs::Result<()> {
    volume.create_dir("/links", DIR)?;
    for len in [1, 100, 3450, 3451, 3452, 3453, 3487, 3488, 3489, 4094, 4095] {
        volume.symlink("t".repeat(len), format!("/links/{len}"), Owner::root(0o777))?;
    }
    put(volume, "/links/first", 0, &POOL[..9000])?;
    for n in 0..200 {
        volume.hard_link("/links/first", format!("/links/hard{n}"))?;
    }
    volume.remove_file("/links/first")?;
    volume.hard_link("/links/100", "/links/100-again")?;
    let owner = Owner {
        permissions: 0o640,
        uid: 7,
        gid: 8,
    };
    for (n, special) in [
        Special::CharDevice(1, 3),
        Special::CharDevice(255, 255),
        Special::CharDevice(256, 1),
        Special::BlockDevice(8, 300),
        Special::BlockDevice(4095, 1_048_575),
        Special::Fifo,
        Special::Socket,
    ]
    .into_iter()
    .enumerate()
    {
        volume.mknod(format!("/links/special{n}"), special, owner)?;
    }
    volume.hard_link("/links/special5", "/links/special5-again")
}

fn attributes(volume: &Volume) -> f2fs::Result<()> {
    volume.create_dir("/attributes", DIR)?;
    // Sizes around the inline area (200 bytes), and up to the attribute node's end.
    for len in [0, 1, 100, 170, 180, 190, 200, 1000, 3000, 4000, 4100] {
        let path = format!("/attributes/x{len}");
        put(volume, &path, 0, b"some")?;
        volume.set_xattr(&path, "user.value", &vec![len as u8; len], SetXattr::Any)?;
        volume.set_xattr(&path, "security.selinux", b"u:r:x:s0\0", SetXattr::Any)?;
    }
    volume.remove_xattr("/attributes/x3000", "user.value")?;
    volume.set_xattr(
        "/attributes/x4000",
        "user.value",
        b"short",
        SetXattr::Replace,
    )?;
    volume.set_xattr("/attributes", "trusted.folder", &[1; 300], SetXattr::Create)?;
    volume.set_xattr("/links/100", "trusted.link", &[1; 300], SetXattr::Create)?;
    volume.set_xattr(
        "/links/special1",
        "trusted.device",
        &[1; 3],
        SetXattr::Create,
    )?;
    let time = |secs, nanos| Some(Timestamp { secs, nanos });
    let times = [(0, 0), (-1, 999_999_999), (1 << 33, 1), (-1_000_000_000, 7)];
    for (n, (secs, nanos)) in times.into_iter().enumerate() {
        let path = format!("/attributes/t{n}");
        put(volume, &path, 0, b"some")?;
        let times = SetAttr {
            accessed: time(secs, nanos),
            modified: time(-secs, nanos),
            ..SetAttr::default()
        };
        volume.set_attr(&path, &times)?;
    }
    let setgid = Owner {
        permissions: 0o2775,
        uid: 70_000,
        gid: u32::MAX - 1,
    };
    volume.create_dir("/attributes/setgid", setgid)?;
    volume.create_dir("/attributes/setgid/d", DIR)?;
    put(volume, "/attributes/setgid/f", 0, b"some")?;
    let mode = SetAttr {
        permissions: Some(0o7777),
        uid: Some(1),
        gid: Some(2),
        ..SetAttr::default()
    };
    volume.set_attr("/attributes/setgid/f", &mode)?;
    volume.create_dir("/attributes/flags", DIR)?;
    let inherited =
        InodeFlags::SYNC | InodeFlags::NODUMP | InodeFlags::NOATIME | InodeFlags::DIRSYNC;
    volume.set_flags("/attributes/flags", inherited, InodeFlags::empty())?;
    put(volume, "/attributes/flags/heir", 0, b"some")?;
    for (n, flags) in [InodeFlags::IMMUTABLE, InodeFlags::APPEND]
        .into_iter()
        .enumerate()
    {
        let path = format!("/attributes/f{n}");
        put(volume, &path, 0, b"some")?;
        volume.set_flags(&path, flags, InodeFlags::empty())?;
    }
    Ok(())
}

/// Access lists, in the form of the system's calls.
fn lists(volume: &Volume) -> f2fs::Result<()> {
    let list = list(&[(1, 7), (2, 6), (4, 4), (8, 5), (16, 6), (32, 0)]);
    volume.create_dir("/lists", DIR)?;
    put(volume, "/lists/before", 0, b"some")?;
    volume.set_xattr(
        "/lists/before",
        "system.posix_acl_access",
        &list,
        SetXattr::Any,
    )?;
    volume.set_xattr("/lists", ACCESS_LIST, &list, SetXattr::Any)?;
    volume.set_xattr("/lists", DEFAULT_LIST, &list, SetXattr::Any)?;
    volume.create_dir("/lists/heir", DIR)?;
    put(volume, "/lists/heir/after", 0, b"some")
}

/// Inheritance of compression, holes, and clusters that do not compress.
fn compressed(volume: &Volume) -> f2fs::Result<()> {
    volume.create_dir("/compressed", DIR)?;
    let zstd = CompressDefaults {
        algorithm: CompressAlgorithm::Zstd,
        level: 5,
        ..CompressDefaults::default()
    };
    volume.set_compression("/compressed", Some(zstd))?;
    volume.create_dir("/compressed/below", DIR)?;
    volume.create_dir("/compressed/not", DIR)?;
    volume.set_compression("/compressed/not", None)?;
    volume.set_nocompress("/compressed/not", Toggle::On)?;
    for path in [
        "/compressed/small",
        "/compressed/below/small",
        "/compressed/not/small",
    ] {
        put(volume, path, 0, b"small")?;
    }
    for (n, pos) in [0, 100_000, 5_000_000].into_iter().enumerate() {
        put(volume, format!("/compressed/at{n}"), pos, &POOL[..200_000])?;
    }
    // Something in every direct node: fsck.f2fs 1.15 miscounts compressed files without one, the kernel's too.
    for pos in (0..60_000_000).step_by(4_000_000) {
        put(volume, "/compressed/far", pos, &POOL[..100_000])?;
    }
    for (name, from) in [("noise", NOISE.start), ("dull", DULL.start)] {
        put(
            volume,
            format!("/compressed/{name}"),
            0,
            &POOL[from..from + 999_999],
        )?;
    }
    let create = OpenOptions::new().write(true).create(true);
    let file = volume.open_with("/compressed/cut", &create)?;
    file.write_all_at(0, &POOL[..1_000_000])?;
    file.sync_all()?;
    file.set_len(99_999)?;
    file.set_len(500_000)?;
    Ok(())
}
