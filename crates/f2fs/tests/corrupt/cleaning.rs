//! Damage that only the cleaner meets: it leaves the segment alone, tells `fsck.f2fs`, goes on with the others.

use crate::base::{self, open, options, read};
use crate::common::{noise, pattern};
use crate::image::{Image, cp, get32, ino, put16, put32, put64};
use blockdev::MemDevice;
use f2fs::{FormatOptions, GcOptions, GcReport, Volume};
use f2fs_format::bitmap::msb;
use f2fs_format::checkpoint::CpFlags;
use f2fs_format::{BlockAddr, NatEntry, SegmentNo, SitEntry};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

const SIZE: u64 = 128 << 20;
const FILES: u64 = 320;
const ALL: GcOptions = GcOptions {
    free_segments: u32::MAX,
    utilisation_max: 100,
};
/// Bytes of a summary entry, and where its fields are.
const ENTRY: usize = 7;
const OFS: usize = 5;
const FOOTER_KIND: usize = 4091;

fn contents() -> BTreeMap<String, Vec<u8>> {
    let even = (0..FILES).filter(|n| n % 2 == 0);
    even.map(|n| {
        let len = 80_000 + n as usize * 100;
        let (path, bytes) = if n % 4 == 0 {
            (format!("/packed{n}"), pattern(len, n))
        } else {
            (format!("/plain{n}"), noise(len, n))
        };
        (path, bytes)
    })
    .collect()
}

/// A volume with many closed segments that have holes.
fn holed() -> Arc<Image> {
    static BASE: OnceLock<Image> = OnceLock::new();
    let image = BASE.get_or_init(|| {
        let device = Arc::new(MemDevice::new(SIZE));
        let format = FormatOptions::new(SIZE);
        let volume = Volume::create_on(Arc::<MemDevice>::clone(&device), &format, &options());
        let volume = volume.unwrap();
        let kept = contents();
        for (n, (path, bytes)) in kept.iter().enumerate() {
            base::create(&volume, path, bytes).unwrap();
            base::create(&volume, &format!("/gone{n}"), bytes).unwrap();
            volume.sync().unwrap();
        }
        for n in 0..900 {
            base::create(&volume, &format!("/small{n}"), b"in its inode").unwrap();
        }
        volume.sync().unwrap();
        for n in (0..900).step_by(3) {
            volume.remove_file(format!("/small{n}")).unwrap();
        }
        base::create(&volume, "/inline", b"small").unwrap();
        volume
            .mknod(
                "/device",
                f2fs::Special::CharDevice(1, 3),
                f2fs::Owner::root(0o600),
            )
            .unwrap();
        for n in 0..kept.len() {
            volume.remove_file(format!("/gone{n}")).unwrap();
        }
        volume.sync().unwrap();
        volume.close().unwrap();
        Image::of(&*device)
    });
    Arc::new(image.clone())
}

/// Segments without a log that have valid blocks: of data, or of nodes.
fn closed(image: &Image, nodes: bool) -> Vec<(u32, SitEntry)> {
    let (checkpoint, _) = image.cp();
    let logs: Vec<u32> = checkpoint
        .cur_data
        .iter()
        .chain(&checkpoint.cur_node)
        .map(|pos| pos.segno.get())
        .collect();
    let entry = |segno: u32| {
        let (block, at) = image.sit_place(segno);
        SitEntry::parse(&image.block(block)[at..at + 74], SegmentNo::new(segno)).unwrap()
    };
    (0..image.sb().geometry().main_segments())
        .filter(|segno| !logs.contains(segno))
        .map(|segno| (segno, entry(segno)))
        .filter(|(_, entry)| {
            (1..512).contains(&entry.valid_blocks) && entry.kind.is_node() == nodes
        })
        .collect()
}

fn ssa(image: &Image, segno: u32) -> u32 {
    image.sb().geometry().ssa_block(SegmentNo::new(segno)).get()
}

fn first_valid(entry: &SitEntry) -> usize {
    (0..512).find(|&i| msb::test(&entry.valid_map, i)).unwrap()
}

fn number(image: &Arc<Image>, path: &str) -> u32 {
    open(image, true)
        .unwrap()
        .symlink_metadata(path)
        .unwrap()
        .ino()
}

fn assert_whole(volume: &Volume, name: &str) {
    for (path, expected) in contents() {
        let content = read(volume, Path::new(&path)).unwrap();
        assert!(content == expected, "{name}: {path}");
    }
}

/// Cleans everything; what the cleaner refused. All files are whole afterwards, and the checkpoint calls for fsck.
fn cleaned(image: &Arc<Image>, name: &str) -> GcReport {
    let volume = open(image, false).unwrap();
    let report = volume.gc(ALL).unwrap();
    assert_whole(&volume, name);
    volume.drop_caches();
    assert_whole(&volume, name);
    volume.close().unwrap();
    assert_whole(&open(image, true).unwrap(), name);
    report
}

fn needs_fsck(image: &Image) -> bool {
    image.cp().0.flags.contains(CpFlags::FSCK)
}

#[test]
fn an_intact_volume_is_cleaned() {
    let image = holed();
    assert!(closed(&image, false).len() > 3 && !closed(&image, true).is_empty());
    let report = cleaned(&image, "intact");
    assert!(
        report.refused == 0 && report.data_blocks > 500 && report.node_blocks > 0,
        "{report:?}"
    );
    assert!(!needs_fsck(&image));
    testkit::fsck::assert_clean(image.dump().path());
}

