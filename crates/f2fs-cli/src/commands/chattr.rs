//! `f2fs chattr`.

use crate::cli::EngineArgs;
use crate::compress::{defaults_of, sized};
use crate::errors::{At, Failure, Result};
use crate::session;
use crate::size::parse_size;
use crate::text::FLAG_LETTERS;
use clap::Args;
use f2fs::{CompressAlgorithm, InodeFlags, Toggle, Volume};
use f2fs_offline::RootCompression;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Change flags of files, compression among them
///
/// Give + and letters before the files to set flags, and - and letters to clear them. The letters:
/// c compress, m do not compress, i immutable, a append only, d no dump, A no access times, S and D
/// synchronous, P pass the project on, F ignore case in names. Compression of a file changes only while it is empty; a
/// directory passes it on to what is made in it from then on. F changes only while a directory is
/// empty, on a volume made with --casefold.
#[derive(Debug, Args)]
#[command(override_usage = "f2fs chattr [OPTIONS] <IMAGE> <+FLAGS|-FLAGS>... </PATH>...")]
pub(crate) struct Chattr {
    /// The image file or block device
    image: PathBuf,
    /// Flags to set, such as +c, then files on the volume
    #[arg(required = true, value_name = "+FLAGS|/PATH")]
    args: Vec<OsString>,
    #[command(flatten)]
    clear: Clear,
    /// Give the files to a project
    #[arg(short = 'p', long, value_name = "ID")]
    project: Option<u32>,
    /// Algorithm for +c: lz4, zstd, lzo or lzo-rle, optionally with a level [default: lz4]
    #[arg(long, value_name = "ALG[:LEVEL]")]
    algorithm: Option<RootCompression>,
    /// Cluster size for +c [default: 64K]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    cluster: Option<u64>,
    /// Checksums in clusters for +c
    #[arg(long)]
    checksum: bool,
}

/// Flags to clear: options, because they begin with a hyphen.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Flags to clear")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each letter of chattr(1)"
)]
struct Clear {
    /// Compress
    #[arg(short = 'c')]
    compress: bool,
    /// Do not compress
    #[arg(short = 'm')]
    nocompress: bool,
    /// Immutable
    #[arg(short = 'i')]
    immutable: bool,
    /// Append only
    #[arg(short = 'a')]
    append: bool,
    /// No dump
    #[arg(short = 'd')]
    nodump: bool,
    /// No access times
    #[arg(short = 'A')]
    noatime: bool,
    /// Synchronous
    #[arg(short = 'S')]
    sync: bool,
    /// Synchronous directory
    #[arg(short = 'D')]
    dirsync: bool,
    /// Pass the project on
    #[arg(short = 'P')]
    projinherit: bool,
    /// Ignore case
    #[arg(short = 'F')]
    casefold: bool,
}

impl Clear {
    fn flags(self) -> InodeFlags {
        let all = [
            (self.compress, InodeFlags::COMPR),
            (self.nocompress, InodeFlags::NOCOMP),
            (self.immutable, InodeFlags::IMMUTABLE),
            (self.append, InodeFlags::APPEND),
            (self.nodump, InodeFlags::NODUMP),
            (self.noatime, InodeFlags::NOATIME),
            (self.sync, InodeFlags::SYNC),
            (self.dirsync, InodeFlags::DIRSYNC),
            (self.projinherit, InodeFlags::PROJINHERIT),
            (self.casefold, InodeFlags::CASEFOLD),
        ];
        all.into_iter()
            .filter(|(is_given, _)| *is_given)
            .map(|(_, flag)| flag)
            .collect()
    }
}

/// The changes that are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Changes {
    set: InodeFlags,
    clear: InodeFlags,
    project: Option<u32>,
}

impl Changes {
    /// Adds flags to set, by their letters.
    fn set(&mut self, letters: &str) -> Result<()> {
        for letter in letters.chars() {
            let flag = FLAG_LETTERS.iter().find(|(known, _)| *known == letter);
            let Some(&(_, flag)) = flag else {
                let text = format!("chattr: no flag '{letter}'; 'f2fs chattr --help' lists them");
                return Err(Failure::usage(text));
            };
            self.set |= flag;
        }
        Ok(())
    }

