//! All short sequences of operations, after the method of CrashMonkey's ACE: on few files and directories, each
//! operation followed by making one of the files durable, or everything, or nothing.

use super::bases::{Bases, Start};
use crate::op::{Durable, Layout, Op};
use crate::record::Case;
use crate::stamp::Texture;
use crate::world::World;
use anyhow::Result;
use f2fs::{CompressAlgorithm, Fallocate, FsyncMode};

/// What file A is; B is a plain file of three blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A few blocks.
    Plain,
    /// So many blocks that it has direct nodes.
    Large,
    /// Small enough for its inode.
    Small,
    /// Compressed with lz4.
    Lz4,
    /// Compressed with zstd.
    Zstd,
    /// A few blocks, on a volume of `mkfs.f2fs`.
    Mkfs,
}

impl Kind {
    /// All on volumes of our own formatter.
    pub const ALL: [Self; 5] = [Self::Plain, Self::Large, Self::Small, Self::Lz4, Self::Zstd];

    fn layout(self) -> Layout {
        match self {
            Self::Lz4 => Layout::Compressed(CompressAlgorithm::Lz4),
            Self::Zstd => Layout::Compressed(CompressAlgorithm::Zstd),
            _ => Layout::Plain,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Large => 960 * 4096,
            Self::Small => 300,
            Self::Lz4 | Self::Zstd => 50_000,
            Self::Plain | Self::Mkfs => 21_000,
        }
    }
}

/// All sequences of a length.
#[derive(Clone, Copy, Debug)]
pub struct Ace {
    /// Operations in a row, without those that make durable.
    pub length: u32,
    /// What fsync promises.
    pub mode: FsyncMode,
    /// What file A may be.
    pub kinds: &'static [Kind],
    /// Which operations.
    pub choice: Choice,
}

/// Operations to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// All, each followed by making something durable or nothing.
    All,
    /// Those on names; only the last is followed by an fsync, so that it meets whatever the others left.
    Names,
}

impl Choice {
    /// Operations that there are.
    const fn operations(self) -> u64 {
        match self {
            Self::All => OPERATIONS,
            Self::Names => ON_NAMES.len() as u64,
        }
    }

    fn operation(self, number: u64) -> u64 {
        match self {
            Self::All => number,
            Self::Names => ON_NAMES[number as usize],
        }
    }

    /// Ways to make something durable.
    const fn durable(self) -> u64 {
        match self {
            Self::All => DURABLE,
            Self::Names => FSYNCS.len() as u64,
        }
    }
}

/// All operations.
const OPERATIONS: u64 = 44;
/// Those that change which files and names there are, and one that only makes a file dirty.
const ON_NAMES: [u64; 19] = [
    0, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 37, 38, 41, 42,
];
/// The ways to make durable that are an fsync of a file.
const FSYNCS: [u64; 4] = [0, 1, 2, 5];
/// Ways to make something durable.
const DURABLE: u64 = 7;

/// Sequences of a length.
pub const fn cases(length: u32, kinds: &[Kind], choice: Choice) -> u64 {
    let sequences = match choice {
        Choice::All => (OPERATIONS * DURABLE).pow(length),
        Choice::Names => choice.operations().pow(length) * choice.durable(),
    };
    sequences * kinds.len() as u64
}

/// The files and directories that sequences work on.
pub fn setup(kind: Kind) -> Vec<Op> {
    vec![
        Op::Mkdir("/d1".into()),
        Op::Mkdir("/d1/d2".into()),
        Op::Mkdir("/e".into()),
        Op::Create("/A".into(), kind.layout()),
        Op::write("/A", 0, kind.bytes(), Texture::Text),
        Op::SetXattr("/A".into(), "user.old".into(), 20),
        Op::Create("/d1/B".into(), Layout::Plain),
        Op::write("/d1/B", 0, 10_000, Texture::Noise),
        Op::SYNC,
    ]
}

