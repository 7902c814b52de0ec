//! Metadata writes, with neighbours merged into one transfer.

use crate::device::Device;
use crate::error::Result;
use f2fs_format::{BLOCK_SIZE, Block, BlockAddr};

/// Blocks of one transfer at most.
const MAX_BLOCKS: usize = 128;

/// Blocks on their way to the device. What is still here when it is dropped is not written: call
/// [`finish`](Self::finish).
#[derive(Debug)]
pub(crate) struct MetaBatch<'a> {
    device: &'a Device,
    start: BlockAddr,
    bytes: Vec<u8>,
}

impl<'a> MetaBatch<'a> {
    /// An empty batch.
    pub(crate) fn new(device: &'a Device) -> Self {
        Self {
            device,
            start: BlockAddr::new(0),
            bytes: Vec::new(),
        }
    }

    /// Writes blocks; those that follow one another go in one transfer.
    pub(crate) fn write_all<'b>(
        device: &'a Device,
        blocks: impl IntoIterator<Item = (BlockAddr, &'b Block)>,
    ) -> Result<()> {
        let mut batch = Self::new(device);
        for (addr, block) in blocks {
            batch.push(addr, block)?;
        }
        batch.finish()
    }

    /// Adds a block.
    ///
    /// # Errors
    /// Those of writing the blocks before it.
    pub(crate) fn push(&mut self, addr: BlockAddr, block: &Block) -> Result<()> {
        let held = self.bytes.len() / BLOCK_SIZE;
        let follows = self.start.checked_add(held as u32) == Some(addr);
        if held != 0 && (!follows || held == MAX_BLOCKS) {
            self.write()?;
        }
        if self.bytes.is_empty() {
            self.start = addr;
        }
        self.bytes.extend_from_slice(block);
        Ok(())
    }

    /// Writes the rest.
    pub(crate) fn finish(mut self) -> Result<()> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            self.write()
        }
    }

    fn write(&mut self) -> Result<()> {
        self.device.write_meta(self.start, &self.bytes)?;
        self.bytes.clear();
        Ok(())
    }
}
