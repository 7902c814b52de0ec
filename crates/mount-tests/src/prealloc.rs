//! Random block writes into a preallocated file: each is there afterwards, everything else is zero.

use crate::pattern::{BLOCK, block};
use anyhow::{Context, Result, ensure};
use clap::Args;
use fastrand::Rng;
use rustix::fs::{FallocateFlags, fallocate};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// What to do.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The file, made anew
    pub file: PathBuf,
    /// Decides what is written
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Blocks of the file
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u64).range(2..))]
    pub blocks: u64,
    /// Only verify what a run with the same arguments left
    #[arg(long)]
    pub verify: bool,
}

/// Writes and verifies, or only verifies.
pub fn run(options: &Options) -> Result<()> {
    if !options.verify {
        write(options)?;
    }
    verify(options)
}

/// The blocks that are written, of all sizes of runs.
fn tags(options: &Options) -> Vec<u64> {
    let mut rng = Rng::with_seed(options.seed);
    let mut tags = vec![0; options.blocks as usize];
    for _ in 0..options.blocks / 2 {
        tags[rng.usize(..options.blocks as usize)] = rng.u64(1..);
    }
    tags
}

fn write(options: &Options) -> Result<()> {
    let file = File::create(&options.file)?;
    // Half of it behind the end of the file.
    let half = options.blocks / 2 * BLOCK as u64;
    fallocate(&file, FallocateFlags::empty(), 0, half).context("fallocate")?;
    fallocate(&file, FallocateFlags::KEEP_SIZE, half, half).context("fallocate, size kept")?;
    let tags = tags(options);
    let mut order: Vec<usize> = (0..tags.len()).filter(|&n| tags[n] != 0).collect();
    Rng::with_seed(options.seed).shuffle(&mut order);
    for n in order {
        file.write_all_at(&block(tags[n]), (n * BLOCK) as u64)?;
    }
    // Where the last block was not written.
    file.set_len(options.blocks * BLOCK as u64)?;
    Ok(())
}

fn verify(options: &Options) -> Result<()> {
    let found = fs::read(&options.file)?;
    let tags = tags(options);
    ensure!(
        found.len() == tags.len() * BLOCK,
        "the size is {}",
        found.len()
    );
    let zero = vec![0; BLOCK];
    let wrong = |n: &usize| {
        let expected = if tags[*n] == 0 {
            zero.clone()
        } else {
            block(tags[*n])
        };
        found[n * BLOCK..][..BLOCK] != expected
    };
    let wrong: Vec<usize> = (0..tags.len()).filter(wrong).collect();
    let lost = wrong.iter().filter(|&&n| tags[n] != 0).count();
    ensure!(
        wrong.is_empty(),
        "{} of {} blocks are wrong, {lost} of them were written; the first is {}",
        wrong.len(),
        tags.len(),
        wrong[0]
    );
    Ok(())
}
