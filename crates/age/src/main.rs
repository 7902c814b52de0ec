//! The command of the ageing; see the library.

use age::drive::{self, Checks};
use age::engine::{Cleaning, Engine};
use age::peer::{self, Policy};
use age::plan::Shape;
use age::report::{self, Report};
use age::sample::{Run, Sample};
use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use f2fs::CompressDefaults;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use tempfile::NamedTempFile;

/// Overwrites a nearly full volume many times over, checks every byte and counts what is written, next to the kernel.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    guest: Option<Guest>,
    /// Decides everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// MiB of the volume
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(64..))]
    size: u64,
    /// How many times its size is written
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    times: u64,
    /// How full it is made, in percent of what users may have; it is emptied by 10 of them in turn
    #[arg(long, default_value_t = 95, value_parser = clap::value_parser!(u64).range(20..=99))]
    full: u64,
    /// Operations between two syncs
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    sync_every: u32,
    /// MiB of the engine's cache
    #[arg(long, default_value_t = 16)]
    cache: u64,
    /// Only this volume
    #[arg(long)]
    kind: Option<Kind>,
    /// Segments of a section
    #[arg(long, default_value_t = 1)]
    segments_per_section: u32,
    /// Percent of the volume that is kept from users; mkfs.f2fs chooses if not given
    #[arg(long)]
    overprovision: Option<u32>,
    /// Without the kernel
    #[arg(long)]
    alone: bool,
    /// A small volume, twice: under a minute
    #[arg(long, conflicts_with_all = ["size", "times"])]
    short: bool,
    /// Where the images lie, as long as they are needed
    #[arg(long, default_value = "/dev/shm")]
    place: PathBuf,
    /// The folder for age.json, age.html and age.svg
    #[arg(long, default_value = "target/age")]
    out: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Guest {
    /// What the guest runs
    #[command(hide = true)]
    Peer {
        task: String,
        #[command(flatten)]
        shape: ShapeArguments,
    },
}

#[derive(Clone, Copy, Debug, Args)]
struct ShapeArguments {
    #[arg(long)]
    seed: u64,
    #[arg(long)]
    capacity: u64,
    #[arg(long)]
    full: u64,
    #[arg(long)]
    bytes: u64,
    #[arg(long)]
    sync_every: u32,
}

/// What is stored, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// As it is.
    Plain,
    /// Compressed with lz4, in clusters of 16 KiB.
    Lz4,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Lz4 => "lz4",
        }
    }

    fn compress(self) -> Option<CompressDefaults> {
        let with = CompressDefaults {
            log_cluster_size: 2,
            ..CompressDefaults::default()
        };
        (self == Self::Lz4).then_some(with)
    }
}

