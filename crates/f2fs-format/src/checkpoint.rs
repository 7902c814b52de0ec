//! Checkpoint packs: the header that names the state of the volume, and its version bitmaps.
//!
//! A pack is header, payload, orphan blocks ([`crate::orphan`]), summaries ([`crate::summary`]) and
//! a footer that repeats the header. [`Checkpoint::probe`] tells where the footer lies,
//! [`CheckpointPack::parse`] reads the whole.
//!
//! # On disk
//! The version bitmaps lie behind the header's fields in one of three ways; `bitmaps` knows them.
//! Payload blocks are under no checksum.

mod bitmaps;
mod check;
mod raw;

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use crate::addr::SegmentNo;
use crate::bytes::{self, truncated};
use crate::crc::{F2FS_MAGIC, crc32};
use crate::error::{CorruptKind, Result, ensure};
use crate::sit::CursegType;
use crate::super_block::SuperBlock;
use crate::{BLOCK_SIZE, BLOCKS_PER_SEGMENT, Block};
use raw::RawCheckpoint;

/// Where the checksum lies with small NAT bitmaps.
pub const CHECKSUM_OFFSET: u32 = 4092;
/// Where the checksum lies with [`CpFlags::LARGE_NAT_BITMAP`]; also the least offset.
pub const LARGE_NAT_CHECKSUM_OFFSET: u32 = 192;

bitflags::bitflags! {
    /// State of a checkpoint. Bits that nobody knows are kept as they are.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct CpFlags: u32 {
        /// Written at unmount; node summaries are in the pack.
        const UMOUNT = 0x1;
        /// The pack holds orphan blocks.
        const ORPHAN_PRESENT = 0x2;
        /// The data summaries are in compact form.
        const COMPACT_SUM = 0x4;
        /// The file system met an error; the kernel refuses to mount.
        const ERROR = 0x8;
        /// The volume needs a check.
        const FSCK = 0x10;
        /// Node summaries are in the pack although the volume was not unmounted.
        const FASTBOOT = 0x20;
        /// Node footers carry the checksum of the checkpoint above its version.
        const CRC_RECOVERY = 0x40;
        /// The blocks of NAT bits may be valid.
        const NAT_BITS = 0x80;
        /// All free blocks are already discarded.
        const TRIMMED = 0x100;
        /// Only the low 32 bits of versions in node footers count.
        const NOCRC_RECOVERY = 0x200;
        /// The NAT bitmap starts at byte 196 and the checksum lies at 192.
        const LARGE_NAT_BITMAP = 0x400;
        /// The quota files are not to be trusted.
        const QUOTA_NEED_FSCK = 0x800;
        /// Checkpoints are disabled.
        const DISABLED = 0x1000;
        /// Checkpoints were disabled without cleaning first.
        const DISABLED_QUICK = 0x2000;
        /// The volume is being resized.
        const RESIZEFS = 0x4000;
        const _ = !0;
    }
}

/// How a log takes blocks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AllocType {
    /// In order, in a segment that was free.
    Lfs = 0,
    /// Into the holes of a segment in use.
    Ssr = 1,
}

/// Where a log stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CursegPos {
    /// The open segment.
    pub segno: SegmentNo,
    /// The next block to take, below 512.
    pub blkoff: u16,
    /// How the log takes blocks.
    pub alloc: AllocType,
}

/// What the header of a pack says before the footer is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PackProbe {
    /// The checkpoint's version.
    pub version: u64,
    /// Blocks of the pack; the footer is the last.
    pub pack_blocks: u32,
}

/// A validated checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// Grows by one with every checkpoint.
    pub version: u64,
    /// Blocks that users may fill.
    pub user_block_count: u64,
    /// Blocks in use or reserved.
    pub valid_block_count: u64,
    /// Segments kept for cleaning (`rsvd_segment_count`).
    pub reserved_segments: u32,
    /// Segments that users cannot fill, the reserved ones included.
    pub overprov_segments: u32,
    /// Segments without valid blocks that no log has open.
    pub free_segments: u32,
    /// The node logs: hot, warm, cold.
    pub cur_node: [CursegPos; 3],
    /// The data logs: hot, warm, cold.
    pub cur_data: [CursegPos; 3],
    /// State of the volume.
    pub flags: CpFlags,
    /// Blocks of the pack.
    pub pack_blocks: u32,
    /// Where in the pack the data summaries start.
    pub start_sum: u32,
    /// Node blocks in use.
    pub valid_nodes: u32,
    /// Inodes in use.
    pub valid_inodes: u32,
    /// Where to look for a free nid first; any value may be found.
    pub next_free_nid: u32,
    /// Seconds that the volume was mounted, in all.
    pub elapsed_time: u64,
    /// Which copy of each SIT block is current, MSB first.
    pub sit_bitmap: Vec<u8>,
    /// Which copy of each NAT block is current, MSB first.
    pub nat_bitmap: Vec<u8>,
    /// Where in the header the checksum lies.
    pub checksum_offset: u32,
    /// The checksum of the header that was read.
    pub crc: u32,
    /// The header block as read, or zeros; [`encode`](Self::encode) keeps what it does not know
    /// from here.
    pub raw: Box<Block>,
}

