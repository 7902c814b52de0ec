//! Names that all processes fight for.

use super::{FOLDERS, Options, folder_path};
use crate::pattern::{self, BLOCK};
use anyhow::{Context, Result, bail};
use fastrand::Rng;
use rustix::fs::{
    AtFlags, CWD, FallocateFlags, Mode, OFlags, RenameFlags, XattrFlags, fallocate, fsetxattr,
    ftruncate, linkat, mkdirat, open, readlinkat, renameat_with, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Names in each folder.
const NAMES: u32 = 24;
/// Blocks of the largest file.
const BLOCKS: u64 = 64;
/// Attributes a file may have.
const ATTRIBUTES: u8 = 4;

/// Errors of a path that another process changed on the way.
const GONE: [Errno; 2] = [Errno::NOENT, Errno::NOTDIR];
/// Errors of opening a file where a folder or a link may lie.
const NO_FILE: [Errno; 4] = [Errno::NOENT, Errno::NOTDIR, Errno::ISDIR, Errno::LOOP];
/// Errors of a rename that another process changed on the way.
const RENAME: [Errno; 6] = [
    Errno::NOENT,
    Errno::NOTDIR,
    Errno::ISDIR,
    Errno::NOTEMPTY,
    // A folder into itself.
    Errno::INVAL,
    Errno::EXIST,
];

/// The names as one process uses them.
#[derive(Debug)]
pub(super) struct Names {
    dir: PathBuf,
    worker: u32,
    has_rename_flags: bool,
}

impl Names {
    pub(super) fn new(options: &Options, worker: u32) -> Self {
        Self {
            dir: options.dir.clone(),
            worker,
            has_rename_flags: !options.plain_rename,
        }
    }

    /// One operation, whose errors are those that a race explains.
    pub(super) fn step(&self, rng: &mut Rng) -> Result<()> {
        let path = self.draw(rng);
        let other = self.draw(rng);
        match rng.u8(..16) {
            0..3 => self.write(rng, &path),
            3 => truncate(rng, &path),
            4 => punch(rng, &path),
            5 => attribute(rng, &path),
            6 => read(&path),
            7 => allow(
                "mkdir",
                &path,
                mkdirat(CWD, &path, Mode::from(0o755)),
                &[Errno::EXIST],
            ),
            8 => {
                let allowed = [Errno::NOTEMPTY, Errno::EXIST];
                allow(
                    "rmdir",
                    &path,
                    unlinkat(CWD, &path, AtFlags::REMOVEDIR),
                    &allowed,
                )
            }
            9 => allow(
                "unlink",
                &path,
                unlinkat(CWD, &path, AtFlags::empty()),
                &[Errno::ISDIR],
            ),
            10 => {
                let made = symlinkat(target(&path), CWD, &path);
                allow("symlink", &path, made, &[Errno::EXIST])
            }
            11 => look(&path),
            12 => {
                let made = linkat(CWD, &path, CWD, &other, AtFlags::empty());
                // A folder cannot be linked.
                allow("link", &other, made, &[Errno::EXIST, Errno::PERM])
            }
            14.. if self.has_rename_flags => {
                let flags = [RenameFlags::EXCHANGE, RenameFlags::NOREPLACE];
                rename(&path, &other, flags[rng.usize(..2)])
            }
            _ => rename(&path, &other, RenameFlags::empty()),
        }
    }

    /// A name in a folder, or one level deeper where a folder may lie.
    fn draw(&self, rng: &mut Rng) -> PathBuf {
        let folder = folder_path(&self.dir, rng.u32(..FOLDERS));
        let path = folder.join(format!("shared{}", rng.u32(..NAMES)));
        if rng.u8(..3) > 0 {
            return path;
        }
        path.join(format!("shared{}", rng.u32(..NAMES)))
    }

    fn write(&self, rng: &mut Rng, path: &Path) -> Result<()> {
        let Some(file) = file(path, OFlags::RDWR | OFlags::CREATE)? else {
            return Ok(());
        };
        let pos = rng.u64(..BLOCKS) * BLOCK as u64;
        let count = rng.u64(1..=8);
        let tag = rng.u64(..) ^ u64::from(self.worker);
        let blocks: Vec<u8> = (0..count)
            .flat_map(|n| pattern::block(tag.wrapping_add(n)))
            .collect();
        let written = rustix::io::pwrite(&file, &blocks, pos)?;
        // What a short write leaves behind is a torn block of our own.
        if written != blocks.len() {
            bail!("{}: wrote {written} of {}", path.display(), blocks.len());
        }
        Ok(())
    }
}

/// Opens a regular file, if one lies there or is made.
fn file(path: &Path, flags: OFlags) -> Result<Option<OwnedFd>> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match open(path, flags, Mode::from(0o644)) {
        Ok(file) => {
            let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
            Ok(kind.is_file().then_some(file))
        }
        Err(error) if NO_FILE.contains(&error) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("open {}", path.display())),
    }
}

