//! The real Linux F2FS, run in a small guest, as a judge and as a source of images.

use crate::tools;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

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
    let guest = guest_or_skip()?;
    let work = tempfile::tempdir().expect("a temporary folder can be made");
    let mut command = prepare(&guest, script, work.path(), images, seconds);
    let output = tools::run(&mut command);
    Some(Run {
        status: output.status.code(),
        text: tools::text(&output),
    })
}

/// Starts a script under the real kernel, and kills kernel and all with SIGKILL when `moment` returns. `moment` gets
/// the guest's folder `$WORK`, where the script may tell how far it is, and must return within `seconds`. Whether there
/// is an oracle.
///
/// # Panics
/// If the guest cannot be started or ended before, or if there is no oracle and the variable `CI` is set.
pub fn run_and_kill(
    script: &str,
    images: &[&Path],
    seconds: u32,
    moment: impl FnOnce(&Path),
) -> Option<()> {
    let guest = guest_or_skip()?;
    let work = tempfile::tempdir().expect("a temporary folder can be made");
    let mut command = prepare(&guest, script, work.path(), images, seconds);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the guest can be started");
    moment(work.path());
    let timeout = child_of(child.id(), "timeout").expect("timeout(1) runs");
    // The kernel is not of timeout's group: it leads a session, with the threads that write for it.
    let kernel = child_of(timeout, "").expect("the kernel runs");
    assert!(signal_group("KILL", kernel), "the kernel cannot be killed");
    // Its threads end by themselves, but not at once; dead ones may stay in the list of processes.
    for _ in 0..100 {
        if !signal_group("0", kernel) {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait().expect("the guest's script ends");
    Some(())
}

/// Whether a group of processes got a signal.
fn signal_group(signal: &str, group: u32) -> bool {
    let mut command = Command::new("kill");
    command.args(["-s", signal, "--", &format!("-{group}")]);
    let ended = command.stderr(Stdio::null()).status();
    ended.is_ok_and(|status| status.success())
}

/// The first child of a process whose name starts so.
fn child_of(parent: u32, name: &str) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let children = children.unwrap_or_default();
    let mut pids = children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok());
    pids.find(|pid: &u32| {
        let found = std::fs::read_to_string(format!("/proc/{pid}/comm"));
        found.is_ok_and(|found| found.starts_with(name))
    })
}

fn guest_or_skip() -> Option<PathBuf> {
    let found = guest();
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "no oracle: set {GUEST_VARIABLE}"
        );
        eprintln!("SKIPPED: no kernel oracle found; {GUEST_VARIABLE} names one");
    }
    found
}

fn prepare(guest: &Path, script: &str, work: &Path, images: &[&Path], seconds: u32) -> Command {
    let path = work.join("script.sh");
    std::fs::write(&path, script).expect("the script can be written");
    let mut command = Command::new(guest);
    command.arg("-t").arg(seconds.to_string());
    command.arg("-w").arg(work).arg(&path).args(images);
    command
}
