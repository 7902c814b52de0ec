//! The engine's counters, for people and for scripts.

use crate::cli::StatsFormat;
use crate::size::human;
use f2fs::Stats;
use serde::Serialize;
use std::fmt::Write as _;

/// The counters of one volume, as they are printed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    folios_by_order: Vec<u64>,
    folios_reclaimed: u64,
    folios_over_budget: u64,
    cache_bytes_max: u64,
    bytes_in: u64,
    bytes_out: u64,
    clusters_read: u64,
    clusters_not_read: u64,
    clusters_compressed: u64,
    clusters_incompressible: u64,
    clusters_raw: u64,
    blocks_saved: u64,
    raw_blocks_written: u64,
    node_blocks_written: u64,
    checkpoints: u64,
    device_reads: u64,
    device_read_bytes: u64,
    device_writes: u64,
    device_written_bytes: u64,
    device_flushes: u64,
    device_discards: u64,
    device_discarded_bytes: u64,
    largest_bio: u64,
}

impl Report {
    /// Of the engine's counters.
    pub(crate) fn new(stats: &Stats) -> Self {
        let Stats {
            cache,
            data,
            device,
        } = stats;
        Self {
            folios_by_order: cache.folios_by_order.to_vec(),
            folios_reclaimed: cache.reclaimed,
            folios_over_budget: cache.over_budget,
            cache_bytes_max: cache.used_pages_max as u64 * 4096,
            bytes_in: data.bytes_written,
            bytes_out: data.bytes_read,
            clusters_read: data.clusters_read,
            clusters_not_read: data.clusters_not_read,
            clusters_compressed: data.clusters_compressed,
            clusters_incompressible: data.clusters_incompressible,
            clusters_raw: data.clusters_raw,
            blocks_saved: data.blocks_saved,
            raw_blocks_written: data.raw_blocks_written,
            node_blocks_written: data.node_blocks_written,
            checkpoints: data.checkpoints,
            device_reads: device.reads,
            device_read_bytes: device.read_bytes,
            device_writes: device.writes,
            device_written_bytes: device.written_bytes,
            device_flushes: device.flushes,
            device_discards: device.discards,
            device_discarded_bytes: device.discarded_bytes,
            largest_bio: device.largest_bio,
        }
    }

    /// Folios by their size, those that were made at all: `1.9 MiB x 3`.
    pub(crate) fn folios(&self) -> String {
        folios_text(&self.folios_by_order)
    }

    /// Clusters by how they were written.
    pub(crate) fn clusters(&self) -> String {
        format!(
            "clusters: {} compressed, {} incompressible, {} raw (ends of files, holes)",
            self.clusters_compressed, self.clusters_incompressible, self.clusters_raw
        )
    }

    /// What compression saved of `bytes`.
    pub(crate) fn saved(&self, bytes: u64) -> String {
        let saved = self.blocks_saved * 4096;
        let percent = (saved * 100).checked_div(bytes).unwrap_or(0);
        format!(
            "blocks saved: {} ({}, {percent}% of the bytes)",
            self.blocks_saved,
            human(saved)
        )
    }

    /// Writes to the device.
    pub(crate) fn bios(&self) -> String {
        format!(
            "device writes: {} of {} in all, the largest of file data {}",
            self.device_writes,
            human(self.device_written_bytes),
            human(self.largest_bio)
        )
    }
}

/// Counts of folios by order as text.
pub(crate) fn folios_text(by_order: &[u64]) -> String {
    let mut text = String::new();
    for (order, count) in by_order.iter().enumerate().filter(|(_, count)| **count > 0) {
        let separator = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{separator}{} x {count}", human(4096 << order));
    }
    if text.is_empty() {
        "none".to_owned()
    } else {
        text
    }
}

/// Prints the counters on standard error.
pub(crate) fn print(format: StatsFormat, stats: &Stats) {
    let report = Report::new(stats);
    match format {
        StatsFormat::Json => {
            let line = serde_json::to_string(&report).expect("numbers become JSON");
            crate::errors::complain(format_args!("{line}"));
        }
        StatsFormat::Text => eprint!("{}", text(&report)),
    }
}

fn text(r: &Report) -> String {
    let average = |bytes: u64, count: u64| human(bytes.checked_div(count).unwrap_or(0));
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<22} {value}");
    };
    line("folios made", r.folios());
    line(
        "folios reclaimed",
        format!(
            "{} ({} over the budget)",
            r.folios_reclaimed, r.folios_over_budget
        ),
    );
    line("cache, at most", human(r.cache_bytes_max));
    line(
        "bytes in, out",
        format!("{}, {}", human(r.bytes_in), human(r.bytes_out)),
    );
    line("clusters read", r.clusters_read.to_string());
    line(
        "clusters not read",
        format!("{} (a write replaced them whole)", r.clusters_not_read),
    );
    line(
        "clusters written",
        format!(
            "{} compressed, {} incompressible, {} raw (end of file, holes)",
            r.clusters_compressed, r.clusters_incompressible, r.clusters_raw
        ),
    );
    line(
        "blocks saved",
        format!("{} ({})", r.blocks_saved, human(r.blocks_saved * 4096)),
    );
    line(
        "blocks written",
        format!(
            "{} data, {} node",
            r.raw_blocks_written, r.node_blocks_written
        ),
    );
    line("checkpoints", r.checkpoints.to_string());
    line(
        "device reads",
        format!(
            "{} of {} ({} on average)",
            r.device_reads,
            human(r.device_read_bytes),
            average(r.device_read_bytes, r.device_reads)
        ),
    );
    line(
        "device writes",
        format!(
            "{} of {} ({} on average), {} flushes",
            r.device_writes,
            human(r.device_written_bytes),
            average(r.device_written_bytes, r.device_writes),
            r.device_flushes,
        ),
    );
    line("largest bio", human(r.largest_bio));
    line(
        "device discards",
        format!(
            "{} of {}",
            r.device_discards,
            human(r.device_discarded_bytes)
        ),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::folios_text;

    #[test]
    fn only_orders_in_use_are_listed() {
        assert_eq!(
            folios_text(&[3, 0, 0, 0, 0, 0, 0, 0, 0, 2]),
            "4.0 KiB x 3, 2.0 MiB x 2"
        );
        assert_eq!(folios_text(&[0; 10]), "none");
    }
}
