//! SIGKILL of the daemon under load. What fsync promised must be there after the next mount, and the
//! checker must be content.

use super::Context;
use super::context::tail;
use anyhow::{Context as _, Result, ensure};
use std::fs::File;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;
use testkit::mount::Mount;
use testkit::system::System;

/// Programs that write at the same time.
const WRITERS: u64 = 3;
/// Longest time in milliseconds until a kill.
const LONGEST: u64 = 3000;

/// A writer, and where it prints what is durable.
struct Writer {
    seed: u64,
    child: Child,
}

pub(super) fn run(cx: &Context) -> Result<String> {
    if let System::Folder(_) = cx.system {
        return Ok("nothing to kill".into());
    }
    let kills = cx.pick(100, 6);
    let work = tempfile::tempdir()?;
    let mut files = 0;
    for n in 0..kills {
        let compress = [None, Some("lz4")][n as usize % 2];
        files += one(cx, n, compress, work.path()).with_context(|| format!("kill {n}"))?;
    }
    Ok(format!("{kills} kills, {files} durable files"))
}

/// One volume, one kill; the number of files that had to survive.
fn one(cx: &Context, n: u64, compress: Option<&'static str>, work: &Path) -> Result<usize> {
    let mut mount = cx.mount(2, compress)?;
    let seeds = (0..WRITERS).map(|writer| (cx.seed * 1000 + n) * WRITERS + writer);
    let mut writers = Vec::new();
    for seed in seeds {
        writers.push(Writer::start(cx, &mount, seed, work)?);
    }
    // Spread over the time in which the daemon fills its caches and writes its first checkpoints.
    let wait = 200 + (n * 997 + cx.seed * 131) % LONGEST;
    std::thread::sleep(Duration::from_millis(wait));
    for writer in &mut writers {
        let ended = writer.child.try_wait()?;
        ensure!(
            ended.is_none(),
            "a writer failed before the kill: {}",
            writer.errors(work)
        );
    }
    mount.kill()?;
    for writer in &mut writers {
        writer.child.wait()?;
    }
    mount.unmount().context("unmount after the kill")?;
    mount.mount().context("mount after the kill")?;
    let mut files = 0;
    for writer in &writers {
        files += writer.verify(cx, &mount, work)?;
    }
    mount.check_by_kernel()?;
    Ok(files)
}

impl Writer {
    fn start(cx: &Context, mount: &Mount, seed: u64, work: &Path) -> Result<Self> {
        let child = cx
            .program()
            .arg("durable")
            .arg(mount.dir())
            .args(["--seed", &seed.to_string()])
            .stdout(File::create(work.join(format!("lines{seed}")))?)
            .stderr(File::create(work.join(format!("errors{seed}")))?)
            .stdin(Stdio::null())
            .spawn()?;
        Ok(Self { seed, child })
    }

    fn errors(&self, work: &Path) -> String {
        let path = work.join(format!("errors{}", self.seed));
        std::fs::read_to_string(path).unwrap_or_default()
    }

    fn verify(&self, cx: &Context, mount: &Mount, work: &Path) -> Result<usize> {
        let lines = work.join(format!("lines{}", self.seed));
        let dir = mount.dir();
        let args = [
            "durable".as_ref(),
            dir.as_os_str(),
            "--verify".as_ref(),
            lines.as_os_str(),
        ];
        let text = cx.mount_tests(&args, Duration::from_mins(5))?;
        let count = text.split(' ').next().and_then(|word| word.parse().ok());
        count.with_context(|| format!("no count in {}", tail(&text)))
    }
}
