//! Brings a new volume to its device.
//!
//! # Invariants
//! The superblocks of an old volume go first and those of the new one come last, each behind a
//! flush: a formatter that is interrupted leaves no volume, never half of one.

use super::layout::{FreshVolume, Identity};
use super::{FormatError, FormatOptions, FormatPlan, erase};
use blockdev::BlockDevice;
use f2fs_format::super_block::{SbCopy, SuperBlock};
use f2fs_format::{BLOCK_SIZE, Block, BlockAddr};

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatSummary {
    /// Where everything lies.
    pub plan: FormatPlan,
    /// The superblock, as it reads back.
    pub super_block: SuperBlock,
    /// Version of the first checkpoint.
    pub checkpoint_version: u64,
}

/// Makes an empty volume on `device`. Whatever it held is lost.
///
/// # Errors
/// [`FormatError`]; the device is unchanged if the options are to blame.
pub fn format(
    device: &dyn BlockDevice,
    options: &FormatOptions,
) -> Result<FormatSummary, FormatError> {
    let plan = FormatPlan::new(options)?;
    let (size, available) = (options.size, device.size_bytes());
    if size > available {
        return Err(FormatError::DeviceTooSmall {
            size,
            device: available,
        });
    }
    if device.is_read_only() {
        return Err(FormatError::ReadOnly);
    }
    let volume = FreshVolume::new(&plan, options, Identity::of(options));
    erase::old_volume(device, &plan)?;
    for (addr, block) in volume.blocks()? {
        write(device, addr, &block)?;
    }
    device.flush()?;
    let super_block = volume.super_block().encode();
    for copy in [SbCopy::Second, SbCopy::First] {
        write(device, copy.block(), &super_block)?;
    }
    device.flush()?;
    let super_block = read_back(device, &plan)?;
    Ok(FormatSummary {
        plan,
        super_block,
        checkpoint_version: volume.checkpoint_version(),
    })
}

fn write(device: &dyn BlockDevice, addr: BlockAddr, block: &Block) -> Result<(), FormatError> {
    Ok(device.write_at(addr.byte_pos(), block)?)
}

/// Reads the superblock as a mount would.
fn read_back(device: &dyn BlockDevice, plan: &FormatPlan) -> Result<SuperBlock, FormatError> {
    let mut block = [0; BLOCK_SIZE];
    device.read_at(SbCopy::First.block().byte_pos(), &mut block)?;
    Ok(SuperBlock::parse(&block, plan.block_count)?)
}
