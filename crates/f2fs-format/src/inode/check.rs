//! The rules an inode must keep before anything is read through it.

use super::{
    Advise, InlineFlags, InodeBlock, InodeFlags, MAX_INLINE_XATTR_WORDS, MIN_EXTRA_ATTR_SIZE,
    MIN_INLINE_XATTR_WORDS, TOTAL_EXTRA_ATTR_SIZE,
};
use crate::BLOCK_SIZE;
use crate::addr::Ino;
use crate::cluster::{MAX_LOG_CLUSTER_SIZE, MIN_LOG_CLUSTER_SIZE};
use crate::compress::CompressAlgorithm;
use crate::dentry::{FileType, NAME_LEN};
use crate::error::{CorruptKind, Result, ensure};
use crate::features::Features;
use crate::geometry::MAX_FILE_SIZE;
use crate::inode::extra::CompressInfo;
use crate::super_block::SuperBlock;

/// Largest size that any file can have: the tree's and the inode's own slots.
const SIZE_MAX: u64 = MAX_FILE_SIZE + (super::DEF_ADDRS_PER_INODE * BLOCK_SIZE) as u64;

/// Checks everything; the order matters, for later rules rely on earlier ones.
pub(super) fn inode(inode: &InodeBlock, expect: Ino, sb: &SuperBlock) -> Result<()> {
    inode.footer().check_inode(expect)?;
    let ino = expect.get();
    let mode = inode.raw().mode.get();
    ensure(
        FileType::from_mode(mode).is_some(),
        CorruptKind::InodeMode { ino, mode },
    )?;
    extra(inode, ino)?;
    checksum(inode, ino, sb)?;
    attributes(inode, ino)?;
    references(inode, ino, sb)?;
    compression(inode, ino)?;
    inline_data(inode, ino)?;
    inline_dentry(inode, ino)
}

fn extra(inode: &InodeBlock, ino: u32) -> Result<()> {
    let has_extra = inode.inline().contains(InlineFlags::EXTRA_ATTR);
    if has_extra {
        let allowed = inode.features.contains(Features::EXTRA_ATTR);
        ensure(allowed, CorruptKind::InodeExtraAttr { ino })?;
        let value = inode.extra_isize();
        let in_range = (MIN_EXTRA_ATTR_SIZE..=TOTAL_EXTRA_ATTR_SIZE).contains(&value);
        ensure(
            in_range && value.is_multiple_of(4),
            CorruptKind::InodeExtraSize { ino, value },
        )?;
    } else if !inode.features.contains(Features::EXTRA_ATTR) {
        let needed = inode.features.intersects(Features::NEED_EXTRA_ATTR);
        ensure(!needed, CorruptKind::InodeNeedsExtraAttr { ino })?;
    }
    if inode.features.contains(Features::FLEXIBLE_INLINE_XATTR) {
        let words = inode.inline_xattr_words();
        let used = inode.inline().contains(InlineFlags::INLINE_XATTR);
        let least = if used { MIN_INLINE_XATTR_WORDS } else { 0 };
        // Without extra attributes the size would lie in an address slot.
        let in_range = has_extra && (least..=MAX_INLINE_XATTR_WORDS).contains(&words);
        ensure(in_range, CorruptKind::InodeInlineXattrSize { ino, words })?;
    }
    Ok(())
}

fn checksum(inode: &InodeBlock, ino: u32, sb: &SuperBlock) -> Result<()> {
    if !inode.has_checksum() {
        return Ok(());
    }
    let stored = inode.raw().extra.inode_checksum.get();
    let computed = inode.compute_checksum(&sb.uuid);
    ensure(
        stored == computed,
        CorruptKind::InodeChecksum {
            ino,
            stored,
            computed,
        },
    )
}

