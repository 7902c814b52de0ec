//! The rules a checkpoint's fields must keep, as the kernel has them at mount.

use super::raw::RawCheckpoint;
use super::{AllocType, CpFlags, CursegPos, LARGE_NAT_CHECKSUM_OFFSET};
use crate::BLOCKS_PER_SEGMENT;
use crate::addr::{Nid, SegmentNo};
use crate::error::{CorruptKind, Result, ensure};
use crate::features::Features;
use crate::sit::CursegType;
use crate::super_block::SuperBlock;

/// Blocks that must follow the start of the summaries in a segment: six summaries and the footer.
const AFTER_START_SUM: u32 = 1 + 6;

pub(super) fn raw(raw: &RawCheckpoint, sb: &SuperBlock) -> Result<()> {
    let read_only = sb.features.contains(Features::RO);
    pack(raw, sb)?;
    let geometry = sb.geometry();
    let main = geometry.main_blocks();
    let user = raw.user_block_count.get();
    // A volume made read only gives all of MAIN to its files.
    let below_main = user < main || (read_only && user == main);
    ensure(
        user > 0 && below_main,
        CorruptKind::CpUserBlocks { value: user, main },
    )?;
    let valid = raw.valid_block_count.get();
    ensure(valid <= user, CorruptKind::CpValidBlocks { valid, user })?;
    let max = geometry.max_nid() - Nid::ROOT.get();
    let value = raw.valid_node_count.get();
    ensure(value <= max, CorruptKind::CpValidNodes { value, max })?;
    let (reserved, overprov) = (
        raw.rsvd_segment_count.get(),
        raw.overprov_segment_count.get(),
    );
    ensure(
        read_only || (reserved > 0 && overprov > 0),
        CorruptKind::CpReserve { reserved, overprov },
    )
}

fn pack(raw: &RawCheckpoint, sb: &SuperBlock) -> Result<()> {
    let flags = CpFlags::from_bits_retain(raw.ckpt_flags.get());
    let value = raw.checksum_offset.get();
    ensure(
        !flags.contains(CpFlags::LARGE_NAT_BITMAP) || value == LARGE_NAT_CHECKSUM_OFFSET,
        CorruptKind::CpLargeNatChecksumOffset { value },
    )?;
    let pack = raw.cp_pack_total_block_count.get();
    ensure(
        pack > 2 && pack <= BLOCKS_PER_SEGMENT,
        CorruptKind::CpPackBlocks { value: pack },
    )?;
    let value = raw.cp_pack_start_sum.get();
    let least = sb.cp_payload + 1;
    // At least one summary block and the footer follow inside the pack.
    let in_pack = value.checked_add(2).is_some_and(|end| end <= pack);
    ensure(
        value >= least && value <= BLOCKS_PER_SEGMENT - AFTER_START_SUM && in_pack,
        CorruptKind::CpStartSum { value, pack },
    )
}

/// The data and the node logs.
pub(super) fn cursegs(raw: &RawCheckpoint, sb: &SuperBlock) -> Result<[[CursegPos; 3]; 2]> {
    use CursegType::{ColdData, ColdNode, HotData, HotNode, WarmData, WarmNode};
    let data = [
        log(raw, HotData, sb)?,
        log(raw, WarmData, sb)?,
        log(raw, ColdData, sb)?,
    ];
    let node = [
        log(raw, HotNode, sb)?,
        log(raw, WarmNode, sb)?,
        log(raw, ColdNode, sb)?,
    ];
    if !sb.features.contains(Features::RO) {
        let mut open: [u32; 6] = CursegType::ALL.map(|kind| raw.log(kind).0);
        open.sort_unstable();
        let shared = open.windows(2).find(|pair| pair[0] == pair[1]);
        if let Some(pair) = shared {
            return Err(CorruptKind::CpCursegShared { segno: pair[0] }.into());
        }
    }
    Ok([data, node])
}

fn log(raw: &RawCheckpoint, kind: CursegType, sb: &SuperBlock) -> Result<CursegPos> {
    let (segno, blkoff, value) = raw.log(kind);
    let log = kind.to_raw();
    let segments = sb.segment_count_main;
    ensure(
        segno < segments,
        CorruptKind::CpCursegSegno {
            log,
            segno,
            segments,
        },
    )?;
    let in_segment = u32::from(blkoff) < BLOCKS_PER_SEGMENT;
    ensure(in_segment, CorruptKind::CpCursegOffset { log, blkoff })?;
    let alloc = match value {
        0 => AllocType::Lfs,
        1 => AllocType::Ssr,
        _ => return Err(CorruptKind::CpAllocType { log, value }.into()),
    };
    Ok(CursegPos {
        segno: SegmentNo::new(segno),
        blkoff,
        alloc,
    })
}
