//! Operations that the engine, the kernel and a model in memory can all do.

use crate::guest::{Guest, hex, quote};
use crate::manifest::{Manifest, raw, sha256};
use crate::pool::POOL;
use f2fs::{
    CompressDefaults, Fallocate, InodeFlags, OpenOptions, Owner, SetAttr, SetXattr, Special,
    Timestamp, Volume, VolumeOptions,
};
use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

/// One operation. Paths are quoted as in manifests.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// An empty file, compressed or not.
    Create(String, Option<CompressDefaults>),
    /// `len` bytes of the pool from `source` at `pos`.
    Write {
        path: String,
        pos: u64,
        len: usize,
        source: usize,
    },
    /// Sets the size.
    Truncate(String, u64),
    /// What is done with `len` bytes at `pos`.
    Fallocate {
        path: String,
        what: Fallocate,
        pos: u64,
        len: u64,
    },
    Mkdir(String, u16),
    Symlink(String, String),
    Pipe(String, u16),
    Device(String, u32, u32),
    Link(String, String),
    Rename(String, String),
    Unlink(String),
    Rmdir(String),
    Chmod(String, u16),
    Chown(String, u32, u32),
    /// Access and modification time in seconds and nanoseconds.
    Utime(String, (i64, u32), (i64, u32)),
    SetXattr(String, &'static str, Vec<u8>),
    RemoveXattr(String, &'static str),
    Fsync(String),
    /// Flags set and cleared, those of `chattr`.
    Flags(String, InodeFlags, InodeFlags),
}

impl Op {
    /// The command for the guest.
    pub(crate) fn command(&self) -> String {
        let ns = |(secs, nanos): (i64, u32)| i128::from(secs) * 1_000_000_000 + i128::from(nanos);
        match self {
            Self::Create(path, None) => format!("create {path} 640"),
            Self::Create(path, Some(c)) => {
                format!(
                    "create {path} 640 {} {}",
                    c.algorithm.to_raw(),
                    c.log_cluster_size
                )
            }
            Self::Write {
                path,
                pos,
                len,
                source,
            } => format!("write {path} {pos} {len} {source}"),
            Self::Truncate(path, size) => format!("truncate {path} {size}"),
            Self::Fallocate {
                path,
                what,
                pos,
                len,
            } => format!("fallocate {path} {} {pos} {len}", mode_of(*what)),
            Self::Mkdir(path, mode) => format!("mkdir {path} {mode:o}"),
            Self::Symlink(target, path) => format!("symlink {} {path}", quote(target.as_bytes())),
            Self::Pipe(path, mode) => format!("mknod {path} 1{mode:04o} 0 0"),
            Self::Device(path, major, minor) => format!("mknod {path} 20600 {major} {minor}"),
            Self::Link(old, new) => format!("link {old} {new}"),
            Self::Rename(old, new) => format!("rename {old} {new}"),
            Self::Unlink(path) => format!("unlink {path}"),
            Self::Rmdir(path) => format!("rmdir {path}"),
            Self::Chmod(path, mode) => format!("chmod {path} {mode:o}"),
            Self::Chown(path, uid, gid) => format!("chown {path} {uid} {gid}"),
            Self::Utime(path, a, m) => format!("utime {path} {} {}", ns(*a), ns(*m)),
            Self::SetXattr(path, name, value) => format!("setxattr {path} {name} {}", hex(value)),
            Self::RemoveXattr(path, name) => format!("rmxattr {path} {name}"),
            Self::Fsync(path) => format!("fsync {path}"),
            Self::Flags(path, on, off) => format!("flags {path} {:x} {:x}", on.bits(), off.bits()),
        }
    }

    /// Does it with the engine.
    pub(crate) fn apply(&self, volume: &Volume) -> f2fs::Result<()> {
        let writing = OpenOptions::new().write(true);
        match self {
            Self::Create(path, compress) => {
                let options = writing.create_new(true).mode(0o640).compress(*compress);
                volume.open_with(raw(path), &options).map(drop)
            }
            Self::Write {
                path,
                pos,
                len,
                source,
            } => {
                let bytes = &POOL[*source..source + len];
                volume
                    .open_with(raw(path), &writing)?
                    .write_all_at(*pos, bytes)
            }
            Self::Truncate(path, size) => volume.open_with(raw(path), &writing)?.set_len(*size),
            Self::Fallocate {
                path,
                what,
                pos,
                len,
            } => volume
                .open_with(raw(path), &writing)?
                .fallocate(*what, *pos..pos + len),
            Self::Fsync(path) => volume.open_with(raw(path), &writing)?.sync_all(),
            Self::Mkdir(path, mode) => volume.create_dir(raw(path), Owner::root(*mode)),
            Self::Symlink(target, path) => volume.symlink(target, raw(path), Owner::root(0o777)),
            Self::Pipe(path, mode) => volume.mknod(raw(path), Special::Fifo, Owner::root(*mode)),
            Self::Device(path, major, minor) => volume.mknod(
                raw(path),
                Special::CharDevice(*major, *minor),
                Owner::root(0o600),
            ),
            Self::Link(old, new) => volume.hard_link(raw(old), raw(new)),
            Self::Rename(old, new) => volume.rename(raw(old), raw(new)),
            Self::Unlink(path) => volume.remove_file(raw(path)),
            Self::Rmdir(path) => volume.remove_dir(raw(path)),
            Self::SetXattr(path, name, value) => {
                volume.set_xattr(raw(path), name, value, SetXattr::Any)
            }
            Self::RemoveXattr(path, name) => volume.remove_xattr(raw(path), name),
            Self::Flags(path, on, off) => volume.set_flags(raw(path), *on, *off),
            Self::Chmod(path, _) | Self::Chown(path, ..) | Self::Utime(path, ..) => {
                volume.set_attr(raw(path), &self.attributes())
            }
        }
    }

    fn attributes(&self) -> SetAttr {
        let time = |(secs, nanos)| Some(Timestamp { secs, nanos });
        let none = SetAttr::default();
        match *self {
            Self::Chmod(_, mode) => SetAttr {
                permissions: Some(mode),
                ..none
            },
            Self::Chown(_, uid, gid) => SetAttr {
                uid: Some(uid),
                gid: Some(gid),
                ..none
            },
            Self::Utime(_, a, m) => SetAttr {
                accessed: time(a),
                modified: time(m),
                ..none
            },
            _ => none,
        }
    }
}

/// The mode of `fallocate(2)`.
fn mode_of(what: Fallocate) -> i32 {
    match what {
        Fallocate::Allocate => 0,
        Fallocate::AllocateKeepSize => 1,
        Fallocate::PunchHole => 3,
        Fallocate::CollapseRange => 8,
        Fallocate::ZeroRange => 16,
        Fallocate::ZeroRangeKeepSize => 17,
        Fallocate::InsertRange => 32,
    }
}

/// Does all with the engine.
pub(crate) fn apply_all(volume: &Volume, ops: &[Op]) {
    for op in ops {
        op.apply(volume)
            .unwrap_or_else(|error| panic!("{op:?}: {error}"));
    }
}

/// Lets the guest do all.
pub(crate) fn command_all(guest: &mut Guest<'_>, ops: &[Op]) {
    for op in ops {
        guest.then(op.command());
    }
}

/// The same on bytes in memory.
fn fallocate(bytes: &mut Vec<u8>, what: Fallocate, range: Range<usize>) {
    let inside = range.start.min(bytes.len())..range.end.min(bytes.len());
    match what {
        Fallocate::AllocateKeepSize => {}
        Fallocate::PunchHole | Fallocate::ZeroRangeKeepSize => bytes[inside].fill(0),
        Fallocate::Allocate => bytes.resize(bytes.len().max(range.end), 0),
        Fallocate::ZeroRange => {
            bytes[inside].fill(0);
            bytes.resize(bytes.len().max(range.end), 0);
        }
        Fallocate::CollapseRange => drop(bytes.drain(range)),
        Fallocate::InsertRange => drop(bytes.splice(range.start..range.start, range.map(|_| 0))),
    }
}

/// The files that must be there, and their bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    names: BTreeMap<String, usize>,
    files: Vec<Vec<u8>>,
    history: Vec<String>,
}

