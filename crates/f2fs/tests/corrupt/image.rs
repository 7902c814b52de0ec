//! A volume in memory whose copies cost nothing, and the places of its structures.
//!
//! The places are found with `f2fs-format` alone: what is tested does not help to break it.

use blockdev::{Bio, BlockDevice, DeviceError, DeviceOp};
use f2fs_format::bitmap::msb;
use f2fs_format::checkpoint::{CpFlags, crc_of, newer};
use f2fs_format::crc::{F2FS_MAGIC, crc32};
use f2fs_format::inode::InodeBlock;
use f2fs_format::super_block::CHECKSUM_OFFSET;
use f2fs_format::super_block::raw::RawSuperBlock;
use f2fs_format::{
    BLOCK_SIZE, Block, BlockAddr, Checkpoint, CheckpointPack, NatBlock, NatEntry, Nid, SegmentNo,
    SuperBlock,
};
use std::collections::HashMap;
use std::io::{Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

pub(crate) type Blocks = HashMap<u64, Box<Block>>;

/// Offsets of the checkpoint's fields.
pub(crate) mod cp {
    pub(crate) const USER_BLOCKS: usize = 8;
    pub(crate) const VALID_BLOCKS: usize = 16;
    pub(crate) const CUR_NODE_SEGNO: usize = 36;
    pub(crate) const CUR_NODE_BLKOFF: usize = 68;
    pub(crate) const CUR_DATA_SEGNO: usize = 84;
    pub(crate) const CUR_DATA_BLKOFF: usize = 116;
    pub(crate) const FLAGS: usize = 132;
    pub(crate) const PACK_BLOCKS: usize = 136;
    pub(crate) const START_SUM: usize = 140;
    pub(crate) const VALID_NODES: usize = 144;
    pub(crate) const SIT_BITMAP_BYTES: usize = 156;
    pub(crate) const NAT_BITMAP_BYTES: usize = 160;
    pub(crate) const CHECKSUM_AT: usize = 164;
}

/// Offsets of the inode's fields.
pub(crate) mod ino {
    pub(crate) const MODE: usize = 0;
    pub(crate) const INLINE: usize = 3;
    pub(crate) const LINKS: usize = 12;
    pub(crate) const SIZE: usize = 16;
    pub(crate) const BLOCKS: usize = 24;
    pub(crate) const DEPTH: usize = 72;
    pub(crate) const XATTR_NID: usize = 76;
    pub(crate) const NAME_LEN: usize = 88;
    pub(crate) const EXTENT: usize = 348;
    pub(crate) const EXTRA_SIZE: usize = 360;
    pub(crate) const XATTR_WORDS: usize = 362;
    pub(crate) const CHECKSUM: usize = 368;
    pub(crate) const COMPR_BLOCKS: usize = 384;
    pub(crate) const ALGORITHM: usize = 392;
    pub(crate) const LOG_CLUSTER: usize = 393;
    pub(crate) const COMPRESS_FLAG: usize = 394;
    pub(crate) const NIDS: usize = 4052;
    /// The first address slot behind 36 bytes of extra attributes.
    pub(crate) const SLOT0: usize = 396;
}

/// Offsets of a node's footer.
pub(crate) mod footer {
    pub(crate) const NID: usize = 4072;
    pub(crate) const INO: usize = 4076;
    pub(crate) const FLAG: usize = 4080;
}

pub(crate) fn put16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
}

pub(crate) fn put32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

pub(crate) fn put64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

pub(crate) fn get32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// A device in memory over blocks that its copies share.
#[derive(Debug)]
pub(crate) struct Image {
    base: Arc<Blocks>,
    over: Mutex<Blocks>,
    size: u64,
    read_only: AtomicBool,
    writes: AtomicU64,
}

impl Clone for Image {
    fn clone(&self) -> Self {
        let over = self.over.lock().unwrap().clone();
        Self::with(Arc::clone(&self.base), over, self.size)
    }
}

