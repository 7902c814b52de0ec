//! Random operations on one file against a vector in memory.
//!
//! A seed decides everything, so a failure repeats with the seed and the number of operations that
//! its message names. `op` draws operations, `model` knows what must come out, `subject` does
//! them on the real file and compares.

mod model;
mod op;
mod subject;

pub use op::Mode;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use fastrand::Rng;
use model::Model;
use op::Op;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use subject::Subject;

/// Operations that a failure shows.
const SHOWN: usize = 40;
/// Operations between two looks at the whole file.
const CHECK_EVERY: u64 = 500;

/// What to do.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The file, made anew
    pub file: PathBuf,
    /// Decides all operations
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Number of operations
    #[arg(long, default_value_t = 20_000)]
    pub ops: u64,
    /// Largest size of the file
    #[arg(long, default_value_t = 1 << 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_size: u64,
    /// Longest range of one operation
    #[arg(long, default_value_t = 256 << 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_len: u64,
    /// Modes of fallocate that the file system may lack; to lack another one is a failure
    #[arg(long, value_delimiter = ',')]
    pub may_lack: Vec<String>,
    /// Kinds of operations to leave out: map, fallocate, copy, seek, sync
    #[arg(long, value_delimiter = ',')]
    pub without: Vec<String>,
    /// Print each operation before it is done
    #[arg(long)]
    pub verbose: bool,
}

impl Options {
    /// `ops` operations on `file`, everything else as usual.
    pub fn new(file: &Path, seed: u64, ops: u64) -> Self {
        Self {
            file: file.to_path_buf(),
            seed,
            ops,
            max_size: 1 << 20,
            max_len: 256 << 10,
            may_lack: Vec::new(),
            without: Vec::new(),
            verbose: false,
        }
    }
}

/// Runs the operations; the modes of fallocate that took part.
pub fn run(options: &Options) -> Result<Vec<Mode>> {
    let mut rng = Rng::with_seed(options.seed);
    let mut subject = Subject::create(&options.file)?;
    let mut model = Model::default();
    let modes = supported(&subject, options)?;
    let mut last = VecDeque::new();
    for n in 0..options.ops {
        let op = Op::draw(&mut rng, model.size(), options, &modes);
        if options.without.iter().any(|kind| kind == op.kind()) {
            continue;
        }
        if options.verbose {
            eprintln!("{n} {op:?}");
        }
        last.push_back((n, op));
        if last.len() > SHOWN {
            last.pop_front();
        }
        step(n, &op, &mut subject, &mut model).map_err(|error| told(&error, options, n, &last))?;
    }
    subject.check_all(&model).context("at the end")?;
    Ok(modes)
}

fn supported(subject: &Subject, options: &Options) -> Result<Vec<Mode>> {
    let mut modes = Vec::new();
    for mode in Mode::ALL {
        if subject.supports(mode)? {
            modes.push(mode);
        } else {
            let name = mode.name();
            ensure!(
                options.may_lack.iter().any(|lacking| lacking == name),
                "fallocate {name} is not supported"
            );
        }
    }
    Ok(modes)
}

fn step(n: u64, op: &Op, subject: &mut Subject, model: &mut Model) -> Result<()> {
    subject.apply(op, model)?;
    model.apply(op);
    subject.check_size(model)?;
    if n % CHECK_EVERY == CHECK_EVERY - 1 {
        subject.check_all(model).context("in the whole file")?;
    }
    Ok(())
}

fn told(
    error: &anyhow::Error,
    options: &Options,
    n: u64,
    last: &VecDeque<(u64, Op)>,
) -> anyhow::Error {
    let steps: Vec<String> = last.iter().map(|(n, op)| format!("{n} {op:?}")).collect();
    anyhow!(
        "operation {n}: {error:#}\nthe last operations:\n{}\nagain with: --seed {} --ops {} \
         --max-size {} --max-len {}",
        steps.join("\n"),
        options.seed,
        n + 1,
        options.max_size,
        options.max_len,
    )
}
