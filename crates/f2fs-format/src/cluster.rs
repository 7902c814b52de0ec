//! Compressed clusters: the header before the compressed bytes, and what the address slots of a
//! cluster say.

use core::mem::size_of;

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::addr::Slot;
use crate::bytes::truncated;
use crate::error::{CorruptKind, Result, ensure};

/// Bytes of the header before the compressed bytes.
pub const CLUSTER_HEADER_LEN: usize = 24;
/// Smallest binary logarithm of a cluster's blocks.
pub const MIN_LOG_CLUSTER_SIZE: u8 = 2;
/// Largest binary logarithm of a cluster's blocks.
pub const MAX_LOG_CLUSTER_SIZE: u8 = 8;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawClusterHeader {
    clen: U32,
    chksum: U32,
    reserved: [U32; 4],
}

const _: () = assert!(size_of::<RawClusterHeader>() == CLUSTER_HEADER_LEN);

/// What precedes the compressed bytes of a cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClusterHeader {
    /// Compressed bytes after the header.
    pub clen: u32,
    /// Their checksum, seeded by the magic; 0 and unchecked if the inode does not ask for one.
    pub checksum: u32,
}

impl ClusterHeader {
    /// Reads the header at the start of a cluster whose blocks have `available` bytes in all.
    pub fn parse(bytes: &[u8], available: usize) -> Result<Self> {
        let (raw, _) = RawClusterHeader::ref_from_prefix(bytes)
            .map_err(|_| truncated("cluster header", CLUSTER_HEADER_LEN, bytes.len()))?;
        let clen = raw.clen.get();
        let room = available.saturating_sub(CLUSTER_HEADER_LEN);
        ensure(
            clen > 0 && u64::from(clen) <= room as u64,
            CorruptKind::ClusterLength { clen, room },
        )?;
        Ok(Self {
            clen,
            checksum: raw.chksum.get(),
        })
    }

    /// The bytes of the header.
    pub fn encode(&self) -> [u8; CLUSTER_HEADER_LEN] {
        zerocopy::transmute!(RawClusterHeader {
            clen: self.clen.into(),
            chksum: self.checksum.into(),
            reserved: [0.into(); 4],
        })
    }

    /// Stores the header at the start of `bytes`, which must have room for it.
    pub fn write(&self, bytes: &mut [u8]) {
        bytes[..CLUSTER_HEADER_LEN].copy_from_slice(&self.encode());
    }
}

/// What the address slots of one whole cluster say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClusterSlots {
    /// Each slot stands for its own block, as in a plain file.
    Raw,
    /// The cluster is compressed.
    Compressed {
        /// Blocks of the compressed bytes, in slots 1 and up.
        blocks: usize,
        /// Whether the slots that compression saved were given back to the volume.
        released: bool,
    },
}

impl ClusterSlots {
    /// Classifies the raw slots of a cluster.
    ///
    /// # Errors
    /// If the slots fit no pattern that the format knows.
    pub fn classify(slots: &[u32]) -> Result<Self> {
        let (&first, rest) = slots
            .split_first()
            .ok_or_else(|| truncated("cluster slots", 1, 0))?;
        let marker = rest
            .iter()
            .position(|&raw| Slot::from_raw(raw).is_compress());
        if let Some(index) = marker {
            return Err(CorruptKind::ClusterMarker { slot: index + 1 }.into());
        }
        if !Slot::from_raw(first).is_compress() {
            return Ok(Self::Raw);
        }
        let is_block = |raw: &u32| Slot::from_raw(*raw).block().is_some();
        let blocks = rest.iter().take_while(|raw| is_block(raw)).count();
        ensure(blocks > 0, CorruptKind::ClusterEmpty)?;
        let tail = &rest[blocks..];
        if let Some(gap) = tail.iter().position(is_block) {
            return Err(CorruptKind::ClusterGap {
                slot: 1 + blocks + gap,
            }
            .into());
        }
        let holes = tail
            .iter()
            .filter(|raw| Slot::from_raw(**raw).is_hole())
            .count();
        ensure(
            holes == 0 || holes == tail.len(),
            CorruptKind::ClusterMixedTail,
        )?;
        Ok(Self::Compressed {
            blocks,
            released: holes > 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const C: u32 = Slot::COMPRESS_ADDR;
    const N: u32 = Slot::NEW_ADDR;

    fn kind(slots: &[u32]) -> CorruptKind {
        ClusterSlots::classify(slots).unwrap_err().kind
    }

    #[test]
    fn slot_patterns() {
        let compressed = |blocks, released| Ok(ClusterSlots::Compressed { blocks, released });
        assert_eq!(ClusterSlots::classify(&[C, 7, N, N]), compressed(1, false));
        assert_eq!(ClusterSlots::classify(&[C, 7, 8, 0]), compressed(2, true));
        assert_eq!(ClusterSlots::classify(&[C, 7, 8, 9]), compressed(3, false));
        for raw in [[0, 0, 0, 0], [N, 7, 0, 9], [5, 6, 7, 8]] {
            assert_eq!(ClusterSlots::classify(&raw), Ok(ClusterSlots::Raw));
        }
        assert_eq!(kind(&[5, C, 7, 8]), CorruptKind::ClusterMarker { slot: 1 });
        assert_eq!(kind(&[C, 5, C, 0]), CorruptKind::ClusterMarker { slot: 2 });
        assert_eq!(kind(&[C, N, N, N]), CorruptKind::ClusterEmpty);
        assert_eq!(kind(&[C, 5, 0, 8]), CorruptKind::ClusterGap { slot: 3 });
        assert_eq!(kind(&[C, 5, 0, N]), CorruptKind::ClusterMixedTail);
        assert!(matches!(kind(&[]), CorruptKind::Truncated { .. }));
    }

    #[test]
    fn header_round_trips_and_is_bounded() {
        let header = ClusterHeader {
            clen: 4072,
            checksum: 0xDEAD_BEEF,
        };
        let mut block = [0xFFu8; 4096];
        header.write(&mut block);
        assert_eq!(ClusterHeader::parse(&block, 4096), Ok(header));
        let bad = |clen| ClusterHeader { clen, checksum: 0 }.encode();
        for clen in [0, 4073, u32::MAX] {
            let error = ClusterHeader::parse(&bad(clen), 4096).unwrap_err();
            assert_eq!(error.kind, CorruptKind::ClusterLength { clen, room: 4072 });
        }
        assert!(ClusterHeader::parse(&block[..23], 4096).is_err());
    }
}
