//! `f2fs trim`.

use crate::cli::EngineArgs;
use crate::errors::{At, Failure, Result};
use crate::session;
use crate::size::{human, parse_size};
use crate::text::{out, shown};
use clap::Args;
use rustix::io::Errno;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

/// File systems that may be ours: mounted by this command, or by Linux itself.
const MOUNTS: [u64; 2] = [0x6573_5546, 0xf2f5_2010];

/// Give the free space of a volume back to what it lies on
///
/// An image file becomes smaller, a block device is told to discard. Closing a volume does this for what was freed
/// meanwhile; this command does it for everything that is free, whoever freed it.
#[derive(Debug, Args)]
pub(crate) struct Trim {
    /// The image file or block device, or a directory of a mounted volume (for root)
    target: PathBuf,
    /// Leave shorter runs of free space alone
    #[arg(short, long, value_name = "SIZE", value_parser = parse_size, default_value = "0",
          hide_default_value = true)]
    minimum: u64,
    /// Change nothing, only tell how much it would be
    #[arg(long)]
    dry_run: bool,
}

impl Trim {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        let bytes = if self.target.is_dir() {
            self.mounted()?
        } else if self.dry_run {
            session::reading(&self.target, engine, |volume| {
                let report = volume.trimmable(0..u64::MAX, self.minimum);
                Ok(report.at(&self.target)?.bytes)
            })?
        } else {
            session::writing(&self.target, engine, |volume| {
                let report = volume.trim(0..u64::MAX, self.minimum);
                Ok(report.at(&self.target)?.bytes)
            })?
        };
        let done = if self.dry_run {
            "would be trimmed"
        } else {
            "trimmed"
        };
        let mut out = out();
        let size = human(bytes);
        writeln!(
            out,
            "{}: {size} ({bytes} bytes) {done}",
            shown(&self.target)
        )?;
        Ok(out.flush()?)
    }

    /// Asks whoever serves the mount.
    fn mounted(&self) -> Result<u64> {
        let fail = |what: String| Failure::at(&self.target, what);
        if self.dry_run {
            return Err(Failure::usage("--dry-run works on images and devices only"));
        }
        let dir = File::open(&self.target).at(&self.target)?;
        let found = rustix::fs::fstatfs(&dir).map_err(|e| fail(e.to_string()))?;
        if !MOUNTS.contains(&(found.f_type as u64)) {
            return Err(fail("not a directory of a mounted F2FS volume".to_owned()));
        }
        runtime::ioctl::trim(&dir, 0, u64::MAX, self.minimum).map_err(|errno| {
            fail(match errno {
                Errno::PERM => "only root may trim a mounted volume".to_owned(),
                Errno::NOTTY | Errno::OPNOTSUPP | Errno::NOSYS => {
                    "the volume, or what it lies on, cannot discard".to_owned()
                }
                Errno::ROFS => "the volume is read-only".to_owned(),
                errno => format!("cannot be trimmed: {errno}"),
            })
        })
    }
}