    /// What is asked for one flag, and takes it out.
    fn take(&mut self, flag: InodeFlags) -> Option<Toggle> {
        let asked = match (self.set.contains(flag), self.clear.contains(flag)) {
            (true, _) => Some(Toggle::On),
            (false, true) => Some(Toggle::Off),
            (false, false) => None,
        };
        self.set -= flag;
        self.clear -= flag;
        asked
    }
}

impl Chattr {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        let is_set = |arg: &&OsString| matches!(arg.as_bytes(), [b'+', _, ..]);
        let sets = self.args.iter().take_while(is_set).count();
        let (sets, paths) = self.args.split_at(sets);
        let mut changes = Changes {
            clear: self.clear.flags(),
            project: self.project,
            ..Changes::default()
        };
        for letters in sets {
            changes.set(&letters.to_string_lossy()[1..])?;
        }
        if changes == Changes::default() || paths.is_empty() {
            let text = "chattr: give flags such as +c or -c, then files; see 'f2fs chattr --help'";
            return Err(Failure::usage(text));
        }
        if !(changes.set & changes.clear).is_empty() {
            return Err(Failure::usage(
                "chattr: a flag cannot be set and cleared at once",
            ));
        }
        let has_choice = self.algorithm.is_some() || self.cluster.is_some() || self.checksum;
        if has_choice && !changes.set.contains(InodeFlags::COMPR) {
            return Err(Failure::usage(
                "chattr: --algorithm, --cluster and --checksum belong to +c",
            ));
        }
        let chosen = self
            .algorithm
            .unwrap_or(RootCompression::new(CompressAlgorithm::Lz4));
        let chosen = sized(chosen, self.cluster, self.checksum)?;
        session::writing(&self.image, engine, |volume| {
            paths
                .iter()
                .try_for_each(|path| apply(volume, Path::new(path), changes, chosen))
        })
    }
}

fn apply(
    volume: &Volume,
    path: &Path,
    mut changes: Changes,
    chosen: RootCompression,
) -> Result<()> {
    let compress = changes.take(InodeFlags::COMPR);
    let nocompress = changes.take(InodeFlags::NOCOMP);
    // An immutable file takes no other change: that flag goes first and comes last.
    volume
        .set_flags(path, InodeFlags::empty(), changes.clear)
        .at(path)?;
    if let Some(project) = changes.project {
        volume.set_project(path, project).at(path)?;
    }
    if let Some(toggle) = nocompress.filter(|&toggle| toggle == Toggle::Off) {
        volume.set_nocompress(path, toggle).at(path)?;
    }
    match compress {
        Some(Toggle::On) => compressed(volume, path, Some(chosen))?,
        Some(Toggle::Off) => compressed(volume, path, None)?,
        None => {}
    }
    if let Some(toggle) = nocompress.filter(|&toggle| toggle == Toggle::On) {
        volume.set_nocompress(path, toggle).at(path)?;
    }
    volume
        .set_flags(path, changes.set, InodeFlags::empty())
        .at(path)
}

fn compressed(volume: &Volume, path: &Path, chosen: Option<RootCompression>) -> Result<()> {
    match volume.set_compression(path, chosen.map(defaults_of)) {
        Err(f2fs::Error::Invalid(why)) if why.contains("empty") => Err(Failure::at(
            path,
            format!("{why}; put it again with 'f2fs put --compress' or '--no-compress'"),
        )),
        result => result.at(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_add_up() {
        let mut changes = Changes {
            clear: InodeFlags::NOATIME,
            ..Changes::default()
        };
        changes.set("ci").unwrap();
        assert_eq!(changes.take(InodeFlags::COMPR), Some(Toggle::On));
        assert_eq!(changes.take(InodeFlags::NOCOMP), None);
        assert_eq!(changes.set, InodeFlags::IMMUTABLE);
        assert_eq!(changes.take(InodeFlags::NOATIME), Some(Toggle::Off));
        assert!(changes.set("z").is_err());
    }
}
