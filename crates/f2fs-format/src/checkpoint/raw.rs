//! The bytes of a checkpoint's header.

use core::mem::{offset_of, size_of};

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::CursegPos;
use crate::sit::CursegType;
use crate::{BLOCK_SIZE, Block};

/// Where the version bitmaps start at the earliest.
pub(super) const BITMAP_OFFSET: usize = 192;
/// The segment of a log that is not in use.
const NO_SEGMENT: u32 = 0xFFFF_FFFF;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawCheckpoint {
    pub(super) checkpoint_ver: U64,
    pub(super) user_block_count: U64,
    pub(super) valid_block_count: U64,
    pub(super) rsvd_segment_count: U32,
    pub(super) overprov_segment_count: U32,
    pub(super) free_segment_count: U32,
    pub(super) cur_node_segno: [U32; 8],
    pub(super) cur_node_blkoff: [U16; 8],
    pub(super) cur_data_segno: [U32; 8],
    pub(super) cur_data_blkoff: [U16; 8],
    pub(super) ckpt_flags: U32,
    pub(super) cp_pack_total_block_count: U32,
    pub(super) cp_pack_start_sum: U32,
    pub(super) valid_node_count: U32,
    pub(super) valid_inode_count: U32,
    pub(super) next_free_nid: U32,
    pub(super) sit_ver_bitmap_bytesize: U32,
    pub(super) nat_ver_bitmap_bytesize: U32,
    pub(super) checksum_offset: U32,
    pub(super) elapsed_time: U64,
    pub(super) alloc_type: [u8; 16],
    pub(super) sit_nat_version_bitmap: [u8; BLOCK_SIZE - BITMAP_OFFSET],
}

const _: () = {
    assert!(size_of::<RawCheckpoint>() == BLOCK_SIZE);
    assert!(offset_of!(RawCheckpoint, cur_node_segno) == 36);
    assert!(offset_of!(RawCheckpoint, cur_data_segno) == 84);
    assert!(offset_of!(RawCheckpoint, ckpt_flags) == 132);
    assert!(offset_of!(RawCheckpoint, sit_ver_bitmap_bytesize) == 156);
    assert!(offset_of!(RawCheckpoint, checksum_offset) == 164);
    assert!(offset_of!(RawCheckpoint, alloc_type) == 176);
    assert!(offset_of!(RawCheckpoint, sit_nat_version_bitmap) == BITMAP_OFFSET);
};

impl RawCheckpoint {
    pub(super) fn in_block(block: &Block) -> &Self {
        zerocopy::transmute_ref!(block)
    }

    pub(super) fn in_block_mut(block: &mut Block) -> &mut Self {
        zerocopy::transmute_mut!(block)
    }

    /// The segment, offset and allocation type of a log.
    pub(super) fn log(&self, kind: CursegType) -> (u32, u16, u8) {
        let index = kind.index();
        let (segno, blkoff) = if kind.is_node() {
            (
                self.cur_node_segno[index - 3],
                self.cur_node_blkoff[index - 3],
            )
        } else {
            (self.cur_data_segno[index], self.cur_data_blkoff[index])
        };
        (segno.get(), blkoff.get(), self.alloc_type[index])
    }

    pub(super) fn put_log(&mut self, kind: CursegType, pos: CursegPos) {
        let index = kind.index();
        let (segno, blkoff) = if kind.is_node() {
            (
                &mut self.cur_node_segno[index - 3],
                &mut self.cur_node_blkoff[index - 3],
            )
        } else {
            (
                &mut self.cur_data_segno[index],
                &mut self.cur_data_blkoff[index],
            )
        };
        *segno = pos.segno.get().into();
        *blkoff = pos.blkoff.into();
        self.alloc_type[index] = pos.alloc as u8;
    }

    pub(super) fn close_all_logs(&mut self) {
        self.cur_node_segno = [NO_SEGMENT.into(); 8];
        self.cur_data_segno = [NO_SEGMENT.into(); 8];
    }
}
