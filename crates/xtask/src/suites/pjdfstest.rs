//! pjdfstest: what POSIX says about each system call.

use super::Context;
use super::context::{both, limited, tail, workspace};
use crate::run;
use anyhow::{Context as _, Result, ensure};
use std::process::Command;
use std::time::Duration;
use testkit::system::System;

/// The suite as cargo installs it.
const VERSION: &str = "pjdfstest@0.2.2";
/// Features, users and expected failures.
const CONFIGURATION: &str = include_str!("pjdfstest.toml");

pub(super) fn run(cx: &Context) -> Result<String> {
    install()?;
    let work = tempfile::tempdir()?;
    let configuration = work.path().join("pjdfstest.toml");
    std::fs::write(&configuration, text_for(&cx.system))?;
    // Links between file systems must be refused.
    let other = tempfile::tempdir_in("/dev/shm")?;
    let mut mount = cx.mount(2, None)?;
    let mut command = Command::new(tools().join("bin/pjdfstest"));
    command
        .arg("-c")
        .arg(&configuration)
        .arg("-s")
        .arg(other.path())
        .arg("-p")
        .arg(mount.dir());
    let ended = limited(&command, Duration::from_mins(30)).output()?;
    let text = both(&ended);
    ensure!(
        ended.status.success(),
        "{}{}",
        ended.status,
        failures(&text)
    );
    mount.check_by_kernel()?;
    let summary = text.lines().rfind(|line| line.contains("total"));
    Ok(plain(summary.with_context(|| {
        format!("no summary in {}", tail(&text))
    })?))
}

/// Other folders of the same file system must stay writable.
fn text_for(system: &System) -> String {
    let may_remount = !matches!(system, System::Folder(_));
    CONFIGURATION.replace(
        "allow_remount = true",
        &format!("allow_remount = {may_remount}"),
    )
}

fn tools() -> std::path::PathBuf {
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

/// The tests that failed, and the summary.
fn failures(text: &str) -> String {
    let lines = text.lines().filter(|line| {
        line.contains("FAILED") || line.contains("UNEXPECTEDLY") || line.contains("total")
    });
    lines.map(|line| format!("\n{}", plain(line))).collect()
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
