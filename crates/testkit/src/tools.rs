//! The tools of f2fs-tools as test helpers: volumes made by `mkfs.f2fs`.

use std::process::{Command, Output};
use tempfile::NamedTempFile;

/// An empty image file of `size` bytes that goes away when dropped.
///
/// # Panics
/// If the system has no room for it.
pub fn blank(size: u64) -> NamedTempFile {
    let image = NamedTempFile::new().expect("a temporary file can be made");
    image
        .as_file()
        .set_len(size)
        .expect("a sparse file can be sized");
    image
}

/// A fresh volume of `size` bytes, made by `mkfs.f2fs -f -q` with more arguments.
///
/// # Panics
/// If `mkfs.f2fs` is not installed or refuses.
pub fn mkfs(args: &[&str], size: u64) -> NamedTempFile {
    let image = blank(size);
    let mut command = Command::new("mkfs.f2fs");
    command.args(["-f", "-q"]).args(args).arg(image.path());
    let output = run(&mut command);
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}",
        text(&output)
    );
    image
}

/// Runs a command to its end.
///
/// # Panics
/// If it cannot be started.
pub(crate) fn run(command: &mut Command) -> Output {
    match command.output() {
        Ok(output) => output,
        Err(error) => panic!("{command:?} does not start: {error}"),
    }
}

/// What a command printed, both streams.
pub(crate) fn text(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}

/// Whether a program is installed. Administrators' tools are not on every user's path.
pub fn is_there(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/bin"];
    std::env::split_paths(&path)
        .chain(places.iter().map(Into::into))
        .any(|dir| dir.join(tool).is_file())
}
