//! Tools that the tests use and cargo does not bring.

use anyhow::{Context, Result, bail};
use std::process::{Command, Stdio};
use testkit::tools::is_there;

/// A program, and the Debian package that has it.
const TOOLS: &[(&str, &str)] = &[
    ("mkfs.f2fs", "f2fs-tools"),
    ("fsck.f2fs", "f2fs-tools"),
    ("xz", "xz-utils"),
    ("setfattr", "attr"),
    ("setfacl", "acl"),
    ("python3", "python3-minimal"),
    ("fusermount3", "fuse3"),
    ("fuse2fs", "fuse2fs"),
    ("mkfs.ext4", "e2fsprogs"),
    ("mkfs.btrfs", "btrfs-progs"),
    ("fio", "fio"),
    ("dbench", "dbench"),
    ("fs_mark", "fsmark"),
    ("postmark", "postmark"),
    ("sqlite3", "sqlite3"),
    ("git", "git"),
    ("rsync", "rsync"),
    ("pg_ctlcluster", "postgresql"),
];

/// Installs the packages of missing tools with apt-get.
pub(crate) fn install() -> Result<()> {
    let mut packages: Vec<&str> = TOOLS
        .iter()
        .filter(|(tool, _)| !is_there(tool))
        .map(|&(_, package)| package)
        .collect();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    eprintln!("xtask: installing {}", packages.join(" "));
    if !is_there("apt-get") {
        bail!(
            "install {} with this system's package manager",
            packages.join(" ")
        );
    }
    apt(&["update", "-qq"])?;
    let mut args = vec!["install", "-y", "-qq", "--no-install-recommends"];
    args.extend(packages);
    apt(&args)
}

fn apt(args: &[&str]) -> Result<()> {
    let is_root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|out| String::from_utf8_lossy(&out.stdout).trim() == "0");
    let mut command = Command::new(if is_root { "apt-get" } else { "sudo" });
    if !is_root {
        command.arg("apt-get");
    }
    let status = command
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .status()
        .context("apt-get cannot be started")?;
    if !status.success() {
        bail!("apt-get {} failed", args[0]);
    }
    Ok(())
}
