//! A tree with one of everything, and how to compare trees.

use super::{is_root, noise, text};
use rustix::fs::{Mode, Timespec, Timestamps, XattrFlags};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// An access list in the system's form: owner rw, user 1234 r, group r, mask r, others none.
pub(crate) const ACL: [u8; 44] = {
    let entries = [
        (1u16, 6u8, u32::MAX),
        (2, 4, 1234),
        (4, 4, u32::MAX),
        (16, 4, u32::MAX),
        (32, 0, u32::MAX),
    ];
    let mut value = [0; 44];
    value[0] = 2;
    let mut n = 0;
    while n < entries.len() {
        let (tag, bits, id) = entries[n];
        let id = id.to_le_bytes();
        let at = 4 + 8 * n;
        value[at] = tag as u8;
        value[at + 2] = bits;
        value[at + 4] = id[0];
        value[at + 5] = id[1];
        value[at + 6] = id[2];
        value[at + 7] = id[3];
        n += 1;
    }
    value
};

/// Makes the tree.
pub(crate) fn make(top: &Path) {
    fs::create_dir_all(top.join("dir/deep/er")).unwrap();
    fs::create_dir(top.join("empty dir")).unwrap();
    for n in 0..300 {
        fs::write(top.join(format!("dir/many-{n:03}")), format!("{n}")).unwrap();
    }
    fs::write(top.join("dir/deep/er/text"), text(700_000)).unwrap();
    fs::write(top.join("noise"), noise(300_001, 1)).unwrap();
    fs::write(top.join("exact"), text(1 << 20)).unwrap();
    fs::write(top.join("empty"), b"").unwrap();
    let long = "x".repeat(255);
    let names: [&[u8]; 7] = [
        b"new\nline",
        b" space ",
        b"-rf",
        b"back\\slash",
        b"\xff\xfe not utf-8",
        "\u{fc}ml\u{e4}ut".as_bytes(),
        long.as_bytes(),
    ];
    for name in names {
        fs::write(top.join(OsStr::from_bytes(name)), name).unwrap();
    }
    holes(top);
    links(top);
    attributes(top);
    times(top);
}

fn holes(top: &Path) {
    let sparse = fs::File::create(top.join("sparse")).unwrap();
    sparse.write_all_at(&text(10_000), 1 << 20).unwrap();
    sparse.write_all_at(b"end", (8 << 20) + 5).unwrap();
    sparse.set_len(20 << 20).unwrap();
    fs::File::create(top.join("only hole"))
        .unwrap()
        .set_len(3 << 20)
        .unwrap();
}

fn links(top: &Path) {
    fs::hard_link(top.join("noise"), top.join("dir/same noise")).unwrap();
    fs::hard_link(top.join("noise"), top.join("zz noise")).unwrap();
    symlink("../noise", top.join("dir/link")).unwrap();
    symlink("/nowhere/at all", top.join("broken link")).unwrap();
    symlink("t".repeat(4000), top.join("long link")).unwrap();
    let here = rustix::fs::open(top, rustix::fs::OFlags::RDONLY, Mode::empty()).unwrap();
    let node = |name: &str, kind, device| {
        rustix::fs::mknodat(&here, name, kind, Mode::RUSR, device).unwrap();
    };
    node("pipe", rustix::fs::FileType::Fifo, 0);
    node("socket", rustix::fs::FileType::Socket, 0);
    if is_root() {
        node(
            "char device",
            rustix::fs::FileType::CharacterDevice,
            rustix::fs::makedev(1, 3),
        );
        node(
            "block device",
            rustix::fs::FileType::BlockDevice,
            rustix::fs::makedev(259, 70_000),
        );
    }
}

