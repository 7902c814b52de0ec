//! `f2fs truncate`.

use crate::cli::EngineArgs;
use crate::errors::{At, Failure, Result};
use crate::session;
use crate::size::parse_size;
use clap::Args;
use f2fs::OpenOptions;
use std::path::PathBuf;

/// Cut or extend files; what is added is a hole
#[derive(Debug, Args)]
pub(crate) struct Truncate {
    /// The image file or block device
    image: PathBuf,
    /// Files on the volume
    #[arg(required = true, value_name = "/PATH")]
    paths: Vec<PathBuf>,
    /// The new size
    #[arg(short, long, value_name = "SIZE", value_parser = parse_size)]
    size: u64,
    /// Make files that are missing
    #[arg(long)]
    create: bool,
}

impl Truncate {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        let options = OpenOptions::new().write(true).create(self.create);
        session::writing(&self.image, engine, |volume| {
            for path in &self.paths {
                let file = match volume.open_with(path, &options) {
                    Err(f2fs::Error::NotFound) if !self.create => {
                        return Err(Failure::at(path, "no such file; add --create to make it"));
                    }
                    result => result.at(path)?,
                };
                file.set_len(self.size).at(path)?;
            }
            Ok(())
        })
    }
}
