//! The operations, and how one is drawn.

use super::Options;
use fastrand::Rng;

/// Block size that collapsing and inserting ranges have to respect.
const BLOCK: u64 = 4096;
/// A common cluster of compressed files: positions around its multiples find edge cases.
const CLUSTER: u64 = 64 << 10;

/// What written bytes look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    /// One byte repeated: compresses to nearly nothing.
    Byte(u8),
    /// A short pattern repeated with a counter: compresses well.
    Lines(u64),
    /// Noise: does not compress.
    Noise(u64),
}

impl Fill {
    fn draw(rng: &mut Rng) -> Self {
        match rng.u8(..3) {
            0 => Self::Byte(rng.u8(..)),
            1 => Self::Lines(rng.u64(..)),
            _ => Self::Noise(rng.u64(..)),
        }
    }

    /// `len` bytes of it.
    pub(super) fn bytes(self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        match self {
            Self::Byte(byte) => bytes.fill(byte),
            Self::Lines(seed) => {
                for (n, line) in bytes.chunks_mut(32).enumerate() {
                    let text = format!("{seed:016x} line {n:09}\n ");
                    line.copy_from_slice(&text.as_bytes()[..line.len()]);
                }
            }
            Self::Noise(seed) => Rng::with_seed(seed).fill(&mut bytes),
        }
        bytes
    }
}

/// Modes of fallocate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Allocates and grows the file.
    Allocate,
    /// Allocates, the size stays.
    Keep,
    /// Makes a hole.
    Punch,
    /// Zeroes and grows the file.
    Zero,
    /// Zeroes, the size stays.
    ZeroKeep,
    /// Takes a range out.
    Collapse,
    /// Moves the rest back and leaves a hole.
    Insert,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Allocate,
        Self::Keep,
        Self::Punch,
        Self::Zero,
        Self::ZeroKeep,
        Self::Collapse,
        Self::Insert,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allocate => "allocate",
            Self::Keep => "keep",
            Self::Punch => "punch",
            Self::Zero => "zero",
            Self::ZeroKeep => "zero-keep",
            Self::Collapse => "collapse",
            Self::Insert => "insert",
        }
    }
}

/// One operation on the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// pread, by the second handle if so.
    Read { pos: u64, len: usize, other: bool },
    /// The same through a mapping.
    MapRead { pos: u64, len: usize },
    /// pwrite.
    Write { pos: u64, len: usize, fill: Fill },
    /// The same through a mapping.
    MapWrite { pos: u64, len: usize, fill: Fill },
    /// ftruncate.
    Truncate { size: u64 },
    /// fallocate.
    Fallocate { mode: Mode, pos: u64, len: u64 },
    /// copy_file_range within the file.
    Copy { from: u64, to: u64, len: usize },
    /// lseek to data.
    SeekData { pos: u64 },
    /// lseek to a hole.
    SeekHole { pos: u64 },
    /// fsync.
    Sync,
    /// fdatasync.
    DataSync,
    /// fsync, then the kernel forgets the file's pages.
    DropCache,
    /// close and open.
    Reopen,
}

impl Op {
    /// The kind that `--without` knows it by.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Read { .. } | Self::Write { .. } | Self::Truncate { .. } => "basic",
            Self::MapRead { .. } | Self::MapWrite { .. } => "map",
            Self::Fallocate { .. } => "fallocate",
            Self::Copy { .. } => "copy",
            Self::SeekData { .. } | Self::SeekHole { .. } => "seek",
            Self::Sync | Self::DataSync | Self::DropCache | Self::Reopen => "sync",
        }
    }

    /// The next operation on a file of `size` bytes.
    pub(super) fn draw(rng: &mut Rng, size: u64, options: &Options, modes: &[Mode]) -> Self {
        match rng.u8(..100) {
            0..20 => {
                let (pos, len) = inside(rng, size, options);
                let other = rng.bool();
                Self::Read { pos, len, other }
            }
            20..28 => {
                let (pos, len) = inside(rng, size, options);
                Self::MapRead { pos, len }
            }
            28..50 => {
                let (pos, len) = anywhere(rng, size, options);
                let fill = Fill::draw(rng);
                Self::Write { pos, len, fill }
            }
            50..60 => {
                let (pos, len) = inside(rng, size, options);
                let fill = Fill::draw(rng);
                Self::MapWrite { pos, len, fill }
            }
            60..68 => Self::Truncate {
                size: position(rng, size, options.max_size + 1),
            },
            68..80 => fallocate(rng, size, options, modes),
            80..86 => copy(rng, size, options),
            86..89 => Self::SeekData {
                pos: position(rng, size, options.max_size),
            },
            89..92 => Self::SeekHole {
                pos: position(rng, size, options.max_size),
            },
            92..94 => Self::Sync,
            94..96 => Self::DataSync,
            96..98 => Self::DropCache,
            _ => Self::Reopen,
        }
    }
}

/// A position below `end`: anywhere, near the end of the file, or around a block or cluster.
fn position(rng: &mut Rng, size: u64, end: u64) -> u64 {
    let pos = match rng.u8(..4) {
        0 => rng.u64(..end),
        1 => size.saturating_add(rng.u64(..20)).saturating_sub(10),
        2 => near(rng, BLOCK, end),
        _ => near(rng, CLUSTER, end),
    };
    pos.min(end - 1)
}

/// A multiple of `unit`, or one byte beside it.
fn near(rng: &mut Rng, unit: u64, end: u64) -> u64 {
    let at = rng.u64(..end) / unit * unit;
    match rng.u8(..4) {
        0 => at + 1,
        1 => at.saturating_sub(1),
        _ => at,
    }
}

/// A length from 1 to `max`, each order of magnitude as likely as the next.
fn length(rng: &mut Rng, max: u64) -> u64 {
    let limit = 1 << rng.u32(..=max.max(1).ilog2());
    rng.u64(1..=limit).min(max.max(1))
}

/// A range that may reach behind the end of the file, but not behind the largest size.
fn anywhere(rng: &mut Rng, size: u64, options: &Options) -> (u64, usize) {
    let pos = position(rng, size, options.max_size);
    let len = length(rng, options.max_len.min(options.max_size - pos));
    (pos, len as usize)
}

/// A range inside the file; of no length if it is empty.
fn inside(rng: &mut Rng, size: u64, options: &Options) -> (u64, usize) {
    if size == 0 {
        return (0, 0);
    }
    let pos = position(rng, size, size);
    (pos, length(rng, options.max_len.min(size - pos)) as usize)
}

fn fallocate(rng: &mut Rng, size: u64, options: &Options, modes: &[Mode]) -> Op {
    let (mut pos, len) = anywhere(rng, size, options);
    let mut len = len as u64;
    let Some(&mode) = rng.choice(modes) else {
        return Op::Sync;
    };
    if matches!(mode, Mode::Collapse | Mode::Insert) {
        pos = pos / BLOCK * BLOCK;
        len = len.next_multiple_of(BLOCK);
        let fits = match mode {
            Mode::Collapse => pos + len < size,
            _ => pos < size && size + len <= options.max_size,
        };
        if !fits {
            return Op::Sync;
        }
    }
    Op::Fallocate { mode, pos, len }
}

/// A copy whose source is inside the file and does not touch its target.
fn copy(rng: &mut Rng, size: u64, options: &Options) -> Op {
    let (from, mut len) = inside(rng, size, options);
    let to = position(rng, size, options.max_size);
    len = len.min((options.max_size - to) as usize);
    len = len.min(from.abs_diff(to) as usize);
    Op::Copy { from, to, len }
}
