//! `f2fs compress`, `decompress`, `release` and `reserve`.

use crate::cli::EngineArgs;
use crate::errors::{At, Failure, Result, complain};
use crate::session;
use crate::size::human;
use crate::text::out;
use clap::Args;
use f2fs::{FileType, Metadata, Volume};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Files whose clusters change.
#[derive(Debug, Args)]
pub(crate) struct Clusters {
    /// The image file or block device
    image: PathBuf,
    /// Compressed files on the volume
    #[arg(required = true, value_name = "/PATH")]
    paths: Vec<PathBuf>,
    /// Directories with all compressed files below them
    #[arg(short, long)]
    recursive: bool,
}

/// What is done with each file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Compress,
    Decompress,
    Release,
    Reserve,
}

/// What was done so far.
#[derive(Debug, Default)]
struct Done {
    /// Files by inode: one with two names is met twice.
    files: BTreeSet<u32>,
    blocks: u64,
    problems: u64,
}

impl Clusters {
    pub(crate) fn run(&self, engine: &EngineArgs, action: Action) -> Result<()> {
        session::writing(&self.image, engine, |volume| {
            let mut done = Done::default();
            for path in &self.paths {
                self.start(volume, path, action, &mut done)?;
            }
            let mut out = out();
            writeln!(out, "{}", summary(action, &done))?;
            out.flush()?;
            if done.problems > 0 {
                return Err(Failure::Told);
            }
            Ok(())
        })
    }

    fn start(&self, volume: &Volume, path: &Path, action: Action, done: &mut Done) -> Result<()> {
        let result = match volume.metadata(path).at(path) {
            Ok(found) if found.is_dir() && self.recursive => {
                return walk(volume, path, action, done);
            }
            Ok(found) if found.is_dir() => Err(Failure::at(
                path,
                "is a directory; use -r for all files below it",
            )),
            Ok(found) if !is_compressed(&found) => Err(Failure::at(
                path,
                "is not marked for compression; see 'f2fs chattr +c' and 'f2fs put --compress'",
            )),
            Ok(found) => change(volume, path, &found, action, done),
            Err(failure) => Err(failure),
        };
        note(result, done)
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

/// All compressed files below a directory that the action fits.
fn walk(volume: &Volume, top: &Path, action: Action, done: &mut Done) -> Result<()> {
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
                    let result = visit(volume, &path, action, done);
                    note(result, done)?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn visit(volume: &Volume, path: &Path, action: Action, done: &mut Done) -> Result<()> {
    let found = volume.symlink_metadata(path).at(path)?;
    let saved = found.compression().map_or(0, |c| c.blocks_saved);
    let fits = match action {
        Action::Compress => !found.is_released(),
        Action::Decompress | Action::Release => !found.is_released() && saved > 0,
        Action::Reserve => found.is_released(),
    };
    if is_compressed(&found) && fits {
        change(volume, path, &found, action, done)
    } else {
        Ok(())
    }
}

fn is_compressed(found: &Metadata) -> bool {
    found.is_file() && found.compression().is_some()
}

fn change(
    volume: &Volume,
    path: &Path,
    found: &Metadata,
    action: Action,
    done: &mut Done,
) -> Result<()> {
    if !done.files.insert(found.ino()) {
        return Ok(());
    }
    let blocks = match action {
        Action::Compress => volume
            .compress_file(path)
            .and_then(|()| volume.saved_blocks(path)),
        Action::Decompress => {
            let before = volume.saved_blocks(path);
            volume.decompress_file(path).and(before)
        }
        Action::Release => volume.release_blocks(path),
        Action::Reserve => volume.reserve_blocks(path),
    };
    done.blocks += blocks.at(path)?;
    Ok(())
}

fn summary(action: Action, done: &Done) -> String {
    let files = match done.files.len() {
        1 => "1 file".to_owned(),
        n => format!("{n} files"),
    };
    let what = match action {
        Action::Compress => "saved",
        Action::Decompress => "no longer saved",
        Action::Release => "given back to the volume",
        Action::Reserve => "reserved again",
    };
    format!(
        "{files}: {} blocks {what} ({})",
        done.blocks,
        human(done.blocks * 4096)
    )
}
