//! Volumes that workloads start from. Each is made once.

use super::{ace, database, logs};
use crate::op::Op;
use crate::record::Base;
use crate::subject::{self, Opening};
use anyhow::{Context, Result};
use f2fs::{FormatOptions, FsyncMode, Volume};
use runtime::sync::{Mutex, Rank};
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;
use testkit::sim::{Image, SimDevice};

/// Bytes of a volume.
const SIZE: u64 = 64 << 20;
/// Identity of the volumes of our own formatter.
const UUID: [u8; 16] = *b"f2fs-rs-crash-01";
/// Features and quotas of the volume that `mkfs.f2fs` makes.
const MKFS: [&str; 4] = [
    "-O",
    "extra_attr,inode_checksum,sb_checksum,inode_crtime,flexible_inline_xattr,compression,quota",
    "-l",
    "crash",
];

/// How a volume is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Ours,
    Mkfs,
}

/// What is on a volume when a workload begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Start {
    /// Files and directories for sequences of operations.
    Ace(ace::Kind),
    /// A database of pages.
    Database,
    /// Nothing.
    Empty,
    /// Files to overwrite.
    Files,
    /// Full, and written over many times.
    Aged,
    /// A directory for each thread.
    Threads,
}

/// The volumes made so far.
#[derive(Debug)]
pub struct Bases(Mutex<HashMap<Start, Arc<Base>>>);

impl Default for Bases {
    fn default() -> Self {
        Self(Mutex::new(Rank::new(1, "bases"), HashMap::new()))
    }
}

impl Bases {
    /// The volume for a start.
    pub fn get(&self, start: Start) -> Result<Arc<Base>> {
        let mut bases = self.0.lock();
        if let Some(base) = bases.get(&start) {
            return Ok(Arc::clone(base));
        }
        let base = make(start).with_context(|| format!("making the volume of {start:?}"))?;
        let base = Arc::new(base);
        bases.insert(start, Arc::clone(&base));
        Ok(base)
    }
}

fn make(start: Start) -> Result<Base> {
    let (format, operations): (Format, Vec<Op>) = match start {
        Start::Ace(kind @ ace::Kind::Mkfs) => (Format::Mkfs, ace::setup(kind)),
        Start::Ace(kind) => (Format::Ours, ace::setup(kind)),
        Start::Database => (Format::Ours, database::setup()),
        Start::Empty => (Format::Ours, Vec::new()),
        Start::Files => (Format::Ours, logs::setup_files()),
        Start::Aged => (Format::Ours, logs::setup_aged()),
        Start::Threads => (Format::Ours, logs::setup_threads()),
    };
    Base::new(formatted(format)?, &operations)
}

fn formatted(format: Format) -> Result<Image> {
    if format == Format::Mkfs {
        let image = testkit::tools::mkfs(&MKFS, SIZE);
        return Ok(Image::load(&mut File::open(image.path())?)?);
    }
    let device = Arc::new(SimDevice::unlogged(Image::new(SIZE)));
    let options = FormatOptions {
        uuid: Some(UUID),
        checkpoint_seed: Some(1),
        root_time: Some(1_600_000_000),
        ..FormatOptions::new(SIZE)
    };
    let volume = Volume::create_on(
        device.clone(),
        &options,
        &subject::options(FsyncMode::Posix, Opening::Format),
    );
    volume?.close()?;
    Ok(device.image())
}
