//! What can be mounted under a test: our mount, and others that show what a good answer is.

use crate::{fsck, tools};
use std::io::{self, Error};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system as a test subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum System {
    /// Ours: the command at this path formats, mounts and unmounts.
    F2fs(PathBuf),
    /// ext4 in user space, a peer.
    Fuse2fs,
    /// btrfs of this machine's kernel through a loop device, a peer; with these options.
    Btrfs(&'static str),
    /// A new folder below this one, on whatever file system that is; nothing is mounted.
    Folder(PathBuf),
}

/// A user and a group, by number.
pub type Owner = (u32, u32);

impl System {
    /// Ours, by the command that `F2FS_BIN` names or that lies beside the running program.
    pub fn ours() -> Self {
        let named = std::env::var_os("F2FS_BIN").map(PathBuf::from);
        Self::F2fs(named.unwrap_or_else(beside_this_program))
    }

    /// What this machine lacks to mount it.
    pub fn lacks(&self) -> Option<String> {
        let open = || {
            std::fs::File::options()
                .read(true)
                .write(true)
                .open("/dev/fuse")
        };
        let tools: &[&str] = match self {
            Self::F2fs(binary) if !binary.is_file() => {
                return Some(format!("{} is not built", binary.display()));
            }
            Self::F2fs(_) => &["fsck.f2fs", "fusermount3"],
            Self::Fuse2fs => &["fuse2fs", "mkfs.ext4", "e2fsck", "fusermount3"],
            Self::Btrfs(_) => return lacks_btrfs(),
            Self::Folder(_) => return None,
        };
        if let Some(tool) = tools.iter().find(|tool| !tools::is_there(tool)) {
            return Some(format!("{tool} is not installed"));
        }
        open().err().map(|error| format!("/dev/fuse: {error}"))
    }

    /// Makes an empty volume in an image that exists already, its root directory for `owner`.
    pub(crate) fn format(
        &self,
        image: &Path,
        compress: Option<&str>,
        (uid, gid): Owner,
    ) -> io::Result<()> {
        match self {
            Self::F2fs(binary) => {
                let mut command = Command::new(binary);
                command.arg("mkfs").arg(image);
                command.args(["--owner", &format!("{uid}:{gid}")]);
                command.args(
                    compress
                        .iter()
                        .flat_map(|&algorithm| ["--compress", algorithm]),
                );
                done(&mut command)
            }
            Self::Fuse2fs => {
                let owner = format!("root_owner={uid}:{gid}");
                done(
                    Command::new("mkfs.ext4")
                        .args(["-q", "-F", "-E", &owner])
                        .arg(image),
                )
            }
            Self::Btrfs(_) => done(Command::new("mkfs.btrfs").arg("-q").arg(image)),
            Self::Folder(_) => Ok(()),
        }
    }

    /// Whether the command of the mount serves it, and ends with it.
    pub(crate) fn has_daemon(&self) -> bool {
        matches!(self, Self::F2fs(_) | Self::Fuse2fs)
    }

    /// The command that serves a mount until it is unmounted.
    pub(crate) fn mount(&self, image: &Path, dir: &Path, options: &[&str]) -> Command {
        let mut command = match self {
            Self::F2fs(binary) => {
                let mut command = Command::new(binary);
                command.arg("mount");
                command
            }
            Self::Fuse2fs => Command::new("fuse2fs"),
            Self::Btrfs(options) => {
                let mut command = Command::new("mount");
                command.args(["-t", "btrfs", "-o", &format!("loop,{options}")]);
                command
            }
            Self::Folder(_) => unreachable!("a folder is not mounted"),
        };
        command.arg(image).arg(dir);
        if !options.is_empty() {
            command.args(["-o", &options.join(",")]);
        }
        command
    }

    /// The command that unmounts it.
    pub(crate) fn unmount(&self, dir: &Path) -> Command {
        let (program, argument) = match self {
            Self::F2fs(binary) => (binary.as_path(), "umount"),
            Self::Btrfs(_) => (Path::new("umount"), "-v"),
            _ => (Path::new("fusermount3"), "-u"),
        };
        let mut command = Command::new(program);
        command.arg(argument).arg(dir);
        command
    }

    /// Copies the command to a folder that every user can reach.
    pub(crate) fn copy_program(&mut self, dir: &Path) -> io::Result<()> {
        if let Self::F2fs(binary) = self {
            let copy = dir.join("f2fs");
            std::fs::copy(&*binary, &copy)?;
            *binary = copy;
        }
        Ok(())
    }

    /// What the checker of the file system has to say against an image: `None` if nothing.
    pub(crate) fn complaints(&self, image: &Path) -> Option<String> {
        match self {
            Self::F2fs(_) => fsck::complaints(image),
            Self::Fuse2fs => {
                let output = tools::run(Command::new("e2fsck").arg("-fn").arg(image));
                let is_clean = output.status.success();
                (!is_clean).then(|| format!("e2fsck: {}\n{}", output.status, tools::text(&output)))
            }
            Self::Btrfs(_) | Self::Folder(_) => None,
        }
    }
}

fn lacks_btrfs() -> Option<String> {
    let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if !known.contains("btrfs") {
        return Some("the kernel has no btrfs".into());
    }
    let owner = std::fs::metadata("/proc/self").map(|found| found.uid());
    if !owner.is_ok_and(|uid| uid == 0) {
        return Some("only root can mount btrfs".into());
    }
    (!tools::is_there("mkfs.btrfs")).then(|| "mkfs.btrfs is not installed".into())
}

/// Tests lie in `deps`, below the folder of the programs.
fn beside_this_program() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let mut dir = program.parent().unwrap_or(Path::new("."));
    if dir.ends_with("deps") {
        dir = dir.parent().unwrap_or(dir);
    }
    dir.join("f2fs")
}

/// Runs a command that must succeed.
pub(crate) fn done(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = tools::text(&output);
    Err(Error::other(format!(
        "{command:?}: {}\n{text}",
        output.status
    )))
}
