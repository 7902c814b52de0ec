//! `f2fs mkdir`.

use super::place::{parse_mode, parse_owner};
use crate::cli::EngineArgs;
use crate::errors::{At, Result};
use crate::session;
use clap::Args;
use f2fs::Owner;
use std::path::PathBuf;

/// Make directories
#[derive(Debug, Args)]
pub(crate) struct Mkdir {
    /// The image file or block device
    image: PathBuf,
    /// Directories on the volume
    #[arg(required = true, value_name = "/PATH")]
    paths: Vec<PathBuf>,
    /// Also those that lead to them; no complaint if they exist
    #[arg(short, long)]
    parents: bool,
    /// Permissions
    #[arg(short, long, value_name = "OCTAL", value_parser = parse_mode, default_value = "755")]
    mode: u16,
    /// Owner
    #[arg(long, value_name = "UID:GID", value_parser = parse_owner, default_value = "0:0")]
    owner: (u32, u32),
}

impl Mkdir {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        let (uid, gid) = self.owner;
        let owner = Owner {
            permissions: self.mode,
            uid,
            gid,
        };
        session::writing(&self.image, engine, |volume| {
            for path in &self.paths {
                if self.parents {
                    volume.create_dir_all(path, owner).at(path)?;
                } else {
                    volume.create_dir(path, owner).at(path)?;
                }
            }
            Ok(())
        })
    }
}
