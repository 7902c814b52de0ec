//! The rules a superblock must keep before anything is computed from it.

use zerocopy::IntoBytes;

use super::raw::RawSuperBlock;
use super::{CHECKSUM_OFFSET, MAX_EXTENSIONS};
use crate::addr::Nid;
use crate::crc::{F2FS_MAGIC, crc32};
use crate::error::{CorruptKind, Result, ensure};
use crate::features::Features;
use crate::nat::NAT_ENTRIES_PER_BLOCK;
use crate::sit::SIT_ENTRIES_PER_BLOCK;
use crate::{BLOCK_BITS, BLOCKS_PER_SEGMENT};

/// Fewest segments of a volume: six logs, two of checkpoints, one of each other area would not fit
/// less.
const MIN_SEGMENTS: u32 = 9;
/// Segments in 16 TiB.
const MAX_SEGMENTS: u32 = 8_388_608;
/// Pack blocks that payload cannot use: header and footer, and six summaries.
const CP_PAYLOAD_MAX: u32 = BLOCKS_PER_SEGMENT - 2 - 6;

pub(super) fn raw(raw: &RawSuperBlock, device_blocks: u64) -> Result<()> {
    checksum(raw)?;
    units(raw)?;
    counts(raw)?;
    area_sizes(raw)?;
    area_places(raw, device_blocks)?;
    lists(raw)
}

fn checksum(raw: &RawSuperBlock) -> Result<()> {
    let magic = raw.magic.get();
    ensure(magic == F2FS_MAGIC, CorruptKind::SbMagic { value: magic })?;
    if !features(raw).contains(Features::SB_CHKSUM) {
        return Ok(());
    }
    let offset = raw.checksum_offset.get();
    ensure(
        offset as usize == CHECKSUM_OFFSET,
        CorruptKind::SbChecksumOffset { value: offset },
    )?;
    let stored = raw.crc.get();
    let computed = crc32(F2FS_MAGIC, &raw.as_bytes()[..CHECKSUM_OFFSET]);
    ensure(
        stored == computed,
        CorruptKind::SbChecksum { stored, computed },
    )
}

fn features(raw: &RawSuperBlock) -> Features {
    Features::from_bits_retain(raw.feature.get())
}

fn units(raw: &RawSuperBlock) -> Result<()> {
    let value = raw.log_blocksize.get();
    ensure(value == BLOCK_BITS, CorruptKind::SbBlockSize { value })?;
    let value = raw.log_blocks_per_seg.get();
    ensure(value == 9, CorruptKind::SbSegmentSize { value })?;
    let size = raw.log_sectorsize.get();
    let per_block = raw.log_sectors_per_block.get();
    ensure(
        (9..=BLOCK_BITS).contains(&size) && size.checked_add(per_block) == Some(BLOCK_BITS),
        CorruptKind::SbSectorSize { size, per_block },
    )
}

fn counts(raw: &RawSuperBlock) -> Result<()> {
    let segments = raw.segment_count.get();
    ensure(
        (MIN_SEGMENTS..=MAX_SEGMENTS).contains(&segments),
        CorruptKind::SbSegmentCount { value: segments },
    )?;
    let blocks = raw.block_count.get();
    ensure(
        u64::from(segments) <= blocks / u64::from(BLOCKS_PER_SEGMENT),
        CorruptKind::SbBlockCount { segments, blocks },
    )?;
    let per_section = raw.segs_per_sec.get();
    ensure(
        (1..=segments).contains(&per_section),
        CorruptKind::SbSegsPerSec { value: per_section },
    )?;
    let sections = raw.section_count.get();
    let main = raw.segment_count_main.get();
    ensure(
        sections >= 1 && sections <= main && sections <= segments / per_section,
        CorruptKind::SbSectionCount { sections, main },
    )?;
    ensure(
        sections.checked_mul(per_section) == Some(main),
        CorruptKind::SbMainSegments {
            main,
            sections,
            per_section,
        },
    )?;
    let value = raw.secs_per_zone.get();
    ensure(
        (1..=sections).contains(&value),
        CorruptKind::SbSecsPerZone { value, sections },
    )?;
    let value = raw.cp_payload.get();
    ensure(value < CP_PAYLOAD_MAX, CorruptKind::SbCpPayload { value })
}

