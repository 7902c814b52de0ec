//! The real Linux F2FS, run in a small guest, as a judge and as a source of images.

use crate::tools;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the oracle lies, from the root of the workspace.
const GUEST: &str = "../shared/oracle/guest";

/// Names the oracle if it lies elsewhere.
const GUEST_VARIABLE: &str = "F2FS_ORACLE";

fn guest() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(GUEST_VARIABLE) {
        return Some(path.into());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    Some(root.join(GUEST)).filter(|path| path.is_file())
}

/// How a guest ended, and what its script printed.
#[derive(Clone, Debug)]
pub struct Run {
    /// Exit status of the script; `None` if the guest was killed or died.
    pub status: Option<i32>,
    /// Both streams of the script.
    pub text: String,
}

/// Runs a bash script under the real kernel, with `images` as `/dev/ubda`, `/dev/ubdb` and so on,
/// and gives what it printed. `$WORK` is an empty folder of the guest's own. Returns `None`, and
/// says so on standard error, where there is no oracle.
///
/// # Panics
/// If the script fails, or if there is no oracle and the variable `CI` is set.
pub fn run(script: &str, images: &[&Path]) -> Option<String> {
    let ended = run_to_end(script, images, 300)?;
    assert_eq!(
        ended.status,
        Some(0),
        "the guest's script failed:\n{}",
        ended.text
    );
    Some(ended.text)
}

/// As [`run`], but reports how the script ended, and kills the guest after `seconds`.
///
/// # Panics
/// If the guest cannot be started, or if there is no oracle and the variable `CI` is set.
pub fn run_to_end(script: &str, images: &[&Path], seconds: u32) -> Option<Run> {
    let Some(guest) = guest() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "no oracle: set {GUEST_VARIABLE}"
        );
        eprintln!("SKIPPED: no kernel oracle found; {GUEST_VARIABLE} names one");
        return None;
    };
    let work = tempfile::tempdir().expect("a temporary folder can be made");
    let path = work.path().join("script.sh");
    std::fs::write(&path, script).expect("the script can be written");
    let mut command = Command::new(guest);
    command
        .arg("-t")
        .arg(seconds.to_string())
        .arg("-w")
        .arg(work.path());
    let output = tools::run(command.arg(&path).args(images));
    Some(Run {
        status: output.status.code(),
        text: tools::text(&output),
    })
}