fn truncate(rng: &mut Rng, path: &Path) -> Result<()> {
    if let Some(file) = file(path, OFlags::WRONLY)? {
        ftruncate(&file, rng.u64(..=BLOCKS) * BLOCK as u64).context("truncate")?;
    }
    Ok(())
}

fn punch(rng: &mut Rng, path: &Path) -> Result<()> {
    let Some(file) = file(path, OFlags::WRONLY)? else {
        return Ok(());
    };
    let mode = match rng.u8(..3) {
        0 => FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
        1 => FallocateFlags::KEEP_SIZE,
        _ => FallocateFlags::empty(),
    };
    let pos = rng.u64(..BLOCKS) * BLOCK as u64;
    let len = rng.u64(1..=8) * BLOCK as u64;
    match fallocate(&file, mode, pos, len) {
        // Compressed files need not have it; `fsx` says where it must be.
        Err(Errno::OPNOTSUPP) => Ok(()),
        done => done.with_context(|| format!("fallocate {mode:?}")),
    }
}

fn attribute(rng: &mut Rng, path: &Path) -> Result<()> {
    let Some(file) = file(path, OFlags::RDONLY)? else {
        return Ok(());
    };
    let name = format!("user.a{}", rng.u8(..ATTRIBUTES));
    if rng.u8(..4) == 0 {
        match rustix::fs::fremovexattr(&file, &*name) {
            Ok(()) | Err(Errno::NODATA) => return Ok(()),
            Err(error) => return Err(error).context("removexattr"),
        }
    }
    let value = vec![rng.u8(b'a'..=b'z'); rng.usize(..200)];
    fsetxattr(&file, &*name, &value, XattrFlags::empty()).context("setxattr")
}

/// Others write meanwhile, so only the answer counts, not the bytes.
fn read(path: &Path) -> Result<()> {
    if let Some(file) = file(path, OFlags::RDONLY)? {
        let mut bytes = vec![0; BLOCKS as usize * BLOCK];
        rustix::io::pread(&file, &mut bytes[..], 0).context("read")?;
    }
    Ok(())
}

fn look(path: &Path) -> Result<()> {
    match readlinkat(CWD, path, Vec::new()) {
        Ok(found) => {
            let found = found.to_string_lossy();
            if !found.starts_with("to-shared") {
                bail!("{} leads to {found:?}", path.display());
            }
        }
        Err(Errno::INVAL) => {}
        Err(error) => allow("readlink", path, Err(error), &[])?,
    }
    let found = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW);
    allow("stat", path, found.map(|_| ()), &[])
}

fn rename(from: &Path, to: &Path, flags: RenameFlags) -> Result<()> {
    let done = renameat_with(CWD, from, CWD, to, flags);
    allow(
        &format!("rename {} {flags:?}", from.display()),
        to,
        done,
        &RENAME,
    )
}

/// Where a symbolic link of this name leads: nowhere.
fn target(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    format!("to-{}", name.to_string_lossy())
}

fn allow(what: &str, path: &Path, done: Result<(), Errno>, errors: &[Errno]) -> Result<()> {
    match done {
        Err(error) if !GONE.contains(&error) && !errors.contains(&error) => {
            bail!("{what} {}: {error}", path.display())
        }
        _ => Ok(()),
    }
}
