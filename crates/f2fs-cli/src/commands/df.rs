//! `f2fs df`.

use crate::cli::EngineArgs;
use crate::errors::Result;
use crate::session;
use crate::size::human;
use crate::text::{out, print_json, shown};
use clap::Args;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;

/// Show how full a volume is
///
/// Blocks that compression saves count as used until they are released, as in Linux.
#[derive(Debug, Args)]
pub(crate) struct Df {
    /// The image file or block device
    image: PathBuf,
    /// Print JSON, in bytes
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Space {
    block_bytes: u64,
    /// Bytes of the volume behind its superblocks.
    volume: u64,
    /// Bytes that files may have in all.
    size: u64,
    used: u64,
    free: u64,
    files: u64,
    files_free: u64,
}

impl Df {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        session::reading(&self.image, engine, |volume| {
            let fs = volume.statfs();
            let used = fs.user_blocks.saturating_sub(fs.blocks_free);
            let space = Space {
                block_bytes: fs.block_bytes,
                volume: fs.blocks * fs.block_bytes,
                size: fs.user_blocks * fs.block_bytes,
                used: used * fs.block_bytes,
                free: fs.blocks_free * fs.block_bytes,
                files: fs.files,
                files_free: fs.files_free,
            };
            if self.json {
                return Ok(print_json(&space)?);
            }
            let percent = (used * 100).div_ceil(fs.user_blocks.max(1));
            let mut out = out();
            writeln!(
                out,
                "{:>10} {:>10} {:>10} {:>5}  Image",
                "Size", "Used", "Free", "Use%"
            )?;
            let (size, used, free) = (human(space.size), human(space.used), human(space.free));
            let image = shown(&self.image);
            writeln!(
                out,
                "{size:>10} {used:>10} {free:>10} {percent:>4}%  {image}"
            )?;
            Ok(out.flush()?)
        })
    }
}
