//! Logs that grow, large overwrites, files in pieces, large directories, an aged volume, threads.

use super::bases::{Bases, Start};
use crate::op::{Durable, Layout, Op};
use crate::record::Case;
use crate::stamp::Texture;
use anyhow::Result;
use f2fs::{CompressAlgorithm, Fallocate, FsyncMode};
use runtime::rng::Rng;

/// Cases of [`append`].
pub const APPENDS: u64 = 18;
/// Cases of [`overwrite`].
pub const OVERWRITES: u64 = 8;
/// Cases of [`gather`].
pub const GATHERS: u64 = 12;
/// Cases of [`directory`].
pub const DIRECTORIES: u64 = 3;
/// Cases of [`aged`].
pub const AGED: u64 = 24;
/// Cases of [`cleaning`].
pub const CLEANINGS: u64 = 24;
/// Cases of [`threads`].
pub const THREADS: u64 = 8;

/// Records of a log.
const RECORDS: u64 = 30;
/// Bytes of a large file.
const LARGE: u64 = 4 << 20;
/// Files made in a large directory.
const NAMES: u64 = 1500;
/// Files of the aged volume.
const FILES: u64 = 16;
/// Operations on it.
const OPERATIONS: u64 = 60;
/// Threads that run at once.
const THREAD_COUNT: u64 = 3;

const LAYOUTS: [Layout; 3] = [
    Layout::Plain,
    Layout::Compressed(CompressAlgorithm::Lz4),
    Layout::Compressed(CompressAlgorithm::Zstd),
];

fn case(bases: &Bases, start: Start, mode: FsyncMode, threads: Vec<Vec<Op>>) -> Result<Case> {
    Ok(Case {
        name: String::new(),
        base: bases.get(start)?,
        mode,
        threads,
        invariant: None,
        lies: Vec::new(),
    })
}

fn mode_of(number: u64) -> FsyncMode {
    [FsyncMode::Posix, FsyncMode::Strict][(number % 2) as usize]
}

/// Files to overwrite.
pub fn setup_files() -> Vec<Op> {
    let mut ops = Vec::new();
    for (path, layout) in [("/plain", LAYOUTS[0]), ("/lz4", LAYOUTS[1])] {
        ops.push(Op::Create(path.into(), layout));
        ops.push(Op::write(path, 0, LARGE as usize, Texture::Text));
    }
    ops.push(Op::SYNC);
    ops
}

/// A log that grows by a record and an fsync, and one that grows beside it without.
pub fn append(bases: &Bases, number: u64) -> Result<Case> {
    let layout = LAYOUTS[(number % 3) as usize];
    let len = [100, 700, 5000][(number / 3 % 3) as usize];
    let mode = mode_of(number / 9);
    let mut ops = vec![
        Op::Create("/log".into(), layout),
        Op::Create("/other".into(), layout),
    ];
    for n in 0..RECORDS {
        ops.push(Op::write("/log", n * len, len as usize, Texture::Text));
        ops.push(Op::write("/other", n * len, len as usize, Texture::Noise));
        ops.push(if n % 2 == 0 {
            Op::fsync("/log")
        } else {
            Op::Sync(Durable::Data("/log".into()))
        });
    }
    case(bases, Start::Empty, mode, vec![ops])
}

/// Large overwrites of a plain or a compressed file.
pub fn overwrite(bases: &Bases, number: u64) -> Result<Case> {
    let path = ["/plain", "/lz4"][(number % 2) as usize];
    let mut rng = Rng::seeded(number);
    let mut ops = Vec::new();
    for n in 0..4 {
        let len = (64 << 10) + rng.below(1 << 20);
        let pos = rng.below(LARGE - len);
        let texture = [Texture::Text, Texture::Noise][n % 2];
        ops.push(Op::write(path, pos, len as usize, texture));
        ops.push(Op::fsync(path));
    }
    case(bases, Start::Files, mode_of(number / 2), vec![ops])
}

