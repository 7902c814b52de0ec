//! What the demo prints.

use super::gather::Files;
use super::judge::Verdict;
use super::trial::{Rewritten, Trial};
use crate::errors::{Failure, Result};
use crate::size::{human, rate};
use crate::text::{out, shown};
use f2fs_offline::RootCompression;
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// Everything that happened.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) volume_bytes: u64,
    pub(super) compression: Compression,
    #[serde(flatten)]
    pub(super) trial: Trial,
    pub(super) fsck: Verdict,
}

/// How files were compressed.
#[derive(Debug, Serialize)]
pub(super) struct Compression {
    algorithm: &'static str,
    level: u8,
    cluster_bytes: u64,
}

impl Compression {
    /// Of a root directory.
    pub(super) fn new(root: RootCompression) -> Self {
        Self {
            algorithm: root.algorithm.name(),
            level: root.level,
            cluster_bytes: 4096 << root.log_cluster_size,
        }
    }
}

impl Report {
    /// Success, or what went wrong.
    pub(super) fn verdict(&self) -> Result<()> {
        let different = &self.trial.read.different;
        if let Some(first) = different.first() {
            let text = format!(
                "demo: {} files differ, the first is {first}",
                different.len()
            );
            return Err(Failure::failed(text));
        }
        match &self.fsck {
            Verdict::Wrong(text) => Err(Failure::failed(format!(
                "demo: fsck.f2fs complains:\n{text}"
            ))),
            Verdict::Clean | Verdict::NotInstalled => Ok(()),
        }
    }

    /// Prints it for people.
    pub(super) fn print(&self, files: &Files, kept: Option<&Path>) -> Result<()> {
        let mut out = out();
        let c = &self.compression;
        writeln!(
            out,
            "A volume of {}, files compressed with {} in clusters of {}.",
            human(self.volume_bytes),
            c.algorithm,
            human(c.cluster_bytes)
        )?;
        let mut line = |name: &str, text: String| writeln!(out, "  {name:<10} {text}");
        self.lines_of_write(files, &mut line)?;
        if let Some(rewritten) = &self.trial.rewritten {
            line("rewritten", rewritten_text(rewritten))?;
        }
        let read = &self.trial.read;
        let same = match read.different.len() {
            0 => "every byte is the same".to_owned(),
            n => format!("{n} FILES DIFFER"),
        };
        line(
            "read back",
            format!(
                "{} in {}; {same}",
                human(read.bytes),
                speed(read.bytes, read.seconds)
            ),
        )?;
        line("", format!("folios: {}", read.stats.folios()))?;
        line(
            "fsck.f2fs",
            match &self.fsck {
                Verdict::Clean => "clean".to_owned(),
                Verdict::NotInstalled => "not installed, so not asked".to_owned(),
                Verdict::Wrong(_) => "COMPLAINS".to_owned(),
            },
        )?;
        if let Some(kept) = kept {
            line(
                "kept",
                format!("{}; look at it with 'f2fs ls -lR'", shown(kept)),
            )?;
        }
        Ok(out.flush()?)
    }

    fn lines_of_write(
        &self,
        files: &Files,
        line: &mut impl FnMut(&str, String) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        let written = &self.trial.written;
        let stats = &written.stats;
        let took = speed(written.bytes, written.seconds);
        line(
            "written",
            format!(
                "{} files of {}, {} in {took}",
                written.files,
                files.from,
                human(written.bytes)
            ),
        )?;
        if written.skipped > 0 {
            line(
                "",
                format!(
                    "{} files could not be read and are left out",
                    written.skipped
                ),
            )?;
        }
        line("", format!("folios: {}", stats.folios()))?;
        line("", stats.clusters())?;
        line("", stats.saved(written.bytes))?;
        line("", stats.bios())
    }
}

fn rewritten_text(rewritten: &Rewritten) -> String {
    format!(
        "{} over itself, {} in {}: {} clusters not read because the write replaced them, {} read",
        rewritten.file,
        human(rewritten.bytes),
        speed(rewritten.bytes, rewritten.seconds),
        rewritten.clusters_not_read,
        rewritten.clusters_read
    )
}

fn speed(bytes: u64, seconds: f64) -> String {
    format!("{seconds:.2} s ({})", rate(bytes, seconds))
}
