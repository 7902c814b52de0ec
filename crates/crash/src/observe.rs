//! Everything a volume holds, read through the engine.

use crate::world::Identity;
use anyhow::{Context, Result, ensure};
use f2fs::{FileType, Node, OpenOptions, Timestamp, Volume};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Entries fetched at once.
const BATCH: usize = 512;

/// One file, directory or symbolic link as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Type.
    pub kind: FileType,
    /// Permission bits.
    pub permissions: u16,
    /// How many names its inode claims.
    pub links: u32,
    /// Size in bytes.
    pub size: u64,
    /// Last change of content; of a regular file only, since a recovered entry changes its directory.
    pub modified: Timestamp,
    /// What a symbolic link names.
    pub target: String,
    /// Extended attributes.
    pub xattrs: BTreeMap<String, Vec<u8>>,
    /// Bytes of a regular file.
    pub content: Vec<u8>,
    /// Directory and name of each entry that leads to it.
    pub names: Vec<(Identity, String)>,
    /// Paths that lead to it.
    pub paths: Vec<String>,
}

/// A whole tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// All that has a name, and the root directory.
    pub files: BTreeMap<Identity, Seen>,
}

/// Inode number and generation.
pub fn identity(node: &Node) -> Identity {
    (node.ino(), node.metadata().generation())
}

impl Observed {
    /// Reads the whole tree.
    pub fn of(volume: &Volume) -> Result<Self> {
        let mut observed = Self::default();
        let root = volume.root()?;
        observed.add(&root, "", None)?;
        let mut dirs = vec![(root, String::new())];
        while let Some((dir, path)) = dirs.pop() {
            for (name, child) in entries(&dir).with_context(|| format!("listing {path}/"))? {
                let child_path = format!("{path}/{name}");
                let is_new = observed
                    .add(&child, &child_path, Some((identity(&dir), name)))
                    .with_context(|| format!("reading {child_path}"))?;
                if is_new && child.file_type() == FileType::Directory {
                    dirs.push((child, child_path));
                }
            }
        }
        observed.check_links()?;
        Ok(observed)
    }

    /// Adds a name; whether the file is new.
    fn add(&mut self, node: &Node, path: &str, name: Option<(Identity, String)>) -> Result<bool> {
        let key = identity(node);
        let is_new = !self.files.contains_key(&key);
        if is_new {
            self.files.insert(key, seen(node)?);
        }
        if let Some(seen) = self.files.get_mut(&key) {
            seen.names.extend(name);
            seen.names.sort();
            seen.paths.push(path.to_owned());
            seen.paths.sort();
        }
        Ok(is_new)
    }

    fn check_links(&self) -> Result<()> {
        for (key, seen) in &self.files {
            let is_dir = seen.kind == FileType::Directory;
            let names = seen.names.len() as u32;
            ensure!(
                is_dir || seen.links == names,
                "inode {} claims {} names and has {names}",
                key.0,
                seen.links
            );
            ensure!(
                names < 2 || !is_dir,
                "directory {} has {names} names",
                key.0
            );
        }
        Ok(())
    }

    /// The bytes of a path, if it is a file.
    pub fn content(&self, path: &str) -> Option<&[u8]> {
        let mut files = self.files.values();
        let seen = files.find(|seen| seen.paths.iter().any(|p| p == path))?;
        Some(&seen.content)
    }

    /// The tree as text, in the form that the kernel's side prints too.
    pub fn manifest(&self) -> String {
        let mut lines = Vec::new();
        for seen in self.files.values() {
            for path in &seen.paths {
                lines.push(line(path.trim_start_matches('/'), seen));
            }
        }
        lines.sort();
        lines.join("\n")
    }
}

fn line(path: &str, seen: &Seen) -> String {
    let rest = match seen.kind {
        FileType::Regular => format!(
            "f|{}|{}|{}.{:09}|{}",
            seen.size,
            seen.links,
            seen.modified.secs,
            seen.modified.nanos,
            hex(&Sha256::digest(&seen.content))
        ),
        FileType::Symlink => format!("l|{}", seen.target),
        _ => format!("d|{}", seen.links),
    };
    let xattrs: String = seen
        .xattrs
        .iter()
        .map(|(name, value)| format!("|{name}=0x{}", hex(value)))
        .collect();
    format!("{path}|{:o}|{rest}{xattrs}", seen.permissions)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn entries(dir: &Node) -> Result<Vec<(String, Node)>> {
    let mut found = Vec::new();
    let mut from = 0;
    loop {
        let steps = dir.list(from, BATCH)?;
        let Some(last) = steps.last() else {
            return Ok(found);
        };
        from = last.next;
        for step in steps {
            let entry = step.entry?;
            let node = dir.lookup(&entry.name)?;
            let name = String::from_utf8_lossy(&entry.name).into_owned();
            ensure!(
                node.ino() == entry.ino && node.file_type() == entry.file_type,
                "entry {name} says inode {} {:?}, found {} {:?}",
                entry.ino,
                entry.file_type,
                node.ino(),
                node.file_type()
            );
            found.push((name, node));
        }
    }
}

fn seen(node: &Node) -> Result<Seen> {
    let metadata = node.metadata();
    let kind = metadata.file_type();
    let mut xattrs = BTreeMap::new();
    for name in node.list_xattrs()? {
        let name = String::from_utf8_lossy(&name).into_owned();
        let value = node.get_xattr(&name)?;
        xattrs.insert(name, value);
    }
    let target = match kind {
        FileType::Symlink => String::from_utf8_lossy(&node.read_link()?).into_owned(),
        _ => String::new(),
    };
    let content = match kind {
        FileType::Regular => read(node, metadata.len())?,
        _ => Vec::new(),
    };
    Ok(Seen {
        kind,
        permissions: metadata.mode() & 0o7777,
        links: metadata.links(),
        size: metadata.len(),
        modified: match kind {
            FileType::Regular => metadata.modified(),
            _ => Timestamp::default(),
        },
        target,
        xattrs,
        content,
        names: Vec::new(),
        paths: Vec::new(),
    })
}

fn read(node: &Node, size: u64) -> Result<Vec<u8>> {
    let file = node.open(&OpenOptions::new().read(true))?;
    let mut content = vec![0xEE; size as usize];
    let mut at = 0;
    while at < content.len() {
        let n = file.read_at(at as u64, &mut content[at..])?;
        ensure!(n > 0, "the file ends at {at}, not at {size}");
        at += n;
    }
    Ok(content)
}