fn attributes(inode: &InodeBlock, ino: u32) -> Result<()> {
    let blocks = inode.blocks();
    ensure(blocks > 0, CorruptKind::InodeBlocks { ino, blocks })?;
    let len = inode.raw().namelen.get();
    ensure(
        len as usize <= NAME_LEN,
        CorruptKind::InodeNameLen { ino, len },
    )?;
    let size = inode.size();
    ensure(size <= SIZE_MAX, CorruptKind::InodeSize { ino, size })?;
    let folds = inode.flags().contains(InodeFlags::CASEFOLD);
    let can_fold = inode.features.contains(Features::CASEFOLD);
    ensure(!folds || can_fold, CorruptKind::InodeCasefold { ino })
}

fn references(inode: &InodeBlock, ino: u32, sb: &SuperBlock) -> Result<()> {
    let geometry = sb.geometry();
    let is_other_node = |nid: u32| nid != ino && geometry.nid(nid).is_ok();
    let nid = inode.raw().xattr_nid.get();
    ensure(
        nid == 0 || is_other_node(nid),
        CorruptKind::InodeXattrNid { ino, nid },
    )?;
    for (index, nid) in inode.raw().nid.iter().enumerate() {
        let nid = nid.get();
        ensure(
            nid == 0 || is_other_node(nid),
            CorruptKind::InodeNid { ino, index, nid },
        )?;
    }
    if let Some(extent) = inode.ext() {
        let (block, len) = (extent.blk.get(), extent.len);
        let inside = geometry.main_run(block, len).is_ok();
        ensure(inside, CorruptKind::InodeExtent { ino, block, len })?;
    }
    Ok(())
}

fn compression(inode: &InodeBlock, ino: u32) -> Result<()> {
    if !inode.can_compress() || !inode.flags().contains(InodeFlags::COMPR) {
        return Ok(());
    }
    let extra = &inode.raw().extra;
    let value = extra.compress_algorithm;
    let algorithm =
        CompressAlgorithm::from_raw(value).ok_or(CorruptKind::CompressAlgorithm { ino, value })?;
    let value = extra.log_cluster_size;
    ensure(
        (MIN_LOG_CLUSTER_SIZE..=MAX_LOG_CLUSTER_SIZE).contains(&value),
        CorruptKind::CompressClusterSize { ino, value },
    )?;
    let (saved, blocks) = (extra.compr_blocks.get(), inode.blocks());
    ensure(
        saved < blocks,
        CorruptKind::CompressBlocks { ino, saved, blocks },
    )?;
    let level = CompressInfo::level_of(extra.compress_flag.get());
    ensure(
        algorithm.is_level_valid(level),
        CorruptKind::CompressLevel {
            ino,
            algorithm: algorithm.to_raw(),
            level,
        },
    )
}

fn inline_data(inode: &InodeBlock, ino: u32) -> Result<()> {
    if !inode.inline().contains(InlineFlags::INLINE_DATA) {
        return Ok(());
    }
    let mode = inode.mode();
    let kind = inode.file_type();
    let can = matches!(kind, FileType::Regular | FileType::Symlink);
    ensure(can, CorruptKind::InlineDataKind { ino, mode })?;
    let sealed = inode.advise().intersects(Advise::ENCRYPT | Advise::VERITY)
        || inode.flags().contains(InodeFlags::COMPR);
    let is_plain = kind != FileType::Regular || !sealed;
    ensure(is_plain, CorruptKind::InlineDataFlags { ino })?;
    let addr = inode.slot(0);
    ensure(addr == 0, CorruptKind::InlineDataSlot { ino, addr })?;
    for (index, nid) in inode.raw().nid.iter().enumerate() {
        let nid = nid.get();
        ensure(nid == 0, CorruptKind::InlineDataNid { ino, index, nid })?;
    }
    let (size, room) = (inode.size(), inode.inline_data_len());
    ensure(
        size <= room as u64,
        CorruptKind::InlineDataSize { ino, size, room },
    )
}

fn inline_dentry(inode: &InodeBlock, ino: u32) -> Result<()> {
    if !inode.inline().contains(InlineFlags::INLINE_DENTRY) {
        return Ok(());
    }
    let mode = inode.mode();
    ensure(inode.is_dir(), CorruptKind::InlineDentryKind { ino, mode })?;
    let addr = inode.slot(0);
    ensure(addr == 0, CorruptKind::InlineDentrySlot { ino, addr })
}
