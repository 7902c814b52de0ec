//! Everything the kernel can make, read by the engine, changed by it, and read by the kernel again.

use crate::guest::Guest;
use crate::manifest::{Manifest, raw, sha256};
use crate::pool::{DULL, NOISE, POOL, TEXT};
use f2fs::{Error, FormatOptions, InodeFlags, OpenOptions, Volume, VolumeOptions};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use tempfile::NamedTempFile;
use testkit::{fsck, tools};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// A volume of every feature without quota files.
fn rich_volume(size: u64) -> NamedTempFile {
    let image = NamedTempFile::new().unwrap();
    let format = FormatOptions {
        features: FormatOptions::SUPPORTED,
        ..FormatOptions::new(size)
    };
    Volume::create(image.path(), &format, &VolumeOptions::default())
        .unwrap()
        .close()
        .unwrap();
    image
}

#[test]
fn the_engine_reads_and_changes_what_the_kernel_makes() {
    let image = rich_volume(256 * MIB);
    let mut guest = Guest::new();
    guest.mount(image.path(), "compress_algorithm=lz4,compress_chksum");
    for part in [
        inline_and_plain,
        compressed,
        allocated,
        names,
        attributes,
        special,
    ] {
        part(&mut guest);
    }
    guest.then("sync").umount();
    guest.mount(image.path(), "compress_algorithm=zstd:5,compress_mode=user");
    by_hand(&mut guest);
    guest.then("sync").then("dropcaches").manifest().umount();
    let Some(manifests) = guest.run() else { return };
    fsck::assert_clean(image.path());
    Manifest::of_image(image.path()).assert_same(&manifests[0], "engine <> kernel");

    let copy = NamedTempFile::new().unwrap();
    std::fs::copy(image.path(), copy.path()).unwrap();
    remove_all(copy.path());

    let expected = patch_all(image.path());
    fsck::assert_clean(image.path());
    let ours = Manifest::of_image(image.path());
    let mut guest = Guest::new();
    guest.mount(image.path(), "").manifest();
    // It goes on with what the engine has changed.
    guest.then("reserve /compressed/released");
    guest
        .then("write /compressed/released 100 50000 0")
        .then("sync")
        .manifest();
    guest
        .then("flags /attributes/fixed 0 10")
        .then("flags /attributes/log 0 20");
    guest
        .then("shell find%20.%20-mindepth%201%20-delete")
        .then("sync")
        .manifest()
        .umount();
    let manifests = guest.run().unwrap();
    ours.assert_same(&manifests[0], "engine <> kernel after the engine's changes");
    for (path, hash) in &expected {
        assert_eq!(manifests[0].field(path, "sha256"), hash, "{path}");
    }
    assert_eq!(manifests[2].0.len(), 1, "all is gone");
    fsck::assert_clean(image.path());
}

/// Inside the inode, and just not.
fn inline_and_plain(guest: &mut Guest<'_>) {
    guest.then("mkdir /plain 755");
    for size in [
        0, 1, 3000, 3400, 3451, 3452, 3453, 3488, 4096, 4097, 300_000,
    ] {
        guest.then(format!("create /plain/{size} 644"));
        guest.then(format!("write /plain/{size} 0 {size} 77"));
    }
    guest
        .then("create /plain/grown 644")
        .then("write /plain/grown 0 100 0");
    guest.then("sync").then("write /plain/grown 9000 100 0");
    guest
        .then("create /plain/cut 644")
        .then("write /plain/cut 0 200000 0");
    guest.then("sync").then("truncate /plain/cut 10");
    // One file over all kinds of nodes.
    guest.then("create /plain/far 644");
    for block in [
        0_u64, 900, 1900, 2900, 5000, 1_040_000, 2_080_000, 3_500_000,
    ] {
        guest.then(format!("write /plain/far {} 6000 1000", block * 4096 + 5));
    }
    guest.then("mapwrite /plain/300000 5000 10000 900000");
}

