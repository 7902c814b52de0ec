//! `f2fs ls`.

use super::describe::JsonFile;
use crate::cli::EngineArgs;
use crate::errors::{At, Failure, Result};
use crate::session;
use crate::text::{escaped, mode_string, out, print_json, shown, utc};
use clap::Args;
use f2fs::{FileType, Metadata, Volume};
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// List directories
///
/// Names are sorted by their bytes. Control characters are escaped on a terminal and with -l.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "the flags of ls(1)")]
pub(crate) struct Ls {
    /// The image file or block device
    image: PathBuf,
    /// Files and directories on the volume
    #[arg(value_name = "/PATH", default_value = "/")]
    paths: Vec<PathBuf>,
    /// Mode, links, owner, group, size, time of change (UTC) and target of links
    #[arg(short, long)]
    long: bool,
    /// Directories below, too
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Inode numbers
    #[arg(short, long)]
    inode: bool,
    /// Directories themselves, not what is in them
    #[arg(short, long)]
    directory: bool,
    /// Everything known of each file, as a JSON array
    #[arg(long)]
    json: bool,
}

/// One line of the list.
#[derive(Debug)]
struct Entry {
    name: OsString,
    path: PathBuf,
    ino: u32,
    file_type: FileType,
}

#[derive(Debug)]
struct Listing<'a> {
    volume: &'a Volume,
    args: &'a Ls,
    escape: bool,
    json: Vec<JsonFile>,
    entered: HashSet<u32>,
    problems: u64,
    is_first: bool,
}

impl Ls {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        session::reading(&self.image, engine, |volume| {
            let mut listing = Listing {
                volume,
                args: self,
                escape: self.long || std::io::stdout().is_terminal(),
                json: Vec::new(),
                entered: HashSet::new(),
                problems: 0,
                is_first: true,
            };
            listing.paths(&self.paths)?;
            if self.json {
                print_json(&listing.json)?;
            }
            if listing.problems > 0 {
                Err(Failure::Told)
            } else {
                Ok(())
            }
        })
    }
}

impl Listing<'_> {
    fn paths(&mut self, paths: &[PathBuf]) -> Result<()> {
        let (mut plain, mut dirs) = (Vec::new(), Vec::new());
        for path in paths {
            match self.volume.symlink_metadata(path).at(path) {
                Err(failure) => self.problem(&failure),
                Ok(found) if found.is_dir() && !self.args.directory => dirs.push(path.clone()),
                Ok(found) => plain.push(Entry {
                    name: path.clone().into_os_string(),
                    path: path.clone(),
                    ino: found.ino(),
                    file_type: found.file_type(),
                }),
            }
        }
        if !plain.is_empty() {
            self.print(&plain)?;
            self.is_first = false;
        }
        let with_head = paths.len() > 1 || self.args.recursive;
        for dir in dirs {
            self.entered.clear();
            self.tree(dir, with_head)?;
        }
        Ok(())
    }

    fn tree(&mut self, top: PathBuf, with_head: bool) -> Result<()> {
        let mut stack = vec![top];
        while let Some(dir) = stack.pop() {
            let entries = match self.read(&dir) {
                Ok(entries) => entries,
                Err(failure) => {
                    self.problem(&failure);
                    continue;
                }
            };
            self.head(&dir, with_head)?;
            self.print(&entries)?;
            if self.args.recursive {
                let below = entries.into_iter().rev();
                let below = below.filter(|entry| entry.file_type == FileType::Directory);
                // A directory with two names is damage, and would make the list endless.
                stack.extend(below.filter(|e| self.entered.insert(e.ino)).map(|e| e.path));
            }
        }
        Ok(())
    }

    fn read(&self, dir: &Path) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in self.volume.read_dir(dir).at(dir)? {
            let entry = entry.at(dir)?;
            entries.push(Entry {
                name: entry.file_name().to_owned(),
                path: dir.join(entry.file_name()),
                ino: entry.ino(),
                file_type: entry.file_type(),
            });
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn head(&mut self, dir: &Path, with_head: bool) -> Result<()> {
        if !with_head || self.args.json {
            return Ok(());
        }
        let mut out = out();
        if !self.is_first {
            writeln!(out)?;
        }
        self.is_first = false;
        out.write_all(&self.text_of(dir.as_os_str()))?;
        out.write_all(b":\n")?;
        Ok(out.flush()?)
    }

    fn text_of(&self, name: &OsStr) -> Vec<u8> {
        if self.escape {
            escaped(name).into_bytes()
        } else {
            name.as_bytes().to_vec()
        }
    }

    fn print(&mut self, entries: &[Entry]) -> Result<()> {
        if self.args.json || self.args.long {
            return self.print_known(entries);
        }
        let mut out = out();
        for entry in entries {
            if self.args.inode {
                write!(out, "{:>8} ", entry.ino)?;
            }
            out.write_all(&self.text_of(&entry.name))?;
            out.write_all(b"\n")?;
        }
        Ok(out.flush()?)
    }

    /// Prints or collects entries with their attributes.
    fn print_known(&mut self, entries: &[Entry]) -> Result<()> {
        let mut lines = Vec::new();
        for entry in entries {
            let known = self
                .volume
                .symlink_metadata(&entry.path)
                .at(&entry.path)
                .and_then(|found| {
                    let is_link = found.file_type() == FileType::Symlink;
                    let target = is_link
                        .then(|| self.volume.read_link(&entry.path))
                        .transpose();
                    Ok((found, target.at(&entry.path)?))
                });
            match known {
                Err(failure) => self.problem(&failure),
                Ok((found, target)) if self.args.json => {
                    let path = if self.args.recursive {
                        &entry.path
                    } else {
                        Path::new(&entry.name)
                    };
                    self.json
                        .push(JsonFile::new(path, &found, target.as_deref()));
                }
                Ok((found, target)) => lines.push(self.columns(entry, &found, target.as_deref())),
            }
        }
        let mut out = out();
        for line in aligned(&lines) {
            writeln!(out, "{line}")?;
        }
        Ok(out.flush()?)
    }

    fn columns(&self, entry: &Entry, found: &Metadata, target: Option<&Path>) -> Vec<String> {
        let mut name = escaped(&entry.name);
        if let Some(target) = target {
            name.push_str(" -> ");
            name.push_str(&shown(target));
        }
        let size = match found.device() {
            Some((major, minor)) if found.file_type().is_device() => format!("{major}, {minor}"),
            _ => found.len().to_string(),
        };
        let inode = self.args.inode.then(|| found.ino().to_string());
        inode
            .into_iter()
            .chain([
                mode_string(found.file_type(), found.mode()),
                found.links().to_string(),
                found.uid().to_string(),
                found.gid().to_string(),
                size,
                utc(found.modified()),
                name,
            ])
            .collect()
    }

    fn problem(&mut self, failure: &Failure) {
        self.problems += 1;
        crate::errors::complain(format_args!("f2fs: {failure}"));
    }
}

/// Lines with all columns but the last as wide as their widest entry, to the right.
fn aligned(lines: &[Vec<String>]) -> Vec<String> {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].len())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.saturating_sub(1)).map(width).collect();
    let join = |line: &Vec<String>| {
        let mut text = String::new();
        for (value, width) in line.iter().zip(&widths) {
            let _ = write!(text, "{value:>width$} ");
        }
        text.push_str(&line[columns - 1]);
        text
    };
    lines.iter().map(join).collect()
}
