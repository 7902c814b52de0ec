//! A power cut at every write of a checkpoint, and a device with a volatile cache that loses
//! writes.

use super::*;
use crate::device::Device;
use crate::error::Error;
use crate::meta::{Metadata, OpenMode};
use blockdev::{Bio, BlockDevice, DeviceError, DeviceOp, MemDevice};
use runtime::rng::Rng;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

/// A device whose writes fail after some number of them. The one that fails first is torn: its
/// first half is written.
#[derive(Debug)]
struct Cut {
    inner: Arc<MemDevice>,
    left: AtomicI64,
}

impl BlockDevice for Cut {
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
        let left = self.left.fetch_sub(1, Ordering::SeqCst);
        if left > 0 {
            return self.inner.write_at(pos, data);
        }
        if left == 0 {
            self.inner.write_at(pos, &data[..data.len() / 2])?;
        }
        let error = std::io::Error::other("power cut");
        Err(DeviceError::new(
            DeviceOp::Write,
            pos,
            data.len() as u64,
            &error,
        ))
    }

    fn flush(&self) -> Result<(), DeviceError> {
        Ok(())
    }

    fn discard(&self, _: u64, _: u64) -> Result<(), DeviceError> {
        Ok(())
    }
}

/// Moves the root often enough to fill a segment, with a checkpoint at the end.
fn work(meta: &Metadata, moves: u32) -> crate::error::Result<()> {
    for _ in 0..moves {
        touch(meta, Nid::ROOT)?;
    }
    meta.write_checkpoint(Sync)
}

#[test]
fn every_cut_leaves_the_old_or_the_new_state() {
    let start = fresh(&[]);
    open(&start).write_checkpoint(Sync).unwrap();
    let first = open(&start).checkpoint_info().version;
    let moves = 5;
    for writes in 0.. {
        let inner = Arc::new(start.snapshot());
        let cut = Cut {
            inner: Arc::clone(&inner),
            left: AtomicI64::new(writes),
        };
        let device = Arc::new(Device::new(Arc::new(cut)));
        let meta = Metadata::open(Arc::clone(&device), OpenMode::ReadWrite).unwrap();
        let result = work(&meta, moves).and_then(|()| work(&meta, moves));
        let version = open(&inner).checkpoint_info().version;
        assert_eq!(
            version,
            meta.checkpoint_info().version,
            "memory and device agree"
        );
        assert_clean(&inner);
        match result {
            Ok(()) => {
                assert_eq!(version, first + 2);
                return;
            }
            Err(error) => {
                assert!(matches!(error, Error::Device(_)), "{error}");
                assert!(matches!(
                    meta.write_checkpoint(Sync),
                    Err(Error::Shutdown(_))
                ));
                assert!(
                    device
                        .stopped()
                        .is_some_and(|reason| reason.contains("power cut"))
                );
            }
        }
        // What was torn does not hinder the next mount.
        let meta = open(&inner);
        work(&meta, moves).unwrap();
        assert_clean(&inner);
    }
}

/// A device that keeps writes in a cache until they are flushed.
#[derive(Debug)]
struct Volatile {
    durable: MemDevice,
    seen: MemDevice,
    cached: Mutex<Vec<(u64, Vec<u8>)>>,
}

impl Volatile {
    /// What a power cut now leaves: any of the cached writes, whole or torn at a sector.
    fn cut(&self, rng: &mut Rng) -> Arc<MemDevice> {
        let left = self.durable.snapshot();
        for (pos, data) in &*self.cached.lock().unwrap() {
            let sectors = data.len() as u64 / 512;
            let kept = match rng.below(3) {
                0 => 0,
                1 => sectors,
                _ => rng.below(sectors + 1),
            };
            left.write_at(*pos, &data[..kept as usize * 512]).unwrap();
        }
        Arc::new(left)
    }
}

impl BlockDevice for Volatile {
    fn size_bytes(&self) -> u64 {
        self.seen.size_bytes()
    }

    fn is_read_only(&self) -> bool {
        false
    }

    fn submit(&self, bio: Bio) {
        self.seen.submit(bio);
    }

    fn read_at(&self, pos: u64, buf: &mut [u8]) -> Result<(), DeviceError> {
        self.seen.read_at(pos, buf)
    }

    fn write_at(&self, pos: u64, data: &[u8]) -> Result<(), DeviceError> {
        self.cached.lock().unwrap().push((pos, data.to_vec()));
        self.seen.write_at(pos, data)
    }

    fn flush(&self) -> Result<(), DeviceError> {
        for (pos, data) in self.cached.lock().unwrap().drain(..) {
            self.durable.write_at(pos, &data)?;
        }
        Ok(())
    }

    fn discard(&self, _: u64, _: u64) -> Result<(), DeviceError> {
        Ok(())
    }
}

#[test]
fn lost_writes_leave_the_last_checkpoint() {
    let start = fresh(&["-O", "extra_attr,inode_checksum"]);
    let mut rng = Rng::seeded(11);
    let volatile = Arc::new(Volatile {
        durable: start.snapshot(),
        seen: start.snapshot(),
        cached: Mutex::default(),
    });
    let device = Arc::new(Device::new(Arc::clone(&volatile) as Arc<dyn BlockDevice>));
    let meta = Metadata::open(device, OpenMode::ReadWrite).unwrap();
    for round in 0..60 {
        let version = meta.checkpoint_info().version;
        for _ in 0..rng.below(400) {
            touch(&meta, Nid::ROOT).unwrap();
        }
        meta.segments.open_full_logs().unwrap();
        let nat = meta.nat.flush().unwrap();
        let sit = meta.segments.flush().unwrap();
        let (last, current) = meta.last_checkpoint();
        let pack = meta.build_pack(&last, &nat, &sit, Umount).unwrap();
        meta.device
            .write_meta(meta.geometry.cp_pack(1 - current), &pack.body)
            .unwrap();
        let left = volatile.cut(&mut rng);
        assert_eq!(open(&left).checkpoint_info().version, version);
        if round % 6 == 0 {
            assert_clean(&left);
        }
        meta.write_checkpoint(if round % 3 == 0 { Umount } else { Sync })
            .unwrap();
        let left = volatile.cut(&mut rng);
        assert_eq!(open(&left).checkpoint_info().version, version + 1);
    }
    let left = volatile.cut(&mut rng);
    assert_clean(&left);
}
