//! The real file, and what is compared after each operation.

use super::model::Model;
use super::op::{Mode, Op};
use crate::mapping::Mapping;
use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{Advice, FallocateFlags, SeekFrom};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The file under test, open twice.
#[derive(Debug)]
pub(super) struct Subject {
    path: PathBuf,
    file: File,
    other: File,
    /// A mapping may have made pages dirty that only the kernel knows.
    is_map_dirty: bool,
}

impl Subject {
    /// Makes the file, empty.
    pub(super) fn create(path: &Path) -> Result<Self> {
        File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self {
            path: path.to_path_buf(),
            file: open(path)?,
            other: open(path)?,
            is_map_dirty: false,
        })
    }

    /// Whether the file system has a mode at all. The file is empty again afterwards.
    pub(super) fn supports(&self, mode: Mode) -> Result<bool> {
        self.file.write_all_at(&[1; 3 * 4096], 0)?;
        let answer = rustix::fs::fallocate(&self.file, flags(mode), 4096, 4096);
        self.file.set_len(0)?;
        match answer {
            Ok(()) => Ok(true),
            // The range is in order, so an invalid argument can only be the mode.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(false),
            Err(error) => bail!("fallocate {}: {error}", mode.name()),
        }
    }

    /// Does `op` and compares what it gives with the model, which has not done it yet.
    pub(super) fn apply(&mut self, op: &Op, model: &Model) -> Result<()> {
        match *op {
            Op::Read { pos, len, other } => {
                let file = if other { &self.other } else { &self.file };
                same(&read(file, pos, len)?, model.range(pos, len), pos)?;
            }
            Op::MapRead { len: 0, .. } | Op::MapWrite { len: 0, .. } | Op::Copy { len: 0, .. } => {}
            Op::MapRead { pos, len } => {
                let found = Mapping::new(&self.file, pos, len)?.read()?;
                same(&found, model.range(pos, len), pos)?;
            }
            Op::Write { pos, len, fill } => self.file.write_all_at(&fill.bytes(len), pos)?,
            Op::MapWrite { pos, len, fill } => {
                Mapping::new(&self.file, pos, len)?.write(&fill.bytes(len))?;
                self.is_map_dirty = true;
            }
            Op::Truncate { size } => self.file.set_len(size)?,
            Op::Fallocate { mode, pos, len } => {
                rustix::fs::fallocate(&self.file, flags(mode), pos, len)?;
            }
            Op::Copy { from, to, len } => self.copy(from, to, len)?,
            Op::SeekData { pos } => self.seek_data(pos, model.bytes())?,
            Op::SeekHole { pos } => self.seek_hole(pos, model.bytes())?,
            Op::Sync => self.file.sync_all()?,
            Op::DataSync => self.file.sync_data()?,
            Op::DropCache => {
                self.file.sync_all()?;
                rustix::fs::fadvise(&self.file, 0, None, Advice::DontNeed)?;
            }
            Op::Reopen => {
                self.file = open(&self.path)?;
                self.other = open(&self.path)?;
            }
        }
        Ok(())
    }

    /// Compares the size, by both ways to ask for it.
    pub(super) fn check_size(&self, model: &Model) -> Result<()> {
        let by_handle = self.file.metadata()?.len();
        let by_path = self.path.metadata()?.len();
        let size = model.size();
        ensure!(
            by_handle == size && by_path == size,
            "the size is {by_handle} by handle and {by_path} by path, expected {size}"
        );
        Ok(())
    }

    /// Compares everything, through a handle of its own.
    pub(super) fn check_all(&self, model: &Model) -> Result<()> {
        let found = std::fs::read(&self.path)?;
        same(&found, model.bytes(), 0)
    }

    fn copy(&self, mut from: u64, mut to: u64, mut len: usize) -> Result<()> {
        while len > 0 {
            let (file, target) = (&self.file, &self.other);
            let n = rustix::fs::copy_file_range(file, Some(&mut from), target, Some(&mut to), len)?;
            ensure!(n > 0, "copy_file_range copied nothing, {len} bytes left");
            len -= n;
        }
        Ok(())
    }

    /// FUSE asks the daemon where data is, which has not seen pages that only a mapping changed.
    fn settle(&mut self) -> Result<()> {
        if self.is_map_dirty {
            self.file.sync_data()?;
            self.is_map_dirty = false;
        }
        Ok(())
    }

    fn seek_data(&mut self, pos: u64, bytes: &[u8]) -> Result<()> {
        self.settle()?;
        let size = bytes.len() as u64;
        let found = match rustix::fs::seek(&self.file, SeekFrom::Data(pos)) {
            Ok(found) => {
                ensure!(
                    pos <= found && found < size,
                    "data at {found}, outside {pos}..{size}"
                );
                found
            }
            Err(Errno::NXIO) => size,
            Err(error) => return Err(error.into()),
        };
        let hole = bytes.get(pos as usize..found as usize).unwrap_or_default();
        ensure!(
            hole.iter().all(|&byte| byte == 0),
            "data in {pos}..{found}, which is said to be a hole"
        );
        Ok(())
    }

    fn seek_hole(&mut self, pos: u64, bytes: &[u8]) -> Result<()> {
        self.settle()?;
        let size = bytes.len() as u64;
        match rustix::fs::seek(&self.file, SeekFrom::Hole(pos)) {
            Ok(found) => {
                ensure!(
                    pos < size && pos <= found && found <= size,
                    "a hole at {found}, outside {pos}..={size}"
                );
                let byte = bytes.get(found as usize).copied().unwrap_or(0);
                ensure!(byte == 0, "data at {found}, which is said to be a hole");
            }
            Err(Errno::NXIO) => ensure!(pos >= size, "no hole behind {pos}, not even the end"),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

fn open(path: &Path) -> Result<File> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    Ok(file)
}

fn read(file: &File, pos: u64, len: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, pos)?;
    Ok(bytes)
}

fn flags(mode: Mode) -> FallocateFlags {
    match mode {
        Mode::Allocate => FallocateFlags::empty(),
        Mode::Keep => FallocateFlags::KEEP_SIZE,
        Mode::Punch => FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
        Mode::Zero => FallocateFlags::ZERO_RANGE,
        Mode::ZeroKeep => FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE,
        Mode::Collapse => FallocateFlags::COLLAPSE_RANGE,
        Mode::Insert => FallocateFlags::INSERT_RANGE,
    }
}

/// Fails with the first difference and how many there are.
fn same(found: &[u8], expected: &[u8], pos: u64) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    ensure!(
        found.len() == expected.len(),
        "{} bytes, expected {}",
        found.len(),
        expected.len()
    );
    let differs = |&n: &usize| found[n] != expected[n];
    let first = (0..found.len()).find(differs).unwrap_or_default();
    let last = (0..found.len()).rfind(differs).unwrap_or_default();
    let count = (0..found.len()).filter(differs).count();
    let zeros = (first..=last).filter(|&n| found[n] == 0).count();
    bail!(
        "{count} bytes differ between {} and {}: the first is {:#04x}, expected {:#04x}; \
         {zeros} of the range are zero",
        pos + first as u64,
        pos + last as u64,
        found[first],
        expected[first],
    )
}
