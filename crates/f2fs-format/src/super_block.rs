//! The superblock: the volume's geometry, features and identity, in two copies.
//!
//! [`raw`] has its bytes, `check` the rules of the kernel's mount, and this module the validated
//! type. [`crate::Geometry`] is made from it.

mod check;
pub mod raw;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use zerocopy::IntoBytes;

use crate::addr::{BlockAddr, Nid};
use crate::bytes::{self, zeroed};
use crate::crc::{F2FS_MAGIC, crc32};
use crate::error::{Corrupt, Result};
use crate::features::Features;
use crate::geometry::Geometry;
use crate::{BLOCK_BITS, Block};
use raw::{RawDevice, RawSuperBlock};

/// Byte position of the superblock in its block.
pub const SUPER_OFFSET: usize = 1024;
/// Byte position of the checksum in the superblock.
pub const CHECKSUM_OFFSET: usize = 3068;
/// Room for extensions, cold and hot together.
pub const MAX_EXTENSIONS: usize = 64;
/// Bytes of one extension.
pub const EXTENSION_LEN: usize = 8;
/// Room for devices.
pub const MAX_DEVICES: usize = 8;

/// Which of the two copies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SbCopy {
    /// The one in block 0.
    First,
    /// The one in block 1.
    Second,
}

impl SbCopy {
    /// The block that holds the copy.
    pub const fn block(self) -> BlockAddr {
        match self {
            Self::First => BlockAddr::new(0),
            Self::Second => BlockAddr::new(1),
        }
    }

    /// The other copy.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// One device of a multi-device volume.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// Where the kernel looks for the device.
    pub path: String,
    /// Segments that the device adds to the volume.
    pub total_segments: u32,
}

/// A validated superblock. Counts are in the unit of their name; `segment_count_sit` and
/// `segment_count_nat` count both copies of their area.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SuperBlock {
    /// Version of the format; 1.
    pub major_version: u16,
    /// Version of the tool that made the volume; not interpreted.
    pub minor_version: u16,
    /// Features of the volume; bits nobody knows are kept.
    pub features: Features,
    /// Binary logarithm of the sector size, 9 to 12.
    pub log_sectorsize: u32,
    /// Binary logarithm of the sectors in a block.
    pub log_sectors_per_block: u32,
    /// Blocks of the whole volume.
    pub block_count: u64,
    /// Segments in a section, at least 1.
    pub segs_per_sec: u32,
    /// Sections in a zone, at least 1.
    pub secs_per_zone: u32,
    /// Sections of the MAIN area.
    pub section_count: u32,
    /// Segments of the volume from `segment0_blkaddr` on.
    pub segment_count: u32,
    /// Segments of the checkpoint area; 2.
    pub segment_count_ckpt: u32,
    /// Segments of the SIT area.
    pub segment_count_sit: u32,
    /// Segments of the NAT area.
    pub segment_count_nat: u32,
    /// Segments of the SSA area.
    pub segment_count_ssa: u32,
    /// Segments of the MAIN area.
    pub segment_count_main: u32,
    /// Start of the first segment.
    pub segment0_blkaddr: BlockAddr,
    /// Start of the checkpoint area.
    pub cp_blkaddr: BlockAddr,
    /// Start of the SIT area.
    pub sit_blkaddr: BlockAddr,
    /// Start of the NAT area.
    pub nat_blkaddr: BlockAddr,
    /// Start of the SSA area.
    pub ssa_blkaddr: BlockAddr,
    /// Start of the MAIN area.
    pub main_blkaddr: BlockAddr,
    /// Identity of the volume; seeds the inode checksums.
    pub uuid: [u8; 16],
    /// Label of the volume, at most 512 UTF-16 units.
    pub volume_name: String,
    /// Extensions of files whose data is cold.
    pub cold_extensions: Vec<String>,
    /// Extensions of files whose data is hot.
    pub hot_extensions: Vec<String>,
    /// Blocks after the header block of a checkpoint pack.
    pub cp_payload: u32,
    /// The system that mounted the volume last.
    pub version: String,
    /// The system that made the volume.
    pub init_version: String,
    /// Level of the legacy encryption.
    pub encryption_level: u8,
    /// Salt of the legacy encryption.
    pub encrypt_pw_salt: [u8; 16],
    /// The devices of a multi-device volume; empty for a single one.
    pub devices: Vec<Device>,
    /// The user, group and project quota inodes.
    pub qf_ino: [Option<Nid>; 3],
    /// Character set of the names; 1 is UTF-8 12.1.
    pub encoding: u16,
    /// Rules for names that are not valid in the character set.
    pub encoding_flags: u16,
    /// How often checkpoints were stopped, by reason.
    pub stop_reason: [u8; 32],
    /// The kinds of errors ever seen, as a bitmap.
    pub errors: [u8; 16],
}

