//! `f2fs demo`: the engine at work on a temporary volume, with proof.
//!
//! | module | what |
//! |---|---|
//! | [`gather`] | which files are written |
//! | [`trial`] | writes, rewrites, reads back and compares |
//! | [`judge`] | what `fsck.f2fs` says |
//! | [`report`] | what is printed |

mod gather;
mod judge;
mod report;
mod trial;

use crate::cli::EngineArgs;
use crate::compress::sized;
use crate::errors::{At, Code, Failure, Result};
use crate::progress::Progress;
use crate::size::parse_size;
use crate::text::print_json;
use blockdev::FileDevice;
use clap::Args;
use f2fs_offline::{FormatOptions, RootCompression, format};
use std::path::{Path, PathBuf};

/// What is taken of the default directory.
const LIMIT: u64 = 64 << 20;
/// Room of the volume beside the files.
const ROOM: u64 = 192 << 20;

/// Try it: write files through the compressed large-folio path of a temporary volume, read them
/// back, compare
///
/// Makes a volume whose root is marked for compression, writes the regular files of DIR into it,
/// rewrites the largest one to show that clusters which a write replaces whole are not read, opens
/// the volume again, reads everything back and compares every byte by its SHA-256. Then fsck.f2fs
/// looks at the volume, if it is installed. Nothing outside the temporary directory is changed;
/// files that cannot be read are left out.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Directory to write [default: the first 64 MiB of /usr/bin]
    dir: Option<PathBuf>,
    /// Take no more than this of DIR
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    limit: Option<u64>,
    /// Compression: lz4, zstd, lzo or lzo-rle, optionally with a level
    #[arg(long, value_name = "ALG[:LEVEL]", default_value = "lz4")]
    compress: RootCompression,
    /// Cluster size [default: 64K]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    cluster: Option<u64>,
    /// Keep the volume as this new file
    #[arg(long, value_name = "IMAGE")]
    keep: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Demo {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        let compress = sized(self.compress, self.cluster, false)?;
        if let Some(kept) = self
            .keep
            .as_deref()
            .filter(|kept| kept.symlink_metadata().is_ok())
        {
            return Err(Failure::at(kept, "exists; --keep needs a new name"));
        }
        let work = tempfile::tempdir().at(&std::env::temp_dir())?;
        let files = self.gather(work.path())?;
        let image = self
            .keep
            .clone()
            .unwrap_or_else(|| work.path().join("demo.img"));
        let size = make_volume(&image, &files, compress)?;
        let mut progress = Progress::new(Some(2 * files.bytes));
        let trial = trial::run(&image, engine, &files, &mut progress);
        progress.clear();
        let report = report::Report {
            volume_bytes: size,
            compression: report::Compression::new(compress),
            trial: trial?,
            fsck: judge::look(&image),
        };
        if self.json {
            print_json(&report)?;
        } else {
            report.print(&files, self.keep.as_deref())?;
        }
        report.verdict()
    }

    fn gather(&self, work: &Path) -> Result<gather::Files> {
        let files = match &self.dir {
            Some(dir) => gather::tree(dir, self.limit.unwrap_or(u64::MAX))?,
            None => gather::default_files(self.limit.unwrap_or(LIMIT), work)?,
        };
        if files.list.is_empty() {
            let dir = self.dir.as_deref().unwrap_or(Path::new(gather::DEFAULT));
            return Err(Failure::at(
                dir,
                "holds no file that can be read; name another directory",
            ));
        }
        Ok(files)
    }
}

/// Makes the volume; its bytes.
fn make_volume(image: &Path, files: &gather::Files, compress: RootCompression) -> Result<u64> {
    // Blocks that compression saves stay reserved, so there must be room for all; and each file has
    // its inode.
    let data = files.bytes + files.list.len() as u64 * 8192;
    let size = (data + data / 8 + ROOM).next_multiple_of(2 << 20);
    let options = FormatOptions {
        compress: Some(compress),
        label: "demo".to_owned(),
        ..FormatOptions::new(size)
    };
    let device = FileDevice::create(image, size, 0).at(image)?;
    format(&device, &options)
        .map_err(|error| Failure::new(Code::Volume, format!("{}: {error}", image.display())))?;
    Ok(size)
}
