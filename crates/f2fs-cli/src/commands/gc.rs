//! `f2fs gc`.

use crate::cli::EngineArgs;
use crate::errors::{At, Failure, Result, complain};
use crate::session;
use crate::size::human;
use crate::text::{out, print_json, shown};
use clap::Args;
use f2fs::{GcOptions, GcReport};
use runtime::ioctl::OnF2fs;
use serde::Serialize;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

/// Sections after which it is enough, should the file system never say so.
const SECTIONS_MAX: u64 = 1 << 20;
/// ENODATA: there is nothing to clean.
const NO_DATA: i32 = rustix::io::Errno::NODATA.raw_os_error();
/// Bytes of a segment.
const SEGMENT: u64 = 2 << 20;

/// Move what is in use together, so that large files find contiguous room
///
/// Segments that are partly in use are emptied and become free as a whole. What is free in all stays the same.
#[derive(Debug, Args)]
pub(crate) struct Gc {
    /// The image file or block device, or a directory of a mounted volume (for root)
    target: PathBuf,
    /// Clean segments that are in use to at most so many percent [default: 93]
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    utilisation: Option<u8>,
    /// Stop when so many segments of 2 MiB are free
    #[arg(long, value_name = "SEGMENTS")]
    free: Option<u32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct JsonReport {
    segments_cleaned: u64,
    data_blocks_moved: u64,
    node_blocks_moved: u64,
    sections_refused: u64,
    free_segments_before: u32,
    free_segments_after: u32,
}

impl Gc {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        if self.target.is_dir() {
            return self.mounted();
        }
        let defaults = GcOptions::default();
        let options = GcOptions {
            free_segments: self.free.unwrap_or(defaults.free_segments),
            utilisation_max: self.utilisation.unwrap_or(defaults.utilisation_max),
        };
        session::writing(&self.target, engine, |volume| {
            let report = volume.gc(options).at(&self.target)?;
            if self.json {
                print_json(&json(&report))?;
            } else {
                let mut out = out();
                writeln!(out, "{}", summary(&report))?;
                out.flush()?;
            }
            self.tell_damage(volume.needs_fsck())
        })
    }

    /// Asks whoever serves the mount, section by section.
    fn mounted(&self) -> Result<()> {
        let fail = |what: &str| Failure::at(&self.target, what);
        if self.utilisation.is_some() || self.free.is_some() || self.json {
            return Err(Failure::usage(
                "--utilisation, --free and --json work on images and devices only",
            ));
        }
        let dir = File::open(&self.target).at(&self.target)?;
        let mount = OnF2fs::new(&dir).at(&self.target)?.filter(|m| m.is_f2fs());
        let mount = mount.ok_or_else(|| fail("not a directory of a mounted F2FS volume"))?;
        let mut sections = 0_u64;
        loop {
            match mount.collect_section() {
                Ok(()) if sections < SECTIONS_MAX => sections += 1,
                Ok(()) => break,
                Err(error) if error.raw_os_error() == Some(NO_DATA) => break,
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    return Err(fail("only root may clean a mounted volume"));
                }
                Err(error) => return Err(error).at(&self.target),
            }
        }
        mount.write_checkpoint().at(&self.target)?;
        let mut out = out();
        writeln!(out, "{sections} sections cleaned")?;
        Ok(out.flush()?)
    }

    fn tell_damage(&self, needs_fsck: bool) -> Result<()> {
        if !needs_fsck {
            return Ok(());
        }
        complain(format_args!(
            "f2fs: {}: some segments contradict their summaries and were left alone; run 'fsck.f2fs -f' on it",
            shown(&self.target)
        ));
        Err(Failure::Told)
    }
}

fn json(report: &GcReport) -> JsonReport {
    JsonReport {
        segments_cleaned: report.segments,
        data_blocks_moved: report.data_blocks,
        node_blocks_moved: report.node_blocks,
        sections_refused: report.refused,
        free_segments_before: report.free_before,
        free_segments_after: report.free_after,
    }
}

fn summary(report: &GcReport) -> String {
    let moved = (report.data_blocks + report.node_blocks) * 4096;
    let free = u64::from(report.free_after) * SEGMENT;
    let refused = match report.refused {
        0 => String::new(),
        1 => "; 1 section left alone".to_owned(),
        n => format!("; {n} sections left alone"),
    };
    format!(
        "{} segments cleaned, {} moved; free segments {} -> {} ({}){refused}",
        report.segments,
        human(moved),
        report.free_before,
        report.free_after,
        human(free)
    )
}
