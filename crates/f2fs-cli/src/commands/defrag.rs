//! `f2fs defrag`.

use crate::cli::EngineArgs;
use crate::errors::{At, Failure, Result, complain};
use crate::session;
use crate::size::human;
use crate::text::{JsonName, out, print_json, shown};
use clap::Args;
use f2fs::{Defragment, Defragmented, FileType, LeftAlone, Volume};
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Write fragmented files anew so that they lie in as few pieces as the free space allows
#[derive(Debug, Args)]
pub(crate) struct Defrag {
    /// The image file or block device
    image: PathBuf,
    /// Files on the volume
    #[arg(required = true, value_name = "/PATH")]
    paths: Vec<PathBuf>,
    /// Directories with all files below them
    #[arg(short, long)]
    recursive: bool,
    /// Show what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was done so far.
#[derive(Debug, Default)]
struct Done {
    /// Files by inode: one with two names is met twice.
    seen: BTreeSet<u32>,
    files: Vec<JsonResult>,
    total: Total,
    problems: u64,
}

#[derive(Debug, Default, Serialize)]
struct Total {
    files: u64,
    /// Files with something that was written anew.
    moved_files: u64,
    /// Files with something fragmented that stays.
    left_files: u64,
    runs_before: u64,
    runs_after: u64,
    blocks: u64,
    moved_blocks: u64,
}

#[derive(Debug, Serialize)]
struct JsonResult {
    #[serde(flatten)]
    name: JsonName,
    runs_before: u64,
    runs_after: u64,
    blocks: u64,
    moved_blocks: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_alone: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct JsonDone<'a> {
    files: &'a [JsonResult],
    total: &'a Total,
}

impl Defrag {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        let work = |volume: &Volume| self.all(volume);
        if self.dry_run {
            session::reading(&self.image, engine, work)
        } else {
            session::writing(&self.image, engine, work)
        }
    }

    fn all(&self, volume: &Volume) -> Result<()> {
        let mut done = Done::default();
        for path in &self.paths {
            self.start(volume, path, &mut done)?;
        }
        if self.json {
            print_json(&JsonDone {
                files: &done.files,
                total: &done.total,
            })?;
        } else {
            let mut out = out();
            writeln!(out, "{}", self.summary(&done.total))?;
            out.flush()?;
        }
        if done.problems > 0 {
            return Err(Failure::Told);
        }
        Ok(())
    }

    fn start(&self, volume: &Volume, path: &Path, done: &mut Done) -> Result<()> {
        let result = match volume.metadata(path).at(path) {
            Ok(found) if found.is_dir() && self.recursive => return self.walk(volume, path, done),
            Ok(found) if found.is_dir() => Err(Failure::at(
                path,
                "is a directory; use -r for all files below it",
            )),
            Ok(found) => self.file(volume, path, found.ino(), Said::ByName, done),
            Err(failure) => Err(failure),
        };
        note(result, done)
    }

    /// All files below a directory.
    fn walk(&self, volume: &Volume, top: &Path, done: &mut Done) -> Result<()> {
        let mut dirs = vec![top.to_path_buf()];
        let mut seen = BTreeSet::new();
        while let Some(dir) = dirs.pop() {
            // A damaged volume may have directories in a circle.
            if !seen.insert(volume.symlink_metadata(&dir).at(&dir)?.ino()) {
                continue;
            }
            for entry in volume.read_dir(&dir).at(&dir)? {
                let entry = entry.at(&dir)?;
                let path = dir.join(entry.file_name());
                match entry.file_type() {
                    FileType::Directory => dirs.push(path),
                    FileType::Regular => {
                        let result = match volume.symlink_metadata(&path).at(&path) {
                            Ok(found) => self.file(volume, &path, found.ino(), Said::Below, done),
                            Err(failure) => Err(failure),
                        };
                        note(result, done)?;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn file(
        &self,
        volume: &Volume,
        path: &Path,
        ino: u32,
        said: Said,
        done: &mut Done,
    ) -> Result<()> {
        if !done.seen.insert(ino) {
            return Ok(());
        }
        let how = if self.dry_run {
            Defragment::Plan
        } else {
            Defragment::Write
        };
        let result = volume.defragment(path, how).at(path)?;
        done.total.add(&result);
        let is_news = result.moved_blocks > 0 || is_told(&result);
        if said == Said::Below && !is_news {
            return Ok(());
        }
        if self.json {
            done.files.push(JsonResult::new(path, &result));
        } else {
            let mut out = out();
            writeln!(out, "{}: {}", shown(path), self.line(&result))?;
            out.flush()?;
        }
        Ok(())
    }

    fn line(&self, result: &Defragmented) -> String {
        let runs = result.before.runs;
        let left = result.left.map_or(String::new(), |left| {
            format!("left alone: {}", left.reason())
        });
        if result.moved_blocks == 0 {
            let why = if left.is_empty() {
                "nothing to do"
            } else {
                &left
            };
            return format!("{}, {why}", count(runs, "run"));
        }
        let verb = if self.dry_run {
            "would be moved"
        } else {
            "moved"
        };
        let rest = if left.is_empty() {
            String::new()
        } else {
            format!("; some of it {left}")
        };
        format!(
            "{} -> {}, {} {verb}{rest}",
            count(runs, "run"),
            result.runs_after,
            human(result.moved_blocks * 4096)
        )
    }

    fn summary(&self, total: &Total) -> String {
        let verb = if self.dry_run {
            "would be written anew"
        } else {
            "written anew"
        };
        format!(
            "{}: {} {verb}, {} left alone; {} -> {}, {} of {}",
            count(total.files, "file"),
            total.moved_files,
            total.left_files,
            count(total.runs_before, "run"),
            total.runs_after,
            human(total.moved_blocks * 4096),
            human(total.blocks * 4096)
        )
    }
}

/// Whether a file was named, or found below a directory that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    ByName,
    Below,
}

/// Whether it matters that a file stays: a whole one does not.
fn is_told(result: &Defragmented) -> bool {
    result.left.is_some_and(|left| left != LeftAlone::Inline) && result.before.runs > 1
}

fn count(n: u64, what: &str) -> String {
    if n == 1 {
        format!("1 {what}")
    } else {
        format!("{n} {what}s")
    }
}

/// Tells of a failure and goes on, unless it is one that every other file would meet.
fn note(result: Result<()>, done: &mut Done) -> Result<()> {
    match result {
        Err(failure) if failure.is_final() => Err(failure),
        Err(failure) => {
            done.problems += 1;
            complain(format_args!("f2fs: {failure}"));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

impl Total {
    fn add(&mut self, result: &Defragmented) {
        self.files += 1;
        self.moved_files += u64::from(result.moved_blocks > 0);
        self.left_files += u64::from(is_told(result));
        self.runs_before += result.before.runs;
        self.runs_after += result.runs_after;
        self.blocks += result.before.blocks;
        self.moved_blocks += result.moved_blocks;
    }
}

impl JsonResult {
    fn new(path: &Path, result: &Defragmented) -> Self {
        Self {
            name: JsonName::new(path.as_os_str()),
            runs_before: result.before.runs,
            runs_after: result.runs_after,
            blocks: result.before.blocks,
            moved_blocks: result.moved_blocks,
            left_alone: result.left.map(LeftAlone::reason),
        }
    }
}
