//! Random operations on one file, plain and compressed.

use super::Context;
use anyhow::{Context as _, Result};
use std::time::Duration;

/// Kinds of files. The short names are for the message.
const KINDS: [Option<&str>; 3] = [None, Some("lz4"), Some("zstd")];

pub(super) fn run(cx: &Context) -> Result<String> {
    let (seeds, ops) = cx.pick((10, 34_000), (2, 10_000));
    for compress in KINDS {
        let kind = compress.unwrap_or("plain");
        let mut mount = cx.mount(1, compress)?;
        for seed in cx.seed..cx.seed + seeds {
            let file = mount.dir().join(format!("file{seed}"));
            let args = [
                "fsx",
                &file.to_string_lossy(),
                "--seed",
                &seed.to_string(),
                "--ops",
                &ops.to_string(),
                cx.may_lack(),
            ];
            let limit = Duration::from_mins(cx.pick(60, 5));
            cx.mount_tests(&args, limit).context(kind)?;
        }
        mount.check_by_kernel().context(kind)?;
    }
    Ok(format!("{} operations", 3 * seeds * ops))
}
