//! `cargo xtask`: the developer commands of this workspace.

mod compare;
mod layers;
mod run;
mod setup;
mod suites;
mod tidy;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Developer commands.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install the tools the tests use (Debian packages), where they are missing.
    Setup,
    /// Formatting, lints and the rules of the house.
    Check,
    /// Everything that must pass: set-up, checks, all tests, suites on a mount, power cuts, loom models, docs.
    Test,
    /// What proves a mount: file system suites and applications, each on a volume of its own.
    Suites(suites::SuiteArgs),
    /// Our mount against others in one run: medians and ratios.
    Compare(compare::CompareArgs),
    /// Power cuts at every write: what was made durable is there. Arguments go to the explorer; try --help.
    #[command(disable_help_flag = true)]
    Crash {
        /// For the explorer
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Only the models of the folio protocol under loom.
    Loom,
}

fn main() -> Result<()> {
    match Args::parse().command {
        Command::Setup => setup::install(),
        Command::Check => check(),
        Command::Test => test(),
        Command::Suites(args) => {
            setup::install()?;
            suites::run(&args)
        }
        Command::Compare(args) => {
            setup::install()?;
            compare::run(&args)
        }
        Command::Crash { args } => crash(&args),
        Command::Loom => loom(),
    }
}

/// With the checks of lock order on, as the suites.
fn crash(args: &[String]) -> Result<()> {
    setup::install()?;
    let mut all = vec![
        "run",
        "--quiet",
        "--profile",
        "checked",
        "--package",
        "crash",
        "--",
    ];
    all.extend(args.iter().map(String::as_str));
    run::cargo(&all)
}

fn check() -> Result<()> {
    tidy::check()?;
    layers::check()?;
    run::cargo(&["fmt", "--all", "--check"])?;
    run::cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])
}

fn test() -> Result<()> {
    setup::install()?;
    check()?;
    // The command is started by its own tests and by those of others.
    run::cargo(&["build", "--workspace", "--bins", "--examples"])?;
    run::cargo(&["test", "--workspace"])?;
    suites::run(&suites::SuiteArgs::short())?;
    crash(&[])?;
    loom()?;
    run::cargo_with(
        &["doc", "--workspace", "--no-deps"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    )
}

/// Loom replaces the locks of the whole build, so it gets a build of its own.
fn loom() -> Result<()> {
    let packages = [
        "--package",
        "runtime",
        "--package",
        "pagecache",
        "--package",
        "iomap",
    ];
    let mut args = vec![
        "test",
        "--release",
        "--test",
        "loom",
        "--target-dir",
        "target/loom",
    ];
    args.extend(packages);
    run::cargo_with(&args, &[("RUSTFLAGS", "--cfg loom")])
}
