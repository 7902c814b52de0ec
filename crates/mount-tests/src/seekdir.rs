//! Positions in a folder stay true while others make and remove entries.
//!
//! Some entries stay all the time. A pass over the folder must list each of them once; going back to
//! a position of the pass must list those that came behind it, each once.

use anyhow::{Context, Result, ensure};
use clap::Args;
use fastrand::Rng;
use rustix::fs::{Mode, OFlags, RawDir, SeekFrom, open, seek};
use std::collections::HashSet;
use std::fs::{self, File};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Bytes asked for at a time: few entries, so that a pass takes many requests.
const BUFFER: usize = 1024;
/// Positions that are returned to in each pass.
const RETURNS: usize = 20;

/// What to do.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The folder, which is made
    pub dir: PathBuf,
    /// Entries that stay
    #[arg(long, default_value_t = 1000)]
    pub entries: u32,
    /// How long to go on
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// Decides where to go back to
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// A name that stays, and the position behind it.
type Entry = (Vec<u8>, u64);

/// Makes the entries, then reads while others come and go; the number of passes.
pub fn run(options: &Options) -> Result<u64> {
    fs::create_dir(&options.dir)?;
    for n in 0..options.entries {
        File::create_new(options.dir.join(format!("stays{n}")))?;
        File::create_new(options.dir.join(format!("goes{n}")))?;
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let churner = scope.spawn(|| churn(options, &is_over));
        let passes = read(options);
        is_over.store(true, Ordering::Relaxed);
        let churned = churner.join().expect("the other thread does not panic");
        churned.context("making and removing entries")?;
        passes
    })
}

/// Makes and removes entries in turn.
fn churn(options: &Options, is_over: &AtomicBool) -> Result<()> {
    let mut rng = Rng::with_seed(!options.seed);
    while !is_over.load(Ordering::Relaxed) {
        let path = options
            .dir
            .join(format!("goes{}", rng.u32(..options.entries * 2)));
        if path.try_exists()? {
            fs::remove_file(path)?;
        } else {
            File::create_new(path)?;
        }
    }
    Ok(())
}

fn read(options: &Options) -> Result<u64> {
    let mut rng = Rng::with_seed(options.seed);
    let end = Instant::now() + Duration::from_secs(options.seconds);
    let mut passes = 0;
    while Instant::now() < end || passes == 0 {
        pass(&options.dir, options.entries as usize, &mut rng)
            .with_context(|| format!("pass {passes}"))?;
        passes += 1;
    }
    Ok(passes)
}

fn pass(dir: &Path, entries: usize, rng: &mut Rng) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = open(dir, flags, Mode::empty())?;
    let all = list(&folder)?;
    ensure!(
        all.len() == entries,
        "{} of {entries} entries are listed",
        all.len()
    );
    for _ in 0..RETURNS {
        let at = rng.usize(..all.len());
        seek(&folder, SeekFrom::Start(all[at].1))?;
        let rest: HashSet<Vec<u8>> = list(&folder)?.into_iter().map(|entry| entry.0).collect();
        let lost = all[at + 1..].iter().find(|entry| !rest.contains(&entry.0));
        ensure!(
            lost.is_none(),
            "behind entry {at} of {entries}, {:?} is missing",
            lost.map(|entry| String::from_utf8_lossy(&entry.0))
        );
        ensure!(
            rest.len() == all.len() - at - 1,
            "behind entry {at} of {entries}, {} entries instead of {}",
            rest.len(),
            all.len() - at - 1
        );
    }
    Ok(())
}

/// The entries that stay, from the position of the folder on; none may come twice.
fn list(folder: &OwnedFd) -> Result<Vec<Entry>> {
    let mut buffer = [MaybeUninit::uninit(); BUFFER];
    let mut raw = RawDir::new(folder, &mut buffer);
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    while let Some(entry) = raw.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name.starts_with(b"stays") {
            ensure!(
                seen.insert(name.to_vec()),
                "{} is listed twice",
                String::from_utf8_lossy(name)
            );
            found.push((name.to_vec(), entry.next_entry_cookie()));
        }
    }
    Ok(found)
}
