//! Cleaning and trimming all the time while fio writes, reads and verifies.

use super::Context;
use super::context::{limited, need, output};
use anyhow::{Context as _, Result, ensure};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use testkit::system::System;

/// GiB of a volume.
const GIB: u64 = 1;
/// How long one command may take.
const PATIENCE: Duration = Duration::from_mins(5);

pub(super) fn run(cx: &Context) -> Result<String> {
    let System::F2fs(binary) = &cx.system else {
        return Ok("nothing to clean".into());
    };
    need("fio")?;
    let mut sections = 0;
    for compress in [None, Some("lz4")] {
        let kind = compress.unwrap_or("plain");
        let mut mount = cx.mount(GIB, compress)?;
        let dir = mount.dir();
        let is_over = AtomicBool::new(false);
        let cleaned = std::thread::scope(|scope| {
            let cleaner = scope.spawn(|| clean(binary, &dir, &is_over));
            let verified = verify(cx, &dir);
            is_over.store(true, Ordering::Relaxed);
            let cleaned = cleaner.join().expect("the cleaner does not panic");
            verified.and(cleaned)
        });
        sections += cleaned.context(kind)?;
        mount.check_by_kernel().context(kind)?;
    }
    ensure!(sections > 20, "only {sections} sections were cleaned");
    Ok(format!("{sections} sections cleaned meanwhile"))
}

/// Files that fill half of the volume, overwritten at random, verified.
fn verify(cx: &Context, dir: &Path) -> Result<()> {
    let mut command = Command::new("fio");
    command
        .arg("--name=job")
        .arg(format!("--directory={}", dir.display()))
        .arg(format!("--randseed={}", cx.seed))
        .arg(format!("--loops={}", cx.pick(40, 2)))
        .args(["--numjobs=3", "--size=96M", "--rw=randwrite"])
        .args(["--bssplit=4k/60:12k/20:64k/20", "--ioengine=psync"])
        .args(["--verify=crc32c", "--verify_fatal=1", "--do_verify=1"])
        .args(["--verify_backlog=2000", "--buffer_compress_percentage=50"])
        .args(["--fsync=200", "--group_reporting", "--output-format=terse"])
        // fio keeps a state file of each job where it stands.
        .current_dir(dir);
    output(&command, Duration::from_mins(cx.pick(60, 5)))?;
    Ok(())
}

/// Cleans, then trims, until fio has ended; the sections that were cleaned.
fn clean(binary: &Path, dir: &Path, is_over: &AtomicBool) -> Result<u64> {
    let run = |name: &str| -> Result<String> {
        let mut command = Command::new(binary);
        command.arg(name).arg(dir);
        let ended = limited(&command, PATIENCE).output()?;
        let errors = String::from_utf8_lossy(&ended.stderr);
        ensure!(ended.status.success(), "f2fs {name}: {errors}");
        Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
    };
    let mut sections = 0;
    while !is_over.load(Ordering::Relaxed) {
        let told = run("gc")?;
        let count = told.split(' ').next().unwrap_or_default();
        sections += count.parse::<u64>().with_context(|| told.clone())?;
        run("trim")?;
    }
    Ok(sections)
}
