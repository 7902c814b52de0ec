//! The programs as one command: `mount-tests fsx FILE` and so on.

use anyhow::Result;
use clap::Parser;
use mount_tests::fsx;

/// Puts load on a mounted file system and checks what it answers.
#[derive(Debug, Parser)]
enum Command {
    /// Random operations on one file against a model
    Fsx(fsx::Options),
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::Fsx(options) => {
            let modes = fsx::run(&options)?;
            let names: Vec<&str> = modes.iter().map(|mode| mode.name()).collect();
            println!(
                "fsx: {} operations, fallocate: {}",
                options.ops,
                names.join(" ")
            );
        }
    }
    Ok(())
}
