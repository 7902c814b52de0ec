//! Files on a mounted F2FS: a mount of ours, or the kernel's. They are changed by F2FS's ioctls.

use super::Action;
use super::files::{Acted, Entry, Files, Form, Found, Read};
use crate::errors::{At, Failure, Result};
use f2fs::{CompressAlgorithm, CompressDefaults};
use f2fs_format::crc::F2FS_MAGIC;
use runtime::ioctl::OnF2fs;
use rustix::fs::{IFlags, SeekFrom, ioctl_getflags, ioctl_setflags, seek};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes of a unit of `st_blocks`.
const SECTOR: u64 = 512;
const BLOCK: u64 = 4096;
/// How long a file may be busy.
const PATIENCE: Duration = Duration::from_secs(1);
/// Where the super block of an image has its magic number.
const MAGIC_AT: u64 = 1024;

/// Whether the first path names something on a mounted volume, not an image: a directory, or a file on F2FS that is no
/// image itself.
pub(super) fn is_meant(path: &Path) -> Result<bool> {
    let Ok(found) = fs::metadata(path) else {
        return Ok(false); // Opening it as an image says what is wrong.
    };
    if found.is_dir() {
        let dir = File::open(path).at(path)?;
        if lies_on_f2fs(&dir) {
            return Ok(true);
        }
        return Err(Failure::at(
            path,
            "is a directory, but not on a mounted F2FS",
        ));
    }
    let Ok(file) = File::open(path) else {
        return Ok(false);
    };
    Ok(found.is_file() && !is_image(&file) && lies_on_f2fs(&file))
}

fn is_image(file: &File) -> bool {
    let mut magic = [0; 4];
    file.read_exact_at(&mut magic, MAGIC_AT).is_ok() && magic == F2FS_MAGIC.to_le_bytes()
}

fn lies_on_f2fs(file: &File) -> bool {
    let found = OnF2fs::new(file).ok().flatten();
    found.is_some_and(OnF2fs::is_f2fs)
}

/// The files of this machine.
#[derive(Debug)]
pub(super) struct OnMount;

/// Does something with an open file.
fn with<T>(
    path: &Path,
    options: &mut OpenOptions,
    work: impl FnOnce(&File, OnF2fs<'_>) -> io::Result<T>,
) -> io::Result<T> {
    let file = options
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)?;
    let Some(open) = OnF2fs::new(&file)? else {
        return Err(Errno::NOTTY.into());
    };
    work(&file, open)
}

fn change(file: &File, open: OnF2fs<'_>, action: Action) -> io::Result<u64> {
    match action {
        Action::Compress => open.compress().and_then(|()| open.saved_blocks()),
        Action::Decompress => {
            // A file that gave its blocks takes them again for it.
            let blocks = || Ok::<_, io::Error>(file.metadata()?.blocks() * SECTOR / BLOCK);
            let (saved, before) = (open.saved_blocks()?, blocks()?);
            open.decompress()?;
            Ok(saved + blocks()?.saturating_sub(before))
        }
        Action::Release => open.release(),
        Action::Reserve => open.reserve(),
        Action::Recompress(new) => {
            let log_size = new.log_cluster_size.unwrap_or(0);
            open.recompress([new.algorithm.to_raw(), log_size, new.level, 0])?;
            open.saved_blocks()
        }
    }
}

/// Changes a file. Somebody who has just closed it may count as a writer for a moment: the kernel tells a mount later.
fn patiently(path: &Path, action: Action) -> io::Result<u64> {
    let start = Instant::now();
    loop {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let done = with(path, &mut options, |file, open| change(file, open, action));
        match done {
            Err(error)
                if Errno::from_io_error(&error) == Some(Errno::BUSY)
                    && start.elapsed() < PATIENCE =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            done => return done,
        }
    }
}