/// Where the files of a sequence are while it is made up.
struct Paths {
    a: String,
    b: String,
    d1: String,
    kind: Kind,
}

impl Ace {
    /// The sequence of a number; `None` if it makes no sense.
    pub fn case(&self, bases: &Bases, number: u64) -> Result<Option<Case>> {
        let kinds = self.kinds.len() as u64;
        let kind = self.kinds[(number % kinds) as usize];
        let base = bases.get(Start::Ace(kind))?;
        let mut paths = Paths {
            a: "/A".into(),
            b: "/d1/B".into(),
            d1: "/d1".into(),
            kind,
        };
        let mut digits = number / kinds;
        let mut operations = first();
        let mut world = base.world.clone();
        for op in &operations {
            world.apply(op)?;
        }
        for n in 1..=self.length {
            let op = operation(
                self.choice
                    .operation(take(&mut digits, self.choice.operations())),
                &paths,
            );
            if !takes_effect(&mut world, &op) {
                return Ok(None);
            }
            paths.follow(&op);
            let durable = match self.choice {
                Choice::All => durable(take(&mut digits, DURABLE), &op, &paths),
                Choice::Names if n < self.length => None,
                Choice::Names => {
                    let way = FSYNCS[take(&mut digits, self.choice.durable()) as usize];
                    durable(way, &op, &paths)
                }
            };
            let more = [content(&op), durable];
            operations.push(op);
            for op in more.into_iter().flatten() {
                if !takes_effect(&mut world, &op) {
                    return Ok(None);
                }
                operations.push(op);
            }
        }
        Ok(Some(Case {
            name: String::new(),
            base,
            mode: self.mode,
            threads: vec![operations],
            invariant: None,
            lies: Vec::new(),
        }))
    }
}

/// The last digit of a number in this base, which is taken from it.
fn take(digits: &mut u64, base: u64) -> u64 {
    let digit = *digits % base;
    *digits /= base;
    digit
}

/// An open volume takes a checkpoint before its first fsync; so that the fsyncs of a sequence are not the first, it
/// is taken here.
fn first() -> Vec<Op> {
    vec![Op::Chmod("/d1".into(), 0o711), Op::SYNC]
}

fn takes_effect(world: &mut World, op: &Op) -> bool {
    world.apply(op).is_ok()
}

impl Paths {
    /// Goes with a file or directory that got another name.
    fn follow(&mut self, op: &Op) {
        let Op::Rename(from, to) = op else {
            return;
        };
        for path in [&mut self.a, &mut self.b, &mut self.d1] {
            if path == from {
                path.clone_from(to);
            } else if let Some(rest) = path.strip_prefix(&format!("{from}/")) {
                *path = format!("{to}/{rest}");
            }
        }
    }
}

/// What a file that was just made gets.
fn content(op: &Op) -> Option<Op> {
    match op {
        Op::Create(path, _) => Some(Op::write(path, 0, 9000, Texture::Text)),
        _ => None,
    }
}

/// What is made durable after an operation.
fn durable(number: u64, op: &Op, paths: &Paths) -> Option<Op> {
    Some(match (number, op) {
        (0, _) => Op::fsync(&paths.a),
        (1, _) => Op::fsync(&paths.b),
        (2, _) => Op::Sync(Durable::Data(paths.a.clone())),
        (3, _) => Op::SYNC,
        (4, _) => Op::Sync(Durable::Directory(directory_of(op))),
        // A new file, or one by its new name.
        (5, Op::Create(path, _) | Op::Link(_, path)) => Op::fsync(path),
        _ => return None,
    })
}

/// The directory of the name that an operation makes or works on.
fn directory_of(op: &Op) -> String {
    let path = match op {
        Op::Rename(_, path)
        | Op::Link(_, path)
        | Op::Symlink(_, path)
        | Op::Create(path, _)
        | Op::Unlink(path)
        | Op::Mkdir(path)
        | Op::Rmdir(path) => path,
        _ => "/",
    };
    let (dir, _) = path.rsplit_once('/').unwrap_or_default();
    dir.to_owned()
}

