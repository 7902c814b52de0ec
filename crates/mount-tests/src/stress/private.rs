//! Files that only one process knows, in folders that all use: every answer is known.

use super::{FOLDERS, Options, folder_path};
use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use rustix::fs::{
    AtFlags, CWD, FallocateFlags, RenameFlags, XattrFlags, fallocate, lgetxattr, linkat, lsetxattr,
    renameat_with, unlinkat,
};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

/// Largest file.
const SIZE: u64 = 256 << 10;
/// Longest write.
const WRITE: usize = 40 << 10;
/// The one attribute that private files have.
const ATTRIBUTE: &str = "user.own";

/// A file as it must be.
#[derive(Debug)]
struct Own {
    /// Its names, one at least.
    paths: Vec<PathBuf>,
    bytes: Vec<u8>,
    attribute: Option<Vec<u8>>,
}

/// All files of a process.
#[derive(Debug)]
pub(super) struct Files {
    dir: PathBuf,
    worker: u32,
    limit: usize,
    own: Vec<Own>,
    /// Number of the next name.
    next: u64,
    has_rename_flags: bool,
}

impl Files {
    pub(super) fn new(options: &Options, worker: u32) -> Self {
        Self {
            dir: options.dir.clone(),
            worker,
            limit: options.files.max(2) as usize,
            own: Vec::new(),
            next: 0,
            has_rename_flags: !options.plain_rename,
        }
    }

    /// A name that was never used, in any folder; seldom a very long one.
    fn name(&mut self, rng: &mut Rng) -> PathBuf {
        self.next += 1;
        let mut name = format!("own{}-{}-", self.worker, self.next);
        let len = if rng.u8(..10) == 0 { 255 } else { name.len() };
        name.extend(std::iter::repeat_n('x', len - name.len()));
        folder_path(&self.dir, rng.u32(..FOLDERS)).join(name)
    }

    /// One operation on one file.
    pub(super) fn step(&mut self, rng: &mut Rng) -> Result<()> {
        if self.own.is_empty() || (self.own.len() < self.limit && rng.u8(..6) == 0) {
            return self.create(rng);
        }
        let n = rng.usize(..self.own.len());
        match rng.u8(..16) {
            0..5 => self.own[n].write(rng),
            5 => self.own[n].truncate(rng),
            6 => self.own[n].fallocate(rng),
            7 => self.own[n].set_attribute(rng),
            8..11 => self.own[n].check(),
            11 => self.link(rng, n),
            12 => self.rename(rng, n),
            13 => self.exchange(rng, n),
            14 => self.refuse(rng, n),
            _ => self.unlink(rng, n),
        }
    }

    fn create(&mut self, rng: &mut Rng) -> Result<()> {
        let path = self.name(rng);
        File::create_new(&path).with_context(|| format!("create {}", path.display()))?;
        self.own.push(Own {
            paths: vec![path],
            bytes: Vec::new(),
            attribute: None,
        });
        Ok(())
    }

    fn link(&mut self, rng: &mut Rng, n: usize) -> Result<()> {
        if self.own[n].paths.len() > 5 {
            return Ok(());
        }
        let path = self.name(rng);
        linkat(CWD, self.own[n].any(), CWD, &path, AtFlags::empty()).context("link")?;
        self.own[n].paths.push(path);
        Ok(())
    }

    fn rename(&mut self, rng: &mut Rng, n: usize) -> Result<()> {
        let path = self.name(rng);
        let flags = if self.has_rename_flags && rng.bool() {
            RenameFlags::NOREPLACE
        } else {
            RenameFlags::empty()
        };
        let file = &mut self.own[n];
        renameat_with(CWD, file.any(), CWD, &path, flags).context("rename")?;
        file.paths[0] = path;
        Ok(())
    }

    /// Exchanges the names of two files, or puts one in the place of the other.
    fn exchange(&mut self, rng: &mut Rng, n: usize) -> Result<()> {
        let m = rng.usize(..self.own.len());
        if m == n {
            return Ok(());
        }
        let (from, to) = (self.own[n].any().clone(), self.own[m].any().clone());
        if self.has_rename_flags && rng.bool() {
            renameat_with(CWD, &from, CWD, &to, RenameFlags::EXCHANGE).context("exchange")?;
            self.own[n].paths[0] = to;
            self.own[m].paths[0] = from;
        } else {
            fs::rename(&from, &to).context("replace")?;
            self.own[n].paths[0] = to;
            self.forget_name(m);
        }
        Ok(())
    }

    /// Asks for what must be refused.
    fn refuse(&mut self, rng: &mut Rng, n: usize) -> Result<()> {
        let m = rng.usize(..self.own.len());
        let (path, other) = (self.own[n].any(), self.own[m].any());
        let missing = path.with_file_name("missing");
        let answers = [
            (File::create_new(path).err().and_then(errno), Errno::EXIST),
            (
                linkat(CWD, path, CWD, other, AtFlags::empty()).err(),
                Errno::EXIST,
            ),
            (unlinkat(CWD, path, AtFlags::REMOVEDIR).err(), Errno::NOTDIR),
            (
                unlinkat(CWD, &missing, AtFlags::empty()).err(),
                Errno::NOENT,
            ),
            (
                File::open(path.join("below")).err().and_then(errno),
                Errno::NOTDIR,
            ),
        ];
        for (k, (answer, expected)) in answers.into_iter().enumerate() {
            ensure!(
                answer == Some(expected),
                "request {k} on {}: {answer:?}",
                path.display()
            );
        }
        if self.has_rename_flags {
            let answer = renameat_with(CWD, path, CWD, other, RenameFlags::NOREPLACE);
            ensure!(answer == Err(Errno::EXIST), "rename NOREPLACE: {answer:?}");
        }
        Ok(())
    }

