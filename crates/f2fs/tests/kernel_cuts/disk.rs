//! The content of a device in memory, which costs little to copy.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use tempfile::NamedTempFile;

/// What a device writes as a whole.
pub(crate) const BLOCK: usize = 4096;

/// Blocks that are not zero, by number.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    blocks: HashMap<u64, Arc<[u8]>>,
    size: u64,
}

impl Disk {
    /// What an image holds.
    pub(crate) fn of_image(path: &Path) -> Self {
        let mut image = File::open(path).unwrap();
        let size = image.metadata().unwrap().len();
        let mut out = Self {
            blocks: HashMap::new(),
            size,
        };
        let mut block = [0; BLOCK];
        for at in 0..size / BLOCK as u64 {
            image.read_exact(&mut block).unwrap();
            if block != [0; BLOCK] {
                out.put(at, &block);
            }
        }
        out
    }

    pub(crate) fn put(&mut self, at: u64, block: &[u8]) {
        assert_eq!(block.len(), BLOCK);
        self.blocks.insert(at, block.into());
    }

    /// Lets a range of blocks read as zeros.
    pub(crate) fn discard(&mut self, from: u64, count: u64) {
        for at in from..from + count {
            self.blocks.remove(&at);
        }
    }

    /// An image with this content.
    pub(crate) fn save(&self) -> NamedTempFile {
        let image = NamedTempFile::new().unwrap();
        image.as_file().set_len(self.size).unwrap();
        for (&at, block) in &self.blocks {
            let pos = at * BLOCK as u64;
            image.as_file().write_all_at(block, pos).unwrap();
        }
        image
    }
}
