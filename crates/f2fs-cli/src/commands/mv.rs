//! `f2fs mv`.

use super::place::Source;
use crate::cli::EngineArgs;
use crate::errors::{At, Failure, Result};
use crate::session;
use clap::Args;
use f2fs::Volume;
use std::path::{Path, PathBuf};

/// Rename files and directories, or move them into a directory
#[derive(Debug, Args)]
pub(crate) struct Mv {
    /// The image file or block device
    image: PathBuf,
    /// What to move, on the volume
    #[arg(required = true, value_name = "/FROM")]
    from: Vec<PathBuf>,
    /// The new name, or a directory
    #[arg(value_name = "/TO")]
    to: PathBuf,
    /// Fail rather than replace a file
    #[arg(short, long)]
    no_clobber: bool,
}

impl Mv {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        session::writing(&self.image, engine, |volume| {
            let is_dir = match volume.metadata(&self.to) {
                Ok(found) => found.is_dir(),
                Err(f2fs::Error::NotFound) => false,
                Err(error) => return Err(error).at(&self.to),
            };
            if self.from.len() > 1 && !is_dir {
                let text = "several sources need a directory; make it with 'f2fs mkdir'";
                return Err(Failure::at(&self.to, text));
            }
            for from in &self.from {
                let Source::Named(name) = Source::of(from) else {
                    return Err(Failure::at(
                        from,
                        "neither the root, '.' nor '..' can be moved",
                    ));
                };
                let to = if is_dir {
                    self.to.join(name)
                } else {
                    self.to.clone()
                };
                self.rename(volume, from, &to)?;
            }
            Ok(())
        })
    }

    fn rename(&self, volume: &Volume, from: &Path, to: &Path) -> Result<()> {
        volume.symlink_metadata(from).at(from)?;
        let result = if self.no_clobber {
            volume.rename_new(from, to)
        } else {
            volume.rename(from, to)
        };
        result.at(to)
    }
}
