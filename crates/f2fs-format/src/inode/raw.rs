//! The bytes of an inode block.

use core::mem::{offset_of, size_of};

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{CHECKSUM_AT, DEF_ADDRS_PER_INODE, DEF_NIDS_PER_INODE, TOTAL_EXTRA_ATTR_SIZE};
use crate::BLOCK_SIZE;
use crate::node::{FOOTER_OFFSET, RawNodeFooter};

/// Where the address words start; the extra attributes come first.
pub(super) const ADDR_OFFSET: usize = 360;
/// Where the address words, and with them the inline xattr area, end.
pub(super) const ADDR_END: usize = 4052;

/// Ends of the extra attributes: an attribute exists if `i_extra_isize` reaches its end.
pub(super) const PROJID_END: usize = 8;
pub(super) const CHECKSUM_END: usize = 12;
pub(super) const CRTIME_END: usize = 24;
pub(super) const COMPRESS_END: usize = 36;

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawExtent {
    pub(super) fofs: U32,
    pub(super) blk: U32,
    pub(super) len: U32,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawExtra {
    pub(super) extra_isize: U16,
    pub(super) inline_xattr_size: U16,
    pub(super) projid: U32,
    pub(super) inode_checksum: U32,
    pub(super) crtime: U64,
    pub(super) crtime_nsec: U32,
    pub(super) compr_blocks: U64,
    pub(super) compress_algorithm: u8,
    pub(super) log_cluster_size: u8,
    pub(super) compress_flag: U16,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawInode {
    pub(super) mode: U16,
    pub(super) advise: u8,
    pub(super) inline: u8,
    pub(super) uid: U32,
    pub(super) gid: U32,
    pub(super) links: U32,
    pub(super) size: U64,
    pub(super) blocks: U64,
    pub(super) atime: U64,
    pub(super) ctime: U64,
    pub(super) mtime: U64,
    pub(super) atime_nsec: U32,
    pub(super) ctime_nsec: U32,
    pub(super) mtime_nsec: U32,
    pub(super) generation: U32,
    pub(super) current_depth: U32,
    pub(super) xattr_nid: U32,
    pub(super) flags: U32,
    pub(super) pino: U32,
    pub(super) namelen: U32,
    pub(super) name: [u8; 255],
    pub(super) dir_level: u8,
    pub(super) ext: RawExtent,
    pub(super) extra: RawExtra,
    pub(super) rest: [U32; DEF_ADDRS_PER_INODE - TOTAL_EXTRA_ATTR_SIZE as usize / 4],
    pub(super) nid: [U32; DEF_NIDS_PER_INODE],
    pub(super) footer: RawNodeFooter,
}

/// The same block, with all address words as slots.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawInodeSlots {
    pub(super) head: [u8; ADDR_OFFSET],
    pub(super) addr: [U32; DEF_ADDRS_PER_INODE],
    pub(super) tail: [u8; BLOCK_SIZE - ADDR_END],
}

const _: () = {
    assert!(size_of::<RawInode>() == BLOCK_SIZE);
    assert!(size_of::<RawInodeSlots>() == BLOCK_SIZE);
    assert!(size_of::<RawExtra>() == TOTAL_EXTRA_ATTR_SIZE as usize);
    assert!(offset_of!(RawInode, size) == 16);
    assert!(offset_of!(RawInode, atime) == 32);
    assert!(offset_of!(RawInode, generation) == 68);
    assert!(offset_of!(RawInode, namelen) == 88);
    assert!(offset_of!(RawInode, dir_level) == 347);
    assert!(offset_of!(RawInode, ext) == 348);
    assert!(offset_of!(RawInode, extra) == ADDR_OFFSET);
    assert!(offset_of!(RawInode, nid) == ADDR_END);
    assert!(offset_of!(RawInode, footer) == FOOTER_OFFSET);
    assert!(offset_of!(RawExtra, projid) + 4 == PROJID_END);
    assert!(offset_of!(RawExtra, inode_checksum) + 4 == CHECKSUM_END);
    assert!(offset_of!(RawExtra, crtime_nsec) + 4 == CRTIME_END);
    assert!(offset_of!(RawExtra, compr_blocks) == 24);
    assert!(offset_of!(RawExtra, compress_flag) + 2 == COMPRESS_END);
    assert!(ADDR_OFFSET + offset_of!(RawExtra, inode_checksum) == CHECKSUM_AT);
};
