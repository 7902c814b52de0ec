//! One folder with very many entries.

use anyhow::{Context, Result, ensure};
use clap::Args;
use fastrand::Rng;
use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Names looked up by name.
const LOOKUPS: u64 = 2000;

/// What to do.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The folder, which is made
    pub dir: PathBuf,
    /// Number of entries
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub entries: u64,
    /// Length of each name; the shortest is 12
    #[arg(long, default_value_t = 12)]
    pub name_len: usize,
    /// Make folders instead of files
    #[arg(long)]
    pub folders: bool,
    /// Only verify what a run with the same arguments left: every second entry
    #[arg(long)]
    pub verify: bool,
}

/// Makes all entries, verifies, removes every second one, verifies.
pub fn run(options: &Options) -> Result<()> {
    let kept = || (0..options.entries).step_by(2);
    if !options.verify {
        fs::create_dir(&options.dir)?;
        for n in 0..options.entries {
            make(options, n).with_context(|| format!("entry {n}"))?;
        }
        verify(options, 0..options.entries).context("all entries")?;
        for n in (1..options.entries).step_by(2) {
            remove(options, n).with_context(|| format!("removal of {n}"))?;
        }
    }
    verify(options, kept()).context("half of the entries")
}

fn path(options: &Options, n: u64) -> PathBuf {
    let mut name = format!("e{n:011}");
    let rest = options.name_len.saturating_sub(name.len());
    name.extend(std::iter::repeat_n('n', rest));
    options.dir.join(name)
}

fn make(options: &Options, n: u64) -> Result<()> {
    let path = path(options, n);
    if options.folders {
        fs::create_dir(path)?;
    } else {
        File::create_new(path)?;
    }
    Ok(())
}

fn remove(options: &Options, n: u64) -> Result<()> {
    let path = path(options, n);
    if options.folders {
        fs::remove_dir(path)?;
    } else {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// The list holds exactly these, each once, and so say lookups.
fn verify(options: &Options, expected: impl Iterator<Item = u64>) -> Result<()> {
    let expected: HashSet<PathBuf> = expected.map(|n| path(options, n)).collect();
    let mut seen = HashSet::new();
    for entry in fs::read_dir(&options.dir)? {
        let path = entry?.path();
        ensure!(expected.contains(&path), "{} is listed", path.display());
        ensure!(
            seen.insert(path.clone()),
            "{} is listed twice",
            path.display()
        );
    }
    let missing = expected.difference(&seen).next();
    ensure!(missing.is_none(), "{missing:?} is not listed");
    look_up(options, &expected)
}

fn look_up(options: &Options, expected: &HashSet<PathBuf>) -> Result<()> {
    let mut rng = Rng::with_seed(options.entries);
    for _ in 0..LOOKUPS {
        let path: &Path = &path(options, rng.u64(..options.entries));
        let found = path.try_exists()?;
        ensure!(
            found == expected.contains(path),
            "{}: found {found}",
            path.display()
        );
    }
    Ok(())
}
