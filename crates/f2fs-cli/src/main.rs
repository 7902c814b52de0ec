//! The `f2fs` command: makes, fills, reads and inspects F2FS images, without root and without a
//! mount.
//!
//! | module | what |
//! |---|---|
//! | [`cli`] | the command line |
//! | [`commands`] | one file a command |
//! | [`session`] | opens and closes the volume around a command |
//! | [`import`], [`local`] | trees of the host into a volume |
//! | [`extract`], [`beneath`] | trees of a volume to the host |
//! | [`errors`] | messages and exit codes |
//! | [`size`], [`text`], [`compress`], [`stats`], [`progress`] | what commands share |
//!
//! # Invariants
//! A command that opened a volume for writing closes it whatever happened, and tells if that fails.
//! A problem is one line on standard error that begins with `f2fs:`.
#![forbid(unsafe_code)]

mod beneath;
mod cli;
mod commands;
mod compress;
mod errors;
mod extract;
mod import;
mod local;
mod progress;
mod session;
mod size;
mod stats;
mod text;

use clap::Parser;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    // Nothing unless it is asked for: what matters is in the message of the failure.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}
