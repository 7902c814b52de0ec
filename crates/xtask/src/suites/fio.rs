//! fio with checksums in each block: kinds of preallocation, of access and of engine.

use super::Context;
use super::context::{need, output};
use anyhow::{Context as _, Result};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Jobs that write at the same time.
const JOBS: u32 = 4;
/// How space is taken before the writes.
const PREALLOCATIONS: [&str; 3] = ["none", "native", "posix"];
/// What is done: a name and arguments.
const MIXES: [(&str, &[&str]); 6] = [
    ("sequential", &["--rw=write", "--bs=1M"]),
    ("random", &["--rw=randwrite", "--bs=4k"]),
    (
        "split",
        &[
            "--rw=randwrite",
            "--bssplit=512/20:4k/30:12k/20:64k/20:128k/10",
        ],
    ),
    ("mixed", &["--rw=randrw", "--bs=4k", "--rwmixread=30"]),
    ("mapped", &["--rw=randwrite", "--bs=4k", "--ioengine=mmap"]),
    ("direct", &["--rw=randwrite", "--bs=8k", "--direct=1"]),
];

pub(super) fn run(cx: &Context) -> Result<String> {
    need("fio")?;
    let mut count = 0;
    for compress in [None, Some("lz4")] {
        let kind = compress.unwrap_or("plain");
        let mut mount = cx.mount(8, compress)?;
        for preallocation in PREALLOCATIONS {
            for (name, args) in MIXES {
                let dir = mount.dir().join(format!("{name}-{preallocation}"));
                one(cx, &dir, preallocation, args)
                    .with_context(|| format!("{kind} {name}, preallocation {preallocation}"))?;
                count += 1;
            }
        }
        mount.check_by_kernel().context(kind)?;
    }
    Ok(format!("{count} mixes of {JOBS} jobs"))
}

fn one(cx: &Context, dir: &Path, preallocation: &str, args: &[&str]) -> Result<()> {
    std::fs::create_dir(dir)?;
    let mut command = Command::new("fio");
    command
        .arg("--name=job")
        .arg(format!("--directory={}", dir.display()))
        .arg(format!("--fallocate={preallocation}"))
        .arg(format!("--numjobs={JOBS}"))
        .arg(format!("--size={}", cx.pick("256M", "24M")))
        .arg(format!("--randseed={}", cx.seed))
        .args([
            "--ioengine=psync",
            "--verify=crc32c",
            "--verify_fatal=1",
            "--do_verify=1",
        ])
        .args([
            "--end_fsync=1",
            "--group_reporting",
            "--output-format=terse",
        ])
        .args(args)
        // fio keeps a state file of each job where it stands.
        .current_dir(dir);
    output(&command, Duration::from_mins(cx.pick(60, 5)))?;
    Ok(())
}