impl Default for SuperBlock {
    /// An empty superblock for a formatter to fill; it is not valid as it is.
    fn default() -> Self {
        let raw = RawSuperBlock::reserved();
        Self {
            secs_per_zone: 1,
            segs_per_sec: 1,
            ..Self::from_raw(&raw)
        }
    }
}

impl SuperBlock {
    /// Reads the superblock in `block`, the 4096 bytes of volume block 0 or 1, of a volume of
    /// `device_blocks` blocks. The blocks of a multi-device volume are not compared, for one device
    /// does not tell them.
    ///
    /// # Errors
    /// [`Corrupt`] for the first rule that is broken. Unknown feature bits break none.
    pub fn parse(block: &[u8], device_blocks: u64) -> Result<Self> {
        let raw = RawSuperBlock::in_block(bytes::block(block, "superblock")?);
        check::raw(raw, device_blocks)?;
        Ok(Self::from_raw(raw))
    }

    /// Reads both copies and gives the first good one, which it is, and what is wrong with the
    /// other.
    ///
    /// # Errors
    /// What is wrong with the first copy, if both are bad.
    pub fn parse_pair(
        block0: &[u8],
        block1: &[u8],
        device_blocks: u64,
    ) -> Result<(Self, SbCopy, Option<Corrupt>)> {
        match (
            Self::parse(block0, device_blocks),
            Self::parse(block1, device_blocks),
        ) {
            (Ok(first), second) => Ok((first, SbCopy::First, second.err())),
            (Err(bad), Ok(second)) => Ok((second, SbCopy::Second, Some(bad))),
            (Err(bad), Err(_)) => Err(bad),
        }
    }

    /// The geometry that the superblock describes.
    pub fn geometry(&self) -> Geometry {
        Geometry::new(self)
    }

    /// The whole block that holds the superblock, with its checksum if the volume has one.
    pub fn encode(&self) -> Box<Block> {
        self.encode_onto(&[0; crate::BLOCK_SIZE])
    }

    /// Like [`encode`](Self::encode), but keeps what `base`, a block holding an older state of the
    /// same superblock, has in bytes that this type does not carry.
    pub fn encode_onto(&self, base: &Block) -> Box<Block> {
        let mut block = zeroed();
        block.copy_from_slice(base);
        let raw = RawSuperBlock::in_block_mut(&mut block);
        self.put_layout(raw);
        self.put_identity(raw);
        if self.features.contains(Features::SB_CHKSUM) {
            raw.checksum_offset = (CHECKSUM_OFFSET as u32).into();
            raw.crc = crc32(F2FS_MAGIC, &raw.as_bytes()[..CHECKSUM_OFFSET]).into();
        }
        block
    }

    fn from_raw(raw: &RawSuperBlock) -> Self {
        let cold = (raw.extension_count.get() as usize).min(MAX_EXTENSIONS);
        let hot = usize::from(raw.hot_ext_count);
        let extensions = |from: usize, count: usize| -> Vec<String> {
            raw.extension_list
                .iter()
                .skip(from)
                .take(count)
                .map(|e| bytes::text(e))
                .collect()
        };
        Self {
            major_version: raw.major_ver.get(),
            minor_version: raw.minor_ver.get(),
            features: Features::from_bits_retain(raw.feature.get()),
            log_sectorsize: raw.log_sectorsize.get(),
            log_sectors_per_block: raw.log_sectors_per_block.get(),
            block_count: raw.block_count.get(),
            segs_per_sec: raw.segs_per_sec.get(),
            secs_per_zone: raw.secs_per_zone.get(),
            section_count: raw.section_count.get(),
            segment_count: raw.segment_count.get(),
            segment_count_ckpt: raw.segment_count_ckpt.get(),
            segment_count_sit: raw.segment_count_sit.get(),
            segment_count_nat: raw.segment_count_nat.get(),
            segment_count_ssa: raw.segment_count_ssa.get(),
            segment_count_main: raw.segment_count_main.get(),
            segment0_blkaddr: BlockAddr::new(raw.segment0_blkaddr.get()),
            cp_blkaddr: BlockAddr::new(raw.cp_blkaddr.get()),
            sit_blkaddr: BlockAddr::new(raw.sit_blkaddr.get()),
            nat_blkaddr: BlockAddr::new(raw.nat_blkaddr.get()),
            ssa_blkaddr: BlockAddr::new(raw.ssa_blkaddr.get()),
            main_blkaddr: BlockAddr::new(raw.main_blkaddr.get()),
            uuid: raw.uuid,
            volume_name: label(raw),
            cold_extensions: extensions(0, cold),
            hot_extensions: extensions(cold, hot),
            cp_payload: raw.cp_payload.get(),
            version: bytes::text(&raw.version),
            init_version: bytes::text(&raw.init_version),
            encryption_level: raw.encryption_level,
            encrypt_pw_salt: raw.encrypt_pw_salt,
            devices: raw.devices().map(device).collect(),
            qf_ino: raw
                .qf_ino
                .map(|ino| (ino.get() != 0).then(|| Nid::new(ino.get()))),
            encoding: raw.encoding.get(),
            encoding_flags: raw.encoding_flags.get(),
            stop_reason: raw.stop_reason,
            errors: raw.errors,
        }
    }

