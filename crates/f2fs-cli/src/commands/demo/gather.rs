//! Which files the demo writes.

use crate::errors::{At, Result};
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};

/// A directory that every machine has, full of files that compress.
pub(super) const DEFAULT: &str = "/usr/bin";
/// With less than this the figures say nothing, and text is added.
const ENOUGH: u64 = 16 << 20;

/// A file to write.
#[derive(Debug)]
pub(super) struct Item {
    /// On this machine.
    pub(super) local: PathBuf,
    /// On the volume.
    pub(super) dest: PathBuf,
    /// Its size when it was found.
    pub(super) len: u64,
}

/// The files to write.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Where they come from, in words.
    pub(super) from: String,
    /// The files.
    pub(super) list: Vec<Item>,
    /// Their bytes.
    pub(super) bytes: u64,
    /// Files and directories that cannot be read.
    pub(super) unreadable: u64,
}

impl Files {
    fn add(&mut self, local: PathBuf, dest: PathBuf, len: u64) {
        self.bytes += len;
        self.list.push(Item { local, dest, len });
    }
}

/// The regular files of a tree in the order of their names, as long as they fit into `limit` bytes.
pub(super) fn tree(dir: &Path, limit: u64) -> Result<Files> {
    dir.read_dir().at(dir)?;
    let mut files = Files {
        from: dir.display().to_string(),
        ..Files::default()
    };
    let mut stack = vec![(dir.to_path_buf(), PathBuf::from("/"))];
    while let Some((local, dest)) = stack.pop() {
        let Ok(found) = local.symlink_metadata() else {
            files.unreadable += 1;
            continue;
        };
        if found.is_file() && files.bytes.saturating_add(found.len()) <= limit {
            match File::open(&local) {
                Ok(_) => files.add(local, dest, found.len()),
                Err(_) => files.unreadable += 1,
            }
        } else if found.is_dir() || stack.is_empty() && dest == Path::new("/") {
            let Ok(entries) = local.read_dir() else {
                files.unreadable += 1;
                continue;
            };
            let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
            names.sort_unstable();
            let below = names.into_iter().rev();
            stack.extend(below.map(|name| (local.join(&name), dest.join(&name))));
        }
    }
    Ok(files)
}

/// Files that every machine has: programs, and on a small system this program and text made for the
/// purpose.
pub(super) fn default_files(limit: u64, work: &Path) -> Result<Files> {
    let mut files = tree(Path::new(DEFAULT), limit).unwrap_or_default();
    if files.bytes >= ENOUGH.min(limit / 2) {
        files.from = format!("{DEFAULT} (its first {})", crate::size::human(files.bytes));
        return Ok(files);
    }
    DEFAULT.clone_into(&mut files.from);
    if let Ok(program) = std::env::current_exe()
        && let Ok(found) = program.metadata()
        && files.bytes.saturating_add(found.len()) <= limit
    {
        files.add(program, PathBuf::from("/this-program"), found.len());
        files.from.push_str(", this program");
    }
    if files.bytes < ENOUGH.min(limit) {
        let text = text((ENOUGH.min(limit) - files.bytes) as usize);
        let path = work.join("text");
        std::fs::write(&path, &text).at(&path)?;
        files.add(path, PathBuf::from("/generated-text"), text.len() as u64);
        files.from.push_str(" and text made for this");
    }
    Ok(files)
}

/// Text that compresses about as well as a log file, always the same.
fn text(len: usize) -> String {
    let mut state = 1u64;
    let mut text = String::with_capacity(len + 64);
    while text.len() < len {
        // The constants of Knuth's MMIX generator.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let (line, word) = (state >> 40, state >> 33 & 0xff);
        let _ = writeln!(
            text,
            "block {line:08x} of segment {word} was written by the demo"
        );
    }
    text.truncate(len);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_and_links_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("d")).unwrap();
        std::fs::write(dir.path().join("d/a"), [0; 100]).unwrap();
        std::fs::write(dir.path().join("b"), [0; 100]).unwrap();
        std::os::unix::fs::symlink("b", dir.path().join("l")).unwrap();
        let files = tree(dir.path(), 1000).unwrap();
        let names: Vec<_> = files.list.iter().map(|item| item.dest.as_path()).collect();
        assert_eq!(names, [Path::new("/b"), Path::new("/d/a")]);
        assert_eq!(tree(dir.path(), 150).unwrap().bytes, 100);
        assert!(tree(&dir.path().join("missing"), 1).is_err());
    }

    #[test]
    fn made_text_has_its_length() {
        assert_eq!(text(1000).len(), 1000);
    }
}
