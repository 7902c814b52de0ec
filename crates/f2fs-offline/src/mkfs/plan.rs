//! Where everything goes on a new volume: pure numbers, no I/O.
//!
//! The formulas are those of `mkfs.f2fs`, so that a volume made here has the same shape as one made
//! by Linux. Two differences are meant: the last two block addresses of a 16 TiB volume stay unused,
//! and where a part of a zone is left over it is not counted as free, which `mkfs.f2fs` 1.15 does.
//!
//! # On disk
//! superblocks, gap up to a zone border, CP (2 segments), SIT (two copies), NAT (two copies), SSA,
//! MAIN.

use super::overprovision::{self, Overprovision};
use super::{FormatError, FormatOptions};
use f2fs_format::nat::NAT_ENTRIES_PER_BLOCK;
use f2fs_format::sit::{CursegType, SIT_ENTRIES_PER_BLOCK};
use f2fs_format::{BLOCK_SIZE, BLOCKS_PER_SEGMENT, BlockAddr, SEGMENT_SIZE, SegmentNo};

/// Bytes of the largest volume: as many blocks as 32 bits count.
pub const SIZE_MAX: u64 = 16 << 40;

const CP_SEGMENTS: u64 = 2;
const BLOCKS: u64 = BLOCKS_PER_SEGMENT as u64;
/// Bytes of a version bitmap for each segment of one copy.
const BITMAP_BYTES_PER_SEGMENT: u64 = BLOCKS / 8;
/// Bytes for the version bitmaps in the checkpoint's header block.
const BITMAP_SPACE: u64 = 3900;
/// The largest SIT bitmap that the header block takes; it leaves room for one NAT segment.
const SIT_BITMAP_IN_HEADER_MAX: u64 = BITMAP_SPACE - BITMAP_BYTES_PER_SEGMENT;
/// Each log starts in a zone of its own, and one zone must stay free.
const LOGS: u32 = CursegType::ALL.len() as u32;
/// Kernels refuse volumes of fewer segments.
const SEGMENTS_MIN: u64 = 9;
/// One past the last block that a volume may have: the two highest addresses have other meanings.
const BLOCK_LIMIT: u64 = 0xFFFF_FFFE;

/// Sizes and places of the areas of a new volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatPlan {
    /// Blocks of the volume.
    pub block_count: u64,
    /// Segments a section.
    pub segments_per_section: u32,
    /// Sections a zone.
    pub sections_per_zone: u32,
    /// Segments from the checkpoint on.
    pub segment_count: u32,
    /// Segments of the checkpoint area.
    pub segment_count_cp: u32,
    /// Segments of the SIT, both copies.
    pub segment_count_sit: u32,
    /// Segments of the NAT, both copies.
    pub segment_count_nat: u32,
    /// Segments of the SSA.
    pub segment_count_ssa: u32,
    /// Segments of MAIN.
    pub segment_count_main: u32,
    /// Sections of MAIN.
    pub section_count: u32,
    /// First block of the checkpoint area.
    pub cp_start: BlockAddr,
    /// First block of the SIT.
    pub sit_start: BlockAddr,
    /// First block of the NAT.
    pub nat_start: BlockAddr,
    /// First block of the SSA.
    pub ssa_start: BlockAddr,
    /// First block of MAIN.
    pub main_start: BlockAddr,
    /// Blocks after a checkpoint's header block that hold the SIT bitmap.
    pub cp_payload: u32,
    /// Segments only the cleaner may take.
    pub reserved_segments: u32,
    /// Segments that users cannot fill, the reserved ones included.
    pub overprovision_segments: u32,
    /// Blocks that users can fill, metadata of their files included.
    pub user_block_count: u64,
    /// The segment in which each log starts, by [`CursegType::index`].
    pub log_starts: [SegmentNo; CursegType::ALL.len()],
}

impl FormatPlan {
    /// Computes the layout.
    ///
    /// # Errors
    /// [`FormatError::TooSmall`], [`FormatError::TooLarge`], [`FormatError::Geometry`], and
    /// everything that is wrong with the options as such.
    pub fn new(options: &FormatOptions) -> Result<Self, FormatError> {
        options.check()?;
        let (size, maximum) = (options.size, SIZE_MAX);
        if size > maximum {
            return Err(FormatError::TooLarge { size, maximum });
        }
        let units = Units::new(options)?;
        if let Some(plan) = units.plan(size) {
            return Ok(plan);
        }
        match units.minimum_size() {
            Some(minimum) => Err(FormatError::TooSmall { size, minimum }),
            None => Err(units.refused()),
        }
    }

    /// The first block of a log.
    pub fn log_block(&self, log: CursegType) -> BlockAddr {
        self.main_start
            .checked_add(self.log_starts[log.index()].get() * BLOCKS_PER_SEGMENT)
            .expect("MAIN ends below the block limit")
    }
}

/// The units of a layout.
#[derive(Clone, Copy)]
struct Units {
    segments_per_section: u32,
    sections_per_zone: u32,
    /// Segments a zone.
    zone: u64,
}

/// Segments of the metadata areas.
struct Areas {
    sit: u64,
    nat: u64,
    ssa: u64,
    cp_payload: u64,
}

impl Units {
    fn new(options: &FormatOptions) -> Result<Self, FormatError> {
        let units = Self {
            segments_per_section: options.segments_per_section,
            sections_per_zone: options.sections_per_zone,
            zone: u64::from(options.segments_per_section) * u64::from(options.sections_per_zone),
        };
        let zones_max = SIZE_MAX / SEGMENT_SIZE / u64::from(LOGS);
        if units.zone == 0 || units.zone > zones_max {
            Err(units.refused())
        } else {
            Ok(units)
        }
    }

