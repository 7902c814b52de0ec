//! Many processes in the same folders.

use super::Context;
use anyhow::{Context as _, Result};
use std::time::Duration;
use testkit::system::System;

pub(super) fn run(cx: &Context) -> Result<String> {
    let seconds: u64 = cx.pick(600, 20);
    let mut texts = Vec::new();
    for compress in [None, Some("lz4")] {
        let kind = compress.unwrap_or("plain");
        let mut mount = cx.mount(4, compress)?;
        let dir = mount.dir().join("stress");
        let (dir, seed) = (dir.to_string_lossy(), cx.seed.to_string());
        let seconds = seconds.to_string();
        let mut args = vec!["stress", &dir, "--seed", &seed, "--seconds", &seconds];
        if cx.system == System::Fuse2fs {
            args.push("--plain-rename");
        }
        // Verifying may take as long as writing did.
        let limit = Duration::from_secs(cx.pick(2000, 200));
        let text = cx.mount_tests(&args, limit).context(kind)?;
        mount.check_by_kernel().context(kind)?;
        texts.push(format!("{kind}: {}", text.trim()));
    }
    Ok(texts.join("; "))
}
