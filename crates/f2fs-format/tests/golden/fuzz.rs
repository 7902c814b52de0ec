//! Damaged bytes of every structure: parsing may fail, but never panics, and what it accepts is
//! usable.

use std::sync::LazyLock;

use proptest::prelude::*;

use f2fs_format::summary::compact;
use f2fs_format::{
    Block, Checkpoint, CheckpointPack, ClusterHeader, ClusterSlots, DentryView, InodeBlock, Layout,
    NatBlock, NatJournal, Nid, NodeFooter, NodePath, OrphanBlock, SegmentNo, SitBlock, SitJournal,
    SummaryBlock, SuperBlock, xattr,
};

use crate::fixture::{self, INO};
use crate::store::Store;

/// Every block of every golden.
static GOLDEN_BLOCKS: LazyLock<Vec<Box<Block>>> = LazyLock::new(|| {
    crate::NAMES
        .iter()
        .flat_map(|name| Store::golden(name).0.blocks.into_values())
        .collect()
});

/// Feeds `bytes` to every parser that takes loose bytes.
fn feed_all(bytes: &[u8], sb: &SuperBlock) {
    let geometry = sb.geometry();
    let _ = Checkpoint::probe(bytes);
    let _ = SummaryBlock::parse(bytes);
    let _ = NatJournal::parse(bytes, &geometry);
    let _ = SitJournal::parse(bytes, &geometry);
    let _ = compact::parse(bytes, [3, 200, 300]);
    let _ = OrphanBlock::parse_all(bytes, &geometry);
    let _ = ClusterHeader::parse(bytes, bytes.len());
    let _ = xattr::parse(bytes);
    let words: Vec<u32> = bytes
        .chunks_exact(4)
        .map(|b| u32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    let _ = ClusterSlots::classify(&words);
    if let Ok(view) = DentryView::new(bytes, Layout::BLOCK) {
        let _ = view.entries().count();
    }
    if let Ok(sb) = SuperBlock::parse(bytes, 1 << 20) {
        use_super_block(&sb);
    }
    if let Some(block) = bytes.first_chunk() {
        feed_block(block);
    }
}

fn feed_block(block: &Block) {
    let footer = NodeFooter::read(block);
    let _ = footer.check_node(Nid::new(9), Nid::new(4), 1);
    for index in 0..55 {
        let _ = SitBlock::entry(block, SegmentNo::new(index));
        let _ = NatBlock::entry(block, Nid::new(index));
    }
}

/// Everything that an accepted superblock lets one compute.
fn use_super_block(sb: &SuperBlock) {
    let geometry = sb.geometry();
    let last = SegmentNo::new(geometry.main_segments() - 1);
    let _ = (
        geometry.sit_block(last, true),
        geometry.segment_start(last),
        geometry.main_end(),
    );
    let _ = geometry.nat_block(geometry.nat_blocks() - 1, true);
    let _ = (
        geometry.zone_of(geometry.section_of(last)),
        geometry.max_nid(),
    );
    assert!(sb.encode_onto(&[0xFF; 4096]).len() == 4096);
}

/// Everything that an accepted inode lets one read.
fn use_inode(inode: &InodeBlock) {
    let a0 = inode.addrs_in_inode();
    assert!(a0 >= 1 || inode.is_compressed());
    for index in 0..a0 {
        let _ = inode.slot(index as usize);
    }
    let _ = NodePath::of(inode.size() / 4096, a0, inode.addrs_per_dnode());
    let _ = inode.inline_xattr().map(xattr::parse);
    let view = DentryView::new(inode.inline_data_area(), inode.inline_dentry_layout()).unwrap();
    let _ = view.entries().count();
    let _ = (
        inode.device(),
        inode.name(),
        inode.ext(),
        inode.current_depth(),
        inode.file_type(),
    );
    let _ = (
        inode.atime(),
        inode.crtime(),
        inode.projid(),
        inode.compress(),
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..9000)) {
        feed_all(&bytes, &fixture::full_volume());
    }

    #[test]
    fn golden_blocks(
        block in 0usize..1000,
        at in 0usize..4096,
        flip in 1u8..,
        len in 0usize..4096,
    ) {
        let sb = fixture::full_volume();
        let mut block = GOLDEN_BLOCKS[block % GOLDEN_BLOCKS.len()].clone();
        block[at] ^= flip;
        feed_all(&block[..], &sb);
        feed_all(&block[..len], &sb);
    }

    #[test]
    fn super_block(at in 1024usize..4096, byte in any::<u8>(), len in 0usize..4096) {
        let (mut block, _, device_blocks) = fixture::super_block("mkfs-plain");
        block[at] = byte;
        if let Ok(sb) = SuperBlock::parse(&block[..], device_blocks) {
            use_super_block(&sb);
        }
        prop_assert!(SuperBlock::parse(&block[..len], device_blocks).is_err());
    }

    #[test]
    fn checkpoint(at in 0usize..4092, byte in any::<u8>(), len in 0usize..4096) {
        let (mut header, mut footer, sb) = fixture::pack("mkfs-320gib");
        header[at] = byte;
        footer[at] = byte;
        fixture::fix_pack(&mut header);
        fixture::fix_pack(&mut footer[..]);
        if let Ok(cp) = CheckpointPack::parse(&header, &footer[..], &sb) {
            prop_assert!(cp.encode(&sb).is_ok());
        }
        prop_assert!(CheckpointPack::parse(&header[..len], &footer[..], &sb).is_err());
        prop_assert!(CheckpointPack::parse(&header, &footer[..len], &sb).is_err());
    }

    #[test]
    fn inode(
        mode in prop::sample::select(vec![0o100_644u16, 0o040_755, 0o120_777, 0o020_600]),
        damage in prop::collection::vec((0usize..400, any::<u8>()), 1..4),
        plain in any::<bool>(),
    ) {
        let sb = if plain { fixture::plain_volume() } else { fixture::full_volume() };
        let mut block = fixture::inode(mode, None, &sb);
        for (at, byte) in damage {
            block[at] = byte;
        }
        if !plain {
            fixture::fix_inode(&mut block, &sb);
        }
        if let Ok(mut inode) = InodeBlock::parse(block.clone(), INO, &sb) {
            use_inode(&inode);
            prop_assert!(inode.as_block() == &*block);
            inode.update_checksum(&sb);
            prop_assert!(inode.into_block() == block, "the checksum is the same again");
        }
    }

    #[test]
    fn random_inode(mut bytes in prop::collection::vec(any::<u8>(), 4096)) {
        let sb = fixture::plain_volume();
        bytes[4072..4084].copy_from_slice(&[100, 0, 0, 0, 100, 0, 0, 0, 1, 0, 0, 0]);
        let inline = bytes[3] & 1;
        bytes[..4].copy_from_slice(&[0xA4, 0x81, 0, inline]);
        bytes[20..24].fill(0);
        bytes[88..92].copy_from_slice(&[200, 0, 0, 0]);
        bytes[356..360].fill(0);
        bytes[76..80].fill(0);
        bytes[83] &= !0x40;
        bytes[4052..4072].fill(0);
        let block: Block = bytes.try_into().unwrap();
        use_inode(&InodeBlock::parse(Box::new(block), INO, &sb).unwrap());
    }
}
