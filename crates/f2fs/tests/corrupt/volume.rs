//! Damage that concerns the whole volume: it is refused, or the other copy is used.

use crate::base::{SIZE, base, expected, open, walk, workload};
use crate::common::noise;
use crate::image::{Image, cp, put16, put32, put64};
use f2fs::{Error, Owner};
use f2fs_format::checkpoint::CpFlags;
use f2fs_format::orphan::OrphanBlock;
use f2fs_format::super_block::raw::RawSuperBlock;
use f2fs_format::{BLOCK_SIZE, CursegType, NatEntry, Nid};
use std::sync::Arc;

/// A judge of errors: the kind of damage must be the one that was made.
macro_rules! corrupt {
    ($kind:ident) => {
        |e: &f2fs::Error| {
            use f2fs_format::{Corrupt, CorruptKind};
            matches!(
                e,
                f2fs::Error::Corrupt(Corrupt {
                    kind: CorruptKind::$kind { .. }
                })
            )
        }
    };
}
macro_rules! inconsistent {
    ($kind:ident) => {
        |e: &f2fs::Error| {
            matches!(
                e,
                f2fs::Error::Inconsistent(f2fs::error::Inconsistent::$kind { .. })
            )
        }
    };
}
pub(crate) use {corrupt, inconsistent};

pub(crate) type Judge = fn(&Error) -> bool;

fn assert_refused(image: &Arc<Image>, read_only: bool, name: &str, judge: Judge) {
    let before = image.writes();
    match open(image, read_only) {
        Ok(_) => panic!("{name}: the volume opens"),
        Err(error) => assert!(judge(&error), "{name}: wrong error: {error:?}"),
    }
    assert_eq!(
        image.writes(),
        before,
        "{name}: a refused volume was written to"
    );
}

/// The volume is refused for reading and for writing.
fn refused(name: &str, damage: impl FnOnce(&Image), judge: Judge) {
    let image = base();
    damage(&image);
    assert_refused(&image, true, name, judge);
    assert_refused(&image, false, name, judge);
}

pub(crate) fn assert_intact(image: &Arc<Image>, name: &str) {
    let volume = open(image, true).unwrap_or_else(|e| panic!("{name}: {e}"));
    let seen = walk(&volume);
    assert!(seen.errors.is_empty(), "{name}: {:?}", seen.errors);
    assert!(seen.contents == *expected(), "{name}: contents differ");
}

/// The volume is read as it was; only writing to it is refused.
pub(crate) fn only_readable(name: &str, damage: impl FnOnce(&Image), judge: Judge) {
    let image = base();
    damage(&image);
    assert_refused(&image, false, name, judge);
    assert_intact(&image, name);
}

/// Nothing is lost: another copy, or a rule that does not need the damaged bytes.
pub(crate) fn survives(name: &str, damage: impl FnOnce(&Image)) {
    let image = base();
    damage(&image);
    assert_intact(&image, name);
    let volume = open(&image, false).unwrap_or_else(|e| panic!("{name}: {e}"));
    workload(&volume).unwrap_or_else(|e| panic!("{name}: {e}"));
    volume.close().unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_intact(&image, name);
}

#[test]
fn the_intact_volume_is_intact() {
    survives("intact", |_| {});
    testkit::fsck::assert_clean(base().dump().path());
}

#[test]
fn nothing_that_is_a_volume() {
    for size in [0, 100, 512, 4096, 8192, 1 << 20] {
        let image = Arc::new(Image::zeros(size / 4096 * 4096));
        assert!(open(&image, true).is_err());
    }
    let zeros = Arc::new(Image::zeros(SIZE));
    assert_refused(&zeros, false, "zeros", corrupt!(SbMagic));
    let foreign = Image::zeros(SIZE);
    for index in 0..64 {
        foreign.put(index, &noise(BLOCK_SIZE, index.into()).try_into().unwrap());
    }
    foreign.edit(0, |b| put16(b, 1080, 0xEF53));
    assert_refused(&Arc::new(foreign), false, "foreign", corrupt!(SbMagic));
}

