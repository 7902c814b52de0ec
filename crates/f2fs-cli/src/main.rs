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
//! | [`errors`], [`log`] | messages and exit codes |
//! | [`helper`] | the command as a helper of mount(8) |
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
mod helper;
mod import;
mod local;
mod log;
mod progress;
mod session;
mod size;
mod stats;
mod text;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse_from(helper::arguments());
    if !cli.is_mount() {
        log::if_asked();
    }
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}