fn main() -> ExitCode {
    match try_main(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("age: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn try_main(mut arguments: Arguments) -> Result<()> {
    if let Some(Guest::Peer { task, shape }) = &arguments.guest {
        let shape = Shape {
            seed: shape.seed,
            capacity: shape.capacity,
            full: shape.full,
            bytes: shape.bytes,
            sync_every: shape.sync_every,
        };
        return peer::in_guest(shape, task == "run");
    }
    if arguments.short {
        (arguments.size, arguments.times) = (96, 2);
    }
    let mut report = Report {
        seed: arguments.seed,
        mib: arguments.size,
        full: arguments.full,
        times: arguments.times,
        sync_every: arguments.sync_every,
        runs: Vec::new(),
    };
    for kind in [Kind::Plain, Kind::Lz4] {
        if arguments.kind.is_none_or(|only| only == kind) {
            report.runs.extend(age(&arguments, kind)?);
        }
    }
    print!("{}", report::tables(&report));
    report::write(&report, &arguments.out)
}

/// The engine both ways, then the kernel both ways.
fn age(arguments: &Arguments, kind: Kind) -> Result<Vec<Run>> {
    let run = |name: &str, samples| Run {
        name: name.to_owned(),
        kind: kind.name().to_owned(),
        samples,
    };
    let mut runs = Vec::new();
    let shape = shape(arguments)?;
    let mut has_kernel = !arguments.alone;
    for (cleaning, name) in [
        (Cleaning::ForRoom, report::ENGINE),
        (Cleaning::Often, report::ENGINE_OFTEN),
    ] {
        eprintln!("age: {}: {name}", kind.name());
        let image = format(arguments)?;
        let samples = by_engine(arguments, kind, image.path(), shape, cleaning);
        runs.push(run(name, samples.context(name)?));
        if has_kernel {
            eprintln!("age: {}: the kernel reads it", kind.name());
            has_kernel = peer::verify(image.path(), &shape)
                .with_context(|| format!("{name}: the kernel reads it"))?;
        }
    }
    for (policy, name) in [
        (Policy::OutOfPlace, report::KERNEL_OUT_OF_PLACE),
        (Policy::AsItComes, report::KERNEL),
    ] {
        if !has_kernel {
            continue;
        }
        eprintln!("age: {}: {name}", kind.name());
        let image = format(arguments)?;
        let samples = peer::run(image.path(), &shape, kind.compress().is_some(), policy);
        let samples = samples.context(name)?.context("the kernel was there")?;
        check(image.path()).context(name)?;
        verify(arguments, kind, image.path(), shape)
            .with_context(|| format!("{name}: the engine reads it"))?;
        runs.push(run(name, samples));
    }
    Ok(runs)
}

/// The operations, of which everybody does the same.
fn shape(arguments: &Arguments) -> Result<Shape> {
    let image = format(arguments)?;
    let engine = open(arguments, Kind::Plain, image.path(), Cleaning::ForRoom)?;
    let capacity = engine.free_blocks();
    engine.close()?;
    Ok(Shape {
        seed: arguments.seed,
        capacity,
        full: arguments.full,
        bytes: (arguments.size << 20) * arguments.times,
        sync_every: arguments.sync_every,
    })
}

/// A run of the engine, and a look at what is there when the volume is opened again.
fn by_engine(
    arguments: &Arguments,
    kind: Kind,
    image: &Path,
    shape: Shape,
    cleaning: Cleaning,
) -> Result<Vec<Sample>> {
    let mut engine = open(arguments, kind, image, cleaning)?;
    let samples = drive::run(shape, &mut engine, Checks::EachPart)?;
    engine.close()?;
    check(image)?;
    verify(arguments, kind, image, shape).context("opened again")?;
    Ok(samples)
}

/// The engine finds every byte on a volume that a run has made.
fn verify(arguments: &Arguments, kind: Kind, image: &Path, shape: Shape) -> Result<()> {
    let mut engine = open(arguments, kind, image, Cleaning::ForRoom)?;
    drive::verify(&drive::outcome(shape), &mut engine)?;
    engine.close()
}

fn open(arguments: &Arguments, kind: Kind, image: &Path, cleaning: Cleaning) -> Result<Engine> {
    Engine::open(image, kind.compress(), arguments.cache << 20, cleaning)
}

fn check(image: &Path) -> Result<()> {
    match testkit::fsck::complaints(image) {
        None => Ok(()),
        Some(text) => bail!("{text}"),
    }
}

/// The volume that everybody starts with.
fn format(arguments: &Arguments) -> Result<NamedTempFile> {
    let image = NamedTempFile::new_in(&arguments.place)?;
    image.as_file().set_len(arguments.size << 20)?;
    let mut command = Command::new("mkfs.f2fs");
    command.args(["-f", "-q", "-O", "extra_attr,compression", "-s"]);
    command.arg(arguments.segments_per_section.to_string());
    if let Some(percent) = arguments.overprovision {
        command.args(["-o", &percent.to_string()]);
    }
    let output = command.arg(image.path()).output().context("mkfs.f2fs")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "{command:?}: {}\n{text}",
        output.status
    );
    Ok(image)
}