/// A pack as a whole.
#[derive(Clone, Copy, Debug)]
pub struct CheckpointPack;

impl CheckpointPack {
    /// Reads a pack from its header with the payload, `1 + cp_payload` blocks, and its footer
    /// block.
    ///
    /// # Errors
    /// If the pack is torn or damaged: then the other pack is the one to use.
    pub fn parse(header_and_payload: &[u8], footer: &[u8], sb: &SuperBlock) -> Result<Checkpoint> {
        let header = Checkpoint::probe(header_and_payload)?;
        let tail = Checkpoint::probe(footer)?;
        ensure(
            header.version == tail.version,
            CorruptKind::CpFooterVersion {
                header: header.version,
                footer: tail.version,
            },
        )?;
        Checkpoint::from_header(header_and_payload, sb)
    }
}

impl Checkpoint {
    /// Reads the header or footer block of a pack as far as its checksum and the pack's length.
    pub fn probe(block: &[u8]) -> Result<PackProbe> {
        let block = bytes::block(block, "checkpoint block")?;
        let raw = RawCheckpoint::in_block(block);
        let (stored, computed) = checksums(block)?;
        ensure(
            stored == computed,
            CorruptKind::CpChecksum { stored, computed },
        )?;
        let value = raw.cp_pack_total_block_count.get();
        ensure(
            value > 2 && value <= BLOCKS_PER_SEGMENT,
            CorruptKind::CpPackBlocks { value },
        )?;
        Ok(PackProbe {
            version: raw.checkpoint_ver.get(),
            pack_blocks: value,
        })
    }

    /// Reads a header that [`probe`](Self::probe) accepted, with its payload, without asking for a
    /// footer.
    pub fn from_header(header_and_payload: &[u8], sb: &SuperBlock) -> Result<Self> {
        let need = (1 + sb.cp_payload as usize) * BLOCK_SIZE;
        let have = header_and_payload.len();
        ensure(
            have >= need,
            CorruptKind::Truncated {
                what: "checkpoint",
                need,
                have,
            },
        )?;
        let buffer = header_and_payload
            .get(..need)
            .ok_or_else(|| truncated("checkpoint", need, have))?;
        let header = bytes::block(buffer, "checkpoint block")?;
        let raw = RawCheckpoint::in_block(header);
        let (crc, _) = checksums(header)?;
        check::raw(raw, sb)?;
        let [sit_bitmap, nat_bitmap] = bitmaps::read(buffer, raw, sb)?;
        let [data, node] = check::cursegs(raw, sb)?;
        Ok(Self {
            version: raw.checkpoint_ver.get(),
            user_block_count: raw.user_block_count.get(),
            valid_block_count: raw.valid_block_count.get(),
            reserved_segments: raw.rsvd_segment_count.get(),
            overprov_segments: raw.overprov_segment_count.get(),
            free_segments: raw.free_segment_count.get(),
            cur_node: node,
            cur_data: data,
            flags: CpFlags::from_bits_retain(raw.ckpt_flags.get()),
            pack_blocks: raw.cp_pack_total_block_count.get(),
            start_sum: raw.cp_pack_start_sum.get(),
            valid_nodes: raw.valid_node_count.get(),
            valid_inodes: raw.valid_inode_count.get(),
            next_free_nid: raw.next_free_nid.get(),
            elapsed_time: raw.elapsed_time.get(),
            sit_bitmap,
            nat_bitmap,
            checksum_offset: raw.checksum_offset.get(),
            crc,
            raw: Box::new(*header),
        })
    }

    /// A checkpoint with empty bitmaps of the right size and nothing else, for a formatter to fill.
    pub fn new(sb: &SuperBlock) -> Self {
        let geometry = sb.geometry();
        let closed = CursegPos {
            segno: SegmentNo::new(0),
            blkoff: 0,
            alloc: AllocType::Lfs,
        };
        let mut raw = bytes::zeroed();
        RawCheckpoint::in_block_mut(&mut raw).close_all_logs();
        Self {
            version: 1,
            user_block_count: 0,
            valid_block_count: 0,
            reserved_segments: 0,
            overprov_segments: 0,
            free_segments: 0,
            cur_node: [closed; 3],
            cur_data: [closed; 3],
            flags: CpFlags::empty(),
            pack_blocks: 0,
            start_sum: 0,
            valid_nodes: 0,
            valid_inodes: 0,
            next_free_nid: 0,
            elapsed_time: 0,
            sit_bitmap: vec![0; geometry.sit_bitmap_bytes() as usize],
            nat_bitmap: vec![0; geometry.nat_bitmap_bytes() as usize],
            checksum_offset: CHECKSUM_OFFSET,
            crc: 0,
            raw,
        }
    }

