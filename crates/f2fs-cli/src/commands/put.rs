//! `f2fs put`.

use super::place::{Source, has_trailing_slash, parse_owner};
use crate::cli::EngineArgs;
use crate::compress::CompressArgs;
use crate::errors::{At, Failure, Result};
use crate::import::{Choice, ImportOptions, Importer, total_bytes};
use crate::progress::Progress;
use crate::session;
use clap::Args;
use f2fs::{CompressDefaults, Volume};
use f2fs_format::Features;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Copy files and trees into a volume, as cp -a does
///
/// Owners, modes, times, hard and symbolic links, special files, extended attributes, access lists
/// and holes are kept. With one source, DEST is the directory to copy into or the new name; with
/// several it must be a directory. A source that ends in '/.' stands for what is in it. Files of
/// the same name are replaced, directories are filled. If the volume gets full, what was complete
/// stays.
#[derive(Debug, Args)]
pub(crate) struct Put {
    /// The image file or block device
    image: PathBuf,
    /// Files and directories of this machine
    #[arg(required = true, value_name = "LOCAL")]
    locals: Vec<PathBuf>,
    /// Where to, on the volume
    #[arg(value_name = "/DEST")]
    dest: PathBuf,
    #[command(flatten)]
    compress: CompressArgs,
    /// Do not compress, whatever the directory says
    #[arg(long, conflicts_with = "compress")]
    no_compress: bool,
    /// Give everything to this owner
    #[arg(long, value_name = "UID:GID", value_parser = parse_owner)]
    owner: Option<(u32, u32)>,
}

impl Put {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        let chosen = self.compress.defaults()?;
        let mut progress = Progress::new(None);
        if progress.is_visible() {
            progress.set_total(total_bytes(&self.locals));
        }
        session::writing(&self.image, engine, |volume| {
            let result = self.copy(volume, chosen, &mut progress);
            progress.clear();
            result
        })
    }

    fn copy(
        &self,
        volume: &Volume,
        chosen: Option<CompressDefaults>,
        progress: &mut Progress,
    ) -> Result<()> {
        let is_dir = self.check_dest(volume)?;
        let features = volume.info().super_block.features;
        let compress = match chosen {
            Some(chosen) => Choice::On(chosen),
            // Without the feature nothing is compressed, and nothing needs to be said.
            None if self.no_compress && features.contains(Features::COMPRESSION) => Choice::Off,
            None => Choice::Inherit,
        };
        let image = self
            .image
            .metadata()
            .ok()
            .map(|image| (image.dev(), image.ino()));
        let options = ImportOptions {
            compress,
            owner: self.owner,
            image,
        };
        let mut importer = Importer::new(volume, options, progress);
        for local in &self.locals {
            let dest = match Source::of(local) {
                Source::Named(name) if is_dir => self.dest.join(name),
                Source::Named(_) | Source::Contents => self.dest.clone(),
            };
            importer.put(local, &dest)?;
        }
        if progress.problems() > 0 {
            Err(Failure::Told)
        } else {
            Ok(())
        }
    }

    /// Whether the destination is a directory to copy into; fails if it has to be one.
    fn check_dest(&self, volume: &Volume) -> Result<bool> {
        let missing = |why: &str| {
            let text = format!("no such directory, and {why}; make it with 'f2fs mkdir -p'");
            Err(Failure::at(&self.dest, text))
        };
        match volume.metadata(&self.dest) {
            Ok(found) if found.is_dir() => Ok(true),
            Ok(_) if self.locals.len() > 1 => Err(Failure::at(
                &self.dest,
                "several sources need a directory as destination",
            )),
            Ok(_) => Ok(false),
            Err(f2fs::Error::NotFound) => {
                if self.locals.len() > 1 {
                    return missing("several sources need one");
                }
                if has_trailing_slash(&self.dest) && !self.locals[0].is_dir() {
                    return missing("a file needs one");
                }
                let parent = self.dest.parent().unwrap_or(Path::new("/"));
                match volume.metadata(parent) {
                    Err(f2fs::Error::NotFound) => missing("neither is the one above it"),
                    Err(error) => Err(error).at(parent),
                    Ok(_) => Ok(false),
                }
            }
            Err(error) => Err(error).at(&self.dest),
        }
    }
}