/// Compressed clusters, raw ones, holes, released and reserved again.
fn compressed(guest: &mut Guest<'_>) {
    guest.then("mkdir /compressed 755");
    let text = TEXT.start;
    for (algorithm, log) in [(0, 2), (1, 4), (2, 6), (3, 8)] {
        let cluster = (4 * KIB) << log;
        let path = format!("/compressed/mixed{algorithm}");
        guest.then(format!("create {path} 644 {algorithm} {log}"));
        for (index, source) in [
            (0, text),
            (1, NOISE.start),
            (3, DULL.start),
            (5, text + 999),
        ] {
            guest.then(format!(
                "write {path} {} {cluster} {source}",
                index * cluster
            ));
        }
        guest
            .then(format!("write {path} {} 5000 {text}", 6 * cluster))
            .then("sync");
        guest.then(format!("write {path} {} 9 {}", cluster / 2, NOISE.start));
        guest.then(format!("write {path} {} {} {text}", cluster + 100, cluster));
    }
    for path in ["released", "reserved", "shrunk", "gone"] {
        let path = format!("/compressed/{path}");
        guest.then(format!("create {path} 644 1 4"));
        guest
            .then(format!("write {path} 0 500000 {text}"))
            .then("sync");
        guest.then(format!("release {path}"));
    }
    guest
        .then("reserve /compressed/reserved")
        .then("truncate /compressed/shrunk 131072");
    guest
        .then("truncate /compressed/gone 0")
        .then("write /compressed/gone 0 100000 0");
    guest.then("fails EPERM write /compressed/released 0 10 0");
    guest
        .then("create /compressed/tail 644 2 4")
        .then("write /compressed/tail 0 131072 0");
    guest
        .then("sync")
        .then("truncate /compressed/tail 70000")
        .then("fsync /compressed/tail");
    guest
        .then("create /compressed/mapped 644 1 4")
        .then("write /compressed/mapped 0 300000 0");
    guest
        .then("sync")
        .then("mapwrite /compressed/mapped 60000 80000 100000");
}

/// Blocks that are reserved, cut out, moved.
fn allocated(guest: &mut Guest<'_>) {
    let (keep, punch, collapse, zero, insert) = (1, 3, 8, 16, 32);
    guest.then("mkdir /allocated 755");
    let changes = [
        ("new", 0, 8192, 200_000),
        ("beyond", keep, 500_000, 400_000),
        ("punched", punch, 10_000, 50_000),
        ("collapsed", collapse, 8192, 40_960),
        ("zeroed", zero, 5000, 70_000),
        ("inserted", insert, 4096, 409_600),
    ];
    for (name, mode, pos, len) in changes {
        let path = format!("/allocated/{name}");
        guest.then(format!("create {path} 644"));
        if name != "new" {
            guest.then(format!("write {path} 0 300000 5")).then("sync");
        }
        guest.then(format!("fallocate {path} {mode} {pos} {len}"));
    }
    guest
        .then("create /allocated/only 644")
        .then("fallocate /allocated/only 1 0 1000000");
    for (name, mode) in [("compressed", 0), ("compressed-beyond", keep)] {
        let path = format!("/allocated/{name}");
        guest
            .then(format!("create {path} 644 1 4"))
            .then(format!("write {path} 0 150000 0"));
        guest
            .then("sync")
            .then(format!("fallocate {path} {mode} 100000 200000"));
    }
    guest
        .then("create /allocated/pinned 644")
        .then("pin /allocated/pinned");
    guest
        .then("fallocate /allocated/pinned 0 0 2097152")
        .then("write /allocated/pinned 0 100000 0");
}

/// Directories of every shape, names of every length, links.
fn names(guest: &mut Guest<'_>) {
    guest
        .then("mkdir /names 755")
        .then("mkdir /names/many 755")
        .then("many /names/many 2500 entry");
    guest
        .then("shell rm%20names/many/entry*[2468]")
        .then("many /names/many 30 late");
    guest
        .then("mkdir /names/few 755")
        .then("many /names/few 20 f");
    guest
        .then("mkdir /names/emptied 755")
        .then("many /names/emptied 400 e");
    guest.then("shell rm%20names/emptied/*");
    let deep: String = (0..30).map(|n| format!("/d{n}")).collect();
    guest
        .then(format!("shell mkdir%20-p%20names{deep}"))
        .then(format!("create /names{deep}/file 600"));
    for name in ["a%20b", "%0A", "%FF%FE", "%C3%A9t%C3%A9", "%25", "%5C", "-"] {
        guest
            .then(format!("create /names/{name} 644"))
            .then(format!("write /names/{name} 0 10 0"));
    }
    for len in [1, 8, 9, 16, 17, 128, 254, 255] {
        guest.then(format!("create /names/{} 644", "L".repeat(len)));
    }
    guest
        .then("create /names/one 644")
        .then("write /names/one 0 5000 0");
    guest
        .then("link /names/one /names/two")
        .then("link /names/one /names/few/three");
    guest
        .then("rename /names/one /names/renamed")
        .then("create /names/old 644");
    guest
        .then("create /names/new 644")
        .then("rename /names/new /names/old");
    guest
        .then("mkdir /names/dir1 755")
        .then("create /names/dir1/x 644")
        .then("mkdir /names/dir2 755");
    guest
        .then("mkdir /names/dir2/dir3 755")
        .then("exchange /names/dir1 /names/dir2/dir3");
    guest
        .then("mkdir /names/folded 755")
        .then("flags /names/folded 40000000 0");
    guest
        .then("create /names/folded/MiXed 644")
        .then("create /names/folded/%C3%89T%C3%89 644");
    for len in [1, 100, 3451, 3452, 3453, 3487, 4094] {
        guest.then(format!("symlink {} /names/link{len}", "t".repeat(len)));
    }
}

