//! Every attribute of every file of a volume, as the kernel or as the engine sees it.

use crate::guest::{hex, quote};
use f2fs::{File, FileType, InodeFlags, Metadata, Timestamp, Volume, VolumeOptions};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Bytes above which a file is hashed without its holes.
const LARGE: u64 = 64 << 20;
/// Differences shown.
const SHOWN: usize = 12;

/// Flags that the kernel tells.
const FLAGS: InodeFlags = InodeFlags::COMPR
    .union(InodeFlags::SYNC)
    .union(InodeFlags::IMMUTABLE)
    .union(InodeFlags::APPEND)
    .union(InodeFlags::NODUMP)
    .union(InodeFlags::NOATIME)
    .union(InodeFlags::NOCOMP)
    .union(InodeFlags::INDEX)
    .union(InodeFlags::DIRSYNC)
    .union(InodeFlags::PROJINHERIT)
    .union(InodeFlags::CASEFOLD);

/// Attributes of one file by name.
pub(crate) type Fields = BTreeMap<String, String>;

/// All files of a volume by their quoted path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest(pub(crate) BTreeMap<String, Fields>);

impl Manifest {
    /// The manifests in an answer of the guest.
    pub(crate) fn parse_all(text: &str) -> Vec<Self> {
        let mut all = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if line.starts_with("== ") {
                all.push(Self::default());
                continue;
            }
            let (path, fields) = line.split_once(' ').unwrap();
            let fields = fields.split(' ').map(|field| {
                let (name, value) = field.split_once('=').unwrap();
                (name.to_owned(), value.to_owned())
            });
            all.last_mut()
                .unwrap()
                .0
                .insert(path.to_owned(), fields.collect());
        }
        all
    }

    /// What the engine sees in an image, opened for reading only.
    pub(crate) fn of_image(image: &Path) -> Self {
        let options = VolumeOptions {
            read_only: true,
            ..VolumeOptions::default()
        };
        Self::of(&Volume::open(image, &options).unwrap())
    }

    /// What the engine sees.
    pub(crate) fn of(volume: &Volume) -> Self {
        let mut out = Self::default();
        let mut folders = vec!["/".to_owned()];
        out.0
            .insert("/".to_owned(), describe(volume, Path::new("/")));
        while let Some(folder) = folders.pop() {
            for entry in volume.read_dir(raw(&folder)).unwrap() {
                let entry = entry.unwrap();
                let path = format!(
                    "{}/{}",
                    folder.trim_end_matches('/'),
                    quote(entry.file_name().as_bytes())
                );
                let fields = describe(volume, raw(&path).as_ref());
                assert_eq!(
                    fields["type"],
                    type_name(entry.file_type()),
                    "entry of {path}"
                );
                if entry.file_type() == FileType::Directory {
                    folders.push(path.clone());
                }
                out.0.insert(path, fields);
            }
        }
        out
    }

    /// Asserts that two manifests are equal.
    #[track_caller]
    pub(crate) fn assert_same(&self, other: &Self, what: &str) {
        let differences = self.differences(other);
        assert!(
            differences.is_empty(),
            "{what}: {} differences, the first:\n{}",
            differences.len(),
            differences[..differences.len().min(SHOWN)].join("\n")
        );
    }

    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let mut out = Vec::new();
        for (path, mine) in &self.0 {
            let Some(theirs) = other.0.get(path) else {
                out.push(format!("{path}: only on the left"));
                continue;
            };
            let names: std::collections::BTreeSet<_> = mine.keys().chain(theirs.keys()).collect();
            for name in names
                .into_iter()
                .filter(|name| mine.get(*name) != theirs.get(*name))
            {
                out.push(format!(
                    "{path}: {name} {:?} <> {:?}",
                    mine.get(name),
                    theirs.get(name)
                ));
            }
        }
        let missing = other.0.keys().filter(|path| !self.0.contains_key(*path));
        out.extend(missing.map(|path| format!("{path}: only on the right")));
        out
    }

    /// One attribute of a file.
    pub(crate) fn field(&self, path: &str, name: &str) -> &str {
        let fields = self.0.get(path).unwrap_or_else(|| panic!("no {path}"));
        fields.get(name).map_or("", String::as_str)
    }
}