/// One segment of data is damaged; the others are cleaned.
fn refused(name: &str, damage: impl FnOnce(&Arc<Image>, u32, usize)) {
    let image = holed();
    let (segno, entry) = closed(&image, false).swap_remove(1);
    damage(&image, segno, first_valid(&entry) * ENTRY);
    let report = cleaned(&image, name);
    assert_eq!(report.refused, 1, "{name}: {report:?}");
    assert!(report.data_blocks > 300, "{name}: {report:?}");
    assert!(needs_fsck(&image), "{name}: fsck is not told");
    let (_, after) = closed(&image, false)
        .into_iter()
        .find(|(found, _)| *found == segno)
        .unwrap_or_else(|| panic!("{name}: the segment is gone"));
    assert_eq!(after.valid_map, entry.valid_map, "{name}: something moved");
}

#[test]
fn summaries_that_name_wrong_owners_are_refused() {
    for nid in [0, 1, 2, 9, 0x7FFF_FFFF, u32::MAX] {
        refused(&format!("nid {nid}"), |image, segno, at| {
            image.edit(ssa(image, segno), |b| put32(b, at, nid));
        });
    }
    for path in ["/inline", "/device", "/"] {
        refused(path, |image, segno, at| {
            let nid = number(image, path);
            image.edit(ssa(image, segno), |b| put32(b, at, nid));
        });
    }
    for ofs in [1017, 1018, 4000, u16::MAX] {
        refused(&format!("slot {ofs}"), |image, segno, at| {
            image.edit(ssa(image, segno), |b| put16(b, at + OFS, ofs));
        });
    }
    refused("the next slot", |image, segno, at| {
        image.edit(ssa(image, segno), |b| {
            let ofs = u16::from_le_bytes([b[at + OFS], b[at + OFS + 1]]);
            put16(b, at + OFS, ofs + 1);
        });
    });
}

#[test]
fn summaries_of_another_kind_are_refused() {
    for kind in [1, 2, 255] {
        refused(&format!("kind {kind}"), |image, segno, _| {
            image.edit(ssa(image, segno), |b| b[FOOTER_KIND] = kind);
        });
    }
    refused("zeros", |image, segno, _| {
        image.edit(ssa(image, segno), |b| b.fill(0));
    });
}

#[test]
fn inodes_that_contradict_are_refused() {
    let owner =
        |image: &Image, segno: u32, at: usize| get32(&image.block(ssa(image, segno))[..], at);
    // A file that is not whole afterwards is not looked at: only the segment must stay as it is.
    let image = holed();
    let (segno, entry) = closed(&image, false).swap_remove(1);
    let nid = owner(&image, segno, first_valid(&entry) * ENTRY);
    image.edit_inode(image.nat(nid).ino, |b| put16(b, ino::EXTRA_SIZE, 35));
    let volume = open(&image, false).unwrap();
    assert!(volume.gc(ALL).unwrap().refused >= 1);
    volume.close().unwrap();
    assert!(needs_fsck(&image));
}

/// A block is said to be valid that nobody has.
#[test]
fn valid_blocks_without_an_owner_are_left_alone() {
    let image = holed();
    let (segno, entry) = closed(&image, false).swap_remove(1);
    let free = (0..512).find(|&i| !msb::test(&entry.valid_map, i)).unwrap();
    let (block, at) = image.sit_place(segno);
    image.edit(block, |b| {
        let count = u16::from_le_bytes([b[at], b[at + 1]]);
        put16(b, at, count + 1);
        msb::set(&mut b[at + 2..at + 66], free);
    });
    image.edit_cp(|b| {
        let count = u64::from_le_bytes(b[cp::VALID_BLOCKS..][..8].try_into().unwrap());
        put64(b, cp::VALID_BLOCKS, count + 1);
    });
    let report = cleaned(&image, "no owner");
    assert!(
        report.refused == 1 && report.data_blocks > 300,
        "{report:?}"
    );
    assert!(needs_fsck(&image));
}

#[test]
fn nodes_that_the_nat_has_elsewhere_are_left_alone() {
    let image = holed();
    let (segno, entry) = closed(&image, true).swap_remove(0);
    let at = first_valid(&entry);
    let nid = get32(&image.block(ssa(&image, segno))[..], at * ENTRY);
    let here = image.sb().geometry().segment_start(SegmentNo::new(segno));
    assert_eq!(image.node_addr(nid), here.get() + at as u32);
    // The summary names the wrong node.
    let other = number(&image, "/inline");
    image.edit(ssa(&image, segno), |b| put32(b, at * ENTRY, other));
    let report = cleaned(&image, "wrong node");
    assert_eq!(report.refused, 1, "{report:?}");
    assert!(needs_fsck(&image));

    // The NAT gives the node to another inode.
    let image = holed();
    let entry = image.nat(nid);
    let stranger = NatEntry {
        ino: other,
        ..entry
    };
    image.set_nat(nid, stranger);
    let volume = open(&image, false).unwrap();
    assert!(volume.gc(ALL).unwrap().refused >= 1);
    volume.close().unwrap();
    assert!(needs_fsck(&image));
    assert_eq!(image.node_addr(nid), BlockAddr::new(entry.addr).get());
}

/// Blocks of a pinned file stay where they are, and nobody is told to repair anything.
#[test]
fn pinned_files_keep_their_blocks() {
    let image = holed();
    let file = number(&image, "/plain2");
    let before = image.inode(file);
    image.edit_inode(file, |b| b[ino::INLINE] |= 0x40);
    let report = cleaned(&image, "pinned");
    assert!(report.refused > 0 && report.data_blocks > 300, "{report:?}");
    assert!(!needs_fsck(&image));
    let after = image.inode(file);
    for slot in 0..80_000 / 4096 {
        assert_eq!(before.slot(slot), after.slot(slot), "block {slot} moved");
    }
    testkit::fsck::assert_clean(image.dump().path());
}
