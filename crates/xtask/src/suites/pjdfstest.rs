//! pjdfstest: what POSIX says about each system call.

use super::Context;
use super::context::{both, limited, tail, workspace};
use crate::run;
use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use testkit::system::System;

/// The suite as cargo installs it.
const VERSION: &str = "pjdfstest@0.2.2";
/// Features, users and expected failures.
const CONFIGURATION: &str = include_str!("pjdfstest.toml");
/// The tests of read-only file systems, which mount it so for a moment.
const READ_ONLY: &str = "erofs";

/// What the last line of a run says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Summary {
    passed: u32,
    expected_failures: u32,
    total: u32,
}

pub(super) fn run(cx: &Context) -> Result<String> {
    install()?;
    // Links between file systems must be refused.
    let other = tempfile::tempdir_in("/dev/shm")?;
    let mut mount = cx.mount(2, None)?;
    let mut all = one(&mount.dir(), other.path(), false, &[])?;
    // A folder's own file system must stay writable for others.
    if !matches!(cx.system, System::Folder(_)) {
        // In a process of their own: a test of posix_fallocate leaves a file open, and then the kernel
        // does not mount read-only.
        let again = one(&mount.dir(), other.path(), true, &[READ_ONLY])?;
        all.passed += again.passed;
    }
    mount.check_by_kernel()?;
    Ok(format!(
        "{} passed, {} failed as expected, {} skipped",
        all.passed,
        all.expected_failures,
        all.total - all.passed - all.expected_failures
    ))
}

fn one(dir: &Path, other: &Path, may_remount: bool, patterns: &[&str]) -> Result<Summary> {
    let work = tempfile::tempdir()?;
    let configuration = work.path().join("pjdfstest.toml");
    let setting = format!("allow_remount = {may_remount}");
    std::fs::write(
        &configuration,
        CONFIGURATION.replace("allow_remount = false", &setting),
    )?;
    let mut command = Command::new(tools().join("bin/pjdfstest"));
    command.arg("-c").arg(&configuration).arg("-s").arg(other);
    command.arg("-p").arg(dir).arg("--").args(patterns);
    let ended = limited(&command, Duration::from_mins(30)).output()?;
    let text = both(&ended);
    ensure!(
        ended.status.success(),
        "{}{}",
        ended.status,
        failures(&text)
    );
    summary(&text).with_context(|| format!("no summary in {}", tail(&text)))
}

fn tools() -> PathBuf {
    workspace().join("target/tools")
}

fn install() -> Result<()> {
    if tools().join("bin/pjdfstest").is_file() {
        return Ok(());
    }
    let root = tools();
    let root = root.to_string_lossy();
    run::cargo(&["install", "--locked", "--quiet", "--root", &root, VERSION])
}

/// The tests that failed with the reason, and the summary.
fn failures(text: &str) -> String {
    let reasons = text.lines().skip(1).chain([""]);
    let told = text.lines().zip(reasons).filter_map(|(line, reason)| {
        if line.contains("FAILED") {
            return Some(format!("\n{}: {}", plain(line), reason.trim()));
        }
        let is_told = line.contains("UNEXPECTEDLY") || line.contains(" total");
        is_told.then(|| format!("\n{}", plain(line)))
    });
    told.collect()
}

/// Reads `Summary: 0 failed, 1 skipped, 391 passed, 0 expected failures, 398 total`.
fn summary(text: &str) -> Option<Summary> {
    let line = plain(text.lines().rfind(|line| line.contains(" total"))?);
    let number = |what: &str| {
        let parts = line.trim_start_matches("Summary:").split(',');
        let mut pairs = parts.filter_map(|part| part.trim().split_once(' '));
        pairs.find(|(_, word)| *word == what)?.0.parse().ok()
    };
    Some(Summary {
        passed: number("passed")?,
        expected_failures: number("expected failures")?,
        total: number("total")?,
    })
}

/// A line without colours.
fn plain(line: &str) -> String {
    let mut parts = line.split('\x1b');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_read_with_its_colours() {
        let text = "x\n\x1b[1;32mSummary\x1b[0m: 0 \x1b[1;31mfailed\x1b[0m, 1 skipped, 391 passed, \
                    2 expected failures, 398 total\n";
        let expected = Summary {
            passed: 391,
            expected_failures: 2,
            total: 398,
        };
        assert_eq!(summary(text), Some(expected));
        assert_eq!(summary("Summary: nothing"), None);
    }
}
