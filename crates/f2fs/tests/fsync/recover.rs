//! What a power cut leaves after an fsync, recovered by the engine.

use crate::common::{assert_content, pattern};
use crate::lab::{Lab, MIB, tree};
use f2fs::{Error, Fallocate, RollForward, SetXattr, Volume, VolumeOptions};
use std::sync::Arc;

#[test]
fn new_files_are_there_with_all_they_have() {
    let lab = Lab::new();
    for (path, len) in [
        ("/inline", 100),
        ("/d/small", 20_000),
        ("/d/large", 9_000_000),
        ("/d/empty", 0),
    ] {
        let file = lab.write(path, 0, len, 1);
        lab.volume
            .set_xattr(path, "user.a", b"some", SetXattr::Any)
            .unwrap();
        lab.volume
            .set_xattr(path, "user.node", &[7; 2000], SetXattr::Any)
            .unwrap();
        file.sync_all().unwrap();
    }
    drop(lab.write("/d/lost", 0, 20_000, 1));
    let volume = lab.recovered();
    assert_content(&volume, "/inline", &pattern(100, 1));
    assert_content(&volume, "/d/small", &pattern(20_000, 1));
    assert_content(&volume, "/d/large", &pattern(9_000_000, 1));
    assert_content(&volume, "/d/empty", b"");
    for path in ["/inline", "/d/small", "/d/large", "/d/empty"] {
        assert_eq!(volume.get_xattr(path, "user.a").unwrap(), b"some");
        assert_eq!(volume.get_xattr(path, "user.node").unwrap(), [7; 2000]);
    }
    assert!(matches!(volume.metadata("/d/lost"), Err(Error::NotFound)));
    volume.close().unwrap();
}

#[test]
fn changes_of_old_files() {
    let lab = Lab::new();
    let mut wanted = Vec::new();
    for n in 0..6u64 {
        drop(lab.write(&format!("/d/{n}"), 0, 6_000_000, n));
        wanted.push(pattern(6_000_000, n));
    }
    drop(lab.write("/d/tiny", 0, 50, 3));
    lab.volume.sync().unwrap();
    let patch = pattern(300_000, 77);
    for (n, content) in wanted.iter_mut().enumerate() {
        let file = lab.file(&format!("/d/{n}"));
        match n {
            0 => {
                file.write_all_at(1_000_001, &patch).unwrap();
                content[1_000_001..1_300_001].copy_from_slice(&patch);
            }
            1 => {
                file.write_all_at(6_000_000, &patch).unwrap();
                content.extend_from_slice(&patch);
            }
            2 => {
                file.set_len(5_999_000).unwrap();
                content.truncate(5_999_000);
            }
            3 => {
                file.set_len(123).unwrap();
                content.truncate(123);
            }
            4 => {
                file.fallocate(Fallocate::PunchHole, 8192..2_000_000)
                    .unwrap();
                content[8192..2_000_000].fill(0);
            }
            _ => {
                file.fallocate(Fallocate::AllocateKeepSize, 6_000_000..7_000_000)
                    .unwrap();
                file.fallocate(Fallocate::ZeroRange, 0..4096).unwrap();
                content[..4096].fill(0);
            }
        }
        file.sync_all().unwrap();
    }
    let file = lab.write("/d/tiny", 0, 50_000, 4);
    file.sync_data().unwrap();
    let volume = lab.recovered();
    for (n, content) in wanted.iter().enumerate() {
        assert_content(&volume, &format!("/d/{n}"), content);
    }
    assert_content(&volume, "/d/tiny", &pattern(50_000, 4));
    let kept = volume.metadata("/d/5").unwrap();
    assert!(kept.blocks() * 4096 > 6_900_000, "{}", kept.blocks());
}

/// Blocks written over and over between two checkpoints: the last fsync counts.
#[test]
fn many_fsyncs_of_the_same_files() {
    let lab = Lab::new();
    let mut content = pattern(200_000, 0);
    lab.write("/d/f", 0, 200_000, 0).sync_all().unwrap();
    for n in 0..300u64 {
        let at = (n * 7919 * 13 % 190_000) as usize;
        let piece = pattern(5000, n);
        let file = lab.file("/d/f");
        file.write_all_at(at as u64, &piece).unwrap();
        content[at..at + 5000].copy_from_slice(&piece);
        file.sync_all().unwrap();
        if n % 60 == 59 {
            assert_content(&lab.recovered(), "/d/f", &content);
        }
    }
}

