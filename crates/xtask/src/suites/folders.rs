//! Programs of `mount-tests` that need no more than a volume; most of them show what another FUSE file
//! system got wrong.

use super::Context;
use anyhow::{Context as _, Result};
use std::path::Path;
use std::time::Duration;
use testkit::mount::Mount;

/// Seeds of the writes into preallocated files.
const SEEDS: u64 = 6;

/// The start of the arguments of a program.
fn args(program: &str, dir: &Path, name: &str) -> Vec<String> {
    let path = dir.join(name).to_string_lossy().into_owned();
    vec![program.into(), path]
}

/// Runs a program, then its `--verify` after a new mount.
fn twice(cx: &Context, mount: &mut Mount, runs: &[Vec<String>], limit: Duration) -> Result<()> {
    for args in runs {
        cx.mount_tests(args, limit)?;
    }
    mount.remount()?;
    for args in runs {
        let mut args = args.clone();
        args.push("--verify".into());
        cx.mount_tests(&args, limit).context("after a new mount")?;
    }
    Ok(())
}

pub(super) fn prealloc(cx: &Context) -> Result<String> {
    let mut mount = cx.mount(1, None)?;
    let dir = mount.dir();
    let run = |seed: u64| {
        let mut args = args("prealloc", &dir, &format!("file{seed}"));
        args.extend(["--seed".into(), seed.to_string()]);
        args
    };
    let runs: Vec<_> = (cx.seed..cx.seed + SEEDS).map(run).collect();
    twice(cx, &mut mount, &runs, Duration::from_mins(5))?;
    mount.check_by_kernel()?;
    Ok(format!("{SEEDS} files"))
}

pub(super) fn run(cx: &Context) -> Result<String> {
    let entries = cx.pick(1_000_000, 100_000);
    let mut mount = cx.mount(4, None)?;
    let dir = mount.dir();
    let run = |name: &str, entries: u64, more: &[&str]| {
        let mut args = args("folder", &dir, name);
        args.extend(["--entries".into(), entries.to_string()]);
        args.extend(more.iter().map(ToString::to_string));
        args
    };
    let runs = [
        run("many-folders", cx.pick(30_000, 5000), &["--folders"]),
        run("long-names", cx.pick(30_000, 5000), &["--name-len", "255"]),
        run("many-entries", entries, &[]),
    ];
    twice(cx, &mut mount, &runs, Duration::from_mins(cx.pick(120, 20)))?;
    mount.check_by_kernel()?;
    Ok(format!("{entries} entries"))
}

pub(super) fn seekdir(cx: &Context) -> Result<String> {
    let mut mount = cx.mount(1, None)?;
    let mut args = args("seekdir", &mount.dir(), "folder");
    args.extend(["--seconds".into(), cx.pick(300, 10).to_string()]);
    args.extend(["--seed".into(), cx.seed.to_string()]);
    let text = cx.mount_tests(&args, Duration::from_mins(15))?;
    mount.check()?;
    Ok(text.trim().to_owned())
}