fn area_sizes(raw: &RawSuperBlock) -> Result<()> {
    let main = raw.segment_count_main.get();
    let value = raw.segment_count_ckpt.get();
    ensure(value == 2, CorruptKind::SbCkptSegments { value })?;
    let value = raw.segment_count_sit.get();
    let entries =
        u64::from(value / 2) * u64::from(BLOCKS_PER_SEGMENT) * SIT_ENTRIES_PER_BLOCK as u64;
    ensure(
        value.is_multiple_of(2) && entries >= u64::from(main),
        CorruptKind::SbSitSegments { value, main },
    )?;
    let value = raw.segment_count_nat.get();
    let nids = u64::from(value / 2) * u64::from(BLOCKS_PER_SEGMENT) * NAT_ENTRIES_PER_BLOCK as u64;
    ensure(
        value.is_multiple_of(2) && value > 0 && u32::try_from(nids).is_ok(),
        CorruptKind::SbNatSegments { value },
    )?;
    let value = raw.segment_count_ssa.get();
    let summaries = u64::from(value) * u64::from(BLOCKS_PER_SEGMENT);
    // A read-only volume has no summaries; with packed ones a block serves several segments.
    let exempt = features(raw).intersects(Features::RO | Features::PACKED_SSA);
    ensure(
        exempt || summaries >= u64::from(main),
        CorruptKind::SbSsaSegments { value, main },
    )
}

fn area_places(raw: &RawSuperBlock, device_blocks: u64) -> Result<()> {
    let segment0 = raw.segment0_blkaddr.get();
    let cp = raw.cp_blkaddr.get();
    // Blocks 0 and 1 hold the superblock.
    ensure(
        segment0 == cp && cp >= 2,
        CorruptKind::SbSegment0 { segment0, cp },
    )?;
    let mut expected = u64::from(cp);
    for (area, before, found) in [
        ("SIT", raw.segment_count_ckpt, raw.sit_blkaddr),
        ("NAT", raw.segment_count_sit, raw.nat_blkaddr),
        ("SSA", raw.segment_count_nat, raw.ssa_blkaddr),
        ("MAIN", raw.segment_count_ssa, raw.main_blkaddr),
    ] {
        expected += blocks(before.get());
        let found = found.get();
        ensure(
            expected == u64::from(found),
            CorruptKind::SbAreaStart {
                area,
                expected,
                found,
            },
        )?;
    }
    let end = expected + blocks(raw.segment_count_main.get());
    let limit = u64::from(segment0) + blocks(raw.segment_count.get());
    // The addresses 2^32 - 2 and 2^32 - 1 have other meanings.
    let limit = limit.min(u64::from(u32::MAX) - 1);
    ensure(end <= limit, CorruptKind::SbMainEnd { end, limit })?;
    ensure(
        end <= device_blocks || raw.devices().next().is_some(),
        CorruptKind::SbDeviceTooSmall {
            need: end,
            have: device_blocks,
        },
    )
}

fn blocks(segments: u32) -> u64 {
    u64::from(segments) * u64::from(BLOCKS_PER_SEGMENT)
}

fn lists(raw: &RawSuperBlock) -> Result<()> {
    let (root, node, meta) = (raw.root_ino.get(), raw.node_ino.get(), raw.meta_ino.get());
    ensure(
        [root, node, meta] == [Nid::ROOT.get(), Nid::NODE.get(), Nid::META.get()],
        CorruptKind::SbReservedInos { root, node, meta },
    )?;
    let cold = raw.extension_count.get();
    let hot = raw.hot_ext_count;
    ensure(
        cold.checked_add(u32::from(hot))
            .is_some_and(|sum| sum as usize <= MAX_EXTENSIONS),
        CorruptKind::SbExtensionCount { cold, hot },
    )?;
    if raw.devices().next().is_some() {
        let sum = raw
            .devices()
            .map(|device| u64::from(device.total_segments.get()))
            .sum();
        let segments = raw.segment_count.get();
        ensure(
            sum == u64::from(segments),
            CorruptKind::SbDeviceSegments { sum, segments },
        )?;
    }
    let nids = raw.segment_count_nat.get() / 2 * BLOCKS_PER_SEGMENT * NAT_ENTRIES_PER_BLOCK as u32;
    for (index, ino) in raw.qf_ino.iter().map(|ino| ino.get()).enumerate() {
        let holds = ino == 0 || (ino > Nid::ROOT.get() && ino < nids);
        let used = features(raw).contains(Features::QUOTA_INO);
        ensure(holds || !used, CorruptKind::SbQuotaIno { index, ino })?;
    }
    Ok(())
}
