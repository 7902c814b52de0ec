//! Encrypted folders without their key: the engine shows what the kernel shows, lets go what the kernel lets go, and
//! changes nothing else.

use crate::cuts::copy_of;
use crate::guest::{Guest, quote};
use f2fs::{Error, FileType, InodeFlags, OpenOptions, Owner, Special, Volume, VolumeOptions};
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use testkit::{fsck, oracle, tools};

/// Prints every path below the root with its number, mode, links and size, and the target of links.
const WALK: &str = r"
set -e
mkdir /tmp/m
mount -t f2fs /dev/ubda /tmp/m
python3 - <<'PROGRAM'
import os, stat
from urllib.parse import quote_from_bytes
for folder, folders, files in os.walk(b'/tmp/m'):
    for name in folders + files:
        path = os.path.join(folder, name)
        s = os.lstat(path)
        target = os.readlink(path) if stat.S_ISLNK(s.st_mode) else b'-'
        print('FOUND', quote_from_bytes(path[6:]), s.st_ino, oct(s.st_mode)[2:], s.st_nlink, s.st_size,
              quote_from_bytes(target))
PROGRAM
umount /tmp/m
";

/// An encrypted folder of everything, made by the kernel.
fn secret_volume() -> Option<NamedTempFile> {
    let features = "encrypt,extra_attr,compression,casefold";
    let image = tools::mkfs(&["-O", features, "-C", "utf8"], 128 << 20);
    let mut guest = Guest::new();
    guest.mount(image.path(), "").then("key");
    for folder in ["secret", "folded"] {
        guest.then(format!("mkdir /{folder} 700"));
        guest.then(format!("encrypt /{folder}"));
    }
    guest.then("flags /folded 40000000 0");
    for folder in ["secret", "folded"] {
        guest.then(format!("mkdir /{folder}/Sub 755"));
        guest.then(format!("mkdir /{folder}/empty 755"));
        for len in [1, 15, 16, 17, 144, 145, 149, 150, 160, 161, 176, 240, 254] {
            let name = "n".repeat(len);
            guest.then(format!("create /{folder}/{name} 600"));
        }
        for len in [1, 20, 150, 900, 3000] {
            let target = "t".repeat(len);
            guest.then(format!("symlink {target} /{folder}/Sub/link{len}"));
        }
        guest.then(format!("create /{folder}/Sub/file 600"));
        guest.then(format!("write /{folder}/Sub/file 0 100000 0"));
        guest.then(format!("create /{folder}/Sub/pressed 600 1 4"));
        guest.then(format!("write /{folder}/Sub/pressed 0 200000 0"));
        guest.then(format!("link /{folder}/Sub/file /{folder}/Sub/hard"));
        guest.then(format!("mknod /{folder}/Sub/pipe 10600 0 0"));
        guest.then(format!("mkdir /{folder}/many 755"));
        guest.then(format!("many /{folder}/many 600 entry"));
    }
    guest.then("sync").manifest().umount();
    guest.run()?;
    Some(image)
}

/// What the kernel sees without the key.
fn kernels_view(image: &Path) -> Vec<String> {
    let text = oracle::run(WALK, &[image]).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("FOUND "));
    let mut lines: Vec<_> = lines.map(str::to_owned).collect();
    lines.sort();
    lines
}

/// All paths, with their types.
fn walk(volume: &Volume) -> BTreeMap<PathBuf, FileType> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::from("/")];
    while let Some(folder) = folders.pop() {
        for entry in volume.read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type() == FileType::Directory {
                folders.push(path.clone());
            }
            found.insert(path, entry.file_type());
        }
    }
    found
}

/// The engine's view, in the same form.
fn engines_view(volume: &Volume) -> Vec<String> {
    let line = |path: &PathBuf| {
        let meta = volume.symlink_metadata(path).unwrap();
        let target = match meta.file_type() {
            FileType::Symlink => volume.read_link(path).unwrap(),
            _ => PathBuf::from("-"),
        };
        format!(
            "{} {} {:o} {} {} {}",
            quote(path.as_os_str().as_bytes()),
            meta.ino(),
            meta.mode(),
            meta.links(),
            meta.len(),
            quote(target.as_os_str().as_bytes())
        )
    };
    let mut lines: Vec<_> = walk(volume).keys().map(line).collect();
    lines.sort();
    lines
}

fn open(image: &Path) -> Volume {
    Volume::open(image, &VolumeOptions::default()).unwrap()
}

#[test]
fn the_engine_shows_what_the_kernel_shows() {
    let Some(image) = secret_volume() else { return };
    let volume = open(image.path());
    assert_eq!(engines_view(&volume), kernels_view(image.path()));
    volume.close().unwrap();
}

