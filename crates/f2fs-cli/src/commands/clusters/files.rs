//! Files that clusters belong to, wherever they lie.

use super::Action;
use crate::errors::{Failure, Result};
use f2fs::{CompressAlgorithm, CompressDefaults};
use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What stands behind a path.
#[derive(Debug)]
pub(super) enum Entry {
    File(Found),
    /// A directory; the key tells it from every other.
    Dir((u64, u64)),
    Other,
}

/// A regular file.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// What tells it from every other.
    pub(super) key: (u64, u64),
    pub(super) len: u64,
    /// Whether it is marked for compression.
    pub(super) is_marked: bool,
    /// Whether it is known to have given its blocks.
    pub(super) is_released: bool,
    /// Blocks that it saves and holds.
    pub(super) saved: u64,
    /// Whether the user named it, not a directory above it.
    pub(super) is_named: bool,
}

/// How a file is compressed, as far as its place tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) algorithm: CompressAlgorithm,
    pub(super) level: u8,
    pub(super) log_cluster_size: u8,
}

/// What became of an action.
#[derive(Debug)]
pub(super) enum Acted {
    Blocks(u64),
    /// It does not fit the file as it is.
    Unfit(Failure),
}

/// Reads bytes from a position on.
pub(super) type Read<'a> = Box<dyn FnMut(u64, &mut [u8]) -> io::Result<usize> + 'a>;

/// A place where files are: an image, or a mounted volume.
pub(super) trait Files {
    fn look(&self, path: &Path) -> Result<Entry>;
    /// Paths of what is in a directory.
    fn list(&self, dir: &Path) -> Result<Vec<PathBuf>>;
    /// Whether an action has something to do with a file that is marked.
    fn fits(&self, found: &Found, action: Action) -> bool;
    fn act(&self, path: &Path, action: Action) -> Result<Acted>;
    fn mark(&self, path: &Path, defaults: CompressDefaults) -> Result<()>;
    fn form(&self, path: &Path) -> Result<Option<Form>>;
    /// Where a file has data, and how it is read.
    fn open(&self, path: &Path) -> Result<(Vec<Range<u64>>, Read<'_>)>;
    /// Whether somebody removed a file since it was found.
    fn is_gone(&self, path: &Path) -> bool;
}

/// Files to work on, and what could not be looked at.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub(super) files: Vec<Found>,
    pub(super) problems: Vec<Failure>,
}

/// The named files, and the wanted ones below directories; each once.
pub(super) fn collect(
    files: &dyn Files,
    paths: &[&Path],
    recursive: bool,
    is_wanted: &dyn Fn(&Found) -> bool,
) -> Result<Collected> {
    let mut walk = Walk {
        files,
        is_wanted,
        seen: BTreeSet::new(),
        collected: Collected::default(),
    };
    for path in paths {
        match files.look(path) {
            Ok(Entry::File(found)) => walk.add(Found {
                is_named: true,
                ..found
            }),
            Ok(Entry::Dir(key)) if recursive => walk.below(path, key)?,
            Ok(Entry::Dir(_)) => walk.problem(Failure::at(
                path,
                "is a directory; use -r for all files below it",
            ))?,
            Ok(Entry::Other) => walk.problem(Failure::at(path, "is not a regular file"))?,
            Err(failure) => walk.problem(failure)?,
        }
    }
    Ok(walk.collected)
}

struct Walk<'a> {
    files: &'a dyn Files,
    is_wanted: &'a dyn Fn(&Found) -> bool,
    seen: BTreeSet<(u64, u64)>,
    collected: Collected,
}

impl Walk<'_> {
    fn add(&mut self, found: Found) {
        if self.seen.insert(found.key) {
            self.collected.files.push(found);
        }
    }

    /// Goes on, unless everything else would meet the same.
    fn problem(&mut self, failure: Failure) -> Result<()> {
        if failure.is_final() {
            return Err(failure);
        }
        self.collected.problems.push(failure);
        Ok(())
    }

    fn below(&mut self, top: &Path, key: (u64, u64)) -> Result<()> {
        let mut dirs = vec![(top.to_path_buf(), key)];
        while let Some((dir, dir_key)) = dirs.pop() {
            // A damaged volume may have directories in a circle.
            if !self.seen.insert(dir_key) {
                continue;
            }
            let entries = match self.files.list(&dir) {
                Ok(entries) => entries,
                Err(_) if dir != top && self.files.is_gone(&dir) => continue,
                Err(failure) => {
                    self.problem(failure)?;
                    continue;
                }
            };
            for path in entries {
                match self.files.look(&path) {
                    // Another file system is not meant.
                    Ok(Entry::Dir(found)) if found.0 == key.0 => dirs.push((path, found)),
                    Ok(Entry::File(found)) if found.key.0 == key.0 && (self.is_wanted)(&found) => {
                        self.add(found);
                    }
                    Ok(_) => {}
                    Err(_) if self.files.is_gone(&path) => {}
                    Err(failure) => self.problem(failure)?,
                }
            }
        }
        Ok(())
    }
}
