//! `f2fs ln`.

use super::place::{Source, parse_owner};
use crate::cli::EngineArgs;
use crate::errors::{At, Failure, Result};
use crate::session;
use clap::Args;
use f2fs::Owner;
use std::path::PathBuf;

/// Make hard or symbolic links
#[derive(Debug, Args)]
pub(crate) struct Ln {
    /// The image file or block device
    image: PathBuf,
    /// The file on the volume that gets another name, or the text of the symbolic link
    #[arg(value_name = "TARGET")]
    target: PathBuf,
    /// The new name, or a directory for it
    #[arg(value_name = "/LINK")]
    link: PathBuf,
    /// A symbolic link
    #[arg(short, long)]
    symbolic: bool,
    /// Replace a file of the new name
    #[arg(short, long)]
    force: bool,
    /// Owner of a symbolic link
    #[arg(long, value_name = "UID:GID", value_parser = parse_owner, default_value = "0:0")]
    owner: (u32, u32),
}

impl Ln {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        session::writing(&self.image, engine, |volume| {
            let into_dir = volume
                .metadata(&self.link)
                .is_ok_and(|found| found.is_dir());
            let link = match (into_dir, Source::of(&self.target)) {
                (true, Source::Named(name)) => self.link.join(name),
                (true, Source::Contents) => {
                    return Err(Failure::at(&self.link, "give the link a name of its own"));
                }
                (false, _) => self.link.clone(),
            };
            if !self.symbolic {
                // Before the old name goes.
                let found = volume.symlink_metadata(&self.target).at(&self.target)?;
                if volume
                    .symlink_metadata(&link)
                    .is_ok_and(|there| there.ino() == found.ino())
                {
                    return Err(Failure::at(&link, "is the same file already"));
                }
            }
            if self.force {
                match volume.remove_file(&link) {
                    Ok(()) | Err(f2fs::Error::NotFound) => {}
                    Err(error) => return Err(error).at(&link),
                }
            }
            if self.symbolic {
                let (uid, gid) = self.owner;
                let owner = Owner {
                    permissions: 0o777,
                    uid,
                    gid,
                };
                return volume.symlink(&self.target, &link, owner).at(&link);
            }
            volume.hard_link(&self.target, &link).at(&link)
        })
    }
}
