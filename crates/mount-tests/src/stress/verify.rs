//! The look at everything when nobody writes any more.

use crate::pattern;
use anyhow::{Context, Result, ensure};
use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What a walk has seen.
#[derive(Debug, Default)]
struct Walk {
    files: u64,
    folders: u64,
    links: u64,
    bytes: u64,
    /// Names and link count of each inode that is no folder.
    inodes: HashMap<u64, (u64, u64)>,
}

/// Verifies a tree; what it holds, for people.
pub(super) fn tree(top: &Path) -> Result<String> {
    let mut walk = Walk::default();
    let mut stack = vec![top.to_path_buf()];
    while let Some(dir) = stack.pop() {
        let folders = walk.folder(&dir)?;
        stack.extend(folders);
    }
    for (inode, (names, links)) in &walk.inodes {
        ensure!(
            names == links,
            "inode {inode}: {links} links, {names} names"
        );
    }
    Ok(format!(
        "{} files, {} folders, {} symbolic links, {} MiB",
        walk.files,
        walk.folders,
        walk.links,
        walk.bytes >> 20
    ))
}

impl Walk {
    /// Looks at one folder; the folders below it.
    fn folder(&mut self, dir: &Path) -> Result<Vec<PathBuf>> {
        let mut below = Vec::new();
        for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
            let entry = entry?;
            let path = entry.path();
            let at = || path.display().to_string();
            let found = path.symlink_metadata().with_context(at)?;
            let listed = entry.file_type()?;
            ensure!(
                listed == found.file_type(),
                "{}: listed as {listed:?}",
                at()
            );
            if found.is_dir() {
                below.push(path);
                continue;
            }
            let seen = self.inodes.entry(found.ino()).or_insert((0, found.nlink()));
            seen.0 += 1;
            if found.is_file() {
                self.file(&path, &found).with_context(at)?;
            } else {
                self.links += 1;
                let target = fs::read_link(&path)?;
                let is_ours = target.to_string_lossy().starts_with("to-shared");
                ensure!(is_ours, "{} leads to {}", at(), target.display());
            }
        }
        let links = dir.metadata()?.nlink();
        // Some file systems do not count folders.
        ensure!(
            links == 1 || links == 2 + below.len() as u64,
            "{}: {links} links, {} folders below",
            dir.display(),
            below.len()
        );
        self.folders += 1;
        Ok(below)
    }

    fn file(&mut self, path: &Path, found: &Metadata) -> Result<()> {
        self.files += 1;
        let bytes = fs::read(path)?;
        ensure!(
            bytes.len() as u64 == found.len(),
            "the size is {}",
            found.len()
        );
        self.bytes += found.len();
        let name = path.file_name().unwrap_or_default();
        if name.to_string_lossy().starts_with("shared") {
            pattern::check(&bytes)?;
        }
        Ok(())
    }
}