#[test]
fn truncated_images() {
    for bytes in [SIZE - 4096 * 512 * 2, SIZE / 2, 4 << 20, 1 << 20, 8192] {
        let image = Arc::new(base().resized(bytes));
        for read_only in [true, false] {
            assert_refused(&image, read_only, "truncated", corrupt!(SbDeviceTooSmall));
        }
    }
    for bytes in [0, 4096] {
        let image = Arc::new(base().resized(bytes));
        assert_refused(&image, true, "no superblock", |e| {
            matches!(e, Error::Device(_))
        });
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn rows_1_to_4_superblock() {
    fn row(name: &str, damage: fn(&mut RawSuperBlock), judge: Judge) {
        refused(name, |image| image.edit_sb(damage), judge);
        survives(name, |image| image.edit_sb_copy(0, damage));
        survives(name, |image| image.edit_sb_copy(1, damage));
    }
    row("magic", |s| s.magic = 1.into(), corrupt!(SbMagic));
    row(
        "block size",
        |s| s.log_blocksize = 14.into(),
        corrupt!(SbBlockSize),
    );
    row(
        "sector size",
        |s| s.log_sectorsize = 31.into(),
        corrupt!(SbSectorSize),
    );
    row(
        "segment size",
        |s| s.log_blocks_per_seg = 10.into(),
        corrupt!(SbSegmentSize),
    );
    row(
        "segments",
        |s| s.segment_count = u32::MAX.into(),
        corrupt!(SbSegmentCount),
    );
    row(
        "segments+",
        |s| s.segment_count += 100,
        corrupt!(SbBlockCount),
    );
    row(
        "segments-",
        |s| s.segment_count = 8.into(),
        corrupt!(SbSegmentCount),
    );
    row(
        "blocks",
        |s| s.block_count = 0.into(),
        corrupt!(SbBlockCount),
    );
    row(
        "checkpoint area",
        |s| s.cp_blkaddr += 1,
        corrupt!(SbSegment0),
    );
    row("SIT area", |s| s.sit_blkaddr += 1, corrupt!(SbAreaStart));
    row("NAT area", |s| s.nat_blkaddr += 1, corrupt!(SbAreaStart));
    row("SSA area", |s| s.ssa_blkaddr += 1, corrupt!(SbAreaStart));
    row("MAIN area", |s| s.main_blkaddr += 1, corrupt!(SbAreaStart));
    row(
        "SIT segments",
        |s| s.segment_count_sit = 0.into(),
        corrupt!(SbSitSegments),
    );
    row(
        "NAT segments",
        |s| s.segment_count_nat = 3.into(),
        corrupt!(SbNatSegments),
    );
    row(
        "SSA segments",
        |s| s.segment_count_ssa = 0.into(),
        corrupt!(SbSsaSegments),
    );
    row(
        "packs",
        |s| s.segment_count_ckpt = 4.into(),
        corrupt!(SbCkptSegments),
    );
    row(
        "zones",
        |s| s.secs_per_zone = 0.into(),
        corrupt!(SbSecsPerZone),
    );
    row(
        "sections",
        |s| s.segs_per_sec = 0.into(),
        corrupt!(SbSegsPerSec),
    );
    row(
        "section count",
        |s| s.section_count = 0.into(),
        corrupt!(SbSectionCount),
    );
    row(
        "section count+",
        |s| s.section_count += 1,
        corrupt!(SbSectionCount),
    );
    row(
        "section count-",
        |s| s.section_count -= 1,
        corrupt!(SbMainSegments),
    );
    row(
        "payload",
        |s| s.cp_payload = 600.into(),
        corrupt!(SbCpPayload),
    );
    row("root", |s| s.root_ino = 4.into(), corrupt!(SbReservedInos));
    row(
        "extensions",
        |s| s.extension_count = 65.into(),
        corrupt!(SbExtensionCount),
    );
}

#[test]
fn a_superblock_whose_checksum_is_wrong() {
    let spoil = |image: &Image, copy| image.edit(copy, |b| b[1024 + 200] ^= 1);
    survives("first copy", |image| spoil(image, 0));
    survives("second copy", |image| spoil(image, 1));
    let both = |image: &Image| {
        spoil(image, 0);
        spoil(image, 1);
    };
    refused("both copies", both, corrupt!(SbChecksum));
}

#[test]
fn row_24_devices_and_features() {
    let unsupported: Judge = |e| matches!(e, Error::Unsupported(_));
    let path = |s: &mut RawSuperBlock| s.devs[0].path = [b'x'; 64];
    let devices = |image: &Image| {
        image.edit_sb(|s| {
            path(s);
            s.devs[0].total_segments = s.segment_count;
        });
    };
    refused("path without NUL", devices, unsupported);
    refused(
        "segments of devices",
        |i| i.edit_sb(path),
        corrupt!(SbDeviceSegments),
    );
    for bit in 17..32 {
        let unknown: Judge = |e| matches!(e, Error::Unsupported(m) if m.contains("0x"));
        refused(
            "unknown feature",
            |i| i.edit_sb(|s| s.feature |= 1u32 << bit),
            unknown,
        );
    }
    refused("zoned", |i| i.edit_sb(|s| s.feature |= 2), unsupported);
    let read_only: Judge = |e| matches!(e, Error::ReadOnly(_));
    only_readable("ro", |i| i.edit_sb(|s| s.feature |= 0x4000), read_only);
}

#[test]
fn rows_5_to_8_checkpoint() {
    fn row(name: &str, damage: impl Fn(&mut [u8]), judge: Judge) {
        refused(name, |image| image.edit_cp(|b| damage(b)), judge);
        survives(name, |image| image.edit_pack(image.cp().1, |b| damage(b)));
        survives(name, |image| {
            image.edit_pack(1 - image.cp().1, |b| damage(b));
        });
    }
    for log in 0..3 {
        let (node, data) = (cp::CUR_NODE_SEGNO + 4 * log, cp::CUR_DATA_SEGNO + 4 * log);
        row(
            "node segno",
            |b| put32(b, node, 1 << 20),
            corrupt!(CpCursegSegno),
        );
        row(
            "data segno",
            |b| put32(b, data, u32::MAX),
            corrupt!(CpCursegSegno),
        );
        let (node, data) = (cp::CUR_NODE_BLKOFF + 2 * log, cp::CUR_DATA_BLKOFF + 2 * log);
        row(
            "node offset",
            |b| put16(b, node, 512),
            corrupt!(CpCursegOffset),
        );
        row(
            "data offset",
            |b| put16(b, data, u16::MAX),
            corrupt!(CpCursegOffset),
        );
    }
    let shared = |b: &mut [u8]| b.copy_within(84..88, 88);
    row("shared segment", shared, corrupt!(CpCursegShared));
    row(
        "no user blocks",
        |b| put64(b, cp::USER_BLOCKS, 0),
        corrupt!(CpUserBlocks),
    );
    row(
        "user blocks",
        |b| put64(b, cp::USER_BLOCKS, u64::MAX),
        corrupt!(CpUserBlocks),
    );
    row(
        "valid blocks",
        |b| put64(b, cp::VALID_BLOCKS, u64::MAX),
        corrupt!(CpValidBlocks),
    );
    row(
        "valid nodes",
        |b| put32(b, cp::VALID_NODES, u32::MAX),
        corrupt!(CpValidNodes),
    );
    row(
        "start_sum 0",
        |b| put32(b, cp::START_SUM, 0),
        corrupt!(CpStartSum),
    );
    row(
        "start_sum",
        |b| put32(b, cp::START_SUM, 511),
        corrupt!(CpStartSum),
    );
    row(
        "SIT bitmap",
        |b| put32(b, cp::SIT_BITMAP_BYTES, 1),
        corrupt!(CpSitBitmapSize),
    );
    row(
        "NAT bitmap",
        |b| put32(b, cp::NAT_BITMAP_BYTES, 1 << 20),
        corrupt!(CpNatBitmapSize),
    );
    row(
        "checksum place",
        |b| put32(b, cp::CHECKSUM_AT, 5000),
        corrupt!(CpChecksumOffset),
    );
    let segments = |b: &mut [u8]| put64(b, 24, 0);
    row("reserve", segments, corrupt!(CpReserve));
}

#[test]
fn torn_checkpoints() {
    let start = |image: &Image, pack| image.sb().geometry().cp_pack(pack).get();
    let zero_header = |image: &Image, pack| image.put(start(image, pack), &[0; BLOCK_SIZE]);
    let zero_footer = |image: &Image, pack| {
        let header = image.block(start(image, pack));
        let blocks = crate::image::get32(&header[..], cp::PACK_BLOCKS);
        image.put(start(image, pack) + blocks - 1, &[0; BLOCK_SIZE]);
    };
    survives("header", |i| zero_header(i, i.cp().1));
    survives("footer", |i| zero_footer(i, i.cp().1));
    let both = |i: &Image| {
        zero_header(i, 0);
        zero_footer(i, 1);
    };
    refused("both packs", both, |e| matches!(e, Error::Corrupt(_)));
    let flip = |i: &Image| (0..2).for_each(|pack| i.edit(start(i, pack), |b| b[16] ^= 1));
    refused("checksums", flip, corrupt!(CpChecksum));
    let long = |i: &Image| {
        for pack in 0..2 {
            i.edit(start(i, pack), |b| {
                put32(b, cp::PACK_BLOCKS, 1 << 30);
                let sum = f2fs_format::checkpoint::crc_of(&b[..]).unwrap();
                let at = crate::image::get32(&b[..], cp::CHECKSUM_AT) as usize;
                put32(b, at, sum);
            });
        }
    };
    refused("length", long, corrupt!(CpPackBlocks));
}

#[test]
fn states_that_forbid_writing() {
    for flag in [CpFlags::ERROR, CpFlags::RESIZEFS, CpFlags::DISABLED] {
        let set = |i: &Image| {
            i.edit_cp(|b| {
                let flags = crate::image::get32(b, cp::FLAGS) | flag.bits();
                put32(b, cp::FLAGS, flags);
            });
        };
        only_readable("flag", set, |e| matches!(e, Error::ReadOnly(_)));
    }
}

#[test]
fn row_9_journals_and_tables() {
    let count = |which, value| {
        move |i: &Image| {
            let (block, at) = i.journal(which);
            i.edit(block, |b| put16(b, at, value));
        }
    };
    refused(
        "NAT journal count",
        count(0, 8781),
        corrupt!(NatJournalCount),
    );
    refused("SIT journal count", count(1, 7), corrupt!(SitJournalCount));
    let entry = |which: usize, id: u32, bytes: &'static [u8]| {
        move |i: &Image| {
            let (block, at) = i.journal(which);
            i.edit(block, |b| {
                put16(b, at, 1);
                put32(b, at + 2, id);
                b[at + 6..at + 6 + bytes.len()].copy_from_slice(bytes);
            });
        }
    };
    refused(
        "NAT journal nid",
        entry(0, 1 << 30, &[0; 9]),
        corrupt!(NatJournalNid),
    );
    refused(
        "NAT journal nid 0",
        entry(0, 0, &[0; 9]),
        corrupt!(NatJournalNid),
    );
    refused(
        "NAT journal address",
        entry(0, 9, &[9; 9]),
        corrupt!(NatAddr),
    );
    refused(
        "SIT journal segment",
        entry(1, 9999, &[0; 74]),
        corrupt!(SitJournalSegno),
    );
    refused(
        "SIT journal count",
        entry(1, 1, &[1; 74]),
        corrupt!(SitCount),
    );
    refused(
        "SIT journal type",
        entry(1, 1, &[0xFF; 74]),
        corrupt!(SitType),
    );
}

#[test]
fn sit_and_checkpoint_disagree() {
    let log = |i: &Image, log| i.cp().0.curseg(log).segno.get();
    let edit = |i: &Image, segno, value: u16| {
        let (block, at) = i.sit_place(segno);
        i.edit(block, |b| put16(b, at, value));
    };
    refused(
        "SIT count",
        |i| edit(i, log(i, CursegType::WarmData), 512),
        corrupt!(SitCount),
    );
    refused(
        "SIT type",
        |i| edit(i, log(i, CursegType::WarmData), 0xFC00),
        corrupt!(SitType),
    );
    let one_node = |i: &Image| i.clear_sit_bit(i.node_addr(3));
    let image = base();
    one_node(&image);
    assert_refused(&image, false, "a node too few", inconsistent!(NodeTotal));
    let few = |i: &Image| i.edit_cp(|b| put64(b, cp::VALID_BLOCKS, 10));
    only_readable("blocks", few, inconsistent!(BlockTotal));
    let position = |i: &Image| {
        i.edit_cp(|b| put16(b, cp::CUR_NODE_BLKOFF + 2, 0));
    };
    only_readable("log in use", position, inconsistent!(CursegNotFree));
}

#[test]
fn row_10_reserved_nids_are_never_handed_out() {
    let image = base();
    for nid in [0, 1, 2] {
        let place = image.sb().geometry().nat_block(0, false).get();
        for copy in [place, place + 512] {
            image.edit(copy, |b| {
                f2fs_format::NatBlock::put(b, Nid::new(nid), NatEntry::default());
            });
        }
    }
    let volume = open(&image, false).unwrap();
    for n in 0..20 {
        let path = format!("/d{n}");
        volume.create_dir(&path, Owner::root(0o755)).unwrap();
        assert!(volume.metadata(&path).unwrap().ino() > 3);
    }
    volume.close().unwrap();
    assert!(open(&image, true).is_ok());
    let root = |i: &Image| i.set_nat(3, NatEntry::default());
    refused("no root", root, inconsistent!(NidFree));
    let wrong = |i: &Image| {
        i.set_nat(
            3,
            NatEntry {
                version: 0,
                ino: 3,
                addr: 3,
            },
        );
    };
    refused("root outside MAIN", wrong, corrupt!(NatAddr));
}

#[test]
fn row_17_summaries_are_not_trusted() {
    survives("SSA", |i| {
        let sb = i.sb();
        for block in sb.ssa_blkaddr.get()..sb.main_blkaddr.get() {
            i.put(block, &[0xFF; BLOCK_SIZE]);
        }
    });
    survives("node summaries", |i| {
        for index in 1..4 {
            i.edit_summary(index, |b| b[..3584].fill(0xFF));
        }
    });
}

/// Puts an orphan block into the current pack, which moves what follows.
fn with_orphans(image: &Image, edit: impl FnOnce(&mut [u8])) {
    let (checkpoint, pack) = image.cp();
    let start = image.sb().geometry().cp_pack(pack).get();
    let old: Vec<_> = (1..checkpoint.pack_blocks)
        .map(|n| image.block(start + n))
        .collect();
    for (at, block) in (start + 2..).zip(&old) {
        image.put(at, block);
    }
    let mut orphans = OrphanBlock::encode(&[4])[0];
    edit(&mut orphans);
    image.put(start + 1, &orphans);
    image.edit_pack(pack, |b| {
        let flags = checkpoint.flags | CpFlags::ORPHAN_PRESENT;
        put32(b, cp::FLAGS, flags.bits());
        put32(b, cp::START_SUM, checkpoint.start_sum + 1);
        put32(b, cp::PACK_BLOCKS, checkpoint.pack_blocks + 1);
    });
    let header = image.block(start);
    image.put(start + checkpoint.pack_blocks, &header);
}

#[test]
fn row_25_orphans() {
    let count = |i: &Image| with_orphans(i, |b| put32(b, 4088, 1021));
    only_readable("count", count, corrupt!(OrphanCount));
    let wild = |i: &Image| with_orphans(i, |b| put32(b, 0, 1 << 30));
    only_readable("ino", wild, corrupt!(OrphanIno));
    let zero = |i: &Image| with_orphans(i, |b| put32(b, 0, 0));
    only_readable("ino 0", zero, corrupt!(OrphanIno));
    let linked = |i: &Image| with_orphans(i, |b| put32(b, 0, crate::base::ino("/plain")));
    only_readable("a file with a name", linked, |e| {
        matches!(e, Error::ReadOnly(_))
    });
    let root = |i: &Image| with_orphans(i, |b| put32(b, 0, 3));
    only_readable("the root", root, |e| matches!(e, Error::ReadOnly(_)));
    let free = |i: &Image| with_orphans(i, |b| put32(b, 0, 20_000));
    only_readable("a free nid", free, inconsistent!(NidFree));
}