    fn put_layout(&self, raw: &mut RawSuperBlock) {
        raw.magic = F2FS_MAGIC.into();
        raw.major_ver = self.major_version.into();
        raw.minor_ver = self.minor_version.into();
        raw.log_sectorsize = self.log_sectorsize.into();
        raw.log_sectors_per_block = self.log_sectors_per_block.into();
        raw.log_blocksize = BLOCK_BITS.into();
        raw.log_blocks_per_seg = crate::BLOCKS_PER_SEGMENT.trailing_zeros().into();
        raw.segs_per_sec = self.segs_per_sec.into();
        raw.secs_per_zone = self.secs_per_zone.into();
        raw.checksum_offset = 0.into();
        raw.block_count = self.block_count.into();
        raw.section_count = self.section_count.into();
        raw.segment_count = self.segment_count.into();
        raw.segment_count_ckpt = self.segment_count_ckpt.into();
        raw.segment_count_sit = self.segment_count_sit.into();
        raw.segment_count_nat = self.segment_count_nat.into();
        raw.segment_count_ssa = self.segment_count_ssa.into();
        raw.segment_count_main = self.segment_count_main.into();
        raw.segment0_blkaddr = self.segment0_blkaddr.get().into();
        raw.cp_blkaddr = self.cp_blkaddr.get().into();
        raw.sit_blkaddr = self.sit_blkaddr.get().into();
        raw.nat_blkaddr = self.nat_blkaddr.get().into();
        raw.ssa_blkaddr = self.ssa_blkaddr.get().into();
        raw.main_blkaddr = self.main_blkaddr.get().into();
        raw.root_ino = Nid::ROOT.get().into();
        raw.node_ino = Nid::NODE.get().into();
        raw.meta_ino = Nid::META.get().into();
        raw.cp_payload = self.cp_payload.into();
        raw.feature = self.features.bits().into();
    }

    fn put_identity(&self, raw: &mut RawSuperBlock) {
        raw.uuid = self.uuid;
        if label(raw) != self.volume_name {
            let mut units = self.volume_name.encode_utf16();
            raw.volume_name = core::array::from_fn(|_| units.next().unwrap_or(0).into());
        }
        self.put_extensions(raw);
        for (field, text) in [
            (&mut raw.version, &self.version),
            (&mut raw.init_version, &self.init_version),
        ] {
            // The tail of the field may hold a time stamp of fsck: leave an equal text alone.
            if bytes::text(field) != *text {
                bytes::put_text(field, text);
            }
        }
        raw.encryption_level = self.encryption_level;
        raw.encrypt_pw_salt = self.encrypt_pw_salt;
        if !raw.devices().map(device).eq(self.devices.iter().cloned()) {
            let mut devices = self.devices.iter();
            raw.devs = core::array::from_fn(|_| {
                let mut raw = RawDevice {
                    path: [0; 64],
                    total_segments: 0.into(),
                };
                if let Some(device) = devices.next() {
                    bytes::put_text(&mut raw.path, &device.path);
                    raw.total_segments = device.total_segments.into();
                }
                raw
            });
        }
        raw.qf_ino = self.qf_ino.map(|ino| ino.map_or(0, Nid::get).into());
        raw.encoding = self.encoding.into();
        raw.encoding_flags = self.encoding_flags.into();
        raw.stop_reason = self.stop_reason;
        raw.errors = self.errors;
    }

    fn put_extensions(&self, raw: &mut RawSuperBlock) {
        let count = self.cold_extensions.len() + self.hot_extensions.len();
        assert!(
            count <= MAX_EXTENSIONS,
            "{count} extensions do not fit in a superblock"
        );
        raw.extension_count = (self.cold_extensions.len() as u32).into();
        raw.hot_ext_count = self.hot_extensions.len() as u8;
        let all = self.cold_extensions.iter().chain(&self.hot_extensions);
        for (field, text) in raw.extension_list.iter_mut().zip(all) {
            if bytes::text(field) != *text {
                bytes::put_text(field, text);
            }
        }
    }
}

fn device(raw: &RawDevice) -> Device {
    Device {
        path: bytes::text(&raw.path),
        total_segments: raw.total_segments.get(),
    }
}

fn label(raw: &RawSuperBlock) -> String {
    let units = raw
        .volume_name
        .iter()
        .map(|unit| unit.get())
        .take_while(|&unit| unit != 0);
    char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}