/// Modes, owners, times, flags, extended attributes, access lists.
fn attributes(guest: &mut Guest<'_>) {
    guest.then("mkdir /attributes 755");
    for (n, len) in [0_usize, 1, 100, 180, 200, 400, 2000, 3500]
        .into_iter()
        .enumerate()
    {
        let path = format!("/attributes/x{n}");
        guest
            .then(format!("create {path} 644"))
            .then(format!("write {path} 0 100 0"));
        guest.then(format!("setxattr {path} user.name {}", "5a".repeat(len)));
        guest.then(format!("setxattr {path} trusted.t {}", "01".repeat(n)));
        guest.then(format!("setxattr {path} security.label 612f6200"));
    }
    guest
        .then("rmxattr /attributes/x6 user.name")
        .then("setxattr /attributes/x7 user.name 00");
    guest
        .then("mkdir /attributes/acl 755")
        .then("create /attributes/acl/f 640");
    let list = "u:1000:rwx,g:7:r,u:5:-";
    guest.then(format!("shell setfacl%20-m%20{list}%20attributes/acl/f"));
    guest.then(format!("shell setfacl%20-d%20-m%20{list}%20attributes/acl"));
    guest
        .then("create /attributes/acl/heir 666")
        .then("mkdir /attributes/acl/folder 777");
    guest
        .then("mkdir /attributes/setgid 2775")
        .then("chown /attributes/setgid 5 6");
    guest
        .then("chmod /attributes/setgid 2775")
        .then("create /attributes/setgid/f 644");
    guest.then("shell mkdir%20attributes/setgid/d");
    for (n, time) in [
        "1 1",
        "-1000000000 5",
        "4000000000999999999 7000000000000000001",
    ]
    .iter()
    .enumerate()
    {
        guest
            .then(format!("create /attributes/t{n} 600"))
            .then(format!("utime /attributes/t{n} {time}"));
    }
    for (name, flags) in [
        ("fixed", "10"),
        ("log", "20"),
        ("quiet", "c8"),
        ("never", "400"),
    ] {
        guest.then(format!("create /attributes/{name} 600"));
        guest.then(format!("write /attributes/{name} 0 9000 0"));
        guest.then(format!("flags /attributes/{name} {flags} 0"));
    }
    guest.then("mkdir /attributes/pressed 755");
    guest
        .then("flags /attributes/pressed 4 0")
        .then("mkdir /attributes/pressed/d 755");
}

/// What is neither file nor directory, and a sealed file.
fn special(guest: &mut Guest<'_>) {
    guest.then("mkdir /special 755");
    for (n, (kind, major, minor)) in [
        (2, 1, 3),
        (2, 255, 255),
        (2, 256, 1),
        (6, 8, 300),
        (6, 4095, 1_048_575),
    ]
    .into_iter()
    .enumerate()
    {
        guest.then(format!("mknod /special/dev{n} {kind}0640 {major} {minor}"));
    }
    guest
        .then("mknod /special/pipe 10600 0 0")
        .then("mknod /special/socket 140777 0 0");
    guest.then("setxattr /special/pipe trusted.big ".to_owned() + &"77".repeat(1000));
    guest
        .then("create /special/sealed 644")
        .then("write /special/sealed 0 200000 0");
    guest.then("seal /special/sealed");
}

/// With `compress_mode=user`: files that were compressed and expanded on request.
fn by_hand(guest: &mut Guest<'_>) {
    for name in ["squeezed", "expanded", "written"] {
        let path = format!("/compressed/{name}");
        guest
            .then(format!("create {path} 644 2 4"))
            .then(format!("write {path} 0 400000 0"));
        guest
            .then("sync")
            .then(format!("compress {path}"))
            .then("sync");
    }
    guest
        .then("decompress /compressed/expanded")
        .then("write /compressed/written 70000 10 0");
}