/// A failure with what to do about it.
fn told(path: &Path, action: Action, error: io::Error) -> Failure {
    let advice = match (Errno::from_io_error(&error), action) {
        (Some(Errno::NOTTY), Action::Recompress(_)) => {
            "the kernel's F2FS cannot do this; unmount the volume and give its image or device, or mount it with \
             'f2fs mount'"
        }
        (Some(Errno::NOTTY), _) => "not on a mounted F2FS",
        (Some(Errno::OPNOTSUPP), Action::Compress | Action::Decompress) => {
            "the volume does not allow compression, or the kernel's F2FS has it mounted without compress_mode=user"
        }
        (Some(Errno::BUSY | Errno::TXTBSY), _) => "in use: another program has it open for writing",
        (Some(Errno::INVAL), Action::Release) => {
            "not compressed, or its blocks were released before"
        }
        (Some(Errno::INVAL), Action::Reserve) => "not compressed, or its blocks are not released",
        (Some(Errno::INVAL), Action::Compress | Action::Decompress) => {
            "not compressed, or its blocks are released; see 'f2fs reserve'"
        }
        (Some(Errno::PERM), Action::Release) => "the file has no blocks to release",
        _ => return io_failure(path, error),
    };
    Failure::at(path, advice)
}

fn io_failure(path: &Path, error: io::Error) -> Failure {
    match Err::<(), _>(error).at(path) {
        Err(failure) => failure,
        Ok(()) => unreachable!("an error stays one"),
    }
}

impl Files for OnMount {
    fn is_gone(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    fn look(&self, path: &Path) -> Result<Entry> {
        let found = fs::symlink_metadata(path).at(path)?;
        let key = (found.dev(), found.ino());
        if found.is_dir() {
            return Ok(Entry::Dir(key));
        }
        if !found.is_file() {
            return Ok(Entry::Other);
        }
        let looked = with(path, OpenOptions::new().read(true), |file, open| {
            let flags = ioctl_getflags(file)?;
            let is_marked = flags.contains(IFlags::COMPRESSED);
            let saved = if is_marked { open.saved_blocks()? } else { 0 };
            Ok((is_marked, saved))
        });
        let (is_marked, saved) = looked.at(path)?;
        Ok(Entry::File(Found {
            path: path.to_path_buf(),
            key,
            len: found.len(),
            is_marked,
            is_released: false,
            saved,
            is_named: false,
        }))
    }

    fn list(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(dir).at(dir)?;
        entries.map(|entry| Ok(entry.at(dir)?.path())).collect()
    }

    /// Nothing tells of a file that it is released; those that an action does not fit are passed over when they say so.
    fn fits(&self, found: &Found, action: Action) -> bool {
        match action {
            Action::Release => found.saved > 0,
            Action::Reserve => found.saved == 0,
            Action::Compress | Action::Decompress | Action::Recompress(_) => true,
        }
    }

    fn act(&self, path: &Path, action: Action) -> Result<Acted> {
        match patiently(path, action) {
            Ok(blocks) => Ok(Acted::Blocks(blocks)),
            Err(error) => {
                let is_unfit = Errno::from_io_error(&error) == Some(Errno::INVAL);
                let failure = told(path, action, error);
                if is_unfit {
                    Ok(Acted::Unfit(failure))
                } else {
                    Err(failure)
                }
            }
        }
    }

    fn mark(&self, path: &Path, defaults: CompressDefaults) -> Result<()> {
        if defaults != CompressDefaults::default() {
            return Err(Failure::usage(
                "on a mount, its options compress_algorithm= and compress_log_size= choose how files are marked",
            ));
        }
        let mut options = OpenOptions::new();
        with(path, options.read(true).write(true), |file, _| {
            let flags = ioctl_getflags(file)?;
            Ok(ioctl_setflags(file, flags | IFlags::COMPRESSED)?)
        })
        .at(path)
    }

    fn form(&self, path: &Path) -> Result<Option<Form>> {
        let option = with(path, OpenOptions::new().read(true), |_, open| open.option());
        let Ok([algorithm, log_cluster_size]) = option else {
            return Ok(None); // Not marked.
        };
        Ok(
            CompressAlgorithm::from_raw(algorithm).map(|algorithm| Form {
                algorithm,
                level: 0,
                log_cluster_size,
            }),
        )
    }

    fn open(&self, path: &Path) -> Result<(Vec<Range<u64>>, Read<'_>)> {
        let file = File::open(path).at(path)?;
        let mut data = Vec::new();
        let mut at = 0;
        loop {
            match seek(&file, SeekFrom::Data(at)) {
                Ok(start) => {
                    at = seek(&file, SeekFrom::Hole(start)).at(path)?;
                    data.push(start..at);
                }
                Err(Errno::NXIO) => break,
                Err(error) => return Err(io_failure(path, error.into())),
            }
        }
        let read = move |pos, buffer: &mut [u8]| file.read_at(buffer, pos);
        Ok((data, Box::new(read)))
    }
}
