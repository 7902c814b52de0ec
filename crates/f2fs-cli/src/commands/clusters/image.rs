//! Files of an image.

use super::Action;
use super::files::{Acted, Entry, Files, Form, Found, Read};
use crate::errors::{At, Result};
use f2fs::{CompressDefaults, Space, Volume};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// An open volume.
#[derive(Debug)]
pub(super) struct OnVolume<'a> {
    pub(super) volume: &'a Volume,
    pub(super) space: Space,
}

impl OnVolume<'_> {
    /// Blocks that a file saves, held or given back.
    fn saves(&self, path: &Path) -> f2fs::Result<u64> {
        let counts = self.volume.open_file(path)?.clusters()?;
        Ok(counts.map_or(0, |counts| counts.blocks_saved))
    }

    fn change(&self, path: &Path, action: Action) -> f2fs::Result<u64> {
        match action {
            Action::Compress => {
                self.volume.compress_file(path)?;
                self.saves(path)
            }
            Action::Decompress => {
                let before = self.saves(path)?;
                self.volume.decompress_file(path).map(|()| before)
            }
            Action::Release => self.volume.release_blocks(path),
            Action::Reserve => self.volume.reserve_blocks(path),
            Action::Recompress(new) => {
                self.volume.recompress_file(path, new)?;
                self.saves(path)
            }
        }
    }
}

impl Files for OnVolume<'_> {
    /// The image is locked: nobody else works on it.
    fn is_gone(&self, _path: &Path) -> bool {
        false
    }

    fn look(&self, path: &Path) -> Result<Entry> {
        let found = self.volume.symlink_metadata(path).at(path)?;
        let key = (0, found.ino().into());
        if found.is_dir() {
            return Ok(Entry::Dir(key));
        }
        if !found.is_file() {
            return Ok(Entry::Other);
        }
        let compression = found.compression();
        Ok(Entry::File(Found {
            path: path.to_path_buf(),
            key,
            len: found.len(),
            is_marked: compression.is_some(),
            is_released: found.is_released(),
            saved: compression.map_or(0, |c| c.blocks_saved),
            is_named: false,
        }))
    }

    fn list(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        let entries = self.volume.read_dir(dir).at(dir)?;
        entries
            .map(|entry| Ok(dir.join(entry.at(dir)?.file_name())))
            .collect()
    }

    fn fits(&self, found: &Found, action: Action) -> bool {
        let may_change = !found.is_released || self.space == Space::Release;
        match action {
            Action::Compress => may_change,
            Action::Decompress => may_change && (found.is_released || found.saved > 0),
            Action::Release => !found.is_released && found.saved > 0,
            Action::Reserve => found.is_released,
            Action::Recompress(_) => true,
        }
    }

    fn act(&self, path: &Path, action: Action) -> Result<Acted> {
        self.change(path, action).at(path).map(Acted::Blocks)
    }

    fn mark(&self, path: &Path, defaults: CompressDefaults) -> Result<()> {
        self.volume.set_compression(path, Some(defaults)).at(path)
    }

    fn form(&self, path: &Path) -> Result<Option<Form>> {
        let compression = self.volume.metadata(path).at(path)?.compression();
        Ok(compression.map(|c| Form {
            algorithm: c.algorithm,
            level: c.level,
            log_cluster_size: (c.cluster_bytes / 4096).trailing_zeros() as u8,
        }))
    }

    fn open(&self, path: &Path) -> Result<(Vec<Range<u64>>, Read<'_>)> {
        let file = self.volume.open_file(path).at(path)?;
        let mut data = Vec::new();
        let mut at = 0;
        while let Some(start) = file.seek_data(at).at(path)? {
            at = file.seek_hole(start).at(path)?;
            data.push(start..at);
        }
        let read = move |pos, buffer: &mut [u8]| file.read_at(pos, buffer).map_err(io::Error::from);
        Ok((data, Box::new(read)))
    }
}
