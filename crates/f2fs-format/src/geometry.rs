//! Where everything lies: the arithmetic from ids to block addresses and back.
//!
//! Made from a validated [`SuperBlock`]; the only place that turns raw addresses, nids and segment
//! numbers into typed ones.
//!
//! # On disk
//! The second copy of a SIT block lies half the SIT area further on, that of a NAT block one
//! segment.

use crate::addr::{BlockAddr, Nid, SegmentNo};
use crate::error::{CorruptKind, Result, ensure};
use crate::nat::NAT_ENTRIES_PER_BLOCK;
use crate::sit::SIT_ENTRIES_PER_BLOCK;
use crate::super_block::SuperBlock;
use crate::{BLOCK_SIZE, BLOCKS_PER_SEGMENT};

/// Blocks that a plain file may have at most, as the kernel counts: without the slots in the inode.
pub const MAX_FILE_BLOCKS: u64 = 2 * 1018 + 2 * 1018 * 1018 + 1018 * 1018 * 1018;

/// The largest size of a plain file in bytes.
pub const MAX_FILE_SIZE: u64 = MAX_FILE_BLOCKS * BLOCK_SIZE as u64;

/// The layout of one volume.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    cp: u32,
    sit: u32,
    nat: u32,
    ssa: u32,
    main: u32,
    main_segments: u32,
    sit_copy_blocks: u32,
    nat_copy_blocks: u32,
    segs_per_sec: u32,
    secs_per_zone: u32,
}

impl Geometry {
    pub(crate) fn new(sb: &SuperBlock) -> Self {
        Self {
            cp: sb.cp_blkaddr.get(),
            sit: sb.sit_blkaddr.get(),
            nat: sb.nat_blkaddr.get(),
            ssa: sb.ssa_blkaddr.get(),
            main: sb.main_blkaddr.get(),
            main_segments: sb.segment_count_main,
            sit_copy_blocks: sb.segment_count_sit / 2 * BLOCKS_PER_SEGMENT,
            nat_copy_blocks: sb.segment_count_nat / 2 * BLOCKS_PER_SEGMENT,
            segs_per_sec: sb.segs_per_sec,
            secs_per_zone: sb.secs_per_zone,
        }
    }

    /// Segments of the MAIN area.
    pub const fn main_segments(&self) -> u32 {
        self.main_segments
    }

    /// Blocks of the MAIN area.
    pub const fn main_blocks(&self) -> u64 {
        self.main_segments as u64 * BLOCKS_PER_SEGMENT as u64
    }

    /// The first block of the MAIN area.
    pub const fn main_start(&self) -> BlockAddr {
        BlockAddr::new(self.main)
    }

    /// The block after the MAIN area.
    pub const fn main_end(&self) -> u64 {
        self.main as u64 + self.main_blocks()
    }

    /// Segments in a section.
    pub const fn segs_per_sec(&self) -> u32 {
        self.segs_per_sec
    }

    /// Sections in a zone.
    pub const fn secs_per_zone(&self) -> u32 {
        self.secs_per_zone
    }

    /// Sections of the MAIN area.
    pub const fn sections(&self) -> u32 {
        self.main_segments / self.segs_per_sec
    }

    /// The first nid that does not exist.
    pub const fn max_nid(&self) -> u32 {
        self.nat_copy_blocks * NAT_ENTRIES_PER_BLOCK as u32
    }

    /// Checks that `raw` is a block of the MAIN area.
    pub fn main_addr(&self, raw: u32) -> Result<BlockAddr> {
        let inside = raw >= self.main && u64::from(raw) < self.main_end();
        ensure(inside, CorruptKind::AddrOutsideMain { addr: raw })?;
        Ok(BlockAddr::new(raw))
    }

    /// Checks that `len` blocks from `raw` on lie in the MAIN area.
    pub fn main_run(&self, raw: u32, len: u32) -> Result<BlockAddr> {
        let end = u64::from(raw) + u64::from(len);
        let inside = raw >= self.main && end <= self.main_end();
        ensure(inside, CorruptKind::AddrOutsideMain { addr: raw })?;
        Ok(BlockAddr::new(raw))
    }

    /// Checks that `raw` is a nid of a real node: not one of the reserved ones, and not past the
    /// last.
    pub fn nid(&self, raw: u32) -> Result<Nid> {
        let max_nid = self.max_nid();
        ensure(
            raw >= Nid::ROOT.get() && raw < max_nid,
            CorruptKind::NidOutOfRange { nid: raw, max_nid },
        )?;
        Ok(Nid::new(raw))
    }

