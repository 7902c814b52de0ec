//! `f2fs rm`.

use super::place::Source;
use crate::cli::EngineArgs;
use crate::errors::{At, Failure, Result};
use crate::session;
use clap::Args;
use f2fs::Volume;
use std::path::{Path, PathBuf};

/// Remove files and directories
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// The image file or block device
    image: PathBuf,
    /// Files on the volume
    #[arg(required = true, value_name = "/PATH")]
    paths: Vec<PathBuf>,
    /// Directories with all that is in them
    #[arg(short, long)]
    recursive: bool,
    /// No complaint about what does not exist
    #[arg(short, long)]
    force: bool,
}

impl Rm {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        session::writing(&self.image, engine, |volume| {
            let mut problems = 0;
            for path in &self.paths {
                match self.remove(volume, path) {
                    Err(failure) if failure.is_final() => return Err(failure),
                    Err(failure) => {
                        problems += 1;
                        crate::errors::complain(format_args!("f2fs: {failure}"));
                    }
                    Ok(()) => {}
                }
            }
            if problems > 0 {
                Err(Failure::Told)
            } else {
                Ok(())
            }
        })
    }

    fn remove(&self, volume: &Volume, path: &Path) -> Result<()> {
        if Source::of(path) == Source::Contents {
            return Err(Failure::at(
                path,
                "refused to remove the root, '.' or '..'; name a directory",
            ));
        }
        let found = match volume.symlink_metadata(path) {
            Err(f2fs::Error::NotFound) if self.force => return Ok(()),
            result => result.at(path)?,
        };
        if !found.is_dir() {
            return volume.remove_file(path).at(path);
        }
        if found.ino() == volume.metadata("/").at(path)?.ino() {
            return Err(Failure::at(path, "refused to remove the root directory"));
        }
        if !self.recursive {
            return Err(Failure::at(
                path,
                "is a directory; use rm -r to remove all that is in it",
            ));
        }
        volume.remove_all(path).at(path)
    }
}
