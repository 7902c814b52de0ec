//! A block that the device does not give back any more: its segment stays, everything else goes on.

use crate::common::noise;
use blockdev::{Bio, BlockDevice, DeviceError, DeviceOp, MemDevice};
use f2fs::{FormatOptions, GcOptions, OpenOptions, Volume, VolumeOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const SIZE: u64 = 96 << 20;
const BLOCK: u64 = 4096;

/// One byte cannot be read.
#[derive(Debug)]
struct Worn {
    inner: MemDevice,
    bad: AtomicU64,
}

impl BlockDevice for Worn {
    fn size_bytes(&self) -> u64 {
        self.inner.size_bytes()
    }

    fn is_read_only(&self) -> bool {
        false
    }

    fn submit(&self, bio: Bio) {
        bio.transfer(self);
    }

    fn read_at(&self, pos: u64, buf: &mut [u8]) -> Result<(), DeviceError> {
        let len = buf.len() as u64;
        if (pos..pos + len).contains(&self.bad.load(Ordering::Relaxed)) {
            let worn = std::io::Error::other("worn out");
            return Err(DeviceError::new(DeviceOp::Read, pos, len, &worn));
        }
        self.inner.read_at(pos, buf)
    }

    fn write_at(&self, pos: u64, data: &[u8]) -> Result<(), DeviceError> {
        self.inner.write_at(pos, data)
    }

    fn flush(&self) -> Result<(), DeviceError> {
        self.inner.flush()
    }

    fn discard(&self, pos: u64, len: u64) -> Result<(), DeviceError> {
        self.inner.discard(pos, len)
    }
}

#[test]
fn a_segment_that_cannot_be_read_is_left_alone() {
    let device = Arc::new(Worn {
        inner: MemDevice::new(SIZE),
        bad: AtomicU64::new(u64::MAX),
    });
    let format = FormatOptions::new(SIZE);
    let options = VolumeOptions::default();
    let volume = Volume::create_on(Arc::<Worn>::clone(&device), &format, &options).unwrap();
    let writing = OpenOptions::new().read(true).write(true).create(true);
    for n in 0..40 {
        let file = volume.open_with(format!("/f{n}"), &writing).unwrap();
        file.write_all_at(0, &noise(500_000, n)).unwrap();
        volume.sync().unwrap();
    }
    for n in (0..40).filter(|n| n % 3 != 0) {
        volume.remove_file(format!("/f{n}")).unwrap();
    }
    volume.sync().unwrap();
    let file = volume.open_file("/f0").unwrap();
    let place = u64::from(file.block_address(3).unwrap().unwrap()) * BLOCK;
    drop(file);
    volume.drop_caches();
    device.bad.store(place, Ordering::Relaxed);

    let report = volume.gc(GcOptions::default()).unwrap();
    assert!(
        report.refused == 1 && report.data_blocks > 500,
        "{report:?}"
    );
    assert!(!volume.needs_fsck(), "the tables are right");
    // Asked again, it does not come back to that segment.
    assert_eq!(volume.gc(GcOptions::default()).unwrap().refused, 0);
    device.bad.store(u64::MAX, Ordering::Relaxed);
    for n in (0..40).filter(|n| n % 3 == 0) {
        let file = volume.open_file(format!("/f{n}")).unwrap();
        let mut back = vec![0; 500_000];
        assert_eq!(file.read_at(0, &mut back).unwrap(), back.len());
        assert!(back == noise(500_000, n), "/f{n}");
    }
    volume.close().unwrap();
}
