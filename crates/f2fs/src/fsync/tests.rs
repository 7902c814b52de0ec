//! Errors in the middle of an fsync that no test from outside can bring about.

use crate::{Error, File, FormatOptions, OpenOptions, Volume, VolumeOptions};
use blockdev::{BlockDevice, DeviceOp, MemDevice};
use std::sync::Arc;
use testkit::faulty::{Failure, Fault, FaultyDevice, Lasting};

const SIZE: u64 = 64 << 20;
/// More than a checkpoint keeps in the journal of the NAT.
const FILES: usize = 100;

fn open(device: Arc<dyn BlockDevice>) -> Volume {
    let options = VolumeOptions {
        threads: 1,
        ..VolumeOptions::default()
    };
    Volume::open_device(device, &options).unwrap()
}

fn file(volume: &Volume, n: usize) -> File {
    let options = OpenOptions::new().write(true).create(true);
    volume.open_with(format!("/{n}"), &options).unwrap()
}

/// A volume with files that have blocks and nodes of their own.
fn disk() -> MemDevice {
    let disk = Arc::new(MemDevice::new(SIZE));
    f2fs_offline::format(&*disk, &FormatOptions::new(SIZE)).unwrap();
    let volume = open(Arc::clone(&disk) as _);
    for n in 0..FILES {
        file(&volume, n).write_all_at(0, &[1; 4096]).unwrap();
    }
    volume.close().unwrap();
    disk.snapshot()
}

/// Everything up to the fsync, on a device that fails as `fault` says. What it has read so far.
fn start(disk: &Arc<MemDevice>, fault: Option<Fault>) -> (Volume, File, u64) {
    let device = Arc::new(FaultyDevice::new(Arc::clone(disk) as _, fault));
    let volume = open(Arc::clone(&device) as _);
    // A checkpoint, and the log of a node chain.
    file(&volume, 0).set_len(10).unwrap();
    volume.sync().unwrap();
    let last = file(&volume, FILES - 1);
    // No data to write: looking up who owns its blocks would read the table before.
    last.set_len(8192).unwrap();
    volume.fs().meta.nat.forget_blocks();
    let reads = device.count(DeviceOp::Read);
    (volume, last, reads)
}

#[test]
fn a_table_that_cannot_be_read_leaves_nodes_to_write() {
    let disk = disk();
    let (.., index) = start(&Arc::new(disk.snapshot()), None);
    let fault = Fault {
        op: DeviceOp::Read,
        index,
        lasting: Lasting::Once,
        failure: Failure::Io,
    };
    let disk = Arc::new(disk.snapshot());
    let (volume, last, _) = start(&disk, Some(fault));
    assert!(matches!(last.sync_all(), Err(Error::Device(_))));
    last.sync_all().unwrap();
    let cut = open(Arc::new(disk.snapshot()));
    let size = cut.metadata(format!("/{}", FILES - 1)).unwrap().len();
    assert_eq!(size, 8192, "the second fsync told what is not true");
    drop((last, volume));
}
