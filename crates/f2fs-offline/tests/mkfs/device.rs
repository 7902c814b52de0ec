//! What formatting does to its device: the same bytes each time, no more than needed, nothing of
//! the old volume.

use crate::common::{GIB, MIB, Undiscarding, fixed, image, read_volume};
use blockdev::{Bio, BlockDevice, DeviceError, DeviceOp, MemDevice};
use f2fs_format::super_block::SuperBlock;
use f2fs_offline::{FormatError, FormatOptions, format};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Everything on a device.
fn content(device: &dyn BlockDevice) -> Vec<u8> {
    let mut bytes = vec![0; device.size_bytes() as usize];
    device.read_at(0, &mut bytes).unwrap();
    bytes
}

/// A device that fails all writes after the first few.
#[derive(Debug)]
struct Failing {
    inner: MemDevice,
    writes_left: AtomicUsize,
}

impl BlockDevice for Failing {
    fn size_bytes(&self) -> u64 {
        self.inner.size_bytes()
    }

    fn is_read_only(&self) -> bool {
        false
    }

    fn submit(&self, bio: Bio) {
        self.inner.submit(bio);
    }

    fn read_at(&self, pos: u64, buf: &mut [u8]) -> Result<(), DeviceError> {
        self.inner.read_at(pos, buf)
    }

    fn write_at(&self, pos: u64, data: &[u8]) -> Result<(), DeviceError> {
        let one_less = |left: usize| left.checked_sub(1);
        if self
            .writes_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
            .is_err()
        {
            return Err(DeviceError::past_end(
                DeviceOp::Write,
                pos,
                data.len() as u64,
                0,
            ));
        }
        self.inner.write_at(pos, data)
    }

    fn flush(&self) -> Result<(), DeviceError> {
        Ok(())
    }

    fn discard(&self, pos: u64, len: u64) -> Result<(), DeviceError> {
        self.inner.discard(pos, len)
    }
}

#[test]
fn the_same_options_make_the_same_bytes() {
    let make = |options: &FormatOptions| {
        let device = MemDevice::new(64 * MIB);
        format(&device, options).unwrap();
        content(&device)
    };
    assert!(make(&fixed(64 * MIB)) == make(&fixed(64 * MIB)));
    let (a, b) = (
        make(&FormatOptions::new(64 * MIB)),
        make(&FormatOptions::new(64 * MIB)),
    );
    let uuid = 1024 + 108..1024 + 124;
    assert_ne!(a[uuid.clone()], b[uuid]);
}

#[test]
fn what_a_mount_reads_does_not_depend_on_old_content() {
    let used = Undiscarding(MemDevice::new(64 * MIB));
    used.write_at(0, &vec![0x5A; (64 * MIB) as usize]).unwrap();
    let summary = format(&used, &fixed(64 * MIB)).unwrap();
    let clean = MemDevice::new(64 * MIB);
    format(&clean, &fixed(64 * MIB)).unwrap();
    let (used, clean) = (content(&used), content(&clean));
    let plan = summary.plan;
    let pos = |addr: f2fs_format::BlockAddr| addr.byte_pos() as usize;
    let sit_copy = plan.segment_count_sit as usize / 2 * (2 << 20);
    // Superblocks, gap, checkpoints and the first copy of the SIT; the whole NAT; the start of the
    // node logs.
    for range in [
        0..pos(plan.sit_start) + sit_copy,
        pos(plan.nat_start)..pos(plan.ssa_start),
        pos(plan.main_start)..pos(plan.main_start) + 4096,
        pos(plan.main_start) + (2 << 20)..pos(plan.main_start) + (2 << 20) + 4096,
    ] {
        assert!(used[range.clone()] == clean[range]);
    }
}

#[test]
fn sparse_images_stay_sparse() {
    let (image, _) = image(&fixed(64 * GIB));
    let used = image.as_file().metadata().unwrap().blocks() * 512;
    assert!(used < MIB, "{used} bytes");
}

#[test]
fn the_largest_volume_reads_back() {
    for size in [4096 * GIB, 16384 * GIB] {
        let device = MemDevice::new(size);
        let summary = format(&device, &fixed(size)).unwrap();
        let (super_block, checkpoint) = read_volume(&device);
        assert_eq!(super_block, summary.super_block);
        assert_eq!(checkpoint.version, summary.checkpoint_version);
        assert_eq!(checkpoint.pack_blocks, 6 + super_block.cp_payload);
    }
}

#[test]
fn an_interrupted_formatter_leaves_no_volume() {
    let inner = MemDevice::new(64 * MIB);
    format(&inner, &FormatOptions::new(64 * MIB)).unwrap();
    let mut writes = 1;
    loop {
        let device = Failing {
            inner: inner.snapshot(),
            writes_left: AtomicUsize::new(writes),
        };
        let Err(error) = format(&device, &fixed(64 * MIB)) else {
            break;
        };
        assert!(matches!(error, FormatError::Device(_)));
        let bytes = content(&device);
        let found = SuperBlock::parse_pair(&bytes[..4096], &bytes[4096..8192], 16384);
        // The last write but one is the second superblock: everything it tells of is there.
        let is_whole = found.is_ok_and(|(sb, ..)| sb.uuid == fixed(0).uuid.unwrap());
        writes += 1;
        let device = Failing {
            inner: inner.snapshot(),
            writes_left: AtomicUsize::new(writes),
        };
        let is_last = format(&device, &fixed(64 * MIB)).is_ok();
        assert_eq!(is_whole, is_last, "{writes}");
    }
    assert!(writes > 10);
}

#[test]
fn a_device_that_does_not_fit_is_left_alone() {
    let device = MemDevice::new(64 * MIB);
    let error = format(&device, &fixed(65 * MIB)).unwrap_err();
    assert_eq!(
        error,
        FormatError::DeviceTooSmall {
            size: 65 * MIB,
            device: 64 * MIB
        }
    );
    assert!(format(&device, &fixed(MIB)).is_err());
    assert!(content(&device).iter().all(|&byte| byte == 0));
}