/// A name goes to the new file, wherever the old one is in the last checkpoint.
#[test]
fn names_of_new_files() {
    let lab = Lab::new();
    for path in ["/d/kept", "/d/replaced", "/d/moved"] {
        drop(lab.write(path, 0, 9000, 1));
    }
    lab.volume.sync().unwrap();
    lab.volume.remove_file("/d/replaced").unwrap();
    lab.write("/d/replaced", 0, 3000, 2).sync_all().unwrap();
    lab.volume.remove_file("/d/replaced").unwrap();
    lab.write("/d/replaced", 0, 4000, 3).sync_all().unwrap();
    lab.volume.rename("/d/moved", "/d/elsewhere").unwrap();
    lab.write("/d/moved", 0, 5000, 4).sync_all().unwrap();
    for n in 0..700 {
        lab.write(
            &format!("/d/a name that is rather long so that blocks fill {n}"),
            0,
            n,
            5,
        )
        .sync_all()
        .unwrap();
    }
    let volume = lab.recovered();
    assert_content(&volume, "/d/kept", &pattern(9000, 1));
    assert_content(&volume, "/d/replaced", &pattern(4000, 3));
    assert_content(&volume, "/d/moved", &pattern(5000, 4));
    assert_content(&volume, "/d/elsewhere", &pattern(9000, 1));
    assert_eq!(volume.read_dir("/d").unwrap().count(), 704);
}

#[test]
fn compressed_files_between_checkpoints() {
    let lab = Lab::new();
    let mut content = pattern(65_536, 1);
    lab.write("/c/f", 0, 65_536, 1).sync_all().unwrap();
    let taken = lab.checkpoints(|lab| {
        for n in 0..3u64 {
            let piece = pattern(4096, n);
            let file = lab.file("/c/f");
            file.write_all_at(content.len() as u64, &piece).unwrap();
            content.extend_from_slice(&piece);
            let piece = pattern(16_384, n + 10);
            file.write_all_at(16_384, &piece).unwrap();
            content[16_384..32_768].copy_from_slice(&piece);
            file.sync_all().unwrap();
            assert_content(&lab.recovered(), "/c/f", &content);
        }
    });
    assert_eq!(taken, 0);
}

/// A crash in the middle of recovery is recovered again, to the same.
#[test]
fn recovery_twice_is_recovery_once() {
    let lab = Lab::new();
    for n in 0..20u64 {
        lab.write(&format!("/d/{n}"), 0, n as usize * 9000, n)
            .sync_all()
            .unwrap();
    }
    let left = lab.cut();
    let once = tree(&lab.recovered());
    let device = Arc::new(left.snapshot());
    // Opened for writing and never closed: what it wrote is there, what it did not is not.
    let volume = Volume::open_device(Arc::clone(&device) as _, &VolumeOptions::default()).unwrap();
    let again = Arc::new(device.snapshot());
    drop(volume);
    let volume = Volume::open_device(again, &VolumeOptions::default()).unwrap();
    assert_eq!(tree(&volume), once);
}

#[test]
fn recovery_can_be_left_out() {
    let lab = Lab::new();
    lab.write("/d/f", 0, 9000, 1).sync_all().unwrap();
    let left = lab.cut();
    let mut options = VolumeOptions {
        roll_forward: RollForward::Ignore,
        ..VolumeOptions::default()
    };
    let error = Volume::open_device(Arc::clone(&left) as _, &options).unwrap_err();
    assert!(matches!(error, Error::ReadOnly(_)), "{error}");
    options.read_only = true;
    let volume = Volume::open_device(Arc::clone(&left) as _, &options).unwrap();
    assert!(matches!(volume.metadata("/d/f"), Err(Error::NotFound)));
    let before = left.snapshot();
    options.roll_forward = RollForward::Replay;
    let volume = Volume::open_device(Arc::clone(&left) as _, &options).unwrap();
    assert_content(&volume, "/d/f", &pattern(9000, 1));
    assert!(same_bytes(&before, &left), "a reader writes nothing");
}

#[test]
fn recovery_can_be_given_up() {
    let lab = Lab::new();
    lab.write("/d/f", 0, 9000, 1).sync_all().unwrap();
    let left = lab.cut();
    let options = VolumeOptions {
        roll_forward: RollForward::Discard,
        ..VolumeOptions::default()
    };
    drop(Volume::open_device(Arc::clone(&left) as _, &options).unwrap());
    let volume = Volume::open_device(left, &VolumeOptions::default()).unwrap();
    assert!(matches!(volume.metadata("/d/f"), Err(Error::NotFound)));
}

fn same_bytes(a: &blockdev::MemDevice, b: &blockdev::MemDevice) -> bool {
    use blockdev::BlockDevice;
    let (mut x, mut y) = (vec![0; MIB as usize], vec![0; MIB as usize]);
    (0..a.size_bytes() / MIB).all(|n| {
        a.read_at(n * MIB, &mut x).unwrap();
        b.read_at(n * MIB, &mut y).unwrap();
        x == y
    })
}

