//! The programs as one command: `mount-tests fsx FILE` and so on.
#![forbid(unsafe_code)]

use anyhow::Result;
use clap::Parser;
use mount_tests::{durable, folder, fsx, prealloc, seekdir, smallfiles, stress};
use std::process::{self, ExitCode};

/// Puts load on a mounted file system and checks what it answers.
#[derive(Debug, Parser)]
enum Command {
    /// Random operations on one file against a model
    Fsx(fsx::Options),
    /// Many processes at once in the same folders
    Stress(stress::Options),
    /// Files that must survive the end of the daemon
    Durable(durable::Options),
    /// A folder with very many entries
    Folder(folder::Options),
    /// Positions in a folder that changes
    Seekdir(seekdir::Options),
    /// Writes into a preallocated file
    Prealloc(prealloc::Options),
    /// How fast small files are
    Smallfiles(smallfiles::Options),
}

fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Fsx(options) => {
            let modes = fsx::run(&options)?;
            let names: Vec<&str> = modes.iter().map(|mode| mode.name()).collect();
            println!("{} operations, fallocate: {}", options.ops, names.join(" "));
        }
        Command::Stress(options) => match options.worker {
            Some(worker) => stress::work(&options, worker)?,
            None => println!("{}", stress::run(&mut || this_program("stress"), &options)?),
        },
        Command::Durable(options) => println!("{} files", durable::run(&options)?),
        Command::Folder(options) => folder::run(&options)?,
        Command::Seekdir(options) => println!("{} passes", seekdir::run(&options)?),
        Command::Prealloc(options) => prealloc::run(&options)?,
        Command::Smallfiles(options) => {
            for (phase, rate) in smallfiles::run(&options)? {
                println!("{phase} {rate:.0}");
            }
        }
    }
    Ok(())
}

/// This program, to be started again with a command.
fn this_program(command: &str) -> process::Command {
    let mut again = process::Command::new("/proc/self/exe");
    again.arg(command);
    again
}