/// The engine gives all blocks back, reserved and released ones too. Only what it cannot change stays.
fn remove_all(image: &Path) {
    let volume = Volume::open(image, &VolumeOptions::default()).unwrap();
    let write = OpenOptions::new().write(true);
    let file = volume.open_with("/compressed/released", &write).unwrap();
    file.set_len(65_536).unwrap();
    assert!(file.write_at(0, b"x").is_err(), "still released");
    file.set_len(0).unwrap();
    file.write_all_at(0, &POOL[..300_000]).unwrap();
    file.set_len(200_000).unwrap();
    drop(file);
    let kept = InodeFlags::IMMUTABLE | InodeFlags::APPEND;
    for path in ["/attributes/fixed", "/attributes/log"] {
        volume.set_flags(path, InodeFlags::empty(), kept).unwrap();
    }
    for folder in ["/", "/names"] {
        for entry in volume.read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().to_owned();
            if name != "names" {
                volume.remove_all(Path::new(folder).join(name)).unwrap();
            }
        }
        volume.sync().unwrap();
        fsck::assert_clean(image);
    }
    let space = volume.statfs();
    assert!(space.user_blocks - space.blocks_free < 16, "{space:?}");
    volume.close().unwrap();
    fsck::assert_clean(image);
}

/// Files whose bytes must not change; others take a patch in the middle and one at the end.
fn patch_all(image: &Path) -> BTreeMap<String, String> {
    let volume = Volume::open(image, &VolumeOptions::default()).unwrap();
    let mut expected = BTreeMap::new();
    let mut refused = Vec::new();
    for (path, fields) in &Manifest::of(&volume).0 {
        // Hard links would be patched twice, and a large file is not read for that.
        let skipped = path.contains("/many/") || fields["links"] != "1" || path == "/plain/far";
        if fields["type"] != "file" || skipped {
            continue;
        }
        let mut bytes = Vec::new();
        volume
            .open_file(raw(path))
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        match patch(&volume, path, &mut bytes) {
            Ok(()) => drop(expected.insert(path.clone(), sha256(&bytes))),
            Err(Error::NotPermitted(_)) => refused.push(path.as_str().to_owned()),
            Err(error) => panic!("{path}: {error:?}"),
        }
    }
    let known = [
        "/allocated/pinned",
        "/attributes/fixed",
        "/attributes/log",
        "/compressed/released",
        "/compressed/shrunk",
        "/special/sealed",
    ];
    assert_eq!(refused, known);
    volume.close().unwrap();
    expected
}

fn patch(volume: &Volume, path: &str, bytes: &mut Vec<u8>) -> f2fs::Result<()> {
    let file = volume.open_with(raw(path), &OpenOptions::new().write(true))?;
    let middle = bytes.len().min(1 << 20) / 2;
    for (pos, len) in [(middle, 70), (bytes.len(), 3000)] {
        let patch = &POOL[(NOISE.start + pos) % (4 << 20)..][..len];
        file.write_all_at(pos as u64, patch)?;
        bytes.resize(bytes.len().max(pos + len), 0);
        bytes[pos..pos + len].copy_from_slice(patch);
    }
    Ok(())
}

/// Without the key the engine can neither read nor change them, and does not disturb them either.
#[test]
fn encrypted_files_survive_the_engines_work_beside_them() {
    let image = tools::mkfs(&["-O", "encrypt,extra_attr,compression"], 64 * MIB);
    let mut guest = Guest::new();
    guest
        .mount(image.path(), "")
        .then("key")
        .then("mkdir /secret 700")
        .then("encrypt /secret");
    guest
        .then("create /secret/file 600")
        .then("write /secret/file 0 100000 0");
    guest
        .then("create /secret/pressed 600 1 4")
        .then("write /secret/pressed 0 200000 0");
    guest
        .then("symlink file /secret/link")
        .then("mkdir /open 755")
        .then("create /open/file 644");
    guest
        .then("write /open/file 0 100000 0")
        .then("sync")
        .manifest()
        .umount();
    let Some(before) = guest.run() else { return };

    let volume = Volume::open(image.path(), &VolumeOptions::default()).unwrap();
    let create = OpenOptions::new().write(true).create(true);
    let error = volume.open_with("/secret/new", &create).unwrap_err();
    assert!(matches!(error, Error::NoKey), "{error:?}");
    assert_eq!(volume.read_dir("/secret").unwrap().count(), 3);
    volume
        .open_with("/open/file", &create)
        .unwrap()
        .write_all_at(50_000, &POOL[..70_000])
        .unwrap();
    volume.close().unwrap();
    fsck::assert_clean(image.path());

    let mut guest = Guest::new();
    guest
        .mount(image.path(), "")
        .then("key")
        .manifest()
        .umount();
    let after = guest.run().unwrap();
    for path in ["/secret/file", "/secret/pressed", "/secret/link", "/secret"] {
        assert_eq!(before[0].0[path], after[0].0[path], "{path}");
    }
    assert_eq!(after[0].field("/open/file", "size"), "120000");
    fsck::assert_clean(image.path());
}