/// A nearly full volume: what was freed since the last checkpoint is not there for recovery, so an fsync that used it
/// takes a checkpoint.
#[test]
fn a_full_volume_recovers_what_it_fsynced() {
    let lab = Lab::new();
    let free = lab.volume.statfs().blocks_free * 4096;
    let part = (free / 3) as usize;
    for n in 0..2 {
        drop(lab.write(&format!("/d/{n}"), 0, part, n));
    }
    lab.volume.sync().unwrap();
    lab.volume.remove_file("/d/0").unwrap();
    let file = lab.write("/d/new", 0, part, 7);
    file.sync_all().unwrap();
    let file = lab.write("/d/more", 0, part / 2, 8);
    file.sync_all().unwrap();
    let volume = lab.recovered();
    assert_content(&volume, "/d/new", &pattern(part, 7));
    assert_content(&volume, "/d/more", &pattern(part / 2, 8));
}

/// Blocks of both checkpoint packs, as `FormatOptions` lays a small volume out.
const PACKS: std::ops::Range<u64> = 512..1536;

/// Copies blocks from one device to another.
fn copy_blocks(from: &blockdev::MemDevice, to: &blockdev::MemDevice, blocks: std::ops::Range<u64>) {
    use blockdev::BlockDevice;
    let mut bytes = vec![0; (blocks.end - blocks.start) as usize * 4096];
    from.read_at(blocks.start * 4096, &mut bytes).unwrap();
    to.write_at(blocks.start * 4096, &bytes).unwrap();
}

/// A node that one crash cut off from the chain must not become part of it by another crash: its blocks may be
/// somebody else's by then.
#[test]
fn nodes_that_were_cut_off_stay_so() {
    use blockdev::BlockDevice;
    let lab = Lab::new();
    let before = lab.cut();
    lab.write("/d/first", 0, 9000, 1).sync_all().unwrap();
    let info = Volume::open_device(
        before,
        &VolumeOptions {
            read_only: true,
            ..VolumeOptions::default()
        },
    )
    .unwrap()
    .info();
    let log = info.checkpoint.curseg(f2fs_format::CursegType::WarmNode);
    let start = info.super_block.geometry().segment_start(log.segno).get() + u32::from(log.blkoff);
    for n in 0..20u64 {
        lab.write(&format!("/d/{n}"), 0, 9000, n)
            .sync_all()
            .unwrap();
    }
    // The first node never reached the device, all others did.
    let left = lab.cut();
    left.write_at(u64::from(start) * 4096, &[0; 4096]).unwrap();
    for _ in 0..2 {
        // Another session, which dies while it writes its first checkpoint: all but the pack is there.
        let device = Arc::new(left.snapshot());
        let volume =
            Volume::open_device(Arc::clone(&device) as _, &VolumeOptions::default()).unwrap();
        let options = f2fs::OpenOptions::new().write(true).create(true);
        for n in 0..3 {
            let file = volume.open_with(format!("/d/other {n}"), &options).unwrap();
            file.write_all_at(0, &pattern(400_000, n)).unwrap();
        }
        volume.sync().unwrap();
        copy_blocks(&left, &device, PACKS);
        let volume =
            Volume::open_device(Arc::clone(&device) as _, &VolumeOptions::default()).unwrap();
        assert_eq!(volume.read_dir("/d").unwrap().count(), 0);
        copy_blocks(&device, &left, 0..left.size_bytes() / 4096);
        copy_blocks(&lab.cut(), &left, PACKS);
    }
}

/// A volume that is full of small files, each made durable: recovery finds room to write all of them once more.
#[test]
fn many_small_files_on_a_full_volume() {
    let lab = Lab::new();
    let free = lab.volume.statfs().blocks_free * 4096;
    drop(lab.write("/d/ballast", 0, (free - free / 8) as usize, 1));
    lab.volume.sync().unwrap();
    let options = f2fs::OpenOptions::new().write(true).create(true);
    let mut made = 0u64;
    let full = loop {
        let file = match lab.volume.open_with(format!("/d/{made}"), &options) {
            Ok(file) => file,
            Err(error) => break error,
        };
        if let Err(error) = file
            .write_all_at(0, &[7; 100])
            .and_then(|()| file.sync_all())
        {
            break error;
        }
        made += 1;
        if made.is_multiple_of(400) {
            assert_eq!(
                lab.recovered().read_dir("/d").unwrap().count() as u64,
                made + 1
            );
        }
    };
    assert!(
        matches!(full, Error::NoSpace) && made > 1000,
        "{made}: {full}"
    );
    assert!(lab.recovered().read_dir("/d").unwrap().count() as u64 > made);
}