/// The path behind its quoted form.
pub(crate) fn raw(quoted: &str) -> std::path::PathBuf {
    let mut out = Vec::new();
    let mut bytes = quoted.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
            let digits = std::str::from_utf8(&digits).unwrap();
            out.push(u8::from_str_radix(digits, 16).unwrap());
        } else {
            out.push(byte);
        }
    }
    std::ffi::OsString::from(<std::ffi::OsStr as OsStrExt>::from_bytes(&out)).into()
}

fn type_name(file_type: FileType) -> &'static str {
    match file_type {
        FileType::Regular => "file",
        FileType::Directory => "dir",
        FileType::Symlink => "symlink",
        FileType::CharDevice => "char",
        FileType::BlockDevice => "block",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
    }
}

fn when(time: Timestamp) -> String {
    format!("{}.{:09}", time.secs, time.nanos)
}

fn describe(volume: &Volume, path: &Path) -> Fields {
    let of = volume
        .symlink_metadata(path)
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut out = Fields::new();
    let mut put = |name: &str, value: String| drop(out.insert(name.to_owned(), value));
    put("type", type_name(of.file_type()).to_owned());
    put("mode", format!("{:o}", of.mode() & 0o7777));
    put("uid", of.uid().to_string());
    put("gid", of.gid().to_string());
    put("size", of.len().to_string());
    put("links", of.links().to_string());
    put("blocks", of.blocks().to_string());
    put("atime", when(of.accessed()));
    put("ctime", when(of.changed()));
    put("mtime", when(of.modified()));
    if let Some(created) = of.created() {
        put("crtime", when(created));
    }
    if let Some((major, minor)) = of.device() {
        put("device", format!("{major}:{minor}"));
    }
    if of.file_type() == FileType::Symlink {
        put(
            "target",
            quote(volume.read_link(path).unwrap().as_os_str().as_bytes()),
        );
    }
    put("xattrs", xattrs(volume, path));
    describe_open(volume, path, &of, &mut put);
    out
}

fn xattrs(volume: &Volume, path: &Path) -> String {
    let mut names = volume.list_xattrs(path).unwrap();
    names.sort();
    let pair = |name: &std::ffi::OsString| {
        let name = name.to_str().unwrap();
        format!("{name}={}", hex(&volume.get_xattr(path, name).unwrap()))
    };
    names.iter().map(pair).collect::<Vec<_>>().join(",")
}

fn describe_open(volume: &Volume, path: &Path, of: &Metadata, put: &mut impl FnMut(&str, String)) {
    if !of.is_file() && !of.is_dir() {
        return;
    }
    let flags = of.flags() & FLAGS;
    put("flags", format!("{:x}", flags.bits()));
    put("generation", of.generation().to_string());
    put("project", of.project().unwrap_or(0).to_string());
    if !of.is_file() {
        return;
    }
    put("sha256", hash_file(volume, path));
    if let Some(c) = of
        .compression()
        .filter(|_| flags.contains(InodeFlags::COMPR))
    {
        let log = (c.cluster_bytes / 4096).trailing_zeros();
        put(
            "compression",
            format!("{}:{log}:{}", c.algorithm.to_raw(), c.blocks_saved),
        );
    }
}

/// Of a large file, only the blocks that are not zero are hashed, with their positions.
fn hash_file(volume: &Volume, path: &Path) -> String {
    let file = volume.open_file(path).unwrap();
    let mut hash = Sha256::new();
    if file.metadata().len() > LARGE {
        hash_data(&file, &mut hash);
        return hex(&hash.finalize());
    }
    let mut buffer = vec![0; 1 << 20];
    let mut pos = 0;
    loop {
        let n = file
            .read_at(pos, &mut buffer)
            .unwrap_or_else(|e| panic!("{} at {pos}: {e}", path.display()));
        if n == 0 {
            return hex(&hash.finalize());
        }
        hash.update(&buffer[..n]);
        pos += n as u64;
    }
}

fn hash_data(file: &File, hash: &mut Sha256) {
    let mut end = 0;
    while let Some(start) = file.seek_data(end).unwrap() {
        end = file.seek_hole(start).unwrap();
        for pos in (start..end).step_by(4096) {
            let mut block = [0; 4096];
            let len = file.read_at(pos, &mut block).unwrap();
            if block.iter().any(|&byte| byte != 0) {
                hash.update(pos.to_le_bytes());
                hash.update(&block[..len]);
            }
        }
    }
}

/// SHA-256 of bytes, as in manifests.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