#[test]
fn what_needs_the_key_is_refused_and_changes_nothing() {
    let Some(image) = secret_volume() else { return };
    let before = kernels_view(image.path());
    let volume = open(image.path());
    let all = walk(&volume);
    let root = Owner::root(0o755);
    let refused = |result: f2fs::Result<()>| match result {
        Err(error @ Error::NoKey) => assert_eq!(error.errno(), 126),
        other => panic!("{other:?}"),
    };
    let create = OpenOptions::new().write(true).create_new(true);
    for folder in ["/secret", "/folded"].map(Path::new) {
        let new = folder.join("new");
        refused(volume.open_with(&new, &create).map(drop));
        refused(volume.create_dir(&new, root));
        refused(volume.symlink("target", &new, root));
        refused(volume.mknod(&new, Special::Fifo, root));
        let missing = volume.metadata(&new).unwrap_err();
        assert!(matches!(missing, Error::NotFound), "{missing:?}");
        let absent = volume.remove_file(&new).unwrap_err();
        assert!(matches!(absent, Error::NotFound), "{absent:?}");
        let inside = |path: &&PathBuf| path.starts_with(folder) && all[*path] == FileType::Regular;
        let files: Vec<_> = all.keys().filter(inside).collect();
        assert!(files.len() > 600);
        for file in [files[0], files[files.len() / 2]] {
            let exists = volume.open_with(file, &create).unwrap_err();
            assert!(matches!(exists, Error::Exists), "{exists:?}");
            refused(volume.rename(file, &new));
            refused(volume.rename(file, "/out"));
            refused(volume.hard_link(file, &new));
            let both = OpenOptions::new().read(true).write(true);
            let handle = volume.open_with(file, &both).unwrap();
            refused(handle.write_at(0, b"x").map(drop));
            refused(handle.read_at(0, &mut [0; 9]).map(drop));
            refused(handle.set_len(0));
            refused(handle.set_len(1 << 20));
        }
    }
    volume.open_with("/plain", &create).unwrap();
    refused(volume.rename("/plain", "/secret/plain"));
    refused(volume.hard_link("/plain", "/secret/plain"));
    volume.remove_file("/plain").unwrap();
    let full = volume.set_flags("/folded", InodeFlags::empty(), InodeFlags::CASEFOLD);
    assert!(matches!(full, Err(Error::NotEmpty)), "{full:?}");
    volume.close().unwrap();
    fsck::assert_clean(image.path());
    assert_eq!(kernels_view(image.path()), before);
}

#[test]
fn entries_are_removed_without_the_key() {
    let Some(image) = secret_volume() else { return };
    let volume = open(image.path());
    let mut left = Vec::new();
    // What is in a folder comes after it.
    for (n, (path, file_type)) in walk(&volume).into_iter().rev().enumerate() {
        let removed = match file_type {
            FileType::Directory => volume.remove_dir(&path),
            _ if n % 3 == 0 => Err(Error::NotEmpty),
            _ => volume.remove_file(&path),
        };
        match removed {
            Ok(()) => {}
            Err(Error::NotEmpty) => left.push(path),
            Err(error) => panic!("{path:?}: {error}"),
        }
    }
    volume.close().unwrap();
    fsck::assert_clean(image.path());
    let seen = kernels_view(image.path());
    assert_eq!(seen.len(), left.len());
    let volume = open(image.path());
    assert_eq!(engines_view(&volume), seen);
    // The kernel goes on with the key: it still reads what was left.
    drop(volume);
    let mut guest = Guest::new();
    guest.mount(image.path(), "").then("key").manifest();
    guest.then("shell rm%20-r%20secret").then("sync").umount();
    let with_key = guest.run().unwrap();
    assert_eq!(with_key[0].0.len(), left.len() + 1);
    fsck::assert_clean(image.path());

    let volume = open(image.path());
    volume.remove_all("/folded").unwrap();
    assert_eq!(walk(&volume).len(), 0);
    volume.close().unwrap();
    fsck::assert_clean(image.path());
}

/// Files that the kernel made and fsynced in encrypted folders, before the power went.
#[test]
fn names_of_fsynced_files_are_recovered_without_the_key() {
    let features = "encrypt,extra_attr,inode_checksum,casefold";
    let image = tools::mkfs(&["-O", features, "-C", "utf8"], 128 << 20);
    let mut guest = Guest::new();
    guest.mount(image.path(), "").then("key");
    for folder in ["secret", "folded"] {
        guest.then(format!("mkdir /{folder} 700"));
        guest.then(format!("encrypt /{folder}"));
    }
    guest.then("flags /folded 40000000 0").then("sync");
    for folder in ["secret", "folded"] {
        for len in [1, 17, 150, 240] {
            let path = format!("/{folder}/{}", "N".repeat(len));
            guest.then(format!("create {path} 600"));
            guest.then(format!("write {path} 0 9000 0"));
            guest.then(format!("fsync {path}"));
        }
    }
    let Some(()) = guest.run_and_cut() else {
        return;
    };
    let copy = copy_of(image.path());
    let read_only = VolumeOptions {
        read_only: true,
        ..VolumeOptions::default()
    };
    let seen = engines_view(&Volume::open(image.path(), &read_only).unwrap());
    assert_eq!(seen.len(), 2 + 8);
    open(copy.path()).close().unwrap();
    fsck::assert_clean(copy.path());
    assert_eq!(kernels_view(copy.path()), seen);
    assert_eq!(kernels_view(image.path()), seen);
    // With the key, the names and the bytes are what they were.
    let mut guest = Guest::new();
    guest.mount(copy.path(), "").then("key").manifest().umount();
    let with_key = guest.run().unwrap();
    for path in ["/secret/N", "/folded/N"] {
        assert_eq!(with_key[0].field(path, "size"), "9000");
    }
}
