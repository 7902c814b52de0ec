//! Many processes at once in the same folders.
//!
//! Each process does two kinds of work. `private` files have names of their own in the shared folders:
//! nobody else touches them, so every answer and every byte is known. Names that are `shared` belong
//! to all: each operation may lose a race, but only in the ways that POSIX names, and what lies there
//! is made so that a look at it alone tells whether it is whole. `verify` looks at the end, when
//! nobody writes any more.

mod private;
mod shared;
mod verify;

use anyhow::{Context, Result, ensure};
use clap::Args;
use fastrand::Rng;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Folders that all processes use and nobody removes.
const FOLDERS: u32 = 4;

/// What to do.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// An empty folder
    pub dir: PathBuf,
    /// Decides what each process tries; the order between them is chance
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Number of processes
    #[arg(long, default_value_t = 8)]
    pub processes: u32,
    /// How long they work
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
    /// Files of its own that each process has at most
    #[arg(long, default_value_t = 24)]
    pub files: u32,
    /// Do not use the flags of renameat2, which the file system lacks
    #[arg(long)]
    pub plain_rename: bool,
    /// Only the process of this number: how the program starts itself
    #[arg(long, hide = true)]
    pub worker: Option<u32>,
}

/// Starts the processes, waits for them and verifies everything. `program` takes the arguments of
/// [`Options`]. What was found, for people.
pub fn run(program: &mut dyn FnMut() -> Command, options: &Options) -> Result<String> {
    fs::create_dir_all(&options.dir)?;
    for folder in 0..FOLDERS {
        fs::create_dir(folder_path(&options.dir, folder))?;
    }
    let started: Vec<Result<Child>> = (0..options.processes)
        .map(|worker| start(program(), options, worker))
        .collect();
    let mut failed = Vec::new();
    for (worker, child) in started.into_iter().enumerate() {
        let status = child?.wait()?;
        if !status.success() {
            failed.push(format!("process {worker}: {status}"));
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join(", "));
    let found = verify::tree(&options.dir)?;
    Ok(found)
}

fn start(mut command: Command, options: &Options, worker: u32) -> Result<Child> {
    command
        .arg(&options.dir)
        .args(["--seed", &options.seed.to_string()])
        .args(["--seconds", &options.seconds.to_string()])
        .args(["--files", &options.files.to_string()])
        .args(["--worker", &worker.to_string()])
        .args(options.plain_rename.then_some("--plain-rename"));
    command.spawn().context("cannot start a process")
}

/// The work of one process, the check of its own files included.
pub fn work(options: &Options, worker: u32) -> Result<()> {
    let mut rng = Rng::with_seed(options.seed << 16 | u64::from(worker));
    let mut own = private::Files::new(options, worker);
    let names = shared::Names::new(options, worker);
    let end = Instant::now() + Duration::from_secs(options.seconds);
    let mut n = 0u64;
    while Instant::now() < end {
        let step = if rng.bool() {
            own.step(&mut rng)
        } else {
            names.step(&mut rng)
        };
        step.with_context(|| format!("process {worker}, step {n}"))?;
        n += 1;
    }
    own.check_all()
        .with_context(|| format!("process {worker}, at the end"))
}

fn folder_path(dir: &Path, folder: u32) -> PathBuf {
    dir.join(format!("folder{folder}"))
}
