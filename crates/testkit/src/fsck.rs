//! `fsck.f2fs` as a judge.

use crate::tools::{run, text};
use std::path::Path;
use std::process::Command;

/// Marks of a complaint; some of them come with exit status 0.
const COMPLAINTS: [&str; 3] = ["[ASSERT]", "[FIX]", "[Fail]"];

/// What `fsck.f2fs --dry-run` has to say against an image: `None` if nothing.
///
/// # Panics
/// If `fsck.f2fs` is not installed.
pub fn complaints(image: &Path) -> Option<String> {
    let output = run(Command::new("fsck.f2fs").arg("--dry-run").arg(image));
    let text = text(&output);
    let is_clean = output.status.code() == Some(0) && !COMPLAINTS.iter().any(|c| text.contains(c));
    (!is_clean).then(|| format!("fsck.f2fs: {}\n{text}", output.status))
}

/// Asserts that `fsck.f2fs` finds nothing wrong with an image.
///
/// # Panics
/// With everything it printed, if it does.
pub fn assert_clean(image: &Path) {
    if let Some(text) = complaints(image) {
        panic!("{text}");
    }
}
