//! What must survive when the daemon is killed: everything that fsync has promised.
//!
//! The program makes files without end and prints a line for each one that is durable. It never
//! touches such a file again. Afterwards the same program verifies the printed lines.

use crate::pattern::{BLOCK, block};
use anyhow::{Context, Result, ensure};
use clap::Args;
use fastrand::Rng;
use std::fs::{self, File};
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

/// Folders in use.
const FOLDERS: u32 = 3;

/// What to do.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// A folder
    pub dir: PathBuf,
    /// Decides what is written
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Verify the lines of this file
    #[arg(long, value_name = "FILE")]
    pub verify: Option<PathBuf>,
}

/// Makes files until an error ends it, or verifies; the number of files.
pub fn run(options: &Options) -> Result<usize> {
    match &options.verify {
        Some(lines) => verify(&options.dir, &fs::read_to_string(lines)?),
        None => make(options),
    }
}

fn make(options: &Options) -> Result<usize> {
    for folder in 0..FOLDERS {
        fs::create_dir_all(options.dir.join(format!("folder{folder}")))?;
    }
    let mut rng = Rng::with_seed(options.seed);
    for n in 0u64.. {
        let folder = format!("folder{}", rng.u32(..FOLDERS));
        let name = format!("{folder}/file{}-{n}", options.seed);
        let (tag, blocks) = (rng.u64(1..), rng.u64(0..40));
        make_one(options, &name, tag, blocks, rng.u8(..4)).with_context(|| name.clone())?;
        let mut out = stdout().lock();
        writeln!(out, "{name} {tag} {blocks}")?;
        out.flush()?;
    }
    unreachable!("the loop ends by an error")
}

/// A file of its own way to be durable, and some that are not, for load.
fn make_one(options: &Options, name: &str, tag: u64, blocks: u64, way: u8) -> Result<()> {
    let path = options.dir.join(name);
    let folder = File::open(path.parent().context("folder")?)?;
    let first = if way == 0 {
        path.with_extension("new")
    } else {
        path.clone()
    };
    let mut file = File::create_new(&first)?;
    file.write_all(&content(tag, blocks))?;
    fs::write(path.with_extension("lost"), content(!tag, blocks / 2))?;
    match way {
        // As editors save.
        0 => {
            file.sync_all()?;
            fs::rename(&first, &path)?;
            folder.sync_all()?;
        }
        1 => {
            file.sync_data()?;
            folder.sync_all()?;
        }
        _ => file.sync_all()?,
    }
    Ok(())
}

fn content(tag: u64, blocks: u64) -> Vec<u8> {
    (0..blocks).flat_map(|n| block(tag ^ n << 32)).collect()
}

fn verify(dir: &Path, lines: &str) -> Result<usize> {
    let mut wrong = Vec::new();
    let mut count = 0;
    // A line without its end was not printed whole.
    for line in lines
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
    {
        count += 1;
        if let Err(error) = verify_one(dir, line.trim_end()) {
            wrong.push(format!("{}: {error:#}", line.trim_end()));
        }
    }
    ensure!(
        wrong.is_empty(),
        "{} of {count} durable files are damaged or gone, for example {}",
        wrong.len(),
        wrong[0]
    );
    Ok(count)
}

fn verify_one(dir: &Path, line: &str) -> Result<()> {
    let mut words = line.split(' ');
    let name = words.next().context("name")?;
    let tag = words.next().context("tag")?.parse()?;
    let blocks: u64 = words.next().context("blocks")?.parse()?;
    let found = fs::read(dir.join(name))?;
    let expected = content(tag, blocks);
    ensure!(
        found.len() == expected.len(),
        "{} bytes instead of {}",
        found.len(),
        expected.len()
    );
    let is_wrong = |n: &u64| {
        let range = *n as usize * BLOCK..(*n as usize + 1) * BLOCK;
        found[range.clone()] != expected[range]
    };
    let wrong = (0..blocks).filter(is_wrong).count();
    ensure!(wrong == 0, "{wrong} of {blocks} blocks differ");
    Ok(())
}
