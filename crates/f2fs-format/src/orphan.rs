//! Orphan blocks of a checkpoint pack: the inodes that have no name left but were still open.

use alloc::vec::Vec;
use core::mem::size_of;

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::addr::Ino;
use crate::bytes;
use crate::error::{CorruptKind, Result, ensure};
use crate::geometry::Geometry;
use crate::{BLOCK_SIZE, Block};

/// Inos in an orphan block.
pub const ORPHANS_PER_BLOCK: usize = 1020;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawOrphanBlock {
    ino: [U32; ORPHANS_PER_BLOCK],
    reserved: U32,
    blk_addr: U16,
    blk_count: U16,
    entry_count: U32,
    check_sum: U32,
}

const _: () = assert!(size_of::<RawOrphanBlock>() == BLOCK_SIZE);

/// Access to orphan blocks.
#[derive(Clone, Copy, Debug)]
pub struct OrphanBlock;

impl OrphanBlock {
    /// The inos of one block; only their number is checked.
    pub fn parse(block: &[u8]) -> Result<Vec<u32>> {
        let raw: &RawOrphanBlock = zerocopy::transmute_ref!(bytes::block(block, "orphan block")?);
        let value = raw.entry_count.get();
        ensure(
            value as usize <= ORPHANS_PER_BLOCK,
            CorruptKind::OrphanCount { value },
        )?;
        Ok(raw
            .ino
            .iter()
            .take(value as usize)
            .map(|ino| ino.get())
            .collect())
    }

    /// The inos of all orphan blocks of a pack, one after the other; each must be an ordinary one.
    pub fn parse_all(blocks: &[u8], geometry: &Geometry) -> Result<Vec<Ino>> {
        let mut inos = Vec::new();
        for block in blocks.chunks(BLOCK_SIZE) {
            for ino in Self::parse(block)? {
                inos.push(
                    geometry
                        .nid(ino)
                        .map_err(|_| CorruptKind::OrphanIno { ino })?,
                );
            }
        }
        Ok(inos)
    }

    /// The blocks for a list of inos, which should ascend.
    pub fn encode(inos: &[u32]) -> Vec<Block> {
        let chunks = inos.chunks(ORPHANS_PER_BLOCK);
        let count = chunks.len() as u16;
        let encode_one = |(index, chunk): (u16, &[u32])| {
            let mut raw = RawOrphanBlock {
                ino: [0.into(); ORPHANS_PER_BLOCK],
                reserved: 0.into(),
                blk_addr: (index + 1).into(),
                blk_count: count.into(),
                entry_count: (chunk.len() as u32).into(),
                check_sum: 0.into(),
            };
            for (to, &from) in raw.ino.iter_mut().zip(chunk) {
                *to = from.into();
            }
            zerocopy::transmute!(raw)
        };
        (0..count).zip(chunks).map(encode_one).collect()
    }
}