/// The operation of a number, below [`OPERATIONS`].
fn operation(number: u64, paths: &Paths) -> Op {
    match number {
        0..12 => bytes(number, paths),
        12..20 => space(number, paths),
        20..34 => names(number, paths),
        _ => others(number, paths),
    }
}

/// Writes.
fn bytes(number: u64, paths: &Paths) -> Op {
    let (a, b, len) = (&paths.a, &paths.b, paths.kind.bytes());
    let end = len as u64;
    let text = Texture::Text;
    match number {
        0 => Op::write(a, end, 5000, text),
        1 => Op::write(a, end, 100, text),
        2 => Op::write(a, 0, len.min(8192), text),
        3 => Op::write(a, end / 2, 100, text),
        4 => Op::write(a, 0, len, text),
        5 => Op::write(a, 0, len.min(40_000), Texture::Noise),
        6 => Op::write(a, end + 30_000, 9000, text),
        7 => Op::write(a, 0, 300, text),
        8 => Op::write(b, 10_000, 3000, text),
        9 => Op::write(b, 4096, 4096, text),
        10 => Op::write(b, 100, 50, text),
        _ => Op::write(b, 0, 70_000, Texture::Noise),
    }
}

/// Sizes and reserved space.
fn space(number: u64, paths: &Paths) -> Op {
    let end = paths.kind.bytes() as u64;
    let a = || paths.a.clone();
    match number {
        12 => Op::Truncate(a(), end / 2),
        13 => Op::Truncate(a(), end + 100_000),
        14 => Op::Truncate(a(), 0),
        15 => Op::Truncate(paths.b.clone(), 4096),
        16 => Op::Allocate(a(), Fallocate::Allocate, end, 20_000),
        17 => Op::Allocate(a(), Fallocate::AllocateKeepSize, end, 20_000),
        18 => Op::Allocate(a(), Fallocate::PunchHole, end / 4, end / 2),
        _ => Op::Allocate(a(), Fallocate::ZeroRange, end / 4, end / 2),
    }
}

/// Names of files.
fn names(number: u64, paths: &Paths) -> Op {
    let Paths { a, b, d1, .. } = paths;
    let (a, b) = (a.clone(), b.clone());
    match number {
        20 => Op::Rename(a, "/N".into()),
        21 => Op::Rename(a, b),
        22 => Op::Rename(a, format!("{d1}/d2/N")),
        23 => Op::Rename(b, a),
        24 => Op::Rename(b, format!("{d1}/N")),
        25 => Op::Rename(b, "/B".into()),
        26 => Op::Link(a, "/L".into()),
        27 => Op::Link(a, format!("{d1}/L")),
        28 => Op::Unlink(a),
        29 => Op::Unlink(b),
        30 => Op::Create("/A".into(), Layout::Plain),
        31 => Op::Create(format!("{d1}/B"), Layout::Plain),
        32 => Op::Create("/new".into(), paths.kind.layout()),
        _ => Op::Unlink("/L".into()),
    }
}

/// Directories and attributes.
fn others(number: u64, paths: &Paths) -> Op {
    let Paths { a, b, d1, .. } = paths;
    match number {
        34 => Op::SetXattr(a.clone(), "user.new".into(), 30),
        35 => Op::SetXattr(a.clone(), "user.new".into(), 1500),
        36 => Op::RemoveXattr(a.clone(), "user.old".into()),
        37 => Op::Mkdir(format!("{d1}/d3")),
        38 => Op::Rmdir("/e".into()),
        39 => Op::Symlink("A".into(), "/S".into()),
        40 => Op::Chmod(a.clone(), 0o600),
        41 => Op::Rename(d1.clone(), "/e/moved".into()),
        42 => Op::Create(format!("{d1}/d3/f"), Layout::Plain),
        _ => Op::Chmod(b.clone(), 0o755),
    }
}
