//! What came out, as tables and files.

use crate::plan::PARTS;
use crate::plot;
use crate::sample::Run;
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::path::Path;

/// Names of the runs.
pub const ENGINE: &str = "engine";
/// The engine, told to clean.
pub const ENGINE_OFTEN: &str = "engine, gc every 16 syncs";
/// The kernel, never in place.
pub const KERNEL_OUT_OF_PLACE: &str = "kernel, out of place";
/// The kernel as it comes.
pub const KERNEL: &str = "kernel, in place";

/// All runs of one call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What decided them.
    pub seed: u64,
    /// MiB of the volume.
    pub mib: u64,
    /// How full it was made, in percent of what users may have.
    pub full: u64,
    /// How many times its size was written.
    pub times: u64,
    /// Operations between two syncs.
    pub sync_every: u32,
    /// The runs.
    pub runs: Vec<Run>,
}

impl Report {
    /// Kinds of volumes, in order.
    pub fn kinds(&self) -> Vec<&str> {
        let mut kinds: Vec<&str> = self.runs.iter().map(|run| run.kind.as_str()).collect();
        kinds.dedup();
        kinds
    }

    /// The runs on one kind of volume.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Run> {
        self.runs.iter().filter(move |run| run.kind == kind)
    }

    /// One line about it.
    pub fn title(&self) -> String {
        format!(
            "{} MiB, up to {} % full, overwritten {} times, a sync every {} operations, seed {}",
            self.mib, self.full, self.times, self.sync_every, self.seed
        )
    }
}

/// Markdown: totals of each run, then the parts of each kind side by side.
pub fn tables(report: &Report) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}\n\n\
         | volume | who | user MiB | device MiB | amplification | moved | nodes | checkpoints | free segments |\n\
         |---|---|---|---|---|---|---|---|---|",
        report.title()
    );
    for run in &report.runs {
        let (Some(cost), Some(last)) = (run.total(), run.samples.last()) else {
            continue;
        };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {:.2} | {:.1} % | {:.1} % | {} | {} |",
            run.kind,
            run.name,
            cost.user_bytes >> 20,
            cost.device_bytes >> 20,
            cost.amplification(),
            cost.cleaner_percent(),
            cost.node_percent(),
            cost.checkpoints,
            last.counts.free_segments,
        );
    }
    for kind in report.kinds() {
        let runs: Vec<&Run> = report.of_kind(kind).collect();
        out.push('\n');
        out.push_str(&parts(kind, report.times, &runs));
    }
    out
}

/// Amplification and the cleaner's share, part by part.
fn parts(kind: &str, times: u64, runs: &[&Run]) -> String {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let mut out = format!("| {kind}: written | {} |\n", names.join(" | "));
    let _ = writeln!(out, "|---|{}", "---|".repeat(runs.len()));
    for part in 1..=PARTS as usize {
        let size = part as f64 * times as f64 / PARTS as f64;
        let _ = write!(out, "| {size:.1} x |");
        for run in runs {
            match run.parts().nth(part - 1) {
                Some((_, cost)) => {
                    let (amplification, moved) = (cost.amplification(), cost.cleaner_percent());
                    let _ = write!(out, " {amplification:.2} ({moved:.0} %) |");
                }
                None => out.push_str(" - |"),
            }
        }
        out.push('\n');
    }
    out
}

/// Writes `age.json`, `age.html` and `age.svg`.
pub fn write(report: &Report, dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let files = [
        ("age.json", serde_json::to_string_pretty(report)?),
        ("age.svg", plot::svg(report)),
        ("age.html", plot::page(report)),
    ];
    for (name, text) in files {
        let path = dir.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        eprintln!("age: wrote {}", path.display());
    }
    Ok(())
}
