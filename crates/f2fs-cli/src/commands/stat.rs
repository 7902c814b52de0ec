//! `f2fs stat`.

mod extents;

use super::describe::JsonFile;
use crate::cli::EngineArgs;
use crate::errors::{At, Failure, Result};
use crate::session;
use crate::size::human;
use crate::text::{flag_string, mode_string, out, print_json, shown, type_name, utc};
use clap::Args;
use extents::{JsonExtents, Segments};
use f2fs::{ClusterCounts, File, FileType, Metadata, Volume};
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Print what is known of files: attributes, compression, clusters, extents
#[derive(Debug, Args)]
pub(crate) struct Stat {
    /// The image file or block device
    image: PathBuf,
    /// Files on the volume
    #[arg(required = true, value_name = "/PATH")]
    paths: Vec<PathBuf>,
    /// Follow symbolic links
    #[arg(short = 'L', long)]
    dereference: bool,
    /// List where the bytes lie on the volume, and how scattered they are
    #[arg(long)]
    extents: bool,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct JsonStat {
    #[serde(flatten)]
    file: JsonFile,
    #[serde(skip_serializing_if = "Option::is_none")]
    clusters: Option<JsonClusters>,
    xattrs: Vec<String>,
    #[serde(flatten)]
    extents: Option<JsonExtents>,
}

#[derive(Debug, Serialize)]
struct JsonClusters {
    total: u64,
    compressed: u64,
    raw: u64,
    holes: u64,
    blocks_saved: u64,
}

/// Everything about one file.
#[derive(Debug)]
struct Known {
    found: Metadata,
    target: Option<PathBuf>,
    clusters: Option<ClusterCounts>,
    /// Open, if its extents are asked for.
    file: Option<File>,
    xattrs: Vec<String>,
}

impl Stat {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        session::reading(&self.image, engine, |volume| {
            let segments = Segments::of(volume);
            let mut json = Vec::new();
            let mut problems = 0;
            for path in &self.paths {
                match self.look(volume, path) {
                    Ok(known) if self.json => json.push(to_json(path, known, segments)),
                    Ok(known) => {
                        print(path, &known)?;
                        if let Some(file) = &known.file {
                            told(extents::print(path, file, segments), &mut problems)?;
                        }
                    }
                    Err(failure) => told(Err(failure), &mut problems)?,
                }
            }
            if self.json {
                print_json(&json)?;
                for stat in json.iter_mut().filter_map(|stat| stat.extents.as_mut()) {
                    told(stat.failure(), &mut problems)?;
                }
            }
            if problems > 0 {
                Err(Failure::Told)
            } else {
                Ok(())
            }
        })
    }

    fn look(&self, volume: &Volume, path: &Path) -> Result<Known> {
        let found = if self.dereference {
            volume.metadata(path)
        } else {
            volume.symlink_metadata(path)
        };
        let found = found.at(path)?;
        let is_link = found.file_type() == FileType::Symlink;
        let target = is_link
            .then(|| volume.read_link(path))
            .transpose()
            .at(path)?;
        let (mut clusters, mut file) = (None, None);
        if found.is_file() {
            let open = volume.open_file(path).at(path)?;
            clusters = open.clusters().at(path)?;
            file = Some(open).filter(|_| self.extents);
        }
        let names = volume.list_xattrs(path).at(path)?;
        let xattrs = names
            .iter()
            .map(|name| crate::text::escaped(name))
            .collect();
        Ok(Known {
            found,
            target,
            clusters,
            file,
            xattrs,
        })
    }
}

/// Tells of a failure with one file and goes on with the next.
fn told(result: Result<()>, problems: &mut u64) -> Result<()> {
    match result {
        Err(Failure::BrokenPipe) => Err(Failure::BrokenPipe),
        Err(failure) => {
            *problems += 1;
            crate::errors::complain(format_args!("f2fs: {failure}"));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

fn to_json(path: &Path, known: Known, segments: Segments) -> JsonStat {
    let Known {
        found,
        target,
        clusters,
        file,
        xattrs,
    } = known;
    JsonStat {
        file: JsonFile::new(path, &found, target.as_deref()),
        clusters: clusters.map(|c| JsonClusters {
            total: c.compressed + c.raw + c.holes,
            compressed: c.compressed,
            raw: c.raw,
            holes: c.holes,
            blocks_saved: c.blocks_saved,
        }),
        xattrs,
        extents: file.map(|file| JsonExtents::new(path, file, segments)),
    }
}

fn print(path: &Path, known: &Known) -> Result<()> {
    let mut out = out();
    let found = &known.found;
    write!(out, "{}", shown(path))?;
    if let Some(target) = &known.target {
        write!(out, " -> {}", shown(target))?;
    }
    writeln!(out)?;
    let mut line = |name: &str, value: String| writeln!(out, "  {name:<12} {value}");
    let mode = mode_string(found.file_type(), found.mode());
    let octal = found.mode() & 0o7777;
    line(
        "type",
        format!("{}, inode {}", type_name(found.file_type()), found.ino()),
    )?;
    line(
        "mode",
        format!("{octal:04o} {mode}, links {}", found.links()),
    )?;
    line("owner", format!("{}:{}", found.uid(), found.gid()))?;
    if let Some((major, minor)) = found.device() {
        line("device", format!("{major}, {minor}"))?;
    }
    line(
        "size",
        format!("{} bytes ({})", found.len(), human(found.len())),
    )?;
    let place = if found.is_inline() {
        ", content in the inode"
    } else {
        ""
    };
    line("blocks", format!("{}{place}", found.blocks()))?;
    line("modified", utc(found.modified()))?;
    line("changed", utc(found.changed()))?;
    line("accessed", utc(found.accessed()))?;
    if let Some(created) = found.created() {
        line("created", utc(created))?;
    }
    if !found.flags().is_empty() {
        line("flags", flag_string(found.flags()))?;
    }
    if let Some(text) = compression_text(found) {
        line("compression", text)?;
    }
    if let Some(clusters) = known.clusters {
        line("clusters", clusters_text(&clusters))?;
    }
    if !known.xattrs.is_empty() {
        line("attributes", known.xattrs.join(", "))?;
    }
    Ok(out.flush()?)
}

fn compression_text(found: &Metadata) -> Option<String> {
    let compression = found.compression()?;
    let level = match compression.level {
        0 => String::new(),
        level => format!(" level {level}"),
    };
    let checksum = if compression.checksum {
        ", checksums"
    } else {
        ""
    };
    let released = if found.is_released() {
        ", released"
    } else {
        ""
    };
    Some(format!(
        "{}{level}, clusters of {}{checksum}{released}",
        compression.algorithm.name(),
        human(compression.cluster_bytes)
    ))
}

fn clusters_text(clusters: &ClusterCounts) -> String {
    format!(
        "{}: {} compressed, {} raw, {} holes; {} blocks saved ({})",
        clusters.compressed + clusters.raw + clusters.holes,
        clusters.compressed,
        clusters.raw,
        clusters.holes,
        clusters.blocks_saved,
        human(clusters.blocks_saved * 4096)
    )
}
