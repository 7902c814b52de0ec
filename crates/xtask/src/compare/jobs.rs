//! The jobs that each system does.

use crate::suites::{Context, output};
use anyhow::{Context as _, Result};
use std::process::Command;
use std::time::Duration;
use testkit::mount::Mount;

/// Longest time of one job.
const LIMIT: Duration = Duration::from_mins(20);

/// MiB that are appended to a log.
const LOG_MIB: u64 = 8;

/// What came out of a job.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub(super) job: &'static str,
    pub(super) unit: &'static str,
    pub(super) value: f64,
}

/// Phases of `mount-tests smallfiles`, as it names them.
const SMALL: [(&str, &str); 4] = [
    ("create", "small: create"),
    ("stat", "small: stat"),
    ("read", "small: read"),
    ("unlink", "small: unlink"),
];

/// Runs all jobs on an empty volume.
pub(super) fn run(cx: &Context, mount: &mut Mount, mib: u64, files: u32) -> Result<Vec<Rate>> {
    let mut rates = Vec::new();
    let write = ["--rw=write", "--bs=1M", "--end_fsync=1"];
    let large = Target { file: "large", mib };
    rates.push(fio(mount, "write 1M", "write", large, &write)?);
    // Of the file system; the image stays in the memory of the machine for all.
    mount.remount()?;
    let read = ["--rw=read", "--bs=1M"];
    rates.push(fio(mount, "read, cold", "read", large, &read)?);
    rates.push(fio(mount, "read, warm", "read", large, &read)?);
    let part = format!("--io_size={}M", mib.div_ceil(8));
    let overwrite = ["--rw=randwrite", "--bs=4k", "--end_fsync=1", &*part];
    rates.push(fio(mount, "overwrite 4K", "write", large, &overwrite)?);
    rates.push(appends(mount)?);
    rates.extend(small(cx, mount, files)?);
    Ok(rates)
}

/// A log: each 4 KiB that are appended are made durable.
fn appends(mount: &Mount) -> Result<Rate> {
    let log = Target {
        file: "log",
        mib: LOG_MIB,
    };
    // Not laid out before: the file grows with each write.
    let append = ["--rw=write", "--bs=4k", "--fsync=1", "--create_on_open=1"];
    let rate = fio(mount, "append 4K, fsync", "write", log, &append)?;
    Ok(Rate {
        unit: "/s",
        value: rate.value * 1e6 / 4096.0,
        ..rate
    })
}

/// A file that fio works on, and its size.
#[derive(Clone, Copy, Debug)]
struct Target {
    file: &'static str,
    mib: u64,
}

/// One job of fio.
fn fio(
    mount: &Mount,
    job: &'static str,
    side: &str,
    target: Target,
    args: &[&str],
) -> Result<Rate> {
    let mut command = Command::new("fio");
    command
        .args([
            "--name=job",
            "--output-format=json",
            "--ioengine=psync",
            "--fallocate=none",
        ])
        .arg(format!(
            "--filename={}",
            mount.dir().join(target.file).display()
        ))
        .arg(format!("--size={}M", target.mib))
        // Data that a codec halves, never the same twice; without a say of fio's on the cache.
        .args([
            "--refill_buffers",
            "--buffer_compress_percentage=50",
            "--invalidate=0",
        ])
        .args(args);
    let text = output(&command, LIMIT)?;
    let start = text.find('{').context("fio printed no JSON")?;
    let json: serde_json::Value = serde_json::from_str(&text[start..])?;
    let bytes = json["jobs"][0][side]["bw_bytes"].as_f64();
    Ok(Rate {
        job,
        unit: "MB/s",
        value: bytes.context("fio printed no bandwidth")? / 1e6,
    })
}

fn small(cx: &Context, mount: &Mount, files: u32) -> Result<Vec<Rate>> {
    let dir = mount.dir().join("small");
    let (dir, files) = (dir.to_string_lossy(), files.to_string());
    let text = cx.mount_tests(&["smallfiles", &*dir, "--files", &files], LIMIT)?;
    let rate = |(phase, job)| {
        let line = text.lines().find_map(|line| line.strip_prefix(phase));
        let value = line.with_context(|| format!("no {phase} in {text}"))?;
        Ok(Rate {
            job,
            unit: "files/s",
            value: value.trim().parse()?,
        })
    };
    SMALL.into_iter().map(rate).collect()
}
