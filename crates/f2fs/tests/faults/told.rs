//! Who is told of an error, and how often.

use crate::check::is_injected;
use crate::common::{noise, pattern};
use crate::disk::Disk;
use crate::{formatted, options, packed, read};
use blockdev::DeviceOp;
use f2fs::{Error, File, OpenOptions, Owner, Result, Volume};
use std::sync::Arc;
use testkit::faulty::{Failure, Fault, FaultyDevice, Lasting};

fn open(disk: &Arc<Disk>, fault: Option<Fault>) -> (Arc<FaultyDevice>, Volume) {
    let device = Arc::new(FaultyDevice::new(disk.fork(), fault));
    let volume = Volume::open_device(Arc::clone(&device) as _, &options()).unwrap();
    (device, volume)
}

fn file(volume: &Volume, path: &str) -> File {
    let options = OpenOptions::new().read(true).write(true).create(true);
    let options = options.compress(path.contains("packed").then(packed));
    volume.open_with(path, &options).unwrap()
}

/// The fault of the next transfer of a kind after `before`.
fn next(disk: &Arc<Disk>, op: DeviceOp, before: impl Fn(&Volume)) -> Fault {
    let (device, volume) = open(disk, None);
    before(&volume);
    Fault {
        op,
        index: device.count(op),
        lasting: Lasting::Once,
        failure: Failure::Io,
    }
}

fn with_two_files() -> Arc<Disk> {
    let disk = formatted();
    let volume = Volume::open_device(Arc::clone(&disk) as _, &options()).unwrap();
    for path in ["/a", "/b"] {
        file(&volume, path)
            .write_all_at(0, &pattern(50_000, 1))
            .unwrap();
    }
    volume.close().unwrap();
    disk
}

#[test]
fn a_failed_write_of_data_is_told_once_to_each_open_file() {
    let disk = with_two_files();
    let data = noise(20_000, 2);
    let write = |volume: &Volume| {
        volume.sync().unwrap();
        file(volume, "/a").write_all_at(0, &data).unwrap();
    };
    let fault = next(&disk, DeviceOp::Write, write);
    let (_, volume) = open(&disk, Some(fault));
    let (first, second, other) = (
        file(&volume, "/a"),
        file(&volume, "/a"),
        file(&volume, "/b"),
    );
    write(&volume);
    assert!(is_injected(&first.sync_all().unwrap_err()));
    // The device takes it now, and so it is durable; yet the second file is told too.
    assert!(is_injected(&second.sync_data().unwrap_err()));
    for file in [&first, &second, &other, &file(&volume, "/a")] {
        file.sync_all().unwrap();
    }
    assert_eq!(read(&volume, "/a").unwrap()[..data.len()], data);
}

#[test]
fn a_stopped_volume_says_why_and_is_read() {
    let disk = with_two_files();
    for op in [DeviceOp::Write, DeviceOp::Flush] {
        let change = |volume: &Volume| volume.create_dir("/d", Owner::root(0o755)).unwrap();
        let (_, volume) = open(&disk, Some(next(&disk, op, change)));
        let held = file(&volume, "/a");
        change(&volume);
        assert!(is_injected(&volume.sync().unwrap_err()));
        let refused: [Result<()>; 7] = [
            volume.sync(),
            volume.create_dir("/e", Owner::root(0o755)),
            volume.rename("/a", "/c"),
            volume.remove_file("/a"),
            held.set_len(5),
            held.write_all_at(0, b"x").and_then(|()| held.sync_all()),
            held.sync_data(),
        ];
        for result in refused {
            assert!(
                matches!(&result, Err(Error::Shutdown(why)) if why.contains("injected fault")),
                "{result:?}"
            );
        }
        volume.drop_caches();
        assert!(read(&volume, "/b").unwrap() == pattern(50_000, 1));
        assert!(volume.close().is_err());
    }
}

#[test]
fn a_checkpoint_that_cannot_be_read_is_not_passed_over() {
    let disk = with_two_files();
    // Superblocks, then the packs.
    for index in 0..6 {
        let fault = Fault {
            op: DeviceOp::Read,
            index,
            lasting: Lasting::Once,
            failure: Failure::Io,
        };
        let device = FaultyDevice::new(disk.fork(), Some(fault));
        let error = Volume::open_device(Arc::new(device), &options()).unwrap_err();
        assert!(is_injected(&error), "{error}");
    }
}

#[test]
fn a_node_that_cannot_be_read_while_data_is_written_back_costs_no_data() {
    const PLACES: u64 = 300;
    let at = |n: u64| n * (4 << 20);
    let disk = formatted();
    {
        let volume = Volume::open_device(Arc::clone(&disk) as _, &options()).unwrap();
        let made = file(&volume, "/packed");
        for n in 0..PLACES {
            made.write_all_at(at(n), &pattern(16384, n)).unwrap();
        }
        drop(made);
        volume.close().unwrap();
    }
    // More direct nodes than a checkpoint keeps in memory, all with dirty data below them.
    let overwrite = |volume: &Volume| {
        let packed = file(volume, "/packed");
        for n in 0..PLACES {
            packed.write_all_at(at(n), b"new").unwrap();
        }
        file(volume, "/other").sync_all().unwrap();
    };
    let (device, volume) = open(&disk, Some(next(&disk, DeviceOp::Read, overwrite)));
    overwrite(&volume);
    let packed = file(&volume, "/packed");
    assert!(is_injected(&packed.sync_all().unwrap_err()));
    packed.sync_all().unwrap();
    volume.drop_caches();
    assert_eq!(device.fired(), 1);
    for n in 0..PLACES {
        let mut found = [0; 3];
        packed.read_at(at(n), &mut found).unwrap();
        assert_eq!(&found, b"new", "place {n}");
    }
}

#[test]
fn a_failed_read_is_told_to_its_reader_alone() {
    let disk = with_two_files();
    let (device, volume) = open(&disk, None);
    let held = file(&volume, "/a");
    device.cut(0);
    assert!(matches!(read(&volume, "/a"), Err(Error::Device(_))));
    device.cut(u64::MAX);
    for path in ["/b", "/a"] {
        assert!(read(&volume, path).unwrap() == pattern(50_000, 1));
    }
    // Reading is not writing: nothing is left to tell.
    held.sync_all().unwrap();
    volume.close().unwrap();
}
