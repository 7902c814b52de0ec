//! `f2fs compress`, `decompress`, `release`, `reserve` and `recompress`: the form of clusters, the blocks they save.
//!
//! The files lie in an image ([`image`]), or on a mounted F2FS, ours or the kernel's ([`mounted`]); the rest does not
//! care ([`files`]).

mod estimate;
mod files;
mod image;
mod mounted;

use crate::cli::EngineArgs;
use crate::compress::{defaults_of, sized};
use crate::errors::{Failure, Result};
use crate::progress::Progress;
use crate::session;
use crate::size::{human, parse_size};
use crate::text::{out, shown};
use clap::Args;
use estimate::DryRun;
use f2fs::{CompressDefaults, Volume};
use f2fs_offline::RootCompression;
use files::{Acted, Collected, Files, Found};
use image::OnVolume;
use mounted::OnMount;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Files whose clusters change.
#[derive(Debug, Args)]
pub(crate) struct Clusters {
    /// The image file or block device; or files and directories on a mounted volume
    #[arg(value_name = "IMAGE|PATH")]
    first: PathBuf,
    /// Compressed files on the volume
    #[arg(value_name = "/PATH")]
    paths: Vec<PathBuf>,
    /// Directories with all compressed files below them
    #[arg(short, long)]
    recursive: bool,
}

/// Arguments of `f2fs compress`.
#[derive(Debug, Args)]
pub(crate) struct Compress {
    #[command(flatten)]
    clusters: Clusters,
    /// Mark files that are not marked for compression yet; only empty ones can be
    #[arg(long)]
    mark: bool,
    /// Read the files and tell what would be saved; nothing is written
    #[arg(long)]
    dry_run: bool,
    /// Algorithm for --mark and --dry-run: lz4, zstd, lzo or lzo-rle, optionally with a level
    /// [default: the file's own, or lz4]
    #[arg(long, value_name = "ALG[:LEVEL]")]
    algorithm: Option<RootCompression>,
    /// Cluster size for --mark and --dry-run [default: the file's own, or 64K]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    cluster_size: Option<u64>,
}

/// Arguments of `f2fs recompress`.
#[derive(Debug, Args)]
pub(crate) struct Recompress {
    #[command(flatten)]
    clusters: Clusters,
    /// lz4, zstd, lzo or lzo-rle, optionally with a level (lz4: 3-16, zstd: 1-22)
    #[arg(long, value_name = "ALG[:LEVEL]")]
    algorithm: RootCompression,
    /// Bytes that are compressed together: a power of two from 16K to 1M [default: the file's own]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    cluster_size: Option<u64>,
    /// Read the files and tell what would be saved; nothing is written
    #[arg(long)]
    dry_run: bool,
}

/// What is done with each file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Compress,
    Decompress,
    Release,
    Reserve,
    Recompress(f2fs::Recompress),
}

/// An action and what goes with it.
#[derive(Debug)]
struct Job {
    action: Action,
    /// How files are marked first that are not.
    mark: Option<CompressDefaults>,
    dry_run: Option<DryRun>,
}

impl Clusters {
    pub(crate) fn run(&self, engine: &EngineArgs, action: Action) -> Result<()> {
        let job = Job {
            action,
            mark: None,
            dry_run: None,
        };
        self.run_job(engine, &job)
    }

    fn run_job(&self, engine: &EngineArgs, job: &Job) -> Result<()> {
        if mounted::is_meant(&self.first)? {
            let paths: Vec<&Path> = [self.first.as_path()]
                .into_iter()
                .chain(self.paths.iter().map(PathBuf::as_path))
                .collect();
            return self.process(&OnMount, &paths, job);
        }
        if self.paths.is_empty() {
            return Err(Failure::usage(format!(
                "{}: which files of the image? Give their paths, or -r / for all",
                shown(&self.first)
            )));
        }
        let paths: Vec<&Path> = self.paths.iter().map(PathBuf::as_path).collect();
        let on_volume = |volume: &Volume| {
            let files = OnVolume {
                volume,
                space: engine.volume_options().space,
            };
            self.process(&files, &paths, job)
        };
        if job.dry_run.is_some() {
            session::reading(&self.first, engine, on_volume)
        } else {
            session::writing(&self.first, engine, on_volume)
        }
    }

    fn process(&self, files: &dyn Files, paths: &[&Path], job: &Job) -> Result<()> {
        let is_wanted = |found: &Found| match &job.dry_run {
            Some(_) => true,
            None => {
                job.mark.is_some() && !found.is_marked
                    || found.is_marked && files.fits(found, job.action)
            }
        };
        let collected = files::collect(files, paths, self.recursive, &is_wanted)?;
        if let Some(dry_run) = &job.dry_run {
            return dry_run.run(files, &collected);
        }
        work(files, &collected, job)
    }
}

