//! What the tests of the formatter share.

use blockdev::{Access, Bio, BlockDevice, DeviceError, FileDevice};
use f2fs_format::checkpoint::{Checkpoint, CheckpointPack};
use f2fs_format::super_block::SuperBlock;
use f2fs_format::{BLOCK_SIZE, BlockAddr};
use f2fs_offline::{FormatOptions, FormatSummary};
use std::io::ErrorKind;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;
use tempfile::NamedTempFile;

pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const GIB: u64 = 1 << 30;

/// Options that leave nothing to chance.
pub(crate) fn fixed(size: u64) -> FormatOptions {
    FormatOptions {
        uuid: Some(*b"0123456789abcdef"),
        checkpoint_seed: Some(0x1234_5678),
        root_time: Some(1_700_000_000),
        ..FormatOptions::new(size)
    }
}

/// A volume in a new image file.
pub(crate) fn image(options: &FormatOptions) -> (NamedTempFile, FormatSummary) {
    let image = testkit::tools::blank(options.size);
    let device = open(image.path(), Access::ReadWrite);
    let summary = f2fs_offline::format(&device, options).unwrap();
    (image, summary)
}

/// Opens an image file. A process that another test starts holds copies of all open files until it
/// executes its program, and with them their locks: wait for that to pass.
pub(crate) fn open(path: &Path, access: Access) -> FileDevice {
    for _ in 0..200 {
        match FileDevice::open(path, access, 0) {
            Err(e) if e.kind() == ErrorKind::WouldBlock => sleep(Duration::from_millis(10)),
            result => return result.unwrap(),
        }
    }
    panic!("{} stays locked", path.display());
}

/// Superblock and current checkpoint, read with nothing but the format crate.
pub(crate) fn read_volume(device: &dyn BlockDevice) -> (SuperBlock, Checkpoint) {
    let read = |addr: BlockAddr, blocks: u32| {
        let mut bytes = vec![0; blocks as usize * BLOCK_SIZE];
        device.read_at(addr.byte_pos(), &mut bytes).unwrap();
        bytes
    };
    let blocks = device.size_bytes() / BLOCK_SIZE as u64;
    let super_block = SuperBlock::parse(&read(BlockAddr::new(0), 1), blocks).unwrap();
    let header = read(super_block.cp_blkaddr, 1 + super_block.cp_payload);
    let probe = Checkpoint::probe(&header).unwrap();
    let footer = super_block
        .cp_blkaddr
        .checked_add(probe.pack_blocks - 1)
        .unwrap();
    let checkpoint = CheckpointPack::parse(&header, &read(footer, 1), &super_block).unwrap();
    (super_block, checkpoint)
}

/// A device that keeps what is discarded.
#[derive(Debug)]
pub(crate) struct Undiscarding<D>(pub D);

impl<D: BlockDevice> BlockDevice for Undiscarding<D> {
    fn size_bytes(&self) -> u64 {
        self.0.size_bytes()
    }

    fn is_read_only(&self) -> bool {
        self.0.is_read_only()
    }

    fn submit(&self, bio: Bio) {
        self.0.submit(bio);
    }

    fn read_at(&self, pos: u64, buf: &mut [u8]) -> Result<(), DeviceError> {
        self.0.read_at(pos, buf)
    }

    fn write_at(&self, pos: u64, data: &[u8]) -> Result<(), DeviceError> {
        self.0.write_at(pos, data)
    }

    fn flush(&self) -> Result<(), DeviceError> {
        self.0.flush()
    }

    fn discard(&self, _: u64, _: u64) -> Result<(), DeviceError> {
        Ok(())
    }
}