    /// Where the log `kind` stands.
    pub const fn curseg(&self, kind: CursegType) -> CursegPos {
        let index = kind.index();
        if index < 3 {
            self.cur_data[index]
        } else {
            self.cur_node[index - 3]
        }
    }

    /// The value of `cp_ver` in the footers of nodes written after this checkpoint.
    pub const fn node_version(&self) -> u64 {
        if self.flags.contains(CpFlags::CRC_RECOVERY) {
            self.version & 0xFFFF_FFFF | (self.crc as u64) << 32
        } else {
            self.version
        }
    }

    /// The header block and its payload, with the checksum set; the footer is a copy of the first
    /// block.
    ///
    /// # Errors
    /// If the bitmaps do not have the volume's sizes, or do not fit.
    pub fn encode(&self, sb: &SuperBlock) -> Result<Vec<u8>> {
        let mut buffer = vec![0; (1 + sb.cp_payload as usize) * BLOCK_SIZE];
        let mut header = self.raw.clone();
        let raw = RawCheckpoint::in_block_mut(&mut header);
        self.put_fields(raw);
        check::raw(raw, sb)?;
        check::cursegs(raw, sb)?;
        let places = bitmaps::places(raw, sb)?;
        buffer[..BLOCK_SIZE].copy_from_slice(&header[..]);
        buffer[places.sit].copy_from_slice(&self.sit_bitmap);
        buffer[places.nat].copy_from_slice(&self.nat_bitmap);
        let crc = crc_of(&buffer)?;
        let at = self.checksum_offset as usize;
        buffer[at..at + 4].copy_from_slice(&crc.to_le_bytes());
        Ok(buffer)
    }

    fn put_fields(&self, raw: &mut RawCheckpoint) {
        raw.checkpoint_ver = self.version.into();
        raw.user_block_count = self.user_block_count.into();
        raw.valid_block_count = self.valid_block_count.into();
        raw.rsvd_segment_count = self.reserved_segments.into();
        raw.overprov_segment_count = self.overprov_segments.into();
        raw.free_segment_count = self.free_segments.into();
        for kind in CursegType::ALL {
            raw.put_log(kind, self.curseg(kind));
        }
        raw.ckpt_flags = self.flags.bits().into();
        raw.cp_pack_total_block_count = self.pack_blocks.into();
        raw.cp_pack_start_sum = self.start_sum.into();
        raw.valid_node_count = self.valid_nodes.into();
        raw.valid_inode_count = self.valid_inodes.into();
        raw.next_free_nid = self.next_free_nid.into();
        raw.sit_ver_bitmap_bytesize = (self.sit_bitmap.len() as u32).into();
        raw.nat_ver_bitmap_bytesize = (self.nat_bitmap.len() as u32).into();
        raw.checksum_offset = self.checksum_offset.into();
        raw.elapsed_time = self.elapsed_time.into();
    }
}

/// The checksum of a header or footer block, which says itself where the sum is stored.
///
/// # Errors
/// If the block is short or the place of the sum is out of range.
pub fn crc_of(block: &[u8]) -> Result<u32> {
    checksums(bytes::block(block, "checkpoint block")?).map(|(_, computed)| computed)
}

/// The stored and the computed checksum.
fn checksums(block: &Block) -> Result<(u32, u32)> {
    let value = RawCheckpoint::in_block(block).checksum_offset.get();
    let in_range = (LARGE_NAT_CHECKSUM_OFFSET..=CHECKSUM_OFFSET).contains(&value);
    ensure(in_range, CorruptKind::CpChecksumOffset { value })?;
    let (before, rest) = block.split_at(value as usize);
    let (sum, after) = rest
        .split_first_chunk()
        .ok_or(CorruptKind::CpChecksumOffset { value })?;
    Ok((
        u32::from_le_bytes(*sum),
        crc32(crc32(F2FS_MAGIC, before), after),
    ))
}

/// Which of two valid packs is current, 0 or 1, by their versions; equal ones mean pack 0, the
/// first.
pub const fn newer(first: u64, second: u64) -> u32 {
    // The difference is signed, as in the kernel, so that a wrapped version still counts as newer.
    if second.wrapping_sub(first).cast_signed() > 0 {
        1
    } else {
        0
    }
}