fn attributes(top: &Path) {
    let set = |path: &str, name: &str, value: &[u8]| {
        rustix::fs::lsetxattr(top.join(path), name, value, XattrFlags::empty()).unwrap();
    };
    set("noise", "user.note", b"some \0 bytes");
    set("noise", "user.empty", b"");
    set("dir", "user.long", &[b'v'; 1000]);
    set("exact", "system.posix_acl_access", &ACL);
    set("dir/deep", "system.posix_acl_default", &ACL);
    if is_root() {
        set("empty", "trusted.secret", b"t");
        set("empty", "security.test", b"s");
        set("dir/link", "trusted.link", b"l");
        rustix::fs::chown(
            top.join("empty"),
            Some(rustix::fs::Uid::from_raw(1234)),
            Some(rustix::fs::Gid::from_raw(70_000)),
        )
        .unwrap();
    }
    let mode = |path: &str, mode| {
        fs::set_permissions(top.join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("noise", 0o4751);
    mode("empty", 0o600);
    mode("empty dir", 0o1777);
    mode("dir/deep", 0o2750);
}

/// Times of its own for everything, the directories last.
fn times(top: &Path) {
    let mut paths: Vec<PathBuf> = snapshot(top).into_keys().collect();
    paths.reverse();
    for (n, path) in (0..).zip(&paths) {
        let at = |secs| Timespec {
            tv_sec: secs,
            tv_nsec: 123_456_789,
        };
        let times = Timestamps {
            last_access: at(1_000_000_000 + n),
            last_modification: at(n * 1_000_000 - 5_000_000),
        };
        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::utimensat(rustix::fs::CWD, top.join(path), &times, flags).unwrap();
    }
}

/// What is compared of one file.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) kind: u32,
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    pub(crate) size: u64,
    pub(crate) links: u64,
    pub(crate) modified: (i64, i64),
    pub(crate) device: u64,
    pub(crate) content: Vec<u8>,
    pub(crate) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The path of the first file with the same inode.
    pub(crate) same_as: PathBuf,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "kind {:o} mode {:o} owner {:?} size {} links {} modified {:?} \
             device {} content of {} xattrs {:?} same as {:?}",
            self.kind,
            self.mode,
            self.owner,
            self.size,
            self.links,
            self.modified,
            self.device,
            self.content.len(),
            self.xattrs,
            self.same_as
        )
    }
}

/// Everything below and including `top`, by its path from there.
pub(crate) fn snapshot(top: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut all = BTreeMap::new();
    let mut inodes = BTreeMap::new();
    let mut stack = vec![PathBuf::new()];
    while let Some(relative) = stack.pop() {
        // Without the slash that an empty relative path would add.
        let path = if relative.as_os_str().is_empty() {
            top.to_path_buf()
        } else {
            top.join(&relative)
        };
        let found = path.symlink_metadata().unwrap();
        let mut content = Vec::new();
        if found.is_dir() {
            for entry in path.read_dir().unwrap() {
                stack.push(relative.join(entry.unwrap().file_name()));
            }
        } else if found.is_file() {
            content = fs::read(&path).unwrap();
        } else if found.is_symlink() {
            content = path.read_link().unwrap().as_os_str().as_bytes().to_vec();
        }
        let is_dir = found.is_dir();
        inodes
            .entry(found.ino())
            .or_insert_with(Vec::new)
            .push(relative.clone());
        let seen = Seen {
            kind: found.mode() & 0o170_000,
            mode: found.mode() & 0o7777,
            owner: (found.uid(), found.gid()),
            size: if is_dir { 0 } else { found.size() },
            links: if is_dir { 0 } else { found.nlink() },
            modified: (found.mtime(), found.mtime_nsec()),
            device: found.rdev(),
            content,
            xattrs: xattrs(&path),
            same_as: PathBuf::new(),
        };
        all.insert(relative, seen);
    }
    for paths in inodes.values() {
        let first = paths.iter().min().unwrap();
        for path in paths {
            all.get_mut(path).unwrap().same_as.clone_from(first);
        }
    }
    all
}

fn xattrs(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut list = vec![0; 65536];
    let len = rustix::fs::llistxattr(path, &mut list[..]).unwrap_or(0);
    let names = list[..len]
        .split(|&b| b == 0)
        .filter(|name| !name.is_empty());
    names
        .map(|name| {
            let mut value = vec![0; 65536];
            let len = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
            (name.to_vec(), value[..len].to_vec())
        })
        .collect()
}

/// Asserts that two trees are equal, and says where they are not.
#[track_caller]
pub(crate) fn assert_same(left: &BTreeMap<PathBuf, Seen>, right: &BTreeMap<PathBuf, Seen>) {
    let names = |tree: &BTreeMap<PathBuf, Seen>| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(left), names(right));
    for (path, seen) in left {
        assert_eq!(seen, &right[path], "{}", path.display());
    }
}

/// Bytes that a file takes on the disk.
pub(crate) fn disk_bytes(path: &Path) -> u64 {
    path.metadata().unwrap().blocks() * 512
}
