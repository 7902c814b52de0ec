//! The command line: what every command takes, and the list of commands.

use crate::commands::clusters::Action;
use crate::commands::{
    cat, chattr, clusters, demo, df, get, info, ln, ls, mkdir, mkfs, mount, mv, put, rm, setquota,
    stat, truncate, umount, write,
};
use crate::errors::Result;
use crate::size::parse_size;
use clap::{Args, Parser, Subcommand, ValueEnum};
use f2fs::{Fill, Space, VolumeOptions};

const AFTER_HELP: &str = "\
Sizes take the suffixes K, M, G and T (powers of 1024; KiB is the same, KB is 1000 bytes).

Exit codes:
  0  everything was done
  1  something failed; each failure was named on standard error
  2  the command line is wrong
  3  the volume cannot be used: missing, not F2FS, corrupt, not supported, in use, protected
  4  no space is left, on the volume or where files are written to

With RUST_LOG set (for example RUST_LOG=f2fs=debug) the engine tells what it does on standard error.
Start with: f2fs demo";

/// Make, fill, read and inspect F2FS images, without root and without mounting them.
///
/// Paths on the volume start at its root, with or without a leading slash.
#[derive(Debug, Parser)]
#[command(name = "f2fs", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    engine: EngineArgs,
    #[command(subcommand)]
    command: Command,
}

/// Options of the engine, the same for every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Engine options")]
pub(crate) struct EngineArgs {
    /// Largest folio: 2^N pages of 4 KiB, 0 to 9
    #[arg(long, global = true, value_name = "N", default_value_t = 9, hide_default_value = true,
          value_parser = clap::value_parser!(u8).range(0..=9))]
    pub(crate) max_order: u8,
    /// How folios of compressed files are filled: a whole folio at a time, or cluster by cluster
    #[arg(long, global = true, value_name = "HOW", value_enum, default_value_t = FillArg::Folio,
          hide_default_value = true)]
    pub(crate) fill: FillArg,
    /// Memory for cached folios [default: 256M]
    #[arg(long, global = true, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) cache: Option<u64>,
    /// Threads that encode and decode clusters [default: one for each processor]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Largest readahead window; 0 turns readahead off [default: 4M]
    #[arg(long, global = true, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) readahead: Option<u64>,
    /// What becomes of blocks that compression saves: the files hold them, or give them back when nobody writes them
    #[arg(long, global = true, value_name = "HOW", value_enum, default_value_t = SpaceArg::Reserve,
          hide_default_value = true)]
    pub(crate) space: SpaceArg,
    /// The image comes from a stranger: read-only; set-id bits, devices and security attributes are not shown
    #[arg(long, global = true)]
    pub(crate) untrusted: bool,
    /// Print the engine's counters on standard error, as text or as one line of JSON
    #[arg(long, global = true, value_name = "FORMAT", value_enum, num_args = 0..=1,
          require_equals = true, default_missing_value = "text")]
    pub(crate) stats: Option<StatsFormat>,
}

/// Value of `--fill`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FillArg {
    /// One large folio for the request, filled with all the clusters it spans
    Folio,
    /// One cluster after the other
    Cluster,
}

/// Value of `--space`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SpaceArg {
    /// Files hold them until 'f2fs release', and are not written from then on until 'f2fs reserve'
    Reserve,
    /// They are free, and a file takes them again when it is changed
    Release,
}

/// Value of `--stats`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatsFormat {
    /// For people
    Text,
    /// For scripts
    Json,
}

impl EngineArgs {
    /// The engine's options that these arguments stand for.
    pub(crate) fn volume_options(&self) -> VolumeOptions {
        let defaults = VolumeOptions::default();
        VolumeOptions {
            max_order: self.max_order,
            fill: match self.fill {
                FillArg::Folio => Fill::Folio,
                FillArg::Cluster => Fill::Cluster,
            },
            space: match self.space {
                SpaceArg::Reserve => Space::Reserve,
                SpaceArg::Release => Space::Release,
            },
            cache_bytes: self.cache.unwrap_or(defaults.cache_bytes),
            threads: self.threads.unwrap_or(defaults.threads),
            untrusted: self.untrusted,
            readahead_bytes: self.readahead.unwrap_or(defaults.readahead_bytes),
            ..defaults
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Mkfs(mkfs::Mkfs),
    Mount(mount::Mount),
    Umount(umount::Umount),
    Put(put::Put),
    Get(get::Get),
    Write(write::Write),
    Cat(cat::Cat),
    Ls(ls::Ls),
    Stat(stat::Stat),
    Mkdir(mkdir::Mkdir),
    Rm(rm::Rm),
    Mv(mv::Mv),
    Ln(ln::Ln),
    Chattr(chattr::Chattr),
    /// Compress the clusters of compressed files that are stored raw
    Compress(clusters::Compress),
    /// Compress files another way, in place: algorithm, level, cluster size
    Recompress(clusters::Recompress),
    /// Store all clusters of compressed files raw
    Decompress(clusters::Clusters),
    /// Give the blocks that compression saves to the volume; the files take no writes from then on,
    /// unless the volume is used with space=release
    Release(clusters::Clusters),
    /// Reserve what was released again, so that the files can be written
    Reserve(clusters::Clusters),
    Truncate(truncate::Truncate),
    Df(df::Df),
    Info(info::Info),
    Setquota(setquota::Setquota),
}

impl Cli {
    /// Whether it mounts: then it chooses itself where its messages go.
    pub(crate) fn is_mount(&self) -> bool {
        matches!(self.command, Command::Mount(_))
    }

    /// Runs the command.
    pub(crate) fn run(&self) -> Result<()> {
        let engine = &self.engine;
        match &self.command {
            Command::Demo(command) => command.run(engine),
            Command::Mkfs(command) => command.run(),
            Command::Mount(command) => command.run(engine),
            Command::Umount(command) => command.run(),
            Command::Put(command) => command.run(engine),
            Command::Get(command) => command.run(engine),
            Command::Write(command) => command.run(engine),
            Command::Cat(command) => command.run(engine),
            Command::Ls(command) => command.run(engine),
            Command::Stat(command) => command.run(engine),
            Command::Mkdir(command) => command.run(engine),
            Command::Rm(command) => command.run(engine),
            Command::Mv(command) => command.run(engine),
            Command::Ln(command) => command.run(engine),
            Command::Chattr(command) => command.run(engine),
            Command::Compress(command) => command.run(engine),
            Command::Recompress(command) => command.run(engine),
            Command::Decompress(command) => command.run(engine, Action::Decompress),
            Command::Release(command) => command.run(engine, Action::Release),
            Command::Reserve(command) => command.run(engine, Action::Reserve),
            Command::Truncate(command) => command.run(engine),
            Command::Df(command) => command.run(engine),
            Command::Info(command) => command.run(engine),
            Command::Setquota(command) => command.run(engine),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
