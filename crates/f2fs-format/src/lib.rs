//! Every on-disk structure of F2FS, parsed into validated types and written back.
//!
//! The crate does no I/O: bytes in, types out, and the other way. It knows no other crate of ours.
//!
//! # Invariants
//! No input makes a function that takes bytes from disk panic, overflow, loop for ever or allocate
//! more than a small multiple of its input. What a type does not understand it preserves.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod addr;
pub mod bitmap;
mod bytes;
pub mod casefold;
pub mod checkpoint;
pub mod cluster;
pub mod compress;
pub mod crc;
pub mod dentry;
pub mod error;
pub mod features;
pub mod geometry;
pub mod hash;
pub mod inode;
pub mod nat;
pub mod node;
pub mod orphan;
pub mod path;
pub mod quota;
pub mod sit;
pub mod summary;
pub mod super_block;
pub mod xattr;

pub use addr::{BlockAddr, Ino, Nid, SegmentNo, Slot};
pub use checkpoint::{AllocType, Checkpoint, CheckpointPack, CpFlags, CursegPos};
pub use cluster::{CLUSTER_HEADER_LEN, ClusterHeader, ClusterSlots};
pub use compress::CompressAlgorithm;
pub use crc::{F2FS_MAGIC, crc32};
pub use dentry::{Dentry, DentryView, DentryViewMut, DirEntry, FileType, Layout};
pub use error::{Corrupt, CorruptKind, Result};
pub use features::Features;
pub use geometry::Geometry;
pub use hash::dentry_hash;
pub use inode::{
    Advise, CompressInfo, Extent, InlineFlags, InodeBlock, InodeFlags, NewInode, Timespec,
};
pub use nat::{NAT_ENTRIES_PER_BLOCK, NatBlock, NatEntry};
pub use node::{NodeFooter, XATTR_NODE_OFFSET};
pub use orphan::OrphanBlock;
pub use path::NodePath;
pub use quota::{QuotaFile, QuotaGrace, QuotaKind, QuotaLimits, QuotaRecord};
pub use sit::{CursegType, SIT_ENTRIES_PER_BLOCK, SitBlock, SitEntry};
pub use summary::{NatJournal, SitJournal, SummaryBlock, SummaryEntry, SummaryKind, compact};
pub use super_block::{SbCopy, SuperBlock};
pub use xattr::XattrEntry;

/// Bytes in a block.
pub const BLOCK_SIZE: usize = 4096;
/// Binary logarithm of [`BLOCK_SIZE`].
pub const BLOCK_BITS: u32 = 12;
/// Blocks in a segment.
pub const BLOCKS_PER_SEGMENT: u32 = 512;
/// Bytes in a segment.
pub const SEGMENT_SIZE: u64 = 2 << 20;

/// The bytes of one block.
pub type Block = [u8; BLOCK_SIZE];
