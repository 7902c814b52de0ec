//! `--dry-run`: what compression would save.

use super::count_of;
use super::files::{Collected, Files, Found};
use crate::errors::{At, Failure, Result};
use crate::progress::Progress;
use crate::size::human;
use crate::text::{out, shown};
use f2fs::{CompressDefaults, Estimate, Estimator};
use std::collections::HashMap;
use std::io::Write;
use std::time::{Duration, Instant};

/// Of larger files, so much is encoded.
const SAMPLE: u64 = 64 << 20;
const BLOCK: u64 = 4096;

/// How a file would be compressed.
#[derive(Debug)]
pub(super) struct DryRun {
    pub(super) chosen: CompressDefaults,
    /// Whether the user gave them; otherwise a file that is marked keeps its own.
    pub(super) algorithm_is_given: bool,
    pub(super) cluster_is_given: bool,
    pub(super) threads: usize,
}

/// What was found out about all files.
#[derive(Debug, Default)]
struct Total {
    files: u64,
    data_blocks: u64,
    estimate: Estimate,
    encoding: Duration,
    all: Duration,
}

impl DryRun {
    pub(super) fn run(&self, files: &dyn Files, collected: &Collected) -> Result<()> {
        let bytes = collected.files.iter().map(|found| found.len).sum();
        let mut progress = Progress::new(Some(bytes));
        for failure in &collected.problems {
            progress.problem(failure);
        }
        let mut estimators = HashMap::new();
        let mut total = Total::default();
        let mut lines = Vec::new();
        for found in &collected.files {
            progress.at(&found.path);
            match self.one(files, found, &mut estimators, &mut total) {
                Ok(line) if found.is_named => lines.push(line),
                Ok(_) => {}
                Err(failure) if failure.is_final() => return Err(failure),
                Err(failure) => progress.problem(&failure),
            }
            progress.add(found.len);
        }
        progress.clear();
        let mut out = out();
        // One line would say the same as the last.
        for line in lines.iter().filter(|_| lines.len() > 1) {
            writeln!(out, "{line}")?;
        }
        writeln!(out, "{}", total.text())?;
        out.flush()?;
        if progress.problems() > 0 {
            return Err(Failure::Told);
        }
        Ok(())
    }

    fn one(
        &self,
        files: &dyn Files,
        found: &Found,
        estimators: &mut HashMap<String, Estimator>,
        total: &mut Total,
    ) -> Result<String> {
        let compress = self.compression_of(files, found)?;
        let estimator = match estimators.entry(format!("{compress:?}")) {
            std::collections::hash_map::Entry::Occupied(old) => old.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                let new = Estimator::new(&compress, SAMPLE, self.threads);
                place.insert(new.at(&found.path)?)
            }
        };
        let (data, mut read) = files.open(&found.path)?;
        let start = Instant::now();
        let estimate = estimator.estimate(found.len, &data, &mut read);
        let estimate = estimate.at(&found.path)?;
        let blocks = data
            .iter()
            .map(|range| (range.end - range.start).div_ceil(BLOCK))
            .sum();
        total.add(&estimate, blocks, start.elapsed());
        Ok(format!(
            "{}: {}",
            shown(&found.path),
            outcome(blocks, &estimate)
        ))
    }

    fn compression_of(&self, files: &dyn Files, found: &Found) -> Result<CompressDefaults> {
        let mut compress = self.chosen;
        let form = if found.is_marked {
            files.form(&found.path)?
        } else {
            None
        };
        if let Some(form) = form {
            if !self.algorithm_is_given {
                compress.algorithm = form.algorithm;
                compress.level = form.level;
            }
            if !self.cluster_is_given {
                compress.log_cluster_size = form.log_cluster_size;
            }
        }
        Ok(compress)
    }
}

/// What is expected of so many blocks of data.
fn outcome(blocks: u64, estimate: &Estimate) -> String {
    let left = blocks.saturating_sub(estimate.saves);
    format!(
        "{} to {}, ratio {:.2}, {} blocks saved",
        human(blocks * BLOCK),
        human(left * BLOCK),
        blocks as f64 / left.max(1) as f64,
        estimate.saves,
    )
}

impl Total {
    fn add(&mut self, estimate: &Estimate, blocks: u64, took: Duration) {
        self.files += 1;
        self.data_blocks += blocks;
        self.estimate.add(estimate);
        self.encoding += took;
        if estimate.sampled > 0 {
            self.all += took.mul_f64(estimate.clusters as f64 / estimate.sampled as f64);
        }
    }

    fn text(&self) -> String {
        let Estimate {
            clusters,
            sampled,
            saves,
            ..
        } = self.estimate;
        let basis = if sampled == clusters {
            "everything was encoded".to_owned()
        } else {
            format!("expected from {sampled} of {clusters} clusters")
        };
        format!(
            "{}: {} ({}); {basis} in {:.1} s, reading and encoding all takes about {:.1} s; nothing was written",
            count_of(self.files),
            outcome(self.data_blocks, &self.estimate),
            human(saves * BLOCK),
            self.encoding.as_secs_f64(),
            self.all.as_secs_f64(),
        )
    }
}
