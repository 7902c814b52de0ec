//! Quotas: the usage that the engine keeps is what a walk over the volume finds, what the kernel says and what
//! `fsck.f2fs` counts; limits bind where they should.
//!
//! | module | what |
//! |---|---|
//! | `usage` | random operations, against a walk and the kernel |
//! | `limits` | limits and what a refused operation leaves |
//! | `kernel` | limits of one side bind the other |
//! | `damage` | quota files that cannot be trusted |
//! | `project` | directories that pass their project on |

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod kernel;
mod limits;
mod project;
mod usage;

use f2fs::{File, OpenOptions, Owner, QuotaKind, QuotaRecord, SetAttr, Volume, VolumeOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use testkit::tools;

/// Features of a volume that counts everything.
const ALL: [&str; 2] = ["-O", "extra_attr,project_quota,quota"];

/// Use of one id: bytes and inodes.
type Use = BTreeMap<u32, (u64, u64)>;

fn made_by_mkfs() -> NamedTempFile {
    tools::mkfs(&ALL, 96 << 20)
}

fn open(image: &NamedTempFile) -> Volume {
    Volume::open(image.path(), &VolumeOptions::default()).unwrap()
}

fn create(volume: &Volume, path: &str, uid: u32, gid: u32) -> File {
    try_create(volume, path, uid, gid).unwrap()
}

fn try_create(volume: &Volume, path: &str, uid: u32, gid: u32) -> f2fs::Result<File> {
    let options = OpenOptions::new().read(true).write(true).create(true);
    volume.open_with(path, &options.owner(uid, gid))
}

fn owned(uid: u32, gid: u32) -> Owner {
    Owner {
        permissions: 0o755,
        uid,
        gid,
    }
}

fn chown(volume: &Volume, path: &str, uid: u32) -> f2fs::Result<()> {
    let set = SetAttr {
        uid: Some(uid),
        ..SetAttr::default()
    };
    volume.set_attr(path, &set)
}

/// What the engine says an id uses and may use.
fn of(volume: &Volume, kind: QuotaKind, id: u32) -> QuotaRecord {
    let records = volume.quota_report(kind).unwrap();
    let record = records.into_iter().find(|record| record.id == id);
    record.unwrap_or(QuotaRecord {
        id,
        ..QuotaRecord::default()
    })
}

/// What the engine says is in use.
fn told(volume: &Volume, kind: QuotaKind) -> Use {
    let records = volume.quota_report(kind).unwrap().into_iter();
    let in_use = records.filter(|record| record.space > 0 || record.inodes > 0);
    in_use
        .map(|record| (record.id, (record.space, record.inodes)))
        .collect()
}

/// What a walk over all directories finds.
fn walked(volume: &Volume) -> [Use; 3] {
    let mut uses = [Use::new(), Use::new(), Use::new()];
    let mut seen = BTreeSet::new();
    let mut todo = vec![PathBuf::from("/")];
    while let Some(path) = todo.pop() {
        let metadata = volume.symlink_metadata(&path).unwrap();
        if seen.insert(metadata.ino()) {
            let ids = [
                metadata.uid(),
                metadata.gid(),
                metadata.project().unwrap_or(0),
            ];
            for (uses, id) in uses.iter_mut().zip(ids) {
                let (space, inodes) = uses.entry(id).or_default();
                *space += metadata.blocks() * 4096;
                *inodes += 1;
            }
        }
        if metadata.is_dir() {
            let entries = volume.read_dir(&path).unwrap();
            todo.extend(entries.map(|entry| path.join(entry.unwrap().file_name())));
        }
    }
    uses
}

/// Asserts that the engine counts what is there.
fn assert_counted(volume: &Volume) {
    let walked = walked(volume);
    for kind in QuotaKind::ALL {
        assert_eq!(told(volume, kind), walked[kind.index()], "{}", kind.name());
    }
}

/// Runs Python under the kernel, with the volume at `/tmp/m`. What it prints.
fn in_kernel(image: &Path, python: &str) -> Option<String> {
    let script = format!(
        "set -e\nmkdir -p /tmp/m\n\
         mount -t f2fs -o usrquota,grpquota,prjquota /dev/ubda /tmp/m\n\
         cat >/tmp/s.py <<'PYTHON'\n{}\n{python}\nPYTHON\n\
         python3 /tmp/s.py\nsync\numount /tmp/m\n",
        include_str!("quotactl.py")
    );
    testkit::oracle::run(&script, &[image])
}
