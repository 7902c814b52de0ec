//! `f2fs get`.

use super::place::{Source, has_trailing_slash};
use crate::cli::EngineArgs;
use crate::errors::{At, Failure, Result};
use crate::extract::{Extractor, Trust, Unreadable};
use crate::progress::Progress;
use crate::session;
use clap::Args;
use f2fs::{Verify, Volume, VolumeOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Copy files and trees out of a volume, as cp -a does
///
/// Modes, times, links, extended attributes of users, access lists and holes are kept; owners too
/// if root runs it. Set-id bits, devices and attributes of the system are left out unless --all is
/// given. Nothing is made outside LOCAL, whatever the volume holds. With one source, LOCAL is the
/// directory to copy into or the new name; with several it must be a directory. The source '/'
/// stands for everything on the volume.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The image file or block device
    image: PathBuf,
    /// Files and directories on the volume
    #[arg(required = true, value_name = "/PATH")]
    paths: Vec<PathBuf>,
    /// Where to, on this machine
    #[arg(value_name = "LOCAL")]
    local: PathBuf,
    /// Also set-id bits, devices and extended attributes of the system: for volumes you trust
    #[arg(long, alias = "preserve-all")]
    all: bool,
    /// Ignore wrong checksums of clusters; parts that still cannot be read become zeros, and are
    /// told
    #[arg(long)]
    salvage: bool,
}

impl Get {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        let verify = if self.salvage {
            Verify::Ignore
        } else {
            Verify::Strict
        };
        let options = VolumeOptions {
            verify,
            ..engine.volume_options()
        };
        let mut progress = Progress::new(None);
        session::with_options(&self.image, engine, &options, |volume| {
            let result = self.copy(volume, &mut progress);
            progress.clear();
            result
        })
    }

    fn copy(&self, volume: &Volume, progress: &mut Progress) -> Result<()> {
        if self.check_local()? {
            let mut extractor = self.extractor(volume, &self.local, progress)?;
            for path in &self.paths {
                match Source::of(path) {
                    Source::Named(name) => extractor.get(path, name)?,
                    Source::Contents => extractor.get_contents(path)?,
                }
            }
            extractor.finish()?;
        } else {
            self.copy_to_new_name(volume, progress)?;
        }
        if progress.problems() > 0 {
            Err(Failure::Told)
        } else {
            Ok(())
        }
    }

    fn copy_to_new_name(&self, volume: &Volume, progress: &mut Progress) -> Result<()> {
        let name = self.local.file_name();
        let name = name.ok_or_else(|| Failure::at(&self.local, "not a name for a new file"))?;
        let parent = self
            .local
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        let path = &self.paths[0];
        if has_trailing_slash(&self.local) && !volume.symlink_metadata(path).at(path)?.is_dir() {
            return Err(Failure::at(&self.local, "no such directory; make it first"));
        }
        let mut extractor = self.extractor(volume, parent, progress)?;
        extractor.get(path, name)?;
        extractor.finish()
    }

    fn extractor<'a>(
        &self,
        volume: &'a Volume,
        root: &Path,
        progress: &'a mut Progress,
    ) -> Result<Extractor<'a>> {
        let trust = if self.all {
            Trust::All
        } else {
            Trust::Untrusted
        };
        let unreadable = if self.salvage {
            Unreadable::Skip
        } else {
            Unreadable::Refuse
        };
        Extractor::new(volume, root, (trust, unreadable), progress)
    }

    /// Whether the destination is a directory to copy into; fails if it has to be one.
    fn check_local(&self) -> Result<bool> {
        let several = self.paths.len() > 1;
        match self.local.metadata() {
            Ok(found) if found.is_dir() => Ok(true),
            Ok(_) if several => Err(Failure::at(
                &self.local,
                "several sources need a directory as destination",
            )),
            Err(error) if error.kind() == ErrorKind::NotFound && several => {
                Err(Failure::at(&self.local, "no such directory; make it first"))
            }
            Ok(_) => Ok(false),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).at(&self.local),
        }
    }
}
