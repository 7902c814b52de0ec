//! Crates depend on each other in one direction. The list below is the rule; a dependency outside it fails.

use anyhow::{Context, Result, bail};
use std::process::Command;

/// Each crate and the crates of ours it may depend on (tests may use more).
const ALLOWED: [(&str, &[&str]); 17] = [
    ("runtime", &[]),
    ("blockdev", &["runtime"]),
    ("pagecache", &["runtime"]),
    ("iomap", &["runtime", "pagecache", "blockdev"]),
    ("f2fs-format", &[]),
    ("f2fs-codec", &["f2fs-format"]),
    (
        "f2fs",
        &[
            "runtime",
            "blockdev",
            "pagecache",
            "iomap",
            "f2fs-format",
            "f2fs-codec",
            "f2fs-offline",
        ],
    ),
    // The formatter never links the engine, so neither can hide the other's mistakes.
    ("f2fs-offline", &["runtime", "blockdev", "f2fs-format"]),
    ("f2fs-fuse", &["f2fs", "blockdev", "runtime"]),
    (
        "f2fs-cli",
        &[
            "f2fs",
            "f2fs-fuse",
            "f2fs-offline",
            "f2fs-format",
            "blockdev",
            "runtime",
        ],
    ),
    ("testkit", &["runtime", "blockdev", "f2fs-format"]),
    // Knows mount points only, so that it runs on any file system.
    ("mount-tests", &[]),
    ("crash", &["f2fs", "testkit", "blockdev", "runtime"]),
    ("bench", &["f2fs", "f2fs-codec", "f2fs-format"]),
    ("age", &["f2fs", "testkit", "runtime"]),
    ("xtask", &["testkit"]),
    ("fuzz", &[]),
];

/// Fails if a crate depends on one it must not know.
pub(crate) fn check() -> Result<()> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .context("cargo metadata")?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("packages")?;
    let names: Vec<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let mut wrong = Vec::new();
    for package in packages {
        let name = package["name"].as_str().context("name")?;
        let Some((_, allowed)) = ALLOWED.iter().find(|(n, _)| *n == name) else {
            wrong.push(format!("{name} stands in no layer"));
            continue;
        };
        for dependency in package["dependencies"].as_array().context("dependencies")? {
            let target = dependency["name"].as_str().context("name")?;
            let is_ours = names.contains(&target) && dependency["kind"].is_null();
            if is_ours && !allowed.contains(&target) {
                wrong.push(format!("{name} must not depend on {target}"));
            }
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        bail!("layers: {}", wrong.join("; "))
    }
}
