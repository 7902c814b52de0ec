//! Writes the files into the volume, rewrites one, reads all back and compares.
//!
//! Times are those spent in the engine, without reading the host's files and without hashing.

use super::gather::{Files, Item};
use crate::cli::EngineArgs;
use crate::errors::{At, Result};
use crate::import::REQUEST;
use crate::local;
use crate::progress::Progress;
use crate::session;
use crate::stats;
use f2fs::{OpenOptions, Owner, Stats, Volume, VolumeOptions};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

/// What happened.
#[derive(Debug, Serialize)]
pub(super) struct Trial {
    pub(super) written: Written,
    pub(super) rewritten: Option<Rewritten>,
    pub(super) read: ReadBack,
}

/// The first pass.
#[derive(Debug, Serialize)]
pub(super) struct Written {
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// Files that could not be read to their end.
    pub(super) skipped: u64,
    pub(super) seconds: f64,
    pub(super) stats: stats::Report,
}

/// The largest file written over itself.
#[derive(Debug, Serialize)]
pub(super) struct Rewritten {
    pub(super) file: String,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    pub(super) clusters_not_read: u64,
    pub(super) clusters_read: u64,
}

/// The last pass.
#[derive(Debug, Serialize)]
pub(super) struct ReadBack {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    /// Files whose bytes are not those that were written.
    pub(super) different: Vec<String>,
    pub(super) stats: stats::Report,
}

/// A file that was written, and the hash of its bytes.
#[derive(Debug)]
struct Done<'a> {
    item: &'a Item,
    bytes: u64,
    hash: [u8; 32],
}

/// The whole trial on a fresh volume.
pub(super) fn run(
    image: &Path,
    engine: &EngineArgs,
    files: &Files,
    progress: &mut Progress,
) -> Result<Trial> {
    let mut done = Vec::new();
    let (written, rewritten) = session::writing(image, engine, |volume| {
        let written = write(volume, files, &mut done, progress)?;
        Ok((written, rewrite(volume, &done)?))
    })?;
    let options = VolumeOptions {
        read_only: true,
        ..engine.volume_options()
    };
    let read = session::with_options(image, engine, &options, |volume| {
        read_back(volume, &done, progress)
    })?;
    Ok(Trial {
        written,
        rewritten,
        read,
    })
}

fn write<'a>(
    volume: &Volume,
    files: &'a Files,
    done: &mut Vec<Done<'a>>,
    progress: &mut Progress,
) -> Result<Written> {
    let mut time = Duration::ZERO;
    let mut skipped = files.unreadable;
    for item in &files.list {
        progress.at(&item.local);
        match write_file(volume, item, &mut time, progress)? {
            Some(file) => done.push(file),
            None => skipped += 1,
        }
    }
    timed(&mut time, || volume.sync()).at(Path::new("/"))?;
    Ok(Written {
        files: done.len() as u64,
        bytes: done.iter().map(|file| file.bytes).sum(),
        skipped,
        seconds: time.as_secs_f64(),
        stats: stats::Report::new(&volume.stats()),
    })
}

/// Writes one file; None if the host does not give its bytes.
fn write_file<'a>(
    volume: &Volume,
    item: &'a Item,
    time: &mut Duration,
    progress: &Progress,
) -> Result<Option<Done<'a>>> {
    let Ok(source) = File::open(&item.local) else {
        return Ok(None);
    };
    let dest = item.dest.as_path();
    if let Some(parent) = dest.parent() {
        timed(time, || volume.create_dir_all(parent, Owner::root(0o755))).at(parent)?;
    }
    let options = OpenOptions::new().write(true).create_new(true);
    let file = timed(time, || volume.open_with(dest, &options)).at(dest)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; REQUEST as usize];
    let mut pos = 0;
    while pos < item.len {
        let want = (item.len - pos).min(REQUEST) as usize;
        let Ok(n) = local::read_full(&source, &mut buffer[..want], pos) else {
            volume.remove_file(dest).at(dest)?;
            return Ok(None);
        };
        if n == 0 {
            break;
        }
        hash.update(&buffer[..n]);
        timed(time, || file.write_all_at(pos, &buffer[..n])).at(dest)?;
        pos += n as u64;
        progress.add(n as u64);
    }
    Ok(Some(Done {
        item,
        bytes: pos,
        hash: hash.finalize().into(),
    }))
}

/// Writes the largest file over itself, from a cold cache.
fn rewrite(volume: &Volume, done: &[Done<'_>]) -> Result<Option<Rewritten>> {
    let Some(largest) = done
        .iter()
        .max_by_key(|file| file.bytes)
        .filter(|file| file.bytes > 0)
    else {
        return Ok(None);
    };
    let dest = largest.item.dest.as_path();
    volume.drop_caches();
    let file = volume
        .open_with(dest, &OpenOptions::new().read(true).write(true))
        .at(dest)?;
    let mut bytes = vec![0; largest.bytes as usize];
    let mut pos = 0;
    while pos < bytes.len() {
        let n = file.read_at(pos as u64, &mut bytes[pos..]).at(dest)?;
        if n == 0 {
            break;
        }
        pos += n;
    }
    volume.drop_caches();
    let before: Stats = volume.stats();
    let mut time = Duration::ZERO;
    timed(&mut time, || -> f2fs::Result<()> {
        for (index, chunk) in bytes.chunks(REQUEST as usize).enumerate() {
            file.write_all_at(index as u64 * REQUEST, chunk)?;
        }
        volume.sync()
    })
    .at(dest)?;
    let after = volume.stats();
    Ok(Some(Rewritten {
        file: largest.item.dest.display().to_string(),
        bytes: largest.bytes,
        seconds: time.as_secs_f64(),
        clusters_not_read: after.data.clusters_not_read - before.data.clusters_not_read,
        clusters_read: after.data.clusters_read - before.data.clusters_read,
    }))
}

fn read_back(volume: &Volume, done: &[Done<'_>], progress: &Progress) -> Result<ReadBack> {
    let mut time = Duration::ZERO;
    let mut different = Vec::new();
    let mut bytes = 0;
    let mut buffer = vec![0; REQUEST as usize];
    for Done {
        item,
        bytes: len,
        hash,
    } in done
    {
        let dest = item.dest.as_path();
        progress.at(dest);
        let file = timed(&mut time, || volume.open_file(dest)).at(dest)?;
        let mut found = Sha256::new();
        let mut pos = 0;
        loop {
            let n = timed(&mut time, || file.read_at(pos, &mut buffer)).at(dest)?;
            if n == 0 {
                break;
            }
            found.update(&buffer[..n]);
            pos += n as u64;
            progress.add(n as u64);
        }
        bytes += pos;
        if pos != *len || found.finalize()[..] != hash[..] {
            different.push(item.dest.display().to_string());
        }
    }
    Ok(ReadBack {
        files: done.len() as u64,
        bytes,
        seconds: time.as_secs_f64(),
        different,
        stats: stats::Report::new(&volume.stats()),
    })
}

fn timed<T>(total: &mut Duration, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    *total += start.elapsed();
    result
}
