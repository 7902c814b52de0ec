//! `fsck.f2fs` as a second opinion.

use serde::Serialize;
use std::path::Path;
use std::process::Command;

/// Marks of a complaint; some of them come with exit status 0.
const COMPLAINTS: [&str; 3] = ["[ASSERT]", "[FIX]", "[Fail]"];

/// What `fsck.f2fs` says of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "result", content = "says")]
pub(super) enum Verdict {
    /// Nothing is wrong.
    Clean,
    /// It is not installed.
    NotInstalled,
    /// Something is wrong: what it printed.
    Wrong(String),
}

/// Asks it, without letting it change anything.
pub(super) fn look(image: &Path) -> Verdict {
    let Ok(output) = Command::new("fsck.f2fs")
        .arg("--dry-run")
        .arg(image)
        .output()
    else {
        return Verdict::NotInstalled;
    };
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    let is_clean = output.status.success() && !COMPLAINTS.iter().any(|mark| text.contains(mark));
    if is_clean {
        Verdict::Clean
    } else {
        Verdict::Wrong(text)
    }
}
