//! A mount of the kernel's F2FS as a subject, with what it counts.

use crate::drive::Subject;
use crate::files::path;
use crate::plan::{Op, Write};
use crate::sample::Counts;
use anyhow::{Context as _, Result};
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Bytes of a sector, as devices are counted.
const SECTOR: u64 = 512;

/// A mount.
#[derive(Debug)]
pub struct Folder {
    /// Where it is mounted.
    pub root: PathBuf,
    /// The name of its device.
    pub device: String,
}

impl Folder {
    fn file(&self, id: u32) -> Result<File> {
        Ok(File::options().write(true).open(self.root.join(path(id)))?)
    }

    /// A number that F2FS tells about the mount.
    fn number(&self, name: &str) -> Result<u64> {
        let path = format!("/sys/fs/f2fs/{}/{name}", self.device);
        let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
        text.trim().parse().context(path)
    }

    /// Bytes written to the device.
    fn device_bytes(&self) -> Result<u64> {
        let path = format!("/sys/block/{}/stat", self.device);
        let text = std::fs::read_to_string(&path)?;
        let sectors = text.split_whitespace().nth(6).context(path)?;
        Ok(sectors.parse::<u64>()? * SECTOR)
    }

    /// Bytes of nodes, of all who write them.
    fn node_bytes(&self) -> Result<u64> {
        let path = format!("/proc/fs/f2fs/{}/iostat_info", self.device);
        let text = std::fs::read_to_string(&path)?;
        let written = text.split("[READ]").next().unwrap_or_default();
        let mut bytes = 0;
        for kind in ["fs node:", "fs gc node:", "fs cp node:"] {
            let line = written.lines().find_map(|line| line.strip_prefix(kind));
            let count = line.and_then(|line| line.split_whitespace().next());
            bytes += count.with_context(|| path.clone())?.parse::<u64>()?;
        }
        Ok(bytes)
    }

    fn root(&self) -> Result<File> {
        Ok(File::open(&self.root)?)
    }
}

impl Subject for Folder {
    fn create_dir(&mut self, name: &str) -> Result<()> {
        Ok(std::fs::create_dir(self.root.join(name))?)
    }

    fn apply(&mut self, op: &Op, bytes: &[u8]) -> Result<()> {
        match *op {
            Op::Create(id) => drop(File::create_new(self.root.join(path(id)))?),
            Op::Write(Write { file, pos, .. }) => self.file(file)?.write_all_at(bytes, pos)?,
            Op::Fsync(id) => self.file(id)?.sync_all()?,
            Op::Truncate(id, len) => self.file(id)?.set_len(len)?,
            Op::Remove(id) => std::fs::remove_file(self.root.join(path(id)))?,
            Op::Sync => rustix::fs::syncfs(self.root()?)?,
            Op::Sample(_) => {}
        }
        Ok(())
    }

    fn counts(&mut self) -> Result<Counts> {
        let free = rustix::fs::fstatvfs(self.root()?)?;
        let sum = |a, b| Ok::<_, anyhow::Error>(self.number(a)? + self.number(b)?);
        Ok(Counts {
            device_bytes: self.device_bytes()?,
            moved_blocks: sum("moved_blocks_foreground", "moved_blocks_background")?,
            node_blocks: self.node_bytes()? / 4096,
            checkpoints: sum("cp_foreground_calls", "cp_background_calls")?,
            free_segments: self.number("free_segments")?,
            free_blocks: free.f_bavail,
        })
    }

    fn forget(&mut self) -> Result<()> {
        Ok(std::fs::write("/proc/sys/vm/drop_caches", "3")?)
    }

    fn read(&mut self, file: u32, pos: u64, bytes: &mut [u8]) -> Result<usize> {
        Ok(File::open(self.root.join(path(file)))?.read_at(bytes, pos)?)
    }

    fn names(&mut self, dir: &str) -> Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for entry in std::fs::read_dir(self.root.join(dir))? {
            names.insert(entry?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    /// Nobody else; the checker looks at the image afterwards.
    fn judge(&mut self) -> Result<()> {
        Ok(())
    }
}
