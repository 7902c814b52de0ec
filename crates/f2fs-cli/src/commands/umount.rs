//! `f2fs umount`: the end of a mount.

use crate::errors::{Code, Failure, Result};
use clap::Args;
use f2fs_fuse::UmountError;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

/// Unmount a volume, and wait until its last checkpoint is written.
///
/// Works on a mount whose process was killed, too: the next mount finds its last checkpoint and what was fsynced.
#[derive(Debug, Args)]
pub(crate) struct Umount {
    /// The directory it is mounted on
    point: PathBuf,
    /// Take it out of the tree even if it is in use; it ends with its last user
    #[arg(short, long)]
    lazy: bool,
    /// How long to wait for the last checkpoint
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    wait: u64,
    /// Wait for the end of standard input, then take the mount away if its process is gone
    #[arg(long, hide = true)]
    when_closed: bool,
}

impl Umount {
    pub(crate) fn run(&self) -> Result<()> {
        if self.when_closed {
            // A session of its own: signals to the mount's process group are not for this one.
            let _ = rustix::process::setsid();
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            return match f2fs_fuse::take_away_dead(&self.point) {
                Ok(()) | Err(UmountError::NotMounted(_)) => Ok(()),
                Err(error) => Err(Failure::failed(error.to_string())),
            };
        }
        let how = f2fs_fuse::Umount {
            lazy: self.lazy,
            wait: Duration::from_secs(self.wait),
        };
        f2fs_fuse::umount(&self.point, &how).map_err(|error| match &error {
            UmountError::NotWritten { error: cause, .. }
                if cause.kind() == ErrorKind::StorageFull =>
            {
                Failure::new(Code::NoSpace, error.to_string())
            }
            _ => Failure::failed(error.to_string()),
        })
    }
}