/// Two files that take turns, so that each lies in pieces, and are gathered again and again.
pub fn gather(bases: &Bases, number: u64) -> Result<Case> {
    let layout = LAYOUTS[(number % 3) as usize];
    let paths = ["/a", "/b"];
    let mut rng = Rng::seeded(number);
    let mut ops = paths.map(|path| Op::Create(path.into(), layout)).to_vec();
    for n in 0..36 {
        for path in paths {
            let pos = n % 12 * 16_384;
            ops.push(Op::write(path, pos, 16_384, Texture::Text));
            ops.push(Op::fsync(path));
        }
        if n % 4 == 3 {
            let path = paths[rng.below(2) as usize];
            // What is dirty moves too.
            if rng.below(2) == 0 {
                ops.push(Op::write(path, rng.below(100_000), 9000, Texture::Text));
            }
            ops.push(Op::Defragment(path.into()));
            match rng.below(4) {
                0 => ops.push(Op::SYNC),
                1 => {}
                _ => ops.push(Op::fsync(path)),
            }
        }
    }
    case(bases, Start::Empty, mode_of(number / 3), vec![ops])
}

/// A directory that grows; one file in so many is made durable.
pub fn directory(bases: &Bases, number: u64) -> Result<Case> {
    let mut ops = vec![Op::Mkdir("/dir".into()), Op::SYNC];
    for n in 0..NAMES {
        let path = format!("/dir/name-{n:05}-{}", "x".repeat((n % 40) as usize));
        ops.push(Op::Create(path.clone(), Layout::Plain));
        if n % 40 == 7 {
            ops.push(Op::write(&path, 0, 200, Texture::Text));
            ops.push(Op::fsync(&path));
        }
        if n % 3 == 0 && number == 1 {
            ops.push(Op::Rename(path.clone(), format!("/dir/moved-{n}")));
        }
        if n % 3 == 0 && number == 2 {
            ops.push(Op::Unlink(path));
        }
    }
    case(bases, Start::Empty, mode_of(number), vec![ops])
}

fn aged_path(file: u64) -> String {
    format!("/f{file}")
}

/// Fills a volume, and uses its blocks again and again, so that old nodes lie wherever the logs go.
pub fn setup_aged() -> Vec<Op> {
    let mut rng = Rng::seeded(77);
    let mut ops = Vec::new();
    ops.push(Op::Create("/fill".into(), Layout::Plain));
    ops.push(Op::write("/fill", 0, 12 << 20, Texture::Text));
    for file in 0..FILES {
        ops.push(Op::Create(aged_path(file), Layout::Plain));
        ops.push(Op::write(&aged_path(file), 0, 20_000, Texture::Text));
    }
    ops.push(Op::SYNC);
    for _ in 0..700 {
        let path = aged_path(rng.below(FILES));
        match rng.below(8) {
            0 => {
                ops.push(Op::Unlink(path.clone()));
                ops.push(Op::Create(path.clone(), Layout::Plain));
                ops.push(Op::write(&path, 0, 30_000, Texture::Text));
            }
            1..4 => ops.push(Op::write(&path, rng.below(20_000), 30_000, Texture::Noise)),
            _ => ops.push(Op::write(&path, 0, 5000, Texture::Text)),
        }
        ops.push(Op::fsync(&path));
        if rng.below(12) == 0 {
            ops.push(Op::SYNC);
        }
    }
    ops
}

/// Random operations on the aged volume.
pub fn aged(bases: &Bases, number: u64) -> Result<Case> {
    let mut rng = Rng::seeded(number);
    let mut ops = Vec::new();
    for n in 0..OPERATIONS {
        let path = aged_path(rng.below(FILES));
        push_random(&mut ops, &path, n, &mut rng);
        match rng.below(10) {
            0..6 => ops.push(Op::fsync(&path)),
            6 => ops.push(Op::Sync(Durable::Data(path))),
            7 if rng.below(3) == 0 => ops.push(Op::SYNC),
            _ => {}
        }
    }
    case(bases, Start::Aged, mode_of(number), vec![ops])
}