impl Image {
    fn with(base: Arc<Blocks>, over: Blocks, size: u64) -> Self {
        let (read_only, writes) = (AtomicBool::new(false), AtomicU64::new(0));
        Self {
            base,
            over: Mutex::new(over),
            size,
            read_only,
            writes,
        }
    }

    /// Nothing but zeros.
    pub(crate) fn zeros(size: u64) -> Self {
        Self::with(Arc::default(), Blocks::new(), size)
    }

    /// What a device holds now.
    pub(crate) fn of(device: &dyn BlockDevice) -> Self {
        let mut base = Blocks::new();
        for index in 0..device.size_bytes() / BLOCK_SIZE as u64 {
            let mut block = Box::new([0; BLOCK_SIZE]);
            device
                .read_at(index * BLOCK_SIZE as u64, &mut block[..])
                .unwrap();
            if block.iter().any(|&b| b != 0) {
                base.insert(index, block);
            }
        }
        Self::with(Arc::new(base), Blocks::new(), device.size_bytes())
    }

    /// A copy cut to, or extended to, another size.
    pub(crate) fn resized(&self, size: u64) -> Self {
        Self {
            size,
            ..self.clone()
        }
    }

    pub(crate) fn set_read_only(&self) {
        self.read_only.store(true, Ordering::Relaxed);
    }

    /// Writes, discards included, that came through the device.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    pub(crate) fn block(&self, addr: u32) -> Box<Block> {
        self.get(addr.into())
    }

    fn get(&self, index: u64) -> Box<Block> {
        let over = self.over.lock().unwrap();
        let found = over.get(&index).or_else(|| self.base.get(&index));
        found.cloned().unwrap_or_else(|| Box::new([0; BLOCK_SIZE]))
    }

    pub(crate) fn put(&self, addr: u32, block: &Block) {
        self.over
            .lock()
            .unwrap()
            .insert(addr.into(), Box::new(*block));
    }

    /// Changes a block that no checksum covers.
    pub(crate) fn edit(&self, addr: u32, f: impl FnOnce(&mut Block)) {
        let mut block = self.block(addr);
        f(&mut block);
        self.put(addr, &block);
    }

    /// Writes the whole image to a file, sparse.
    pub(crate) fn dump(&self) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(self.size).unwrap();
        let over = self.over.lock().unwrap();
        let mut all: Vec<u64> = self.base.keys().chain(over.keys()).copied().collect();
        all.sort_unstable();
        all.dedup();
        for index in all {
            let block = over.get(&index).unwrap_or_else(|| &self.base[&index]);
            file.seek(SeekFrom::Start(index * BLOCK_SIZE as u64))
                .unwrap();
            file.write_all(&block[..]).unwrap();
        }
        file
    }

    fn check(&self, op: DeviceOp, pos: u64, len: u64) -> Result<(), DeviceError> {
        match pos.checked_add(len) {
            Some(end) if end <= self.size => Ok(()),
            _ => Err(DeviceError::past_end(op, pos, len, self.size)),
        }
    }
}

impl BlockDevice for Image {
    fn size_bytes(&self) -> u64 {
        self.size
    }

    fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Relaxed)
    }

    fn submit(&self, bio: Bio) {
        bio.transfer(self);
    }

    fn read_at(&self, pos: u64, buf: &mut [u8]) -> Result<(), DeviceError> {
        self.check(DeviceOp::Read, pos, buf.len() as u64)?;
        let first = pos / BLOCK_SIZE as u64;
        for (index, piece) in (first..).zip(buf.chunks_mut(BLOCK_SIZE)) {
            piece.copy_from_slice(&self.get(index)[..piece.len()]);
        }
        Ok(())
    }

    fn write_at(&self, pos: u64, data: &[u8]) -> Result<(), DeviceError> {
        self.check(DeviceOp::Write, pos, data.len() as u64)?;
        self.writes.fetch_add(1, Ordering::Relaxed);
        let first = pos / BLOCK_SIZE as u64;
        let (blocks, rest) = data.as_chunks::<BLOCK_SIZE>();
        assert!(rest.is_empty(), "the engine writes whole blocks");
        let mut over = self.over.lock().unwrap();
        for (index, block) in (first..).zip(blocks) {
            over.insert(index, Box::new(*block));
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), DeviceError> {
        Ok(())
    }

    fn discard(&self, _pos: u64, _len: u64) -> Result<(), DeviceError> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Places of structures, and changes that keep the checksums right.
impl Image {
    pub(crate) fn sb(&self) -> SuperBlock {
        let blocks = self.size / BLOCK_SIZE as u64;
        SuperBlock::parse(&self.block(0)[..], blocks).unwrap()
    }

    /// Changes both copies of the superblock.
    pub(crate) fn edit_sb(&self, f: impl Fn(&mut RawSuperBlock)) {
        for copy in [0, 1] {
            self.edit_sb_copy(copy, &f);
        }
    }

    pub(crate) fn edit_sb_copy(&self, copy: u32, f: impl FnOnce(&mut RawSuperBlock)) {
        self.edit(copy, |block| {
            f(RawSuperBlock::in_block_mut(block));
            let sum = crc32(F2FS_MAGIC, &block[1024..1024 + CHECKSUM_OFFSET]);
            put32(block, 1024 + CHECKSUM_OFFSET, sum);
        });
    }

    fn pack_start(&self, pack: u32) -> u32 {
        self.sb().geometry().cp_pack(pack).get()
    }

    fn pack(&self, pack: u32) -> Option<Checkpoint> {
        let start = self.pack_start(pack);
        let header = self.block(start);
        let probe = Checkpoint::probe(&header[..]).ok()?;
        let footer = self.block(start + probe.pack_blocks - 1);
        CheckpointPack::parse(&header[..], &footer[..], &self.sb()).ok()
    }

    /// The current checkpoint and its pack.
    pub(crate) fn cp(&self) -> (Checkpoint, u32) {
        match (self.pack(0), self.pack(1)) {
            (Some(a), Some(b)) if newer(a.version, b.version) == 0 => (a, 0),
            (_, Some(b)) => (b, 1),
            (Some(a), None) => (a, 0),
            (None, None) => panic!("the image has no checkpoint"),
        }
    }

    /// Changes header and footer of a pack and sets their checksums.
    pub(crate) fn edit_pack(&self, pack: u32, f: impl FnOnce(&mut Block)) {
        let start = self.pack_start(pack);
        let mut block = self.block(start);
        let footer = start + get32(&block[..], cp::PACK_BLOCKS) - 1;
        f(&mut block);
        if let Ok(sum) = crc_of(&block[..]) {
            let at = get32(&block[..], cp::CHECKSUM_AT) as usize;
            put32(&mut block[..], at, sum);
        }
        self.put(start, &block);
        self.put(footer, &block);
    }

    pub(crate) fn edit_cp(&self, f: impl Fn(&mut Block)) {
        for pack in [0, 1] {
            self.edit_pack(pack, &f);
        }
    }

    /// Changes block `index` behind the start of the summaries of the current pack.
    pub(crate) fn edit_summary(&self, index: u32, f: impl FnOnce(&mut Block)) {
        let (checkpoint, pack) = self.cp();
        self.edit(self.pack_start(pack) + checkpoint.start_sum + index, f);
    }

    /// Block, and byte in it, of the NAT journal (0) or the SIT journal (1).
    pub(crate) fn journal(&self, which: usize) -> (u32, usize) {
        let (checkpoint, pack) = self.cp();
        let start = self.pack_start(pack) + checkpoint.start_sum;
        if checkpoint.flags.contains(CpFlags::COMPACT_SUM) {
            (start, which * 507)
        } else {
            (start + which as u32 * 2, 3584)
        }
    }

    /// Block and byte of the NAT entry that counts for a nid.
    fn nat_place(&self, nid: u32) -> (u32, usize) {
        let (block, at) = self.journal(0);
        let bytes = self.block(block);
        let count = usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        for entry in 0..count {
            let place = at + 2 + entry * 13;
            if get32(&bytes[..], place) == nid {
                return (block, place + 4);
            }
        }
        let (checkpoint, _) = self.cp();
        let geometry = self.sb().geometry();
        let index = geometry.nat_index(Nid::new(nid));
        let second = msb::test(&checkpoint.nat_bitmap, index as usize);
        (
            geometry.nat_block(index, second).get(),
            NatBlock::slot(Nid::new(nid)) * 9,
        )
    }

    pub(crate) fn nat(&self, nid: u32) -> NatEntry {
        let (block, at) = self.nat_place(nid);
        NatEntry::parse(&self.block(block)[at..]).unwrap()
    }

    pub(crate) fn set_nat(&self, nid: u32, entry: NatEntry) {
        let (block, at) = self.nat_place(nid);
        self.edit(block, |b| b[at..at + 9].copy_from_slice(&entry.encode()));
    }

    /// Block and byte of the SIT entry that counts for a segment.
    pub(crate) fn sit_place(&self, segno: u32) -> (u32, usize) {
        let (block, at) = self.journal(1);
        let bytes = self.block(block);
        let count = usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        for entry in 0..count {
            let place = at + 2 + entry * 78;
            if get32(&bytes[..], place) == segno {
                return (block, place + 4);
            }
        }
        let (checkpoint, _) = self.cp();
        let geometry = self.sb().geometry();
        let segno = SegmentNo::new(segno);
        let second = msb::test(&checkpoint.sit_bitmap, geometry.sit_index(segno) as usize);
        (
            geometry.sit_block(segno, second).get(),
            (segno.get() as usize % 55) * 74,
        )
    }

    /// Clears the bit of a block, and counts it no more.
    pub(crate) fn clear_sit_bit(&self, addr: u32) {
        let geometry = self.sb().geometry();
        let segno = geometry.segno_of(BlockAddr::new(addr)).get();
        let offset = usize::from(geometry.offset_in_segment(BlockAddr::new(addr)));
        let (block, at) = self.sit_place(segno);
        self.edit(block, |b| {
            let count = u16::from_le_bytes([b[at], b[at + 1]]) - 1;
            put16(b, at, count);
            assert!(msb::test(&b[at + 2..at + 66], offset), "the block is valid");
            msb::clear(&mut b[at + 2..at + 66], offset);
        });
    }

    pub(crate) fn node_addr(&self, nid: u32) -> u32 {
        let addr = self.nat(nid).addr;
        assert!(addr > 1, "nid {nid} has a node");
        addr
    }

    pub(crate) fn node(&self, nid: u32) -> Box<Block> {
        self.block(self.node_addr(nid))
    }

    pub(crate) fn inode(&self, ino: u32) -> InodeBlock {
        InodeBlock::parse(self.node(ino), Nid::new(ino), &self.sb()).unwrap()
    }

    /// Changes a node that has no checksum.
    pub(crate) fn edit_node(&self, nid: u32, f: impl FnOnce(&mut Block)) {
        self.edit(self.node_addr(nid), f);
    }

    /// Changes an inode and sets its checksum.
    pub(crate) fn edit_inode(&self, nid: u32, f: impl FnOnce(&mut Block)) {
        let uuid = self.sb().uuid;
        self.edit_node(nid, |block| {
            f(block);
            seal_inode(block, &uuid);
        });
    }
}

/// Sets an inode's checksum where the engine looks for it.
pub(crate) fn seal_inode(block: &mut Block, uuid: &[u8; 16]) {
    let seed = [
        &uuid[..],
        &block[footer::INO..footer::INO + 4],
        &block[68..72],
    ]
    .into_iter()
    .fold(0xFFFF_FFFF, crc32);
    put32(block, ino::CHECKSUM, 0);
    let sum = crc32(seed, &block[..]);
    put32(block, ino::CHECKSUM, sum);
}
