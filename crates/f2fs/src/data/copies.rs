//! Blocks that are copied as they are, to places taken for them.

use crate::error::Result;
use crate::fs::Fs;
use crate::segment::BlockRun;
use blockdev::BioVec;
use f2fs_format::BLOCK_SIZE;
use iomap::IoendBatch;

/// Writes the bytes of blocks to the runs that were taken for them, in order, and waits.
///
/// # Errors
/// The device's. The caller gives the runs back.
pub(crate) fn write_copies(fs: &Fs, mut bytes: &[u8], runs: &[BlockRun]) -> Result<()> {
    let submit = |bio| fs.meta.device.submit(bio);
    let mut ioends = IoendBatch::new(&submit);
    for run in runs {
        let (piece, behind) = bytes.split_at(run.count as usize * BLOCK_SIZE);
        ioends.push(run.start.byte_pos(), BioVec::Owned(piece.to_vec()), 0);
        bytes = behind;
    }
    match ioends.wait().pop() {
        Some((_, error)) => Err(error.into()),
        None => Ok(()),
    }
}
