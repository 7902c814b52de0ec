//! The engine as a subject.

use crate::drive::Subject;
use crate::files::path;
use crate::plan::{Op, Write};
use crate::sample::Counts;
use anyhow::{Result, bail, ensure};
use f2fs::{CompressDefaults, GcOptions, OpenOptions, Owner, Volume, VolumeOptions};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Syncs between two calls of the cleaner.
const GC_EVERY: u64 = 16;

/// A volume that is open.
#[derive(Debug)]
pub struct Engine {
    volume: Volume,
    image: PathBuf,
    cleaning: Cleaning,
    syncs: u64,
}

/// When blocks are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleaning {
    /// Where there is no room without it.
    ForRoom,
    /// Also after every so many syncs, in all segments of which a quarter is holes.
    Often,
}

impl Engine {
    /// Opens the volume of an image; new files are compressed or not.
    pub fn open(
        image: &Path,
        compress: Option<CompressDefaults>,
        cache: u64,
        cleaning: Cleaning,
    ) -> Result<Self> {
        let options = VolumeOptions {
            cache_bytes: cache,
            compress_extensions: compress.iter().map(|_| "*".to_owned()).collect(),
            compress: compress.unwrap_or_default(),
            ..VolumeOptions::default()
        };
        Ok(Self {
            volume: Volume::open(image, &options)?,
            image: image.to_owned(),
            cleaning,
            syncs: 0,
        })
    }

    /// Blocks free for users.
    pub fn free_blocks(&self) -> u64 {
        self.volume.statfs().blocks_free
    }

    /// The last checkpoint.
    pub fn close(self) -> Result<()> {
        Ok(self.volume.close()?)
    }
}

impl Subject for Engine {
    fn create_dir(&mut self, name: &str) -> Result<()> {
        Ok(self.volume.create_dir(name, Owner::root(0o755))?)
    }

    fn apply(&mut self, op: &Op, bytes: &[u8]) -> Result<()> {
        let write = OpenOptions::new().write(true);
        let open = |id: u32| self.volume.open_with(path(id), &write);
        match *op {
            Op::Create(id) => {
                let new = OpenOptions::new().write(true).create_new(true);
                drop(self.volume.open_with(path(id), &new)?);
            }
            Op::Write(Write { file, pos, .. }) => open(file)?.write_all_at(pos, bytes)?,
            Op::Fsync(id) => open(id)?.sync_all()?,
            Op::Truncate(id, len) => open(id)?.set_len(len)?,
            Op::Remove(id) => self.volume.remove_file(path(id))?,
            Op::Sync => {
                self.volume.sync()?;
                self.syncs += 1;
                if self.cleaning == Cleaning::Often && self.syncs.is_multiple_of(GC_EVERY) {
                    let report = self.volume.gc(GcOptions {
                        utilisation_max: 75,
                        ..GcOptions::default()
                    })?;
                    ensure!(report.refused == 0, "the cleaner refuses: {report:?}");
                }
            }
            Op::Sample(_) => {}
        }
        Ok(())
    }

    fn counts(&mut self) -> Result<Counts> {
        let stats = self.volume.stats();
        Ok(Counts {
            device_bytes: stats.device.written_bytes,
            moved_blocks: stats.data.blocks_moved,
            node_blocks: stats.data.node_blocks_written,
            checkpoints: stats.data.checkpoints,
            free_segments: self.volume.info().free_segments.into(),
            free_blocks: self.free_blocks(),
        })
    }

    fn forget(&mut self) -> Result<()> {
        self.volume.drop_caches();
        Ok(())
    }

    fn read(&mut self, file: u32, pos: u64, bytes: &mut [u8]) -> Result<usize> {
        Ok(self.volume.open_file(path(file))?.read_at(pos, bytes)?)
    }

    fn names(&mut self, dir: &str) -> Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for entry in self.volume.read_dir(dir)? {
            names.insert(entry?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    /// The checker finds nothing in a copy of the image.
    fn judge(&mut self) -> Result<()> {
        let dir = self.image.parent().unwrap_or(Path::new("."));
        let copy = tempfile::NamedTempFile::new_in(dir)?;
        std::fs::copy(&self.image, copy.path())?;
        match testkit::fsck::complaints(copy.path()) {
            None => Ok(()),
            Some(text) => bail!("{text}"),
        }
    }
}
