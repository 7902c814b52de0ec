//! Shared mappings of a part of a file.
//!
//! The bytes are only ever copied in and out, never borrowed: others may change them at any time.

use anyhow::{Context, Result, ensure};
use std::fs::File;
use vm_memory::{FileOffset, MmapRegion, VolatileMemory};

/// Granule of positions in a file at which a mapping may begin.
const PAGE: u64 = 4096;

/// A shared, writable mapping of bytes that lie inside the file.
#[derive(Debug)]
pub struct Mapping {
    region: MmapRegion,
    /// Where the wanted bytes begin in the region.
    skip: usize,
    len: usize,
}

impl Mapping {
    /// Maps `len` bytes at `pos`.
    pub fn new(file: &File, pos: u64, len: usize) -> Result<Self> {
        let start = pos / PAGE * PAGE;
        let skip = (pos - start) as usize;
        let region = MmapRegion::from_file(FileOffset::new(file.try_clone()?, start), skip + len)
            .context("mmap")?;
        Ok(Self { region, skip, len })
    }

    /// A copy of the bytes.
    pub fn read(&self) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.len];
        let copied = self
            .region
            .get_slice(self.skip, self.len)?
            .copy_to(&mut bytes);
        ensure!(copied == self.len, "copied {copied} of {}", self.len);
        Ok(bytes)
    }

    /// Overwrites the bytes from the start.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        self.region
            .get_slice(self.skip, bytes.len())?
            .copy_from(bytes);
        Ok(())
    }
}