    fn refused(&self) -> FormatError {
        FormatError::Geometry {
            per_section: self.segments_per_section,
            per_zone: self.sections_per_zone,
        }
    }

    /// The layout of a volume of `size` bytes; `None` if it is too small.
    fn plan(&self, size: u64) -> Option<FormatPlan> {
        // The superblocks take the first blocks, so the first whole zone behind them is the second
        // one.
        let first_block = self.zone * BLOCKS;
        let limit = size.min(BLOCK_LIMIT * BLOCK_SIZE as u64);
        let rest = limit.checked_sub(self.zone * SEGMENT_SIZE)?;
        let segment_count = rest / SEGMENT_SIZE / self.zone * self.zone;
        if segment_count < SEGMENTS_MIN {
            return None;
        }
        let areas = self.areas(segment_count)?;
        let meta = CP_SEGMENTS + areas.sit + areas.nat + areas.ssa;
        let zones = u32::try_from((segment_count.checked_sub(meta)?) / self.zone).ok()?;
        let section_count = zones * self.sections_per_zone;
        let main = section_count * self.segments_per_section;
        if zones <= LOGS {
            return None;
        }
        let Overprovision { reserved, total } = overprovision::best(main, section_count)?;
        if main - LOGS < reserved {
            return None;
        }
        let starts = area_starts(first_block, &areas)?;
        Some(FormatPlan {
            block_count: size / BLOCK_SIZE as u64,
            segments_per_section: self.segments_per_section,
            sections_per_zone: self.sections_per_zone,
            segment_count: segment_count as u32,
            segment_count_cp: CP_SEGMENTS as u32,
            segment_count_sit: areas.sit as u32,
            segment_count_nat: areas.nat as u32,
            segment_count_ssa: areas.ssa as u32,
            segment_count_main: main,
            section_count,
            cp_start: starts[0],
            sit_start: starts[1],
            nat_start: starts[2],
            ssa_start: starts[3],
            main_start: starts[4],
            cp_payload: areas.cp_payload as u32,
            reserved_segments: reserved,
            overprovision_segments: total,
            user_block_count: u64::from(main - total) * BLOCKS,
            log_starts: self.log_starts(zones),
        })
    }

    /// Sizes of the areas in front of MAIN, in segments.
    fn areas(&self, segment_count: u64) -> Option<Areas> {
        let sit_copy = segment_count
            .div_ceil(SIT_ENTRIES_PER_BLOCK as u64)
            .div_ceil(BLOCKS);
        let sit = 2 * sit_copy;
        let sit_bitmap = sit_copy * BITMAP_BYTES_PER_SEGMENT;
        // A SIT bitmap that is too large for the header block moves out of it whole.
        let (bitmap_space, cp_payload) = if sit_bitmap > SIT_BITMAP_IN_HEADER_MAX {
            (BITMAP_SPACE, sit_bitmap.div_ceil(BLOCK_SIZE as u64))
        } else {
            (BITMAP_SPACE - sit_bitmap, 0)
        };
        let covered = segment_count.checked_sub(CP_SEGMENTS + sit)?;
        let nat_blocks = (covered * BLOCKS).div_ceil(NAT_ENTRIES_PER_BLOCK as u64);
        let nat_copy = nat_blocks
            .div_ceil(BLOCKS)
            .min(bitmap_space / BITMAP_BYTES_PER_SEGMENT);
        let nat = 2 * nat_copy;
        let summaries = segment_count.checked_sub(CP_SEGMENTS + sit + nat)? + 1;
        let before = CP_SEGMENTS + sit + nat;
        let end = (before + summaries.div_ceil(BLOCKS)).next_multiple_of(self.zone);
        Some(Areas {
            sit,
            nat,
            ssa: end - before,
            cp_payload,
        })
    }

    /// Node logs and hot data take the first zones; the other data logs spread out, to keep room
    /// for each to grow.
    fn log_starts(&self, zones: u32) -> [SegmentNo; CursegType::ALL.len()] {
        let hot_data = 3;
        let cold_data = (zones / 4).saturating_sub(1).max(hot_data + 1);
        let warm_data = (zones / 2).saturating_sub(1).max(cold_data + 1);
        CursegType::ALL.map(|log| {
            let zone = match log {
                CursegType::HotNode => 0,
                CursegType::WarmNode => 1,
                CursegType::ColdNode => 2,
                CursegType::HotData => hot_data,
                CursegType::WarmData => warm_data,
                CursegType::ColdData => cold_data,
            };
            SegmentNo::new(zone * self.zone as u32)
        })
    }

    /// The smallest size that has a layout, in bytes; `None` if there is none.
    fn minimum_size(&self) -> Option<u64> {
        let zone_bytes = self.zone * SEGMENT_SIZE;
        (1..=SIZE_MAX / zone_bytes)
            .map(|zones| zones * zone_bytes)
            .find(|&size| self.plan(size).is_some())
    }
}

/// The first blocks of CP, SIT, NAT, SSA and MAIN.
fn area_starts(first_block: u64, areas: &Areas) -> Option<[BlockAddr; 5]> {
    let mut next = first_block;
    let mut starts = [BlockAddr::new(0); 5];
    for (start, segments) in
        starts
            .iter_mut()
            .zip([CP_SEGMENTS, areas.sit, areas.nat, areas.ssa, 0])
    {
        *start = BlockAddr::new(u32::try_from(next).ok()?);
        next += segments * BLOCKS;
    }
    Some(starts)
}

#[cfg(test)]
mod tests;
