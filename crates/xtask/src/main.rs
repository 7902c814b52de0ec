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
    /// Everything that must pass: set-up, checks, all tests, suites on a mount, power cuts, ageing, loom models, docs.
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
    /// Ageing: a nearly full volume is overwritten many times, and so is the kernel's. Arguments as with crash.
    #[command(disable_help_flag = true)]
    Age {
        /// For the program
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
        Command::Crash { args } => program("crash", &args),
        Command::Age { args } => program("age", &args),
        Command::Loom => loom(),
    }
}

/// A program of ours, with the checks of lock order on, as the suites.
fn program(package: &str, args: &[String]) -> Result<()> {
    setup::install()?;
    let mut all = vec![
        "run",
        "--quiet",
        "--profile",
        "checked",
        "--package",
        package,
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
    program("crash", &[])?;
    program("age", &["--short".to_owned()])?;
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
