//! `cargo xtask suites`: what proves a mount. Each suite is a file here: it makes a volume, mounts it,
//! runs a program or a script on it, and has the volume checked.

mod applications;
mod build;
mod clean;
mod context;
mod fio;
mod folders;
mod fsx;
mod git;
mod kill;
mod lists;
mod pjdfstest;
mod postgres;
mod sqlite;
mod stress;
mod trees;
mod user;

pub(crate) use context::{Context, Profile, output};
pub(crate) use lists::SUITES;

use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;
use std::time::Instant;

/// A suite: its name, what it shows, and the work, which gives a line about what happened.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) run: fn(&Context) -> Result<String>,
}

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct SuiteArgs {
    /// Suites to run; all if none is named
    names: Vec<String>,
    /// More operations and more time: hours instead of minutes
    #[arg(long)]
    long: bool,
    /// Tell what the suites are
    #[arg(long)]
    list: bool,
    /// Run on a peer instead, to see what a suite expects: fuse2fs, or a folder of any file system
    #[arg(long, value_name = "SYSTEM")]
    on: Option<PathBuf>,
    /// Decides everything random
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

impl SuiteArgs {
    /// All suites, as long as a landing waits for them.
    pub(crate) fn short() -> Self {
        Self {
            names: Vec::new(),
            long: false,
            list: false,
            on: None,
            seed: 1,
        }
    }
}

/// Runs suites one after the other; fails at the end if one did.
pub(crate) fn run(args: &SuiteArgs) -> Result<()> {
    if args.list {
        for suite in SUITES {
            println!("{:12} {}", suite.name, suite.what);
        }
        return Ok(());
    }
    let chosen = choose(&args.names)?;
    let context = Context::new(args.on.as_deref(), args.long, args.seed, Profile::Checked)?;
    if let Some(reason) = context.lacks() {
        if std::env::var_os("CI").is_some() {
            bail!("no mount: {reason}");
        }
        eprintln!("SKIPPED: no mount: {reason}");
        return Ok(());
    }
    let mut failed = Vec::new();
    for suite in chosen {
        let start = Instant::now();
        let (word, text) = match (suite.run)(&context) {
            Ok(text) => ("ok", text),
            Err(error) => {
                failed.push(suite.name);
                ("FAILED", format!("{error:#}"))
            }
        };
        let seconds = start.elapsed().as_secs_f32();
        println!("{:12} {word:6} {seconds:6.1} s  {text}", suite.name);
    }
    if failed.is_empty() {
        Ok(())
    } else {
        bail!("failed: {}", failed.join(" "))
    }
}

fn choose(names: &[String]) -> Result<Vec<&'static Suite>> {
    if names.is_empty() {
        return Ok(SUITES.iter().collect());
    }
    let find = |name: &String| SUITES.iter().find(|suite| suite.name == name);
    let known = |name: &String| find(name).ok_or_else(|| anyhow::anyhow!("no suite {name}"));
    names.iter().map(known).collect()
}
