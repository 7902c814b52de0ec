//! What the kernel's ioctls for compressed files do, with their errors:
//! `F2FS_IOC_{GET,RELEASE,RESERVE}_COMPRESS_BLOCKS`, `F2FS_IOC_{GET,SET}_COMPRESS_OPTION`,
//! `F2FS_IOC_{COMPRESS,DECOMPRESS}_FILE`.
//!
//! Files are rewritten window by window; others read and write them in between.

use super::attr::{change_if, forget_holes, has_blocks};
use super::file::check_changeable;
use crate::data::compress::{self, Which};
use crate::data::fallocate::make_room;
use crate::data::flush::flush_pages;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::idle::Writer;
use crate::inode::{ClusterForm, ClusterLayout, Inode, to_disk};
use crate::options::Space;
use f2fs_codec::CompressAlgorithm;
use f2fs_format::{CompressInfo, Features};
use std::sync::Arc;

/// Blocks rewritten under one lock of the inode: 8 MiB, whole clusters of any size.
const WINDOW: u64 = 2048;

/// Blocks that the clusters of a compressed file save.
pub(crate) fn saved_blocks(fs: &Fs, inode: &Inode) -> Result<u64> {
    check_volume(fs)?;
    layout_of(inode)?;
    Ok(inode.saved_blocks())
}

/// Gives the blocks that a file saves back to the volume; how many. It takes no writes until [`reserve`].
pub(crate) fn release(fs: &Fs, inode: &Arc<Inode>) -> Result<u64> {
    check_volume(fs)?;
    fs.check_writable()?;
    fs.balance()?;
    let _alone = inode.rwsem.write();
    layout_of(inode)?;
    if inode.tree.lock().is_released() {
        return Err(Error::Invalid("the file's blocks were released before"));
    }
    flush_pages(fs, inode, 0..u64::MAX)?;
    if inode.saved_blocks() == 0 {
        return Err(Error::NotPermitted("the file has no blocks to release"));
    }
    make_room(fs, compress::nodes_of(inode))?;
    let released = compress::release(fs, inode)?;
    touch_changed(fs, inode);
    Ok(released)
}

/// Takes the blocks again that [`release`] gave back; how many.
pub(crate) fn reserve(fs: &Fs, inode: &Arc<Inode>) -> Result<u64> {
    check_volume(fs)?;
    fs.check_writable()?;
    fs.balance()?;
    let _alone = inode.rwsem.write();
    layout_of(inode)?;
    if !inode.tree.lock().is_released() {
        return Err(Error::Invalid("the file's blocks are not released"));
    }
    if inode.saved_blocks() > 0 {
        return Ok(0); // Released half: fsck has to see to it.
    }
    let reserved = fs.reserve_saved(inode)?;
    touch_changed(fs, inode);
    Ok(reserved)
}

/// Algorithm and binary logarithm of the blocks of a cluster.
pub(crate) fn option(fs: &Fs, inode: &Inode) -> Result<(CompressAlgorithm, u8)> {
    check_volume(fs)?;
    let layout = layout_of(inode).map_err(|_| Error::NotCompressed)?;
    let info = inode.tree.lock().inode.compress();
    let algorithm = info.ok_or(Error::NotCompressed)?.algorithm;
    Ok((algorithm, layout.blocks.trailing_zeros() as u8))
}

/// Chooses algorithm and cluster size of a compressed file that has no blocks yet.
pub(crate) fn set_option(
    fs: &Fs,
    inode: &Arc<Inode>,
    algorithm: CompressAlgorithm,
    log_cluster_size: u8,
) -> Result<()> {
    check_volume(fs)?;
    layout_of(inode)?;
    if !(2..=8).contains(&log_cluster_size) {
        return Err(Error::Invalid("a cluster has 4 to 256 blocks"));
    }
    check_changeable(inode)?;
    let defaults = fs.options.compress;
    let level = if algorithm == defaults.algorithm {
        defaults.level
    } else {
        0
    };
    let forget = || {
        forget_holes(inode);
        Ok(())
    };
    change_if(fs, inode, forget, |tree| {
        let old = tree.inode.compress().ok_or(Error::NotCompressed)?;
        if has_blocks(tree) {
            return Err(Error::TooLarge);
        }
        tree.note_unfit(fs);
        tree.inode_mut().set_compress(Some(CompressInfo {
            algorithm,
            log_cluster_size,
            flag: CompressInfo::flag_of(level, old.has_checksum()),
            compr_blocks: 0,
        }));
        inode.reload_layout(fs, tree)
    })
}

