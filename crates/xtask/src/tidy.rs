//! Rules of the house that no lint checks: length of lines and files, plain ASCII, where unsafe code may stand.

use anyhow::{Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// Longest line of code and comments.
const LINE_MAX: usize = 120;
/// Most lines of one source file, its tests included.
const FILE_MAX: usize = 900;
/// Files that may contain unsafe code.
const UNSAFE_ALLOWED: [&str; 3] = [
    "crates/runtime/src/pool.rs",
    "crates/runtime/src/ioctl/discard.rs",
    "crates/runtime/src/ioctl/f2fs.rs",
];

/// Fails with a list of everything that breaks a rule.
pub(crate) fn check() -> Result<()> {
    let mut sources = Vec::new();
    collect(Path::new("crates"), &mut sources)?;
    let mut wrong = Vec::new();
    for path in sources {
        let text = fs::read_to_string(&path)?;
        check_file(&path.to_string_lossy(), &text, &mut wrong);
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        bail!("tidy:\n{}", wrong.join("\n"))
    }
}

fn collect(dir: &Path, sources: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, sources)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            sources.push(path);
        }
    }
    Ok(())
}

fn check_file(name: &str, text: &str, wrong: &mut Vec<String>) {
    if text.lines().count() > FILE_MAX {
        wrong.push(format!("{name}: more than {FILE_MAX} lines"));
    }
    for (n, line) in text.lines().enumerate() {
        let at = n + 1;
        if line.chars().count() > LINE_MAX {
            wrong.push(format!("{name}:{at}: longer than {LINE_MAX}"));
        }
        let is_unsafe = line.contains("unsafe {") || line.contains("unsafe impl");
        if is_unsafe && !UNSAFE_ALLOWED.contains(&name) && !name.ends_with("tidy.rs") {
            wrong.push(format!("{name}:{at}: unsafe code outside its files"));
        }
        if line.trim_end() != line {
            wrong.push(format!("{name}:{at}: trailing space"));
        }
    }
    if !text.ends_with('\n') {
        wrong.push(format!("{name}: no newline at the end"));
    }
}
