//! Each rule of the format, broken alone, gives its own error.

use f2fs_format::{
    Block, Checkpoint, CheckpointPack, CompressAlgorithm, CompressInfo, CorruptKind,
    CorruptKind as K, Features, InodeBlock, NatEntry, NatJournal, Nid, NodeFooter, OrphanBlock,
    SegmentNo, SitEntry, SitJournal, SummaryBlock, SuperBlock, compact,
};

use crate::fixture::{self, INO};

/// A field to damage: byte position and new bytes.
type Patch<'a> = (usize, &'a [u8]);

fn patch(bytes: &mut [u8], patches: &[Patch<'_>]) {
    for (at, value) in patches {
        bytes[*at..*at + value.len()].copy_from_slice(value);
    }
}

macro_rules! assert_kind {
    ($found:expr, $kind:pat) => {
        let found = $found;
        assert!(
            matches!(found, $kind),
            "{found:?} is not {}",
            stringify!($kind)
        );
    };
}

/// The error that damage at positions relative to the superblock causes.
fn sb_error(patches: &[Patch<'_>]) -> CorruptKind {
    let (mut block, _, device_blocks) = fixture::super_block("mkfs-plain");
    patch(&mut block[1024..], patches);
    SuperBlock::parse(&block[..], device_blocks)
        .unwrap_err()
        .kind
}

#[test]
fn super_block_units_and_counts() {
    let max = &[0xFF; 4];
    assert_kind!(sb_error(&[(0, &[0])]), K::SbMagic { .. });
    assert_kind!(sb_error(&[(8, &[13])]), K::SbSectorSize { .. });
    assert_kind!(sb_error(&[(8, max)]), K::SbSectorSize { .. });
    assert_kind!(sb_error(&[(12, max)]), K::SbSectorSize { .. });
    assert_kind!(sb_error(&[(16, &[14])]), K::SbBlockSize { value: 14 });
    assert_kind!(sb_error(&[(20, &[10])]), K::SbSegmentSize { value: 10 });
    assert_kind!(sb_error(&[(24, &[0])]), K::SbSegsPerSec { value: 0 });
    assert_kind!(sb_error(&[(24, max)]), K::SbSegsPerSec { .. });
    assert_kind!(sb_error(&[(24, &[2])]), K::SbSectionCount { .. });
    assert_kind!(sb_error(&[(28, &[0])]), K::SbSecsPerZone { value: 0, .. });
    assert_kind!(sb_error(&[(28, max)]), K::SbSecsPerZone { .. });
    assert_kind!(
        sb_error(&[(36, &[0; 8])]),
        K::SbBlockCount { blocks: 0, .. }
    );
    assert_kind!(sb_error(&[(44, max)]), K::SbSectionCount { .. });
    assert_kind!(
        sb_error(&[(44, &[0])]),
        K::SbSectionCount { sections: 0, .. }
    );
    assert_kind!(
        sb_error(&[(44, &[20])]),
        K::SbMainSegments { sections: 20, .. }
    );
    assert_kind!(sb_error(&[(48, &[8])]), K::SbSegmentCount { value: 8 });
    assert_kind!(sb_error(&[(48, max)]), K::SbSegmentCount { .. });
    assert_kind!(
        sb_error(&[(48, &[200])]),
        K::SbBlockCount { segments: 200, .. }
    );
    assert_kind!(sb_error(&[(68, &[1])]), K::SbSectionCount { main: 1, .. });
    assert_kind!(sb_error(&[(1664, max)]), K::SbCpPayload { .. });
    assert_kind!(
        sb_error(&[(1664, &[0xF8, 1])]),
        K::SbCpPayload { value: 504 }
    );
}

#[test]
fn super_block_areas() {
    let max = &[0xFF; 4];
    assert_kind!(sb_error(&[(52, &[3])]), K::SbCkptSegments { value: 3 });
    assert_kind!(sb_error(&[(56, &[1])]), K::SbSitSegments { value: 1, .. });
    assert_kind!(sb_error(&[(56, &[0])]), K::SbSitSegments { value: 0, .. });
    assert_kind!(sb_error(&[(60, &[3])]), K::SbNatSegments { value: 3 });
    assert_kind!(sb_error(&[(60, &[0])]), K::SbNatSegments { value: 0 });
    assert_kind!(
        sb_error(&[(60, &[0xFE, 0xFF, 0xFF, 0xFF])]),
        K::SbNatSegments { .. }
    );
    assert_kind!(sb_error(&[(64, &[0])]), K::SbSsaSegments { value: 0, .. });
    assert_kind!(sb_error(&[(72, max)]), K::SbSegment0 { .. });
    assert_kind!(
        sb_error(&[(72, &[1, 0]), (76, &[1, 0])]),
        K::SbSegment0 { cp: 1, .. }
    );
    for (at, name) in [(80, "SIT"), (84, "NAT"), (88, "SSA"), (92, "MAIN")] {
        let error = sb_error(&[(at, max)]);
        assert!(
            matches!(error, K::SbAreaStart { area, .. } if area == name),
            "{error:?}"
        );
    }
    assert_kind!(sb_error(&[(56, &[4])]), K::SbAreaStart { area: "NAT", .. });
    // One segment less in all, so that MAIN passes the end.
    let (_, sb, _) = fixture::super_block("mkfs-plain");
    let fewer = sb.segment_count as u8 - 1;
    assert_kind!(sb_error(&[(48, &[fewer])]), K::SbMainEnd { .. });
}

#[test]
fn super_block_lists() {
    assert_kind!(sb_error(&[(96, &[4])]), K::SbReservedInos { root: 4, .. });
    assert_kind!(sb_error(&[(100, &[4])]), K::SbReservedInos { node: 4, .. });
    assert_kind!(
        sb_error(&[(1148, &[61])]),
        K::SbExtensionCount { cold: 61, hot: 4 }
    );
    assert_kind!(sb_error(&[(1148, &[0xFF; 4])]), K::SbExtensionCount { .. });
    assert_kind!(
        sb_error(&[(2201, b"/dev/one")]),
        K::SbDeviceSegments { sum: 0, .. }
    );
    // A path without a NUL stays bounded.
    assert_kind!(sb_error(&[(2201, &[b'x'; 64])]), K::SbDeviceSegments { .. });
    let quota = &[0x80];
    assert_kind!(
        sb_error(&[(2180, quota), (2745, &[2])]),
        K::SbQuotaIno { index: 0, ino: 2 }
    );
    assert_kind!(
        sb_error(&[(2180, quota), (2753, &[0xFF; 4])]),
        K::SbQuotaIno { index: 2, .. }
    );
}

#[test]
fn super_block_checksum_and_device() {
    let (mut block, sb, device_blocks) = fixture::super_block("mkfs-full");
    let parse = |block: &Block| SuperBlock::parse(&block[..], device_blocks);
    block[1024 + 200] ^= 1;
    assert_kind!(parse(&block).unwrap_err().kind, K::SbChecksum { .. });
    block[1024 + 32] ^= 1;
    assert_kind!(parse(&block).unwrap_err().kind, K::SbChecksumOffset { .. });
    let need = sb.geometry().main_end();
    let error = SuperBlock::parse(&sb.encode()[..], need - 1).unwrap_err();
    assert_eq!(
        error.kind,
        K::SbDeviceTooSmall {
            need,
            have: need - 1
        }
    );
    let error = SuperBlock::parse(&block[..4095], device_blocks).unwrap_err();
    assert_kind!(
        error.kind,
        K::Truncated {
            need: 4096,
            have: 4095,
            ..
        }
    );
}

#[test]
fn the_other_copy_serves() {
    let (good, _, device_blocks) = fixture::super_block("mkfs-plain");
    let mut bad = good.clone();
    bad[1024] = 0;
    let pair = |a: &Block, b: &Block| SuperBlock::parse_pair(&a[..], &b[..], device_blocks);
    let (_, copy, error) = pair(&bad, &good).unwrap();
    assert_eq!((copy.block().get(), copy.other().block().get()), (1, 0));
    assert_kind!(error.unwrap().kind, K::SbMagic { .. });
    let (_, copy, error) = pair(&good, &bad).unwrap();
    assert_eq!(copy.block().get(), 0);
    assert!(error.is_some());
    assert!(pair(&bad, &bad).is_err());
}

/// The error that damage in the header and footer of a pack causes.
fn cp_error_in(name: &str, patches: &[Patch<'_>]) -> CorruptKind {
    let (mut header, mut footer, sb) = fixture::pack(name);
    for block in [&mut header[..], &mut footer[..]] {
        patch(block, patches);
        fixture::fix_pack(block);
    }
    CheckpointPack::parse(&header, &footer[..], &sb)
        .unwrap_err()
        .kind
}

fn cp_error(patches: &[Patch<'_>]) -> CorruptKind {
    cp_error_in("mkfs-plain", patches)
}

#[test]
fn checkpoint_pack() {
    assert_kind!(
        cp_error(&[(164, &[191, 0])]),
        K::CpChecksumOffset { value: 191 }
    );
    assert_kind!(
        cp_error(&[(164, &[0xFD, 0x0F])]),
        K::CpChecksumOffset { value: 4093 }
    );
    assert_kind!(cp_error(&[(136, &[2])]), K::CpPackBlocks { value: 2 });
    assert_kind!(cp_error(&[(136, &[1, 2])]), K::CpPackBlocks { value: 513 });
    assert_kind!(cp_error(&[(140, &[0])]), K::CpStartSum { value: 0, .. });
    assert_kind!(cp_error(&[(140, &[0xFF; 4])]), K::CpStartSum { .. });
    assert_kind!(
        cp_error(&[(140, &[5])]),
        K::CpStartSum { value: 5, pack: 6 }
    );
    assert_kind!(
        cp_error(&[(136, &[0, 2]), (140, &[0xFA, 1])]),
        K::CpStartSum { value: 506, .. }
    );
    assert_kind!(
        cp_error(&[(133, &[4])]),
        K::CpLargeNatChecksumOffset { value: 4092 }
    );
    let (header, mut footer, sb) = fixture::pack("mkfs-plain");
    footer[300] ^= 1;
    let parse = |footer: &Block| CheckpointPack::parse(&header, &footer[..], &sb);
    assert_kind!(parse(&footer).unwrap_err().kind, K::CpChecksum { .. });
    footer[300] ^= 1;
    footer[0] ^= 1;
    fixture::fix_pack(&mut footer[..]);
    assert_kind!(parse(&footer).unwrap_err().kind, K::CpFooterVersion { .. });
    let (header, footer, sb) = fixture::pack("mkfs-4tib");
    let error = CheckpointPack::parse(&header[..8192], &footer[..], &sb).unwrap_err();
    assert_kind!(
        error.kind,
        K::Truncated {
            need: 12288,
            have: 8192,
            ..
        }
    );
}

#[test]
fn checkpoint_fields() {
    let max = &[0xFF; 4];
    assert_kind!(cp_error(&[(8, &[0; 8])]), K::CpUserBlocks { value: 0, .. });
    assert_kind!(cp_error(&[(8, &[0xFF; 8])]), K::CpUserBlocks { .. });
    assert_kind!(cp_error(&[(16, &[0xFF; 8])]), K::CpValidBlocks { .. });
    assert_kind!(cp_error(&[(24, &[0])]), K::CpReserve { reserved: 0, .. });
    assert_kind!(cp_error(&[(28, &[0])]), K::CpReserve { overprov: 0, .. });
    assert_kind!(cp_error(&[(144, max)]), K::CpValidNodes { .. });
    assert_kind!(cp_error(&[(36, max)]), K::CpCursegSegno { log: 3, .. });
    assert_kind!(cp_error(&[(84, max)]), K::CpCursegSegno { log: 0, .. });
    assert_kind!(
        cp_error(&[(68, &[0, 2])]),
        K::CpCursegOffset {
            log: 3,
            blkoff: 512
        }
    );
    assert_kind!(
        cp_error(&[(120, &[0, 2])]),
        K::CpCursegOffset {
            log: 2,
            blkoff: 512
        }
    );
    assert_kind!(cp_error(&[(84, &[1])]), K::CpCursegShared { segno: 1 });
    assert_kind!(
        cp_error(&[(181, &[2])]),
        K::CpAllocType { log: 5, value: 2 }
    );
    assert_kind!(cp_error(&[(156, max)]), K::CpSitBitmapSize { .. });
    assert_kind!(cp_error(&[(160, &[0])]), K::CpNatBitmapSize { .. });
}

#[test]
fn checkpoint_bitmaps_must_fit() {
    let (header, footer, mut sb) = fixture::pack("mkfs-4tib");
    // Without the payload that makes room for it the SIT bitmap has no place.
    sb.cp_payload = 0;
    let error = CheckpointPack::parse(&header, &footer[..], &sb).unwrap_err();
    assert_kind!(error.kind, K::CpBitmapOverflow { limit: 4092, .. });
    let cp = Checkpoint::new(&sb);
    assert!(cp.encode(&sb).is_err());
}

#[test]
fn summaries_and_journals() {
    let geometry = fixture::full_volume().geometry();
    let mut block = SummaryBlock::new(f2fs_format::SummaryKind::Node).encode();
    block[4091] = 2;
    assert_eq!(
        SummaryBlock::parse(&block[..]).unwrap_err().kind,
        K::SummaryType { value: 2 }
    );
    let nat = |bytes: &[u8]| NatJournal::parse(bytes, &geometry).unwrap_err().kind;
    let sit = |bytes: &[u8]| SitJournal::parse(bytes, &geometry).unwrap_err().kind;
    assert_eq!(nat(&[39; 507]), K::NatJournalCount { value: 0x2727 });
    assert_eq!(sit(&[7; 507]), K::SitJournalCount { value: 0x0707 });
    assert_kind!(nat(&[1]), K::Truncated { .. });
    assert_kind!(nat(&[1, 0, 5]), K::Truncated { .. });
    let journal = |nid, addr| {
        NatJournal(vec![(
            nid,
            NatEntry {
                version: 0,
                ino: 3,
                addr,
            },
        )])
        .encode()
    };
    for nid in [0, 2, geometry.max_nid()] {
        assert_eq!(nat(&journal(nid, 0)), K::NatJournalNid { index: 0, nid });
    }
    for addr in [1, u32::MAX, u32::MAX - 1, geometry.main_start().get() - 1] {
        assert_eq!(nat(&journal(9, addr)), K::NatAddr { nid: 9, addr });
    }
    let entry = NatEntry {
        version: 0,
        ino: 1,
        addr: geometry.main_start().get(),
    };
    let error = entry.check(Nid::new(9), &geometry).unwrap_err();
    assert_eq!(error.kind, K::NatIno { nid: 9, ino: 1 });
    let segno = geometry.main_segments();
    let entry = SitEntry::empty(f2fs_format::CursegType::HotData);
    let bytes = SitJournal(vec![(SegmentNo::new(segno), entry)]).encode();
    assert_eq!(sit(&bytes), K::SitJournalSegno { index: 0, segno });
    for counts in [[513, 0, 0], [512, 512, 0], [u16::MAX; 3]] {
        let error = compact::parse(&[0; 8192], counts).unwrap_err();
        assert_kind!(error.kind, K::SummaryCount { .. });
    }
    let error = compact::parse(&[0; 4096], [440, 0, 0]).unwrap_err();
    assert_kind!(error.kind, K::Truncated { need: 8192, .. });
}

#[test]
fn tables_and_orphans() {
    let geometry = fixture::full_volume().geometry();
    let segno = SegmentNo::new(5);
    let mut entry = SitEntry::empty(f2fs_format::CursegType::ColdNode).encode();
    entry[1] = 6 << 2;
    let error = SitEntry::parse(&entry, segno).unwrap_err();
    assert_eq!(error.kind, K::SitType { segno: 5, value: 6 });
    entry[..2].copy_from_slice(&[3, 0]);
    let error = SitEntry::parse(&entry, segno).unwrap_err();
    assert_eq!(
        error.kind,
        K::SitCount {
            segno: 5,
            count: 3,
            bits: 0
        }
    );
    let mut block = OrphanBlock::encode(&[7, 8]).remove(0);
    block[4089] = 4;
    let error = OrphanBlock::parse(&block).unwrap_err();
    assert_eq!(error.kind, K::OrphanCount { value: 1026 });
    for ino in [0, 1, 2, geometry.max_nid(), u32::MAX] {
        let block = OrphanBlock::encode(&[ino]).concat();
        let error = OrphanBlock::parse_all(&block, &geometry).unwrap_err();
        assert_eq!(error.kind, K::OrphanIno { ino });
    }
    for addr in [
        0,
        geometry.main_start().get() - 1,
        geometry.main_end() as u32,
    ] {
        let error = geometry.main_addr(addr).unwrap_err();
        assert_eq!(error.kind, K::AddrOutsideMain { addr });
    }
    assert_kind!(
        geometry.segno(u32::MAX).unwrap_err().kind,
        K::SegnoOutOfRange { .. }
    );
    assert_kind!(
        geometry.nid(2).unwrap_err().kind,
        K::NidOutOfRange { nid: 2, .. }
    );
}

#[test]
fn footers() {
    let footer = |nid, ino, offset| NodeFooter {
        nid: Nid::new(nid),
        ino: Nid::new(ino),
        offset,
        cold: true,
        fsync: false,
        dentry: false,
        cp_ver: 0,
        next_blkaddr: 0,
    };
    let node = |f: NodeFooter| f.check_node(Nid::new(8), Nid::new(5), 1).unwrap_err().kind;
    assert_eq!(node(footer(9, 5, 1)), K::FooterNid { nid: 8, found: 9 });
    assert_eq!(
        node(footer(8, 6, 1)),
        K::FooterIno {
            nid: 8,
            ino: 5,
            found: 6
        }
    );
    assert_eq!(node(footer(8, 8, 1)), K::NodeIsInode { nid: 8 });
    assert_eq!(
        node(footer(8, 5, 2)),
        K::FooterOffset {
            nid: 8,
            expected: 1,
            found: 2
        }
    );
    let inode = footer(8, 5, 0).check_inode(Nid::new(8)).unwrap_err().kind;
    assert_eq!(
        inode,
        K::FooterIno {
            nid: 8,
            ino: 8,
            found: 5
        }
    );
}

const FILE: u16 = 0o100_644;
const DIR: u16 = 0o040_755;
const LZ4: CompressInfo = CompressInfo {
    algorithm: CompressAlgorithm::Lz4,
    log_cluster_size: 2,
    flag: 0,
    compr_blocks: 0,
};

/// The error that damage to a fresh inode causes; its checksum is set right.
fn inode_error(
    mode: u16,
    compress: Option<CompressInfo>,
    sb: &SuperBlock,
    patches: &[Patch<'_>],
) -> CorruptKind {
    let mut block = fixture::inode(mode, compress, sb);
    assert!(InodeBlock::parse(block.clone(), INO, sb).is_ok());
    patch(&mut block[..], patches);
    if sb.features.contains(Features::INODE_CHKSUM) {
        fixture::fix_inode(&mut block, sb);
    }
    InodeBlock::parse(block, INO, sb).unwrap_err().kind
}

#[test]
fn inode_identity() {
    let sb = fixture::full_volume();
    let error = |patches: &[Patch<'_>]| inode_error(FILE, None, &sb, patches);
    let mut block = fixture::inode(FILE, None, &sb);
    block[100] ^= 1;
    let kind = InodeBlock::parse(block, INO, &sb).unwrap_err().kind;
    assert_kind!(kind, K::InodeChecksum { ino: 100, .. });
    assert_kind!(error(&[(4072, &[9])]), K::FooterNid { nid: 100, found: 9 });
    assert_kind!(error(&[(4076, &[9])]), K::FooterIno { found: 9, .. });
    assert_kind!(
        error(&[(4080, &[8])]),
        K::FooterOffset {
            expected: 0,
            found: 1,
            ..
        }
    );
    assert_kind!(error(&[(0, &[0, 0])]), K::InodeMode { mode: 0, .. });
    assert_kind!(error(&[(24, &[0])]), K::InodeBlocks { blocks: 0, .. });
    assert_kind!(error(&[(88, &[0, 1])]), K::InodeNameLen { len: 256, .. });
    assert_kind!(error(&[(16, &[0xFF; 8])]), K::InodeSize { .. });
    let no_fold = SuperBlock {
        features: sb.features - Features::CASEFOLD,
        ..sb.clone()
    };
    let kind = inode_error(DIR, None, &no_fold, &[(83, &[0x40])]);
    assert_kind!(kind, K::InodeCasefold { .. });
}

#[test]
fn inode_references() {
    let sb = fixture::full_volume();
    let error = |patches: &[Patch<'_>]| inode_error(FILE, None, &sb, patches);
    let max = &[0xFF; 4];
    assert_kind!(error(&[(76, max)]), K::InodeXattrNid { .. });
    assert_kind!(error(&[(76, &[100])]), K::InodeXattrNid { nid: 100, .. });
    assert_kind!(error(&[(76, &[2])]), K::InodeXattrNid { nid: 2, .. });
    assert_kind!(error(&[(4052, max)]), K::InodeNid { index: 0, .. });
    assert_kind!(
        error(&[(4068, &[100])]),
        K::InodeNid {
            index: 4,
            nid: 100,
            ..
        }
    );
    assert_kind!(
        error(&[(356, &[1])]),
        K::InodeExtent {
            block: 0,
            len: 1,
            ..
        }
    );
    let start = sb.geometry().main_start().get().to_le_bytes();
    assert_kind!(error(&[(352, &start), (356, max)]), K::InodeExtent { .. });
}

#[test]
fn inode_sizes() {
    let sb = fixture::full_volume();
    let error = |patches: &[Patch<'_>]| inode_error(FILE, None, &sb, patches);
    for value in [0, 2, 37, 40] {
        let size = [value, 0];
        let kind = error(&[(360, &size)]);
        assert_eq!(
            kind,
            K::InodeExtraSize {
                ino: 100,
                value: u16::from(value)
            }
        );
    }
    assert_kind!(
        error(&[(362, &[0x88, 3])]),
        K::InodeInlineXattrSize { words: 904, .. }
    );
    assert_kind!(
        error(&[(3, &[0x21]), (362, &[5, 0])]),
        K::InodeInlineXattrSize { words: 5, .. }
    );
    assert_kind!(error(&[(3, &[0])]), K::InodeInlineXattrSize { .. });
    let plain = fixture::plain_volume();
    let kind = inode_error(FILE, None, &plain, &[(3, &[0x20])]);
    assert_kind!(kind, K::InodeExtraAttr { .. });
    let half = SuperBlock {
        features: Features::COMPRESSION,
        ..plain
    };
    let block = InodeBlock::new(&f2fs_format::NewInode::bare(INO, FILE), &half).into_block();
    let kind = InodeBlock::parse(block, INO, &half).unwrap_err().kind;
    assert_kind!(kind, K::InodeNeedsExtraAttr { .. });
}

#[test]
fn inode_inline() {
    let sb = fixture::full_volume();
    let file = |patches: &[Patch<'_>]| inode_error(FILE, None, &sb, patches);
    let dir = |patches: &[Patch<'_>]| inode_error(DIR, None, &sb, patches);
    // Extra attributes and inline data, or inline dentries.
    let data: Patch<'_> = (3, &[0x22]);
    let dentry: Patch<'_> = (3, &[0x24]);
    assert_kind!(dir(&[data]), K::InlineDataKind { mode: DIR, .. });
    assert_kind!(file(&[data, (2, &[0x04])]), K::InlineDataFlags { .. });
    assert_kind!(file(&[data, (2, &[0x40])]), K::InlineDataFlags { .. });
    assert_kind!(
        inode_error(FILE, Some(LZ4), &sb, &[data]),
        K::InlineDataFlags { .. }
    );
    assert_kind!(
        file(&[data, (396, &[1])]),
        K::InlineDataSlot { addr: 1, .. }
    );
    assert_kind!(
        file(&[data, (4056, &[9])]),
        K::InlineDataNid {
            index: 1,
            nid: 9,
            ..
        }
    );
    assert_kind!(
        file(&[data, (17, &[0xFF])]),
        K::InlineDataSize { size: 0xFF00, .. }
    );
    assert_kind!(file(&[dentry]), K::InlineDentryKind { mode: FILE, .. });
    assert_kind!(
        dir(&[dentry, (396, &[1])]),
        K::InlineDentrySlot { addr: 1, .. }
    );
}

#[test]
fn inode_compression() {
    let sb = fixture::full_volume();
    let error = |patches: &[Patch<'_>]| inode_error(FILE, Some(LZ4), &sb, patches);
    assert_kind!(error(&[(392, &[4])]), K::CompressAlgorithm { value: 4, .. });
    assert_kind!(
        error(&[(393, &[1])]),
        K::CompressClusterSize { value: 1, .. }
    );
    assert_kind!(
        error(&[(393, &[9])]),
        K::CompressClusterSize { value: 9, .. }
    );
    assert_kind!(
        error(&[(395, &[17])]),
        K::CompressLevel {
            algorithm: 1,
            level: 17,
            ..
        }
    );
    assert_kind!(
        error(&[(384, &[1])]),
        K::CompressBlocks {
            saved: 1,
            blocks: 1,
            ..
        }
    );
}
