//! Another algorithm, level or size of clusters for a file that has content.
//!
//! | change | how |
//! |---|---|
//! | level | the inode says so, then clusters are written anew; decoders do not ask for the level |
//! | algorithm | no cluster compressed, then the inode says so, then clusters are compressed again |
//! | cluster size | a copy in other clusters, which the file takes over ([`crate::data::regroup`]) |
//!
//! After each step the file is whole and any F2FS reads it. The first two go window by window, and others use the file
//! in between; the third keeps it locked.

use super::compress::{Form, check_volume, layout_of, release, rewrite, rewrite_locked};
use super::file::{check_changeable, check_regular, write_at};
use super::handle::OpenInode;
use crate::data::DataOps;
use crate::data::compress::Which;
use crate::data::flush::flush_pages;
use crate::data::{regroup, truncate};
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::idle::Writer;
use crate::inode::{ClusterForm, Inode, to_disk};
use f2fs_codec::{CodecParams, CompressAlgorithm};
use f2fs_format::CompressInfo;
use pagecache::Readahead;
use std::sync::Arc;

/// How a file is to be compressed from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recompress {
    /// The algorithm.
    pub algorithm: CompressAlgorithm,
    /// Its level; 0 for the algorithm's own.
    pub level: u8,
    /// Cluster size as the logarithm of its 4 KiB blocks, 2 to 8; None keeps the file's.
    pub log_cluster_size: Option<u8>,
}

/// Bytes copied at a time.
const COPY: usize = 4 << 20;

/// Compresses a file another way. Its bytes and times of modification stay; released, it comes back released.
pub(crate) fn recompress(fs: &Arc<Fs>, inode: &Arc<Inode>, new: Recompress) -> Result<()> {
    check_volume(fs)?;
    check_regular(inode)?;
    let _writer = Writer::of(fs, inode);
    let was_released = prepare(fs, inode)?;
    let changed = change(fs, inode, new);
    if was_released && inode.saved_blocks() > 0 {
        let released = release(fs, inode).map(|_| ());
        return changed.and(released);
    }
    changed
}

/// Checks the file and takes the blocks again that it saves; whether they were released.
fn prepare(fs: &Fs, inode: &Arc<Inode>) -> Result<bool> {
    fs.check_writable()?;
    fs.balance()?;
    let _alone = inode.rwsem.write();
    check_changeable(inode)?;
    layout_of(inode)?;
    if !inode.tree.lock().is_released() {
        return Ok(false);
    }
    if inode.saved_blocks() > 0 {
        return Err(Error::NotPermitted(
            "the file's compressed blocks were released in part only; run fsck.f2fs",
        ));
    }
    fs.reserve_saved(inode)?;
    Ok(true)
}

fn change(fs: &Arc<Fs>, inode: &Arc<Inode>, new: Recompress) -> Result<()> {
    let (old, info) = infos(inode, new)?;
    if old.log_cluster_size != info.log_cluster_size {
        return regroup(fs, inode, info);
    }
    if old.algorithm == info.algorithm {
        set_info(fs, inode, info)?;
        return rewrite(fs, inode, ClusterForm::Compressed, Which::All);
    }
    let set = rewrite(fs, inode, ClusterForm::Raw, Which::Differing)
        .and_then(|()| set_info(fs, inode, info));
    // Also after an error: what is raw now need not stay so.
    set.and(rewrite(
        fs,
        inode,
        ClusterForm::Compressed,
        Which::Differing,
    ))
}

/// What the file has, and what it is to have.
fn infos(inode: &Inode, new: Recompress) -> Result<(CompressInfo, CompressInfo)> {
    let old = inode.tree.lock().inode.compress();
    let old = old.ok_or(Error::NotCompressed)?;
    let log_cluster_size = new.log_cluster_size.unwrap_or(old.log_cluster_size);
    let checksum = old.has_checksum();
    CodecParams::new(new.algorithm, new.level, log_cluster_size, checksum)
        .map_err(|_| Error::Invalid("algorithm, level and cluster size do not go together"))?;
    let info = CompressInfo {
        algorithm: new.algorithm,
        log_cluster_size,
        flag: CompressInfo::flag_of(new.level, checksum),
        compr_blocks: 0,
    };
    Ok((old, info))
}

/// Writes algorithm and level into the inode. With another algorithm no cluster is compressed then: what others
/// compressed since they were stored raw is stored raw again, under the lock.
fn set_info(fs: &Fs, inode: &Arc<Inode>, info: CompressInfo) -> Result<()> {
    fs.check_writable()?;
    fs.balance()?;
    let _alone = inode.rwsem.write();
    check_changeable(inode)?;
    flush_pages(fs, inode, 0..u64::MAX)?;
    let old = inode.tree.lock().inode.compress();
    if old.ok_or(Error::NotCompressed)?.algorithm != info.algorithm {
        let form = Form {
            form: ClusterForm::Raw,
            which: Which::Differing,
        };
        rewrite_locked(fs, inode, form)?;
        if inode.saved_blocks() > 0 {
            return Err(Error::Invalid(
                "the count of saved blocks is wrong; run fsck.f2fs",
            ));
        }
    }
    let _op = fs.start_op();
    fs.note_dirty(inode);
    let mut tree = inode.tree.lock();
    let compr_blocks = tree.inode.compress().map_or(0, |old| old.compr_blocks);
    tree.note_unfit(fs);
    let now = to_disk(fs.now());
    let block = tree.inode_mut();
    block.set_compress(Some(CompressInfo {
        compr_blocks,
        ..info
    }));
    block.set_ctime(now);
    inode.reload_params(&tree)
}

/// Gives a file clusters of another size.
fn regroup(fs: &Arc<Fs>, inode: &Arc<Inode>, info: CompressInfo) -> Result<()> {
    fs.check_writable()?;
    fs.balance()?;
    let _alone = inode.rwsem.write();
    check_changeable(inode)?;
    flush_pages(fs, inode, 0..u64::MAX)?;
    // It is freed with its last handle, or given back empty.
    let twin = OpenInode::new(fs, regroup::make_twin(fs, inode, info)?);
    twin.inode.set_form(Some(ClusterForm::Compressed));
    copy(fs, inode, &twin.inode)?;
    regroup::take_over(fs, inode, &twin.inode)?;
    let _op = fs.start_op();
    inode.tree.lock().inode_mut().set_ctime(to_disk(fs.now()));
    fs.note_dirty(inode);
    fs.note_saving(inode);
    Ok(())
}

/// Copies the bytes of a file to its twin; holes stay holes.
fn copy(fs: &Fs, inode: &Arc<Inode>, twin: &Arc<Inode>) -> Result<()> {
    let ops = DataOps::new(fs, inode);
    let mut ahead = Readahead::new(fs.options.readahead_bytes / iomap::BLOCK_SIZE);
    let mut buffer = vec![0; COPY];
    let mut at = 0;
    while let Some(start) = iomap::seek_data(&ops, at)? {
        at = start;
        let end = iomap::seek_hole(&ops, start)?;
        while at < end {
            let want = (end - at).min(COPY as u64) as usize;
            let got = iomap::buffered_read(&ops, at, &mut buffer[..want], &mut ahead)?;
            let mut done = 0;
            while done < got {
                done += write_at(fs, twin, at + done as u64, &buffer[done..got])?;
            }
            at += got as u64;
        }
    }
    truncate::set_size(fs, twin, inode.size())?;
    flush_pages(fs, twin, 0..u64::MAX)
}