impl Compress {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        if !self.mark && !self.dry_run && (self.algorithm.is_some() || self.cluster_size.is_some())
        {
            return Err(Failure::usage(
                "--algorithm and --cluster-size go with --mark or --dry-run; \
                 'f2fs recompress' changes files that are marked",
            ));
        }
        let chosen = chosen(self.algorithm, self.cluster_size)?;
        let job = Job {
            action: Action::Compress,
            mark: self.mark.then_some(chosen),
            dry_run: self.dry_run.then_some(DryRun {
                chosen,
                algorithm_is_given: self.algorithm.is_some(),
                cluster_is_given: self.cluster_size.is_some(),
                threads: engine.threads.unwrap_or(0),
            }),
        };
        self.clusters.run_job(engine, &job)
    }
}

impl Recompress {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        let chosen = chosen(Some(self.algorithm), self.cluster_size)?;
        let new = f2fs::Recompress {
            algorithm: chosen.algorithm,
            level: chosen.level,
            log_cluster_size: self.cluster_size.map(|_| chosen.log_cluster_size),
        };
        let job = Job {
            action: Action::Recompress(new),
            mark: None,
            dry_run: self.dry_run.then_some(DryRun {
                chosen,
                algorithm_is_given: true,
                cluster_is_given: self.cluster_size.is_some(),
                threads: engine.threads.unwrap_or(0),
            }),
        };
        self.clusters.run_job(engine, &job)
    }
}

fn chosen(
    algorithm: Option<RootCompression>,
    cluster_size: Option<u64>,
) -> Result<CompressDefaults> {
    let algorithm =
        algorithm.unwrap_or_else(|| RootCompression::new(CompressDefaults::default().algorithm));
    sized(algorithm, cluster_size, false)
        .map(defaults_of)
        .map_err(|_| Failure::usage("--cluster-size: a power of two from 16K to 1M"))
}

/// Does it to all files, and says what came of it.
fn work(files: &dyn Files, collected: &Collected, job: &Job) -> Result<()> {
    let total = collected.files.iter().map(|found| found.len).sum();
    let mut progress = Progress::new(Some(total));
    for failure in &collected.problems {
        progress.problem(failure);
    }
    let (mut count, mut blocks, mut unmarked) = (0, 0, 0);
    for found in &collected.files {
        progress.at(&found.path);
        match one(files, found, job) {
            Ok(Some(changed)) => {
                count += 1;
                blocks += changed;
            }
            Ok(None) => unmarked += u64::from(!found.is_marked),
            Err(failure) if failure.is_final() => {
                progress.clear();
                return Err(failure);
            }
            Err(_) if !found.is_named && files.is_gone(&found.path) => {}
            Err(failure) => progress.problem(&failure),
        }
        progress.add(found.len);
    }
    progress.clear();
    let mut out = out();
    writeln!(out, "{}", summary(job.action, count, blocks))?;
    if unmarked > 0 {
        writeln!(out, "{unmarked} with content not marked: {ONLY_EMPTY}")?;
    }
    out.flush()?;
    if progress.problems() > 0 {
        return Err(Failure::Told);
    }
    Ok(())
}

const ONLY_EMPTY: &str = "only an empty file can be marked for compression; copy it into a directory that is marked \
                          ('f2fs chattr +c', or chattr +c on a mount)";

/// Blocks that one file saves, gives or takes; None if the action does not fit a file that nobody named.
fn one(files: &dyn Files, found: &Found, job: &Job) -> Result<Option<u64>> {
    if !found.is_marked {
        let Some(defaults) = job.mark else {
            return Err(Failure::at(
                &found.path,
                "is not marked for compression; see 'f2fs chattr +c', 'f2fs put --compress' and --mark",
            ));
        };
        if found.len > 0 {
            let failure = Failure::at(&found.path, ONLY_EMPTY);
            return if found.is_named {
                Err(failure)
            } else {
                Ok(None)
            };
        }
        files.mark(&found.path, defaults)?;
    }
    match files.act(&found.path, job.action)? {
        Acted::Blocks(blocks) => Ok(Some(blocks)),
        Acted::Unfit(failure) if found.is_named => Err(failure),
        Acted::Unfit(_) => Ok(None),
    }
}

fn summary(action: Action, files: u64, blocks: u64) -> String {
    let what = match action {
        Action::Compress | Action::Recompress(_) => "saved",
        Action::Decompress => "no longer saved",
        Action::Release => "given back to the volume",
        Action::Reserve => "reserved again",
    };
    let files = count_of(files);
    format!("{files}: {blocks} blocks {what} ({})", human(blocks * 4096))
}

fn count_of(files: u64) -> String {
    match files {
        1 => "1 file".to_owned(),
        n => format!("{n} files"),
    }
}