    fn unlink(&mut self, rng: &mut Rng, n: usize) -> Result<()> {
        if rng.bool() {
            return self.unlink_open(n);
        }
        fs::remove_file(self.own[n].any()).context("unlink")?;
        self.forget_name(n);
        Ok(())
    }

    /// The file lives on without a name until it is closed.
    fn unlink_open(&mut self, n: usize) -> Result<()> {
        let own = self.own.swap_remove(n);
        let file = OpenOptions::new().read(true).write(true).open(own.any())?;
        for path in &own.paths {
            fs::remove_file(path).context("unlink")?;
        }
        ensure!(
            file.metadata()?.nlink() == 0,
            "links of a file without names"
        );
        own.check_bytes(&file)?;
        file.write_all_at(b"the end", own.bytes.len() as u64)?;
        let mut end = [0; 7];
        file.read_exact_at(&mut end, own.bytes.len() as u64)?;
        ensure!(&end == b"the end", "a file without names lost a write");
        Ok(())
    }

    /// The first name of a file is gone; the file too if it was the last.
    fn forget_name(&mut self, n: usize) {
        self.own[n].paths.swap_remove(0);
        if self.own[n].paths.is_empty() {
            self.own.swap_remove(n);
        }
    }

    /// Compares all files.
    pub(super) fn check_all(&self) -> Result<()> {
        self.own.iter().try_for_each(Own::check)
    }
}

impl Own {
    fn any(&self) -> &PathBuf {
        &self.paths[0]
    }

    fn open(&self) -> Result<File> {
        let path = self.any();
        let file = OpenOptions::new().read(true).write(true).open(path);
        file.with_context(|| format!("open {}", path.display()))
    }

    fn write(&mut self, rng: &mut Rng) -> Result<()> {
        let pos = rng.u64(..SIZE - WRITE as u64) as usize;
        let mut data = vec![rng.u8(..); rng.usize(1..WRITE)];
        if rng.bool() {
            rng.fill(&mut data);
        }
        let file = self.open()?;
        file.write_all_at(&data, pos as u64).context("write")?;
        if rng.u8(..8) == 0 {
            file.sync_all().context("fsync")?;
        }
        let end = pos + data.len();
        self.bytes.resize(self.bytes.len().max(end), 0);
        self.bytes[pos..end].copy_from_slice(&data);
        Ok(())
    }

    fn truncate(&mut self, rng: &mut Rng) -> Result<()> {
        let size = rng.u64(..=SIZE);
        self.open()?.set_len(size).context("truncate")?;
        self.bytes.resize(size as usize, 0);
        Ok(())
    }

    fn fallocate(&mut self, rng: &mut Rng) -> Result<()> {
        let pos = rng.u64(..SIZE - WRITE as u64);
        let len = rng.u64(1..WRITE as u64);
        let end = (pos + len) as usize;
        let file = self.open()?;
        if rng.bool() {
            fallocate(&file, FallocateFlags::empty(), pos, len).context("fallocate")?;
            self.bytes.resize(self.bytes.len().max(end), 0);
        } else {
            let mode = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            match fallocate(&file, mode, pos, len) {
                // Compressed files need not have it; `fsx` says where it must be.
                Err(Errno::OPNOTSUPP) => return Ok(()),
                done => done.context("punch")?,
            }
            let size = self.bytes.len();
            let range = (pos as usize).min(size)..end.min(size);
            self.bytes[range].fill(0);
        }
        Ok(())
    }

    fn set_attribute(&mut self, rng: &mut Rng) -> Result<()> {
        let value = vec![rng.u8(..); rng.usize(..1000)];
        lsetxattr(self.any(), ATTRIBUTE, &value, XattrFlags::empty()).context("setxattr")?;
        self.attribute = Some(value);
        Ok(())
    }

    /// Compares everything, by each name.
    fn check(&self) -> Result<()> {
        let mut inode = None;
        for path in &self.paths {
            let found = path
                .metadata()
                .with_context(|| path.display().to_string())?;
            ensure!(
                found.nlink() == self.paths.len() as u64,
                "{}: {} links, expected {}",
                path.display(),
                found.nlink(),
                self.paths.len()
            );
            let first = *inode.get_or_insert(found.ino());
            ensure!(first == found.ino(), "{}: another inode", path.display());
        }
        self.check_attribute()?;
        self.check_bytes(&self.open()?)
    }

    fn check_attribute(&self) -> Result<()> {
        let mut value = vec![0; 1024];
        let found = match lgetxattr(self.any(), ATTRIBUTE, &mut value[..]) {
            Ok(len) => Some(&value[..len]),
            Err(Errno::NODATA) => None,
            Err(error) => bail!("getxattr: {error}"),
        };
        ensure!(
            found == self.attribute.as_deref(),
            "{}: the attribute differs",
            self.any().display()
        );
        Ok(())
    }

    fn check_bytes(&self, file: &File) -> Result<()> {
        let path = self.any().display();
        let size = file.metadata()?.len() as usize;
        ensure!(
            size == self.bytes.len(),
            "{path}: size {size}, expected {}",
            self.bytes.len()
        );
        let mut found = vec![0; size];
        file.read_exact_at(&mut found, 0).context("read")?;
        if let Some(at) = (0..size).find(|&at| found[at] != self.bytes[at]) {
            let (byte, expected) = (found[at], self.bytes[at]);
            bail!("{path}: byte {at} of {size} is {byte:#04x}, expected {expected:#04x}");
        }
        Ok(())
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "for use as a function of Option"
)]
fn errno(error: std::io::Error) -> Option<Errno> {
    Errno::from_io_error(&error)
}
