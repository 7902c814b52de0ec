//! Every operation on a volume without a free block: it is done, or refused for want of space and leaves everything as
//! it was; after something was removed, it is done.
//!
//! A volume with the objects of many cases is filled to its last block. Then one case at a time, or some, run on a
//! copy: what is left is filled up again, the case's objects are looked at, the operation runs, and they are looked at
//! again.
//! `EVERY_OP` names the only case to run.

mod attributes;
mod bytes;
mod look;
mod names;
mod space;

use crate::common::{compressed, noise, pattern};
use f2fs::{
    CompressAlgorithm, CompressDefaults, Error, File, FormatOptions, OpenOptions, Owner, QuotaKind,
    Result, Volume, VolumeOptions,
};
use f2fs_format::Features;
use look::Look;
use std::path::Path;
use std::time::Duration;
use tempfile::NamedTempFile;
use testkit::{fsck, tools};

/// How an operation ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// As asked.
    All,
    /// A part, as a write may.
    Part,
}

/// What a case needs of the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    Nothing,
    Quota,
    /// It takes no space, or gives some back: it is never refused.
    NoSpace,
}

/// An operation.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) needs: Needs,
    /// Makes what it works on, in a directory of its own.
    pub(crate) prepare: fn(&Volume, &str) -> Result<()>,
    pub(crate) run: fn(&Volume, &str) -> Result<Done>,
}

fn cases() -> Vec<Case> {
    let mut all = names::cases();
    all.extend(bytes::cases());
    all.extend(space::cases());
    all.extend(attributes::cases());
    all
}

/// A kind of volume.
struct Kind {
    name: &'static str,
    size: u64,
    root: Option<CompressAlgorithm>,
    quota: bool,
    segments_per_section: u32,
    /// Bytes of the files that fill it, at least.
    fill: u64,
    /// Blocks that are free when an operation begins, one number after the other: operations that need more than one
    /// block fail half way.
    spare: &'static [u64],
    /// Cases whose objects lie on one volume.
    on_one: usize,
    /// Of them, those that run on one copy.
    together: usize,
}

const PLAIN: Kind = Kind {
    name: "plain",
    size: 64 << 20,
    root: None,
    quota: false,
    segments_per_section: 1,
    fill: 1 << 20,
    spare: &[0, 1, 2, 3, 5],
    on_one: 24,
    together: 8,
};

#[test]
fn a_small_volume() {
    every_op(&PLAIN);
}

#[test]
fn a_small_compressed_volume() {
    every_op(&Kind {
        name: "lz4",
        root: Some(CompressAlgorithm::Lz4),
        ..PLAIN
    });
}

/// Most of its blocks are inodes.
#[test]
fn a_volume_of_tiny_files() {
    every_op(&Kind {
        name: "tiny",
        fill: 1,
        spare: &[0],
        on_one: 40,
        together: 20,
        ..PLAIN
    });
}

#[test]
fn a_volume_with_quota() {
    every_op(&Kind {
        name: "quota",
        size: 80 << 20,
        quota: true,
        spare: &[0, 2],
        on_one: 40,
        together: 20,
        ..PLAIN
    });
}

#[test]
fn a_medium_volume() {
    every_op(&Kind {
        name: "medium",
        size: 200 << 20,
        spare: &[0, 1],
        on_one: usize::MAX,
        together: 40,
        ..PLAIN
    });
}

#[test]
fn sections_of_four_segments() {
    every_op(&Kind {
        name: "sections",
        size: 200 << 20,
        segments_per_section: 4,
        spare: &[0, 1],
        on_one: usize::MAX,
        together: 40,
        ..PLAIN
    });
}