/// Random operations on the aged volume or on compressed files, with the cleaner between them.
pub fn cleaning(bases: &Bases, number: u64) -> Result<Case> {
    let mut rng = Rng::seeded(number ^ 0xC1EA);
    let is_aged = number.is_multiple_of(2);
    let mut ops = Vec::new();
    for n in 0..OPERATIONS {
        let path = if is_aged {
            aged_path(rng.below(FILES))
        } else {
            ["/plain", "/lz4"][rng.below(2) as usize].to_owned()
        };
        if is_aged {
            push_random(&mut ops, &path, n, &mut rng);
        } else {
            let pos = rng.below(LARGE - 40_000);
            ops.push(Op::write(&path, pos, 30_000, Texture::Text));
        }
        match rng.below(12) {
            0..3 => ops.push(Op::Clean),
            3..6 => ops.push(Op::fsync(&path)),
            6 => ops.push(Op::Sync(Durable::Data(path))),
            7 if rng.below(2) == 0 => ops.push(Op::SYNC),
            8 if rng.below(2) == 0 => ops.push(Op::Discard),
            _ => {}
        }
    }
    let start = if is_aged { Start::Aged } else { Start::Files };
    case(bases, start, mode_of(number / 2), vec![ops])
}

/// Something that leaves the path a regular file.
fn push_random(ops: &mut Vec<Op>, path: &str, n: u64, rng: &mut Rng) {
    let owned = || path.to_owned();
    let pos = rng.below(60_000);
    let len = 1 + rng.below(20_000) as usize;
    let aside = format!("{path}-{n}");
    match rng.below(12) {
        0..4 => ops.push(Op::write(path, pos, len, Texture::Text)),
        4 => ops.push(Op::write(path, pos, len, Texture::Noise)),
        5 => ops.push(Op::Truncate(owned(), pos)),
        6 => ops.push(Op::Allocate(owned(), Fallocate::PunchHole, pos, len as u64)),
        7 => ops.push(Op::Allocate(owned(), Fallocate::Allocate, pos, len as u64)),
        8 => {
            ops.push(Op::Create(aside.clone(), Layout::Plain));
            ops.push(Op::write(&aside, 0, len, Texture::Text));
            ops.push(Op::Rename(aside, owned()));
        }
        9 => {
            ops.push(Op::Rename(owned(), aside));
            ops.push(Op::Create(owned(), Layout::Plain));
            ops.push(Op::write(path, 0, len, Texture::Text));
        }
        10 => {
            ops.push(Op::Unlink(owned()));
            ops.push(Op::Create(owned(), Layout::Plain));
        }
        _ => ops.push(Op::SetXattr(owned(), "user.n".into(), len / 40 + 1)),
    }
}

/// A directory for each thread.
pub fn setup_threads() -> Vec<Op> {
    let mut ops = Vec::new();
    for thread in 0..THREAD_COUNT {
        ops.push(Op::Mkdir(format!("/t{thread}")));
        for file in 0..3 {
            let path = format!("/t{thread}/f{file}");
            ops.push(Op::Create(path.clone(), Layout::Plain));
            ops.push(Op::write(&path, 0, 9000, Texture::Text));
        }
    }
    ops.push(Op::SYNC);
    ops
}

/// Each thread changes its files and makes them durable.
pub fn threads(bases: &Bases, number: u64) -> Result<Case> {
    let operations = |thread: u64| {
        let mut rng = Rng::seeded(number << 8 ^ thread);
        let mut ops = Vec::new();
        for n in 0..25 {
            let path = format!("/t{thread}/f{}", rng.below(3));
            push_random(&mut ops, &path, n, &mut rng);
            // Every other case has the cleaner among the threads, the others one that discards.
            if thread == 0 && number % 2 == 1 {
                ops.push(Op::Clean);
            } else if thread == 0 && n % 6 == 0 {
                ops.push(Op::Discard);
            }
            if rng.below(3) > 0 {
                ops.push(Op::fsync(&path));
            }
        }
        ops
    };
    let threads = (0..THREAD_COUNT).map(operations).collect();
    case(bases, Start::Threads, mode_of(number), threads)
}