impl Model {
    /// Does all in the model.
    pub(crate) fn apply_all(&mut self, ops: &[Op]) {
        for op in ops {
            self.apply(op);
        }
    }

    fn apply(&mut self, op: &Op) {
        self.history.push(op.command());
        match op {
            Op::Create(path, _) => {
                self.files.push(Vec::new());
                self.names.insert(path.clone(), self.files.len() - 1);
            }
            Op::Write {
                path,
                pos,
                len,
                source,
            } => {
                let (start, end) = (*pos as usize, *pos as usize + len);
                let file = self.file(path);
                file.resize(file.len().max(end), 0);
                file[start..end].copy_from_slice(&POOL[*source..source + len]);
            }
            Op::Truncate(path, size) => self.file(path).resize(*size as usize, 0),
            Op::Fallocate {
                path,
                what,
                pos,
                len,
            } => fallocate(self.file(path), *what, *pos as usize..(pos + len) as usize),
            Op::Link(old, new) => drop(self.names.insert(new.clone(), self.names[old])),
            Op::Rename(old, new) => self.rename(old, new),
            Op::Unlink(path) => drop(self.names.remove(path)),
            _ => {}
        }
    }

    fn file(&mut self, path: &str) -> &mut Vec<u8> {
        &mut self.files[self.names[path]]
    }