    /// Checks that `raw` is a segment of the MAIN area.
    pub fn segno(&self, raw: u32) -> Result<SegmentNo> {
        let segments = self.main_segments;
        ensure(
            raw < segments,
            CorruptKind::SegnoOutOfRange {
                segno: raw,
                segments,
            },
        )?;
        Ok(SegmentNo::new(raw))
    }

    /// The segment of a block of MAIN.
    pub fn segno_of(&self, addr: BlockAddr) -> SegmentNo {
        SegmentNo::new(self.main_index(addr) / BLOCKS_PER_SEGMENT)
    }

    /// The place of a block of MAIN in its segment.
    pub fn offset_in_segment(&self, addr: BlockAddr) -> u16 {
        (self.main_index(addr) % BLOCKS_PER_SEGMENT) as u16
    }

    fn main_index(&self, addr: BlockAddr) -> u32 {
        assert!(
            addr.get() >= self.main && u64::from(addr.get()) < self.main_end(),
            "block {addr} is not in MAIN"
        );
        addr.get() - self.main
    }

    /// The first block of a segment.
    pub fn segment_start(&self, segno: SegmentNo) -> BlockAddr {
        self.assert_segno(segno);
        BlockAddr::new(self.main + segno.get() * BLOCKS_PER_SEGMENT)
    }

    /// The section of a segment.
    pub const fn section_of(&self, segno: SegmentNo) -> u32 {
        segno.get() / self.segs_per_sec
    }

    /// The zone of a section.
    pub const fn zone_of(&self, section: u32) -> u32 {
        section / self.secs_per_zone
    }

    /// Whether the volume has summary blocks; one made read only has none.
    pub const fn has_ssa(&self) -> bool {
        self.main > self.ssa
    }

    /// The summary block of a segment, on a volume that [has them](Self::has_ssa).
    pub fn ssa_block(&self, segno: SegmentNo) -> BlockAddr {
        self.assert_segno(segno);
        BlockAddr::new(self.ssa + segno.get())
    }

    /// The SIT block that holds a segment's entry; `second` is its bit in the SIT version bitmap,
    /// whose index [`sit_index`](Self::sit_index) gives.
    pub fn sit_block(&self, segno: SegmentNo, second: bool) -> BlockAddr {
        self.assert_segno(segno);
        let copy = if second { self.sit_copy_blocks } else { 0 };
        BlockAddr::new(self.sit + self.sit_index(segno) + copy)
    }

    /// The number, within one copy, of the SIT block that holds a segment's entry.
    pub const fn sit_index(&self, segno: SegmentNo) -> u32 {
        segno.get() / SIT_ENTRIES_PER_BLOCK as u32
    }

    /// SIT blocks that hold entries of MAIN segments, in one copy.
    pub const fn sit_blocks(&self) -> u32 {
        self.main_segments.div_ceil(SIT_ENTRIES_PER_BLOCK as u32)
    }

    /// Bytes of the SIT version bitmap.
    pub const fn sit_bitmap_bytes(&self) -> u32 {
        self.sit_copy_blocks / 8
    }

    /// NAT block number `index`; `second` is its bit in the NAT version bitmap.
    pub fn nat_block(&self, index: u32, second: bool) -> BlockAddr {
        assert!(
            index < self.nat_copy_blocks,
            "NAT block {index} does not exist"
        );
        let (segment, offset) = (index / BLOCKS_PER_SEGMENT, index % BLOCKS_PER_SEGMENT);
        let copy = if second { BLOCKS_PER_SEGMENT } else { 0 };
        BlockAddr::new(self.nat + segment * 2 * BLOCKS_PER_SEGMENT + offset + copy)
    }

    /// The number, within one copy, of the NAT block that holds a nid's entry.
    pub const fn nat_index(&self, nid: Nid) -> u32 {
        nid.get() / NAT_ENTRIES_PER_BLOCK as u32
    }

    /// NAT blocks in one copy.
    pub const fn nat_blocks(&self) -> u32 {
        self.nat_copy_blocks
    }

    /// Bytes of the NAT version bitmap.
    pub const fn nat_bitmap_bytes(&self) -> u32 {
        self.nat_copy_blocks / 8
    }

    /// The first block of checkpoint pack 0 or 1.
    pub fn cp_pack(&self, pack: u32) -> BlockAddr {
        assert!(pack < 2, "there are two checkpoint packs");
        BlockAddr::new(self.cp + pack * BLOCKS_PER_SEGMENT)
    }

    fn assert_segno(&self, segno: SegmentNo) {
        assert!(
            segno.get() < self.main_segments,
            "segment {segno} is not in MAIN"
        );
    }
}