fn every_op(kind: &Kind) {
    let only = std::env::var("EVERY_OP").ok();
    let cases: Vec<Case> = cases()
        .into_iter()
        .filter(|case| case.needs != Needs::Quota || kind.quota)
        .filter(|case| only.as_ref().is_none_or(|only| only == case.name))
        .collect();
    assert!(!cases.is_empty(), "no case has that name");
    let (mut refused, mut wrong) = (0, Vec::new());
    for cases in cases.chunks(kind.on_one) {
        let full = full_volume(kind, cases);
        for (cases, &spare) in all_with_all(cases.chunks(kind.together), kind.spare) {
            refused += on_a_copy(kind, full.path(), cases, spare, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", kind.name, wrong.join("\n"));
    assert!(
        only.is_some() || refused >= 20,
        "{}: only {refused} operations were refused: it was not full",
        kind.name
    );
}

fn all_with_all<A: Clone, B>(some: impl Iterator<Item = A>, others: &[B]) -> Vec<(A, &B)> {
    some.flat_map(|one| others.iter().map(move |other| (one.clone(), other)))
        .collect()
}

fn options() -> VolumeOptions {
    VolumeOptions {
        cache_bytes: 16 << 20,
        ..VolumeOptions::default()
    }
}

/// In memory, where there is room: nothing here depends on the device.
fn image() -> NamedTempFile {
    NamedTempFile::new_in("/dev/shm").unwrap_or_else(|_| NamedTempFile::new().unwrap())
}

/// A process that another thread starts holds the lock of a volume until it runs a program of its own.
fn open_volume(image: &NamedTempFile) -> Volume {
    let mut tries = 0;
    loop {
        match Volume::open(image.path(), &options()) {
            Err(Error::Open(..)) if tries < 500 => std::thread::sleep(Duration::from_millis(10)),
            opened => return opened.unwrap(),
        }
        tries += 1;
    }
}

/// With the objects of all cases, aged, and full to its last block.
fn full_volume(kind: &Kind, cases: &[Case]) -> NamedTempFile {
    let image = if kind.segments_per_section > 1 {
        let segments = kind.segments_per_section.to_string();
        let features = "extra_attr,inode_checksum,compression";
        tools::mkfs(&["-s", &segments, "-O", features], kind.size)
    } else {
        let image = image();
        let mut format = FormatOptions::new(kind.size);
        format.root_time = Some(1);
        format.compress = kind.root.map(|algorithm| compressed(algorithm, 2));
        if kind.quota {
            format.quota = vec![QuotaKind::User, QuotaKind::Group, QuotaKind::Project];
            format.features |= Features::PRJQUOTA;
        }
        let made = Volume::create(image.path(), &format, &options());
        made.unwrap().close().unwrap();
        image
    };
    let volume = open_volume(&image);
    for case in cases {
        let dir = format!("/{}", case.name);
        volume.create_dir(&dir, Owner::root(0o755)).unwrap();
        let prepared = (case.prepare)(&volume, &dir);
        assert!(prepared.is_ok(), "{}: {prepared:?}", case.name);
    }
    volume.create_dir("/fill", Owner::root(0o755)).unwrap();
    for round in 0..3 {
        fill(&volume, round, kind.fill);
        if round < 2 {
            let names = fill_names(&volume);
            for name in names.iter().skip(round as usize).step_by(3) {
                volume.remove_file(format!("/fill/{name}")).unwrap();
            }
            volume.sync().unwrap();
        }
    }
    volume.close().unwrap();
    fsck::assert_clean(image.path());
    image
}

pub(crate) fn fill_names(volume: &Volume) -> Vec<String> {
    let entries = volume.read_dir("/fill").unwrap();
    let name = |entry: Result<f2fs::DirEntry>| entry.unwrap().file_name().to_owned();
    let names = entries.map(|entry| name(entry).into_string().unwrap());
    names.collect()
}

/// Whether an operation was done; false if there was no space.
fn is_done<T>(result: Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(Error::NoSpace) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Writes until nothing goes in: files of a length, then blocks, then names.
fn fill(volume: &Volume, round: u64, file_len: u64) {
    let create = OpenOptions::new().write(true).create(true).compress(None);
    let mut steps = [300_000, 40_000, 4096, 1].into_iter();
    let mut len = file_len.min(300_000) as usize;
    for n in 0.. {
        assert!(n < 100_000, "the volume has no end");
        let path = format!("/fill/{round}-{n}");
        let Some(file) = is_done(volume.open_with(path, &create)) else {
            break;
        };
        loop {
            let at = file.metadata().len();
            if at >= file_len {
                break; // The next file.
            }
            let written = is_done(file.write_at(at, &noise(len, at + n)));
            if written != Some(len) {
                match steps.next() {
                    Some(next) => len = next,
                    None => break,
                }
            }
        }
    }
    let free = volume.statfs().blocks_free;
    assert!(free <= 12, "{free} blocks are left");
}

/// Takes blocks from a file of a full volume.
fn spare(volume: &Volume, blocks: u64) {
    let (free, mut left) = (volume.statfs().blocks_free, blocks);
    for name in fill_names(volume) {
        let file = open(volume, &format!("/fill/{name}")).unwrap();
        let has = file.metadata().len() / 4096;
        if left > 0 && has > 1 {
            let taken = left.min(has - 1);
            file.set_len((file.metadata().len().div_ceil(4096) - taken) * 4096)
                .unwrap();
            left -= taken;
        }
    }
    let now = volume.statfs().blocks_free;
    assert_eq!((left, now), (0, free + blocks), "blocks that were spared");
}

/// Cases on a copy of the full volume; how many were refused.
fn on_a_copy(
    kind: &Kind,
    full: &Path,
    cases: &[Case],
    spared: u64,
    wrong: &mut Vec<String>,
) -> usize {
    let image = image();
    std::fs::copy(full, image.path()).unwrap();
    let volume = open_volume(&image);
    let mut refused = Vec::new();
    for (n, case) in cases.iter().enumerate() {
        fill(&volume, 10 + n as u64, kind.fill);
        spare(&volume, spared);
        let dir = format!("/{}", case.name);
        let before = Look::at(&volume, &dir);
        let free = volume.statfs().blocks_free;
        let result = (case.run)(&volume, &dir);
        println!("{}: {} blocks free: {result:?}", case.name, free);
        let mut complain =
            |text: String| wrong.push(format!("{}: {} with {free}: {text}", kind.name, case.name));
        match result {
            Ok(Done::All) => {}
            Ok(Done::Part) => refused.push(case),
            Err(Error::NoSpace) => {
                refused.push(case);
                let after = Look::at(&volume, &dir);
                let differs = before.differs_from(&after);
                if let Some(text) = differs {
                    complain(format!("refused, but {text}"));
                }
                if case.needs == Needs::NoSpace {
                    complain("refused".to_owned());
                }
            }
            Err(error) => complain(format!("{error}")),
        }
    }
    let end = |text: &str| {
        let names: Vec<_> = cases.iter().map(|case| case.name).collect();
        format!("{}: {} with {spared}: {text}", kind.name, names.join(", "))
    };
    // What the volume is now, it is after a sync, and after it was opened again.
    let before = looks(&volume, cases);
    if let Err(error) = volume.sync() {
        wrong.push(end(&format!("sync: {error}")));
        return refused.len();
    }
    volume.drop_caches();
    if before != looks(&volume, cases) {
        wrong.push(end("a sync changes what is there"));
    }
    volume.close().unwrap();
    if let Some(text) = fsck::complaints(image.path()) {
        wrong.push(end(&text));
        return refused.len();
    }
    let volume = open_volume(&image);
    if before != looks(&volume, cases) {
        wrong.push(end("opening it again changes what is there"));
    }
    after_removing(&volume, &refused, &mut |text| wrong.push(end(text)));
    volume.close().unwrap();
    if let Some(text) = fsck::complaints(image.path()) {
        wrong.push(end(&text));
    }
    refused.len()
}

fn looks(volume: &Volume, cases: &[Case]) -> Vec<Look> {
    let look = |case: &Case| Look::at(volume, &format!("/{}", case.name)).without_saved();
    cases.iter().map(look).collect()
}

/// Each file that goes gives its blocks back, and those that its directory no longer needs; then what was refused is
/// done.
fn after_removing(volume: &Volume, refused: &[&Case], complain: &mut dyn FnMut(&str)) {
    let blocks = |path: &str| volume.metadata(path).unwrap().blocks();
    for name in fill_names(volume) {
        let path = format!("/fill/{name}");
        let file = blocks(&path) + 1;
        let before = volume.statfs().blocks_free + file + blocks("/fill");
        volume.remove_file(&path).unwrap();
        let after = volume.statfs().blocks_free + blocks("/fill");
        if before != after {
            complain(&format!(
                "{path}: {file} blocks, but {after} are free, not {before}"
            ));
        }
    }
    for case in refused {
        let free = volume.statfs().blocks_free;
        match (case.run)(volume, &format!("/{}", case.name)) {
            Ok(Done::All) => {}
            other => complain(&format!(
                "{}: with {free} blocks free, {other:?}",
                case.name
            )),
        }
    }
}

/// A new file with this content.
pub(crate) fn make(volume: &Volume, path: &str, bytes: &[u8]) -> Result<File> {
    let create = OpenOptions::new().read(true).write(true).create_new(true);
    let file = volume.open_with(path, &create.compress(None))?;
    file.write_all_at(0, bytes)?;
    Ok(file)
}

/// A new compressed file whose clusters are stored compressed.
pub(crate) fn make_compressed(volume: &Volume, path: &str, len: usize) -> Result<File> {
    let file = make_empty_compressed(volume, path)?;
    file.write_all_at(0, &pattern(len, 5))?;
    file.sync_all()?;
    Ok(file)
}

/// A new compressed file with clusters of four blocks.
pub(crate) fn make_empty_compressed(volume: &Volume, path: &str) -> Result<File> {
    let with = CompressDefaults {
        log_cluster_size: 2,
        ..CompressDefaults::default()
    };
    let create = OpenOptions::new().read(true).write(true).create_new(true);
    volume.open_with(path, &create.compress(Some(with)))
}

/// A file that is there, to read and write.
pub(crate) fn open(volume: &Volume, path: &str) -> Result<File> {
    volume.open_with(path, &OpenOptions::new().read(true).write(true))
}

/// A case without anything to prepare.
#[expect(
    clippy::unnecessary_wraps,
    reason = "in the place of those that can fail"
)]
pub(crate) fn nothing(_: &Volume, _: &str) -> Result<()> {
    Ok(())
}

pub(crate) const fn case(
    name: &'static str,
    prepare: fn(&Volume, &str) -> Result<()>,
    run: fn(&Volume, &str) -> Result<Done>,
) -> Case {
    Case {
        name,
        needs: Needs::Nothing,
        prepare,
        run,
    }
}

/// One that is never refused.
pub(crate) const fn free(
    name: &'static str,
    prepare: fn(&Volume, &str) -> Result<()>,
    run: fn(&Volume, &str) -> Result<Done>,
) -> Case {
    Case {
        needs: Needs::NoSpace,
        ..case(name, prepare, run)
    }
}