/// Compresses all whole clusters that are stored raw.
pub(crate) fn compress_file(fs: &Arc<Fs>, inode: &Arc<Inode>) -> Result<()> {
    rewrite(fs, inode, ClusterForm::Compressed, Which::Differing)
}

/// Stores all clusters raw. The file stays marked for compression.
pub(crate) fn decompress_file(fs: &Arc<Fs>, inode: &Arc<Inode>) -> Result<()> {
    rewrite(fs, inode, ClusterForm::Raw, Which::Differing)
}

/// What clusters are to become.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) form: ClusterForm,
    pub(super) which: Which,
}

/// Writes clusters anew, window by window; others use the file in between.
pub(super) fn rewrite(
    fs: &Arc<Fs>,
    inode: &Arc<Inode>,
    form: ClusterForm,
    which: Which,
) -> Result<()> {
    check_volume(fs)?;
    // Not to be released between two windows.
    let _writer = Writer::of(fs, inode);
    let form = Form { form, which };
    let mut at = Some(0);
    while let Some(start) = at {
        fs.check_writable()?;
        fs.balance()?;
        fs.check_room(WINDOW)?;
        let _alone = inode.rwsem.write();
        // Anything may have happened to the file since the last window.
        check_rewritable(fs, inode)?;
        at = rewrite_window(fs, inode, start, form)?;
    }
    Ok(())
}

/// The same at once. The caller holds the inode's lock exclusively.
pub(super) fn rewrite_locked(fs: &Fs, inode: &Arc<Inode>, form: Form) -> Result<()> {
    let mut at = Some(0);
    while let Some(start) = at {
        fs.check_room(WINDOW)?;
        at = rewrite_window(fs, inode, start, form)?;
    }
    Ok(())
}

/// Writes clusters from a block on anew; where the next window begins, if the file reaches so far.
fn rewrite_window(fs: &Fs, inode: &Arc<Inode>, at: u64, form: Form) -> Result<Option<u64>> {
    let end = inode.size().div_ceil(iomap::BLOCK_SIZE);
    if at >= end {
        return Ok(None);
    }
    let size = layout_of(inode)?.blocks;
    let window = at..(at + WINDOW).min(end.next_multiple_of(size));
    compress::rewrite(fs, inode, window, form.form, form.which).map(Some)
}

fn check_rewritable(fs: &Fs, inode: &Arc<Inode>) -> Result<()> {
    check_changeable(inode)?;
    layout_of(inode)?;
    if fs.options.space == Space::Reserve && inode.tree.lock().is_released() {
        return Err(Error::Invalid("the file's saved blocks were released"));
    }
    fs.take_saved(inode)
}

pub(super) fn check_volume(fs: &Fs) -> Result<()> {
    let needed = Features::COMPRESSION | Features::EXTRA_ATTR;
    if fs.meta.sb.features.contains(needed) {
        Ok(())
    } else {
        Err(Error::Unsupported(
            "compression on a volume made without it".to_owned(),
        ))
    }
}

pub(super) fn layout_of(inode: &Inode) -> Result<ClusterLayout> {
    inode
        .clusters()
        .ok_or(Error::Invalid("the file is not compressed"))
}

fn touch_changed(fs: &Fs, inode: &Arc<Inode>) {
    let _op = fs.start_op();
    fs.note_dirty(inode);
    inode.tree.lock().inode_mut().set_ctime(to_disk(fs.now()));
}
