//! The programs as one command: `mount-tests fsx FILE` and so on.

use anyhow::Result;
use clap::Parser;
use mount_tests::{fsx, stress};
use std::process::{self, ExitCode};

/// Puts load on a mounted file system and checks what it answers.
#[derive(Debug, Parser)]
enum Command {
    /// Random operations on one file against a model
    Fsx(fsx::Options),
    /// Many processes at once in the same folders
    Stress(stress::Options),
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
    }
    Ok(())
}

/// This program, to be started again with a command.
fn this_program(command: &str) -> process::Command {
    let mut again = process::Command::new("/proc/self/exe");
    again.arg(command);
    again
}
