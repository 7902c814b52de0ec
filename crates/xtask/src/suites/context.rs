//! What all suites share: the system under test, its volumes, programs and scripts.

use crate::run;
use anyhow::{Context as _, Result, bail, ensure};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use testkit::mount::{Mount, MountOptions};
use testkit::system::System;

/// End of an output that a failure shows.
const SHOWN: usize = 3000;

/// The system under test and how much to do.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) system: System,
    pub(crate) is_long: bool,
    pub(crate) seed: u64,
    /// Folder of the built programs.
    bin: PathBuf,
}

/// How programs are built.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Profile {
    /// With the checks of lock order: for tests.
    Checked,
    /// Without: for measuring.
    Release,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Checked => "checked",
            Self::Release => "release",
        }
    }
}

impl Context {
    /// Builds what the suites start.
    pub(crate) fn new(
        on: Option<&Path>,
        is_long: bool,
        seed: u64,
        profile: Profile,
    ) -> Result<Self> {
        let profile = profile.name();
        let mut args = vec!["build", "--quiet", "--profile", profile];
        args.extend(["--package", "mount-tests"]);
        if on.is_none() {
            args.extend(["--package", "f2fs-cli"]);
        }
        run::cargo(&args)?;
        let bin = workspace().join("target").join(profile);
        let system = match on {
            None => std::env::var_os("F2FS_BIN").map_or_else(
                || System::F2fs(bin.join("f2fs")),
                |binary| System::F2fs(binary.into()),
            ),
            Some(name) if name == "fuse2fs" => System::Fuse2fs,
            Some(folder) => System::Folder(folder.canonicalize().context("--on")?),
        };
        Ok(Self {
            system,
            is_long,
            seed,
            bin,
        })
    }

    /// What this machine lacks.
    pub(crate) fn lacks(&self) -> Option<String> {
        self.system.lacks()
    }

    /// One of two numbers: for the long run, and for the short one.
    pub(crate) fn pick<T>(&self, long: T, short: T) -> T {
        if self.is_long { long } else { short }
    }

    /// A mounted volume that all users may enter, for `gib` GiB.
    pub(crate) fn mount(&self, gib: u64, compress: Option<&'static str>) -> Result<Mount> {
        let mut options = self.options(gib);
        options.compress = compress;
        Ok(Mount::new(options)?)
    }

    /// The options of [`Context::mount`].
    pub(crate) fn options(&self, gib: u64) -> MountOptions {
        let mut options = MountOptions::new(self.system.clone(), gib << 30);
        options.options = vec!["allow_other"];
        options
    }

    /// A file of a FUSE mount can never be collapsed, the kernel knows no request for it; what a peer
    /// lacks beyond that is of no interest here.
    pub(crate) fn may_lack(&self) -> &'static str {
        match self.system {
            System::F2fs(_) => "--may-lack=collapse,insert",
            _ => "--may-lack=zero,zero-keep,collapse,insert",
        }
    }

    /// The command `mount-tests`.
    pub(crate) fn program(&self) -> Command {
        Command::new(self.bin.join("mount-tests"))
    }

    /// Runs `mount-tests` with arguments; what it printed.
    pub(crate) fn mount_tests<S: AsRef<OsStr>>(
        &self,
        args: &[S],
        limit: Duration,
    ) -> Result<String> {
        let mut command = self.program();
        command.args(args);
        output(&command, limit)
    }
}

/// Runs a bash script with arguments, each of its commands being expected to succeed; what it printed.
pub(crate) fn script<S: AsRef<OsStr>>(text: &str, args: &[S], limit: Duration) -> Result<String> {
    let mut command = Command::new("bash");
    let text = format!("set -eu -o pipefail\n{text}");
    command.arg("-c").arg(text).arg("script").args(args);
    output(&command, limit)
}

/// Runs a command that must end well in time, and everything it starts; what it printed.
pub(crate) fn output(command: &Command, limit: Duration) -> Result<String> {
    let ended = limited(command, limit).output()?;
    if ended.status.success() {
        return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
    }
    let name = Path::new(command.get_program()).display();
    let text = both(&ended);
    if ended.status.code() == Some(124) {
        bail!(
            "{name} does not end in {} s\n{}",
            limit.as_secs(),
            tail(&text)
        );
    }
    bail!("{name}: {}\n{}", ended.status, tail(&text))
}

/// The same command with an end to its patience.
pub(crate) fn limited(command: &Command, limit: Duration) -> Command {
    let mut limited = Command::new("timeout");
    limited.args(["-k", "10", &limit.as_secs().to_string()]);
    limited.arg(command.get_program()).args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        limited.current_dir(dir);
    }
    limited.stdin(Stdio::null());
    limited
}

/// What a command printed on both streams.
pub(crate) fn both(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}

/// The end of a text.
pub(crate) fn tail(text: &str) -> &str {
    let mut start = text.len().saturating_sub(SHOWN);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

/// Fails if a program is not there.
pub(crate) fn need(program: &str) -> Result<()> {
    ensure!(
        testkit::tools::is_there(program),
        "{program} is not installed: run `cargo xtask setup`"
    );
    Ok(())
}

/// The root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.unwrap_or(Path::new(".")).to_path_buf()
}

/// A tree of many real files of this machine: what cargo unpacked.
pub(crate) fn sources() -> Result<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let sources = home.context("CARGO_HOME")?.join("registry/src");
    ensure!(sources.is_dir(), "{} is no folder", sources.display());
    Ok(sources)
}
