//! Single good structures out of the goldens, for tests that damage them.

use f2fs_format::checkpoint::crc_of;
use f2fs_format::{
    Block, BlockAddr, Checkpoint, CompressInfo, Features, InodeBlock, NewInode, Nid, SuperBlock,
    crc32,
};

use crate::store::Store;

/// A golden's superblock block and what it says.
pub(crate) fn super_block(name: &str) -> (Box<Block>, SuperBlock, u64) {
    let (mut store, _) = Store::golden(name);
    let block = store.read(BlockAddr::new(0));
    let sb = SuperBlock::parse(&block[..], store.device_blocks).unwrap();
    (block, sb, store.device_blocks)
}

/// Header with payload and footer of a golden's first pack.
pub(crate) fn pack(name: &str) -> (Vec<u8>, Box<Block>, SuperBlock) {
    let (mut store, _) = Store::golden(name);
    let (_, sb, _) = super_block(name);
    let start = sb.geometry().cp_pack(0);
    let header = store.read_run(start, 1 + sb.cp_payload);
    let probe = Checkpoint::probe(&header).unwrap();
    let footer = store.read(start.checked_add(probe.pack_blocks - 1).unwrap());
    (header, footer, sb)
}

/// Sets the checksum of a checkpoint block right, where its offset makes sense.
pub(crate) fn fix_pack(block: &mut [u8]) {
    if let Ok(crc) = crc_of(block) {
        let at = u32::from_le_bytes(block[164..168].try_into().unwrap()) as usize;
        block[at..at + 4].copy_from_slice(&crc.to_le_bytes());
    }
}

/// A superblock with these features on top of those of `mkfs-full`.
pub(crate) fn full_volume() -> SuperBlock {
    super_block("mkfs-full").1
}

/// The same volume without any feature.
pub(crate) fn plain_volume() -> SuperBlock {
    SuperBlock {
        features: Features::empty(),
        ..full_volume()
    }
}

/// Sets the checksum of an inode block of [`full_volume`] right.
pub(crate) fn fix_inode(block: &mut Block, sb: &SuperBlock) {
    let ino: [u8; 4] = block[4076..4080].try_into().unwrap();
    let seed = crc32(crc32(0xFFFF_FFFF, &sb.uuid), &ino);
    let seed = crc32(seed, &block[68..72]);
    let sum = crc32(crc32(crc32(seed, &block[..368]), &[0; 4]), &block[372..]);
    block[368..372].copy_from_slice(&sum.to_le_bytes());
}

/// The number of the inodes that [`inode`] makes.
pub(crate) const INO: Nid = Nid::new(100);

/// A fresh inode with its checksum.
pub(crate) fn inode(mode: u16, compress: Option<CompressInfo>, sb: &SuperBlock) -> Box<Block> {
    let mut inode = InodeBlock::new(
        &NewInode {
            compress,
            ..NewInode::bare(INO, mode)
        },
        sb,
    );
    inode.update_checksum(sb);
    inode.into_block()
}
