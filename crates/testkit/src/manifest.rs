//! Everything about a tree as text, made by the same script on our mount and under the real kernel.

use crate::{oracle, tools};
use std::io::{self, Error};
use std::path::Path;
use std::process::Command;

/// Prints names, kinds, modes, owners, sizes, link counts, times, targets, sums and attributes.
const SCRIPT: &str = r#"
set -e -o pipefail
export LC_ALL=C
manifest() (
  cd "$1"
  find . -printf '%P|%y|%m|%U|%G|%s|%n|%T@|%l\0' | sort -z | tr '\0' '\n'
  find . -type f -print0 | sort -z | xargs -0r sha256sum -z | tr '\0' '\n'
  find . \( -type f -o -type d \) -print0 | sort -z | xargs -0r getfattr -h -d -m - -e hex
)
"#;

/// Reads the volume, then writes to it and to the disk, and looks whether that is there.
const KERNEL_SCRIPT: &str = r"
mkdir /tmp/m
mount -t f2fs /dev/ubda /tmp/m
manifest /tmp/m >/tmp/list
cp /tmp/list /tmp/m/.kernel
umount /tmp/m
mount -t f2fs /dev/ubda /tmp/m
cmp /tmp/list /tmp/m/.kernel
rm /tmp/m/.kernel
umount /tmp/m
cat /tmp/list
";

/// Longest time in seconds that the kernel may take to read a volume.
const KERNEL_SECONDS: u32 = 1200;
/// Differences that are shown.
const SHOWN: usize = 12;

/// The manifest of a tree of this machine.
pub fn of(dir: &Path) -> io::Result<String> {
    let script = format!("{SCRIPT}\nmanifest \"$0\"");
    let output = Command::new("bash")
        .arg("-c")
        .arg(&script)
        .arg(dir)
        .output()?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || !complaints.is_empty() {
        let text = format!("manifest: {}\n{complaints}", output.status);
        return Err(Error::other(text));
    }
    Ok(tools::text(&output))
}

/// The manifest of a volume as the real kernel sees it, which then writes to it. `None` if there is
/// no oracle.
///
/// # Panics
/// If there is no oracle and the variable `CI` is set.
pub fn by_kernel(image: &Path) -> io::Result<Option<String>> {
    let script = format!("{SCRIPT}\n{KERNEL_SCRIPT}");
    match oracle::run_to_end(&script, &[image], KERNEL_SECONDS) {
        None => Ok(None),
        Some(run) if run.status == Some(0) => Ok(Some(run.text)),
        Some(run) => Err(Error::other(format!(
            "the kernel cannot use the volume: {:?}\n{}",
            run.status, run.text
        ))),
    }
}

/// Fails with the first differences of two manifests.
pub fn compare(ours: &str, theirs: &str) -> io::Result<()> {
    if ours == theirs {
        return Ok(());
    }
    // The tree's own records come in the same order, so lines pair up until one is missing.
    let pairs = ours.lines().zip(theirs.lines());
    let shown: Vec<String> = pairs
        .filter(|(our, their)| our != their)
        .take(SHOWN)
        .map(|(our, their)| format!("- {our}\n+ {their}"))
        .collect();
    Err(Error::other(format!(
        "the trees differ, {} and {} lines (- ours, + the kernel's):\n{}",
        ours.lines().count(),
        theirs.lines().count(),
        shown.join("\n")
    )))
}
