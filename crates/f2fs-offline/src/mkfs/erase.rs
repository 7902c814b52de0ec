//! Takes away what an older volume left on the device, where it could be taken for part of the new
//! one.
//!
//! # Invariants
//! What is zero already is not written, so a sparse image stays sparse.

use super::{FormatError, FormatPlan};
use blockdev::BlockDevice;
use f2fs_format::sit::CursegType;
use f2fs_format::{BLOCK_SIZE, BlockAddr, SEGMENT_SIZE};
use std::ops::Range;

/// Bytes looked at and written at once.
const CHUNK: usize = 1 << 20;
const SUPER_BLOCKS: u64 = 2;

/// Makes the device hold no volume at all, durably, and zeroes what the new volume expects to be
/// zero.
pub(super) fn old_volume(device: &dyn BlockDevice, plan: &FormatPlan) -> Result<(), FormatError> {
    let super_blocks = 0..SUPER_BLOCKS * BLOCK_SIZE as u64;
    zero(device, super_blocks)?;
    device.flush()?;
    // Only a hint: it makes images small, but says nothing about what is read afterwards.
    device.discard(0, plan.block_count * BLOCK_SIZE as u64)?;
    for range in zero_ranges(plan) {
        zero(device, range)?;
    }
    Ok(())
}

/// The byte ranges that have to read as zeros, ascending.
fn zero_ranges(plan: &FormatPlan) -> [Range<u64>; 4] {
    let segments = |start: BlockAddr, count: u32| {
        start.byte_pos()..start.byte_pos() + u64::from(count) * SEGMENT_SIZE
    };
    // Roll-forward recovery follows the chain of blocks that starts here.
    let chain = plan.log_block(CursegType::WarmNode).byte_pos();
    [
        0..segments(plan.cp_start, plan.segment_count_cp).end,
        // The second copies of the SIT are first read after they are written.
        segments(plan.sit_start, plan.segment_count_sit / 2),
        // Those of the NAT too, but they alternate with the first ones.
        segments(plan.nat_start, plan.segment_count_nat),
        chain..chain + BLOCK_SIZE as u64,
    ]
}

/// Makes a byte range read as zeros.
fn zero(device: &dyn BlockDevice, range: Range<u64>) -> Result<(), FormatError> {
    let zeros = vec![0; CHUNK];
    let mut found = vec![0; CHUNK];
    let mut pos = range.start;
    while pos < range.end {
        let len = (range.end - pos).min(CHUNK as u64) as usize;
        device.read_at(pos, &mut found[..len])?;
        if found[..len] != zeros[..len] {
            device.write_at(pos, &zeros[..len])?;
        }
        pos += len as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FormatOptions;
    use blockdev::MemDevice;

    #[test]
    fn zeroing_keeps_to_its_range() {
        let device = MemDevice::new(4 << 20);
        device.write_at(0, &vec![7; 4 << 20]).unwrap();
        zero(&device, 4096..(3 << 20) + 4096).unwrap();
        let mut found = vec![1; 4 << 20];
        device.read_at(0, &mut found).unwrap();
        let expected = |pos: usize| !(4096..(3 << 20) + 4096).contains(&pos);
        assert!(
            found
                .iter()
                .enumerate()
                .all(|(pos, &byte)| (byte == 7) == expected(pos))
        );
    }

    #[test]
    fn ranges_cover_what_a_mount_reads() {
        let plan = FormatPlan::new(&FormatOptions::new(64 << 20)).unwrap();
        let block = BLOCK_SIZE as u64;
        let chain = (4096 + 512) * block;
        let expected = [0..1536, 1536..2048, 2560..3584].map(|r| r.start * block..r.end * block);
        assert_eq!(zero_ranges(&plan)[..3], expected);
        assert_eq!(zero_ranges(&plan)[3], chain..chain + block);
    }
}
