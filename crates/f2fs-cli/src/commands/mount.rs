//! `f2fs mount`: a volume as a file system of this machine.
//!
//! The command starts itself again as a session of its own and waits until that has mounted the volume or told why
//! not: one program, no fork in the middle of threads.

use crate::cli::EngineArgs;
use crate::errors::{At, Failure, Result, cannot_open};
use crate::log;
use clap::Args;
use f2fs_fuse::{MountError, MountOptions, OptionError};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Mount a volume: read and write it as a directory of this machine.
///
/// As root the mount is a block mount: sync(2) reaches the volume, and umount(8) waits for its last checkpoint. As an
/// ordinary user it goes through fusermount3; end it with 'f2fs umount', which waits. Only the user who mounts has
/// access unless -o allow_other is given; set-id bits and device nodes have no effect unless root gives -o suid,dev.
#[derive(Debug, Args)]
pub(crate) struct Mount {
    /// Image file or block device
    image: PathBuf,
    /// Directory to mount it on
    point: PathBuf,
    /// Options, comma-separated: those of the kernel's f2fs, of mount(8), and ours; an unknown one lists them
    #[arg(short = 'o', value_name = "OPTIONS")]
    options: Vec<String>,
    /// Stay in the foreground; messages go to standard error
    #[arg(short = 'f', long)]
    foreground: bool,
    /// Append messages to this file [default: the system's log]
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// The process in the background that the command starts
    #[arg(long, hide = true)]
    detached: bool,
}

/// What the background process says when the volume is mounted.
const READY: &str = "ready";

impl Mount {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        let options = self.mount_options(engine)?;
        if self.foreground {
            log::to_stderr();
            return self.serve(options, || Ok(()));
        }
        if self.detached {
            let null = self.start_log()?;
            return self.serve(options, || detach(&null));
        }
        for warning in &options.warnings {
            crate::errors::complain(format_args!("f2fs: {warning}"));
        }
        start_detached()
    }

    fn mount_options(&self, engine: &EngineArgs) -> Result<MountOptions> {
        let mut options = MountOptions::new(engine.volume_options());
        if engine.untrusted {
            options = options.parse("untrusted").map_err(|error| usage(&error))?;
        }
        for list in &self.options {
            options = options.parse(list).map_err(|error| usage(&error))?;
        }
        Ok(options)
    }

    /// Mounts, says so, answers requests until the mount ends.
    fn serve(&self, options: MountOptions, mounted: impl FnOnce() -> Result<()>) -> Result<()> {
        let mount = f2fs_fuse::mount(&self.image, &self.point, options);
        let mount = mount.map_err(|error| self.failure(error))?;
        mounted()?;
        mount.serve().map_err(|error| self.failure(error))
    }

    fn failure(&self, error: MountError) -> Failure {
        match error {
            MountError::Volume(error) => cannot_open(&self.image, &error),
            error => Failure::failed(error.to_string()),
        }
    }

    /// Opens what the process in the background writes to; after mounting it may open nothing any more.
    fn start_log(&self) -> Result<File> {
        match &self.log {
            Some(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                log::to_file(file.at(path)?);
            }
            None => log::to_system(),
        }
        let null = Path::new("/dev/null");
        let file = OpenOptions::new().read(true).write(true).open(null);
        file.at(null)
    }
}

/// Cuts the ties to whoever started the command, after telling it that all went well.
fn detach(null: &File) -> Result<()> {
    println!("{READY}");
    std::io::stdout().flush()?;
    // The session's own, so that no terminal's end ends it. It fails for a leader, which needs none.
    let _ = rustix::process::setsid();
    std::env::set_current_dir("/").at(Path::new("/"))?;
    let at = Path::new("/dev/null");
    rustix::stdio::dup2_stdin(null).at(at)?;
    rustix::stdio::dup2_stdout(null).at(at)?;
    rustix::stdio::dup2_stderr(null).at(at)
}

fn usage(error: &OptionError) -> Failure {
    Failure::usage(format!("mount: {error}"))
}

/// Starts this command again in the background and waits until it has mounted, or failed.
fn start_detached() -> Result<()> {
    let program = std::env::current_exe()?;
    let mut args: Vec<OsString> = crate::helper::arguments().skip(1).collect();
    args.push("--detached".into());
    let mut child = Command::new(&program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .at(&program)?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut line)?;
    }
    if line.trim_end() == READY {
        return Ok(());
    }
    // It has told why.
    let status = child.wait().at(&program)?;
    Err(Failure::ended(status.code()))
}