    fn rename(&mut self, old: &str, new: &str) {
        if let Some(file) = self.names.remove(old) {
            self.names.insert(new.to_owned(), file);
            return;
        }
        let below = format!("{old}/");
        let moved: Vec<_> = self
            .names
            .keys()
            .filter(|n| n.starts_with(&below))
            .cloned()
            .collect();
        for name in moved {
            let file = self.names.remove(&name).unwrap();
            self.names
                .insert(format!("{new}/{}", &name[below.len()..]), file);
        }
    }

    /// Size of a file.
    pub(crate) fn len(&self, path: &str) -> u64 {
        self.files[self.names[path]].len() as u64
    }

    /// Paths of all files.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// Asserts that a manifest of an image has exactly these files with these bytes.
    #[track_caller]
    pub(crate) fn assert_in(&self, manifest: &Manifest, image: &Path, what: &str) {
        let mut wrong = Vec::new();
        let mut hashes = BTreeMap::new();
        for (path, &file) in &self.names {
            if !manifest.0.contains_key(path) {
                wrong.push(format!("{path} is missing"));
                continue;
            }
            let bytes = &self.files[file];
            let hash = hashes.entry(file).or_insert_with(|| sha256(bytes));
            let size = manifest.field(path, "size");
            if size != bytes.len().to_string() {
                wrong.push(format!("{path} has {size} bytes, not {}", bytes.len()));
            } else if manifest.field(path, "sha256") != hash {
                wrong.push(format!(
                    "{path} of {size} bytes: {}",
                    self.explain(path, image)
                ));
            }
        }
        let files = manifest
            .0
            .iter()
            .filter(|(_, fields)| fields["type"] == "file");
        let unknown = files.filter(|(path, _)| !self.names.contains_key(*path));
        wrong.extend(unknown.map(|(path, _)| format!("{path} should not be there")));
        assert!(wrong.is_empty(), "{what}:\n{}", wrong.join("\n"));
    }

    /// Which bytes differ, as far as the engine sees it in the image, and what was done to the file.
    fn explain(&self, path: &str, image: &Path) -> String {
        let options = VolumeOptions {
            read_only: true,
            ..VolumeOptions::default()
        };
        let mut seen = Vec::new();
        let volume = Volume::open(image, &options).unwrap();
        let read = volume.open_file(raw(path)).unwrap().read_to_end(&mut seen);
        let right = &self.files[self.names[path]];
        let differs: Vec<_> = (0..right.len())
            .filter(|&n| seen.get(n) != Some(&right[n]))
            .collect();
        let bytes = differs.first().map_or(&[][..], |&n| {
            &seen[n.min(seen.len())..seen.len().min(n + 16)]
        });
        let history: Vec<_> = self
            .history
            .iter()
            .filter(|line| line.contains(path))
            .collect();
        format!(
            "the engine reads {read:?}; {} bytes differ from {:?} to {:?}, first {bytes:02x?}; {history:#?}",
            differs.len(),
            differs.first(),
            differs.last()
        )
    }
}
