//! `f2fs gc`.

use crate::cli::EngineArgs;
use crate::errors::{At, Failure, Result, complain};
use crate::session;
use crate::size::human;
use crate::text::{out, print_json, shown};
use clap::Args;
use f2fs::{GcOptions, GcReport};
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;

/// Bytes of a segment.
const SEGMENT: u64 = 2 << 20;

/// Move what is in use together, so that large files find contiguous room
///
/// Segments that are partly in use are emptied and become free as a whole. What is free in all stays the same.
#[derive(Debug, Args)]
pub(crate) struct Gc {
    /// The image file or block device
    image: PathBuf,
    /// Clean segments that are in use to at most so many percent
    #[arg(long, value_name = "PERCENT", default_value_t = GcOptions::default().utilisation_max,
          value_parser = clap::value_parser!(u8).range(1..=100))]
    utilisation: u8,
    /// Stop when so many segments of 2 MiB are free
    #[arg(long, value_name = "SEGMENTS", default_value_t = u32::MAX, hide_default_value = true)]
    free: u32,
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
        let options = GcOptions {
            free_segments: self.free,
            utilisation_max: self.utilisation,
        };
        session::writing(&self.image, engine, |volume| {
            let report = volume.gc(options).at(&self.image)?;
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

    fn tell_damage(&self, needs_fsck: bool) -> Result<()> {
        if !needs_fsck {
            return Ok(());
        }
        complain(format_args!(
            "f2fs: {}: some segments contradict their summaries and were left alone; run 'fsck.f2fs -f' on it",
            shown(&self.image)
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
