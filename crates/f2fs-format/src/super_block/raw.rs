//! The superblock's bytes.

use core::mem::{offset_of, size_of};

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{EXTENSION_LEN, MAX_DEVICES, MAX_EXTENSIONS, SUPER_OFFSET};
use crate::{BLOCK_SIZE, Block};

/// One device of the volume.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct RawDevice {
    /// Path, NUL padded, perhaps without a NUL.
    pub path: [u8; 64],
    /// Segments on the device.
    pub total_segments: U32,
}

/// The superblock as it lies on disk, under the kernel's field names.
#[expect(missing_docs, reason = "the fields are those of `SuperBlock`")]
#[derive(Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct RawSuperBlock {
    pub magic: U32,
    pub major_ver: U16,
    pub minor_ver: U16,
    pub log_sectorsize: U32,
    pub log_sectors_per_block: U32,
    pub log_blocksize: U32,
    pub log_blocks_per_seg: U32,
    pub segs_per_sec: U32,
    pub secs_per_zone: U32,
    pub checksum_offset: U32,
    pub block_count: U64,
    pub section_count: U32,
    pub segment_count: U32,
    pub segment_count_ckpt: U32,
    pub segment_count_sit: U32,
    pub segment_count_nat: U32,
    pub segment_count_ssa: U32,
    pub segment_count_main: U32,
    pub segment0_blkaddr: U32,
    pub cp_blkaddr: U32,
    pub sit_blkaddr: U32,
    pub nat_blkaddr: U32,
    pub ssa_blkaddr: U32,
    pub main_blkaddr: U32,
    pub root_ino: U32,
    pub node_ino: U32,
    pub meta_ino: U32,
    pub uuid: [u8; 16],
    pub volume_name: [U16; 512],
    pub extension_count: U32,
    pub extension_list: [[u8; EXTENSION_LEN]; MAX_EXTENSIONS],
    pub cp_payload: U32,
    pub version: [u8; 256],
    pub init_version: [u8; 256],
    pub feature: U32,
    pub encryption_level: u8,
    pub encrypt_pw_salt: [u8; 16],
    pub devs: [RawDevice; MAX_DEVICES],
    pub qf_ino: [U32; 3],
    pub hot_ext_count: u8,
    pub encoding: U16,
    pub encoding_flags: U16,
    pub stop_reason: [u8; 32],
    pub errors: [u8; 16],
    pub reserved: [u8; 258],
    pub crc: U32,
}

const _: () = {
    assert!(size_of::<RawSuperBlock>() == BLOCK_SIZE - SUPER_OFFSET);
    assert!(size_of::<RawDevice>() == 68);
    assert!(offset_of!(RawSuperBlock, block_count) == 36);
    assert!(offset_of!(RawSuperBlock, segment0_blkaddr) == 72);
    assert!(offset_of!(RawSuperBlock, root_ino) == 96);
    assert!(offset_of!(RawSuperBlock, uuid) == 108);
    assert!(offset_of!(RawSuperBlock, volume_name) == 124);
    assert!(offset_of!(RawSuperBlock, extension_count) == 1148);
    assert!(offset_of!(RawSuperBlock, cp_payload) == 1664);
    assert!(offset_of!(RawSuperBlock, init_version) == 1924);
    assert!(offset_of!(RawSuperBlock, feature) == 2180);
    assert!(offset_of!(RawSuperBlock, devs) == 2201);
    assert!(offset_of!(RawSuperBlock, qf_ino) == 2745);
    assert!(offset_of!(RawSuperBlock, encoding) == 2758);
    assert!(offset_of!(RawSuperBlock, stop_reason) == 2762);
    assert!(offset_of!(RawSuperBlock, errors) == 2794);
    assert!(offset_of!(RawSuperBlock, crc) == super::CHECKSUM_OFFSET);
};

/// A block that holds a superblock: boot sector room, then the superblock.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawSuperBlockBlock {
    boot: [u8; SUPER_OFFSET],
    super_block: RawSuperBlock,
}

impl RawSuperBlock {
    /// The superblock inside its block.
    pub fn in_block(block: &Block) -> &Self {
        let whole: &RawSuperBlockBlock = zerocopy::transmute_ref!(block);
        &whole.super_block
    }

    /// The superblock inside its block, to change.
    pub fn in_block_mut(block: &mut Block) -> &mut Self {
        let whole: &mut RawSuperBlockBlock = zerocopy::transmute_mut!(block);
        &mut whole.super_block
    }

    /// The devices up to the first without a path.
    pub fn devices(&self) -> impl Iterator<Item = &RawDevice> {
        self.devs.iter().take_while(|device| device.path[0] != 0)
    }

    /// Zeros but for what every volume has.
    pub(super) fn reserved() -> Self {
        Self {
            major_ver: 1.into(),
            log_sectorsize: 9.into(),
            log_sectors_per_block: 3.into(),
            segment_count_ckpt: 2.into(),
            ..Self::new_zeroed()
        }
    }
}
