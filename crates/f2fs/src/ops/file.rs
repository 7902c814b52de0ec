//! Reading, writing and truncating files.

use super::access_time::note_access;
use crate::data::truncate;
use crate::data::{DataOps, inline};
use crate::dir;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use crate::inode::to_disk;
use crate::options::CompressMode;
use crate::stats;
use crate::verity;
use f2fs_format::{Advise, FileType, InodeFlags};
use pagecache::Readahead;
use std::ops::Range;
use std::sync::Arc;

/// Bytes written between two checks for room.
const CHUNK: usize = 4 << 20;
/// Longest target of a symbolic link.
pub(crate) const LINK_MAX: u64 = 4095;

const SEALED: Error = Error::NotPermitted("the file is sealed by fs-verity");

/// Reads at `pos`; fewer bytes at the end of the file.
pub(crate) fn read_at(
    fs: &Fs,
    inode: &Arc<Inode>,
    pos: u64,
    dst: &mut [u8],
    ahead: &mut Readahead,
) -> Result<usize> {
    check_regular(inode)?;
    check_key(inode)?;
    let _shared = inode.rwsem.read();
    // A sealed file that nothing can be checked against is not read, not even where it is empty.
    verity::of(fs, inode)?;
    let read = iomap::buffered_read(&DataOps::new(fs, inode), pos, dst, ahead)?;
    stats::add(&fs.counters.bytes_read, read as u64);
    note_access(fs, inode);
    Ok(read)
}

/// Writes at `pos`; the bytes written, at least one.
pub(crate) fn write_at(fs: &Fs, inode: &Arc<Inode>, pos: u64, src: &[u8]) -> Result<usize> {
    let mut done = 0;
    while done < src.len() {
        let chunk = &src[done..src.len().min(done + CHUNK)];
        match fs.or_release_idle(|| write_chunk(fs, inode, pos + done as u64, chunk)) {
            Ok(n) => {
                done += n;
                if n < chunk.len() {
                    break;
                }
            }
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

fn write_chunk(fs: &Fs, inode: &Arc<Inode>, pos: u64, src: &[u8]) -> Result<usize> {
    check_regular(inode)?;
    fs.check_writable()?;
    fs.balance()?;
    fs.check_room((src.len() as u64).div_ceil(iomap::BLOCK_SIZE) + 1)?;
    let _alone = inode.rwsem.write();
    check_changeable(inode)?;
    fs.take_saved(inode)?;
    if is_append_only(inode) && pos != inode.size() {
        return Err(Error::NotPermitted("the file is append-only"));
    }
    // As much as the file can hold; nothing at all is the error.
    let room = truncate::size_max(inode).saturating_sub(pos);
    if room == 0 && !src.is_empty() {
        return Err(Error::TooLarge);
    }
    let src = &src[..src.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
    let end = pos + src.len() as u64;
    make_room_inline(fs, inode, pos..end)?;
    if pos > inode.size() {
        truncate::zero_old_end(fs, inode, pos, None)?;
    }
    read_old_end(fs, inode, pos..end);
    let written = iomap::buffered_write(&DataOps::new(fs, inode), pos..end, &mut &src[..]);
    let (written, error) = match written {
        Ok(n) => (n, None),
        Err((n, error)) => (n, Some(error)),
    };
    if written > 0 {
        note_modified(fs, inode);
        stats::add(&fs.counters.bytes_written, written);
    }
    match error {
        Some(error) if written == 0 => Err(error),
        _ => Ok(written as usize),
    }
}

/// Reads the blocks of the last cluster into the cache if a write makes that cluster whole: the end of a file is stored
/// raw, and only a cluster that is in memory is compressed. Once for each; what cannot be read stays raw.
fn read_old_end(fs: &Fs, inode: &Arc<Inode>, written: Range<u64>) {
    let Some(clusters) = inode.clusters() else {
        return;
    };
    let size = clusters.blocks * iomap::BLOCK_SIZE;
    let old = inode.size();
    let first = old / size * size;
    let becomes_whole = written.start < first + size
        && written.start > first
        && written.end > first + size - iomap::BLOCK_SIZE;
    if fs.options.compress_mode == CompressMode::User || old == first || !becomes_whole {
        return;
    }
    let mut bytes = vec![0; (old - first) as usize];
    let mut none = Readahead::new(0);
    if let Err(error) = iomap::buffered_read(&DataOps::new(fs, inode), first, &mut bytes, &mut none)
    {
        tracing::debug!(ino = %inode.ino, %error, "the old end stays raw");
    }
}

/// Refuses what would run out of blocks half way: all holes of a range of file blocks are to be filled.
pub(crate) fn check_free_for(fs: &Fs, inode: &Inode, blocks: Range<u64>) -> Result<()> {
    let most = fs.meta.space.snapshot().user_blocks;
    let needed = inode.tree.lock().missing_blocks(fs, blocks, most)?;
    if fs.has_free_blocks(needed) {
        Ok(())
    } else {
        Err(Error::NoSpace)
    }
}

/// Moves the bytes of an inline file out of its inode block if it will not hold them.
fn make_room_inline(fs: &Fs, inode: &Arc<Inode>, written: Range<u64>) -> Result<()> {
    let outgrows = {
        let tree = inode.tree.lock();
        inline::is_inline(&tree) && written.end > inline::capacity(&tree)
    };
    if outgrows {
        // Not for a write of which nothing fits.
        let first = written.start / iomap::BLOCK_SIZE;
        check_free_for(fs, inode, first..first + 1)?;
        let op = fs.start_op();
        truncate::convert_inline(fs, inode, &op)?;
        fs.note_dirty(inode);
    }
    Ok(())
}

/// Sets the size.
pub(crate) fn set_len(fs: &Fs, inode: &Arc<Inode>, size: u64) -> Result<()> {
    check_regular(inode)?;
    fs.check_writable()?;
    fs.balance()?;
    let _alone = inode.rwsem.write();
    check_changeable(inode)?;
    if is_append_only(inode) {
        return Err(Error::NotPermitted("the file is append-only"));
    }
    truncate::set_size(fs, inode, size)?;
    note_modified(fs, inode);
    Ok(())
}

/// The target of a symbolic link; of an encrypted one, what Linux shows without the key.
pub(crate) fn read_link(fs: &Fs, inode: &Arc<Inode>) -> Result<Vec<u8>> {
    if inode.file_type != FileType::Symlink {
        return Err(Error::Invalid("not a symbolic link"));
    }
    let _shared = inode.rwsem.read();
    if inode.size() == 0 || inode.size() > LINK_MAX {
        return Err(Error::Invalid("a symbolic link of impossible length"));
    }
    let mut target = vec![0; inode.size() as usize];
    let mut none = Readahead::new(0);
    let len = iomap::buffered_read(&DataOps::new(fs, inode), 0, &mut target, &mut none)?;
    target.truncate(len);
    note_access(fs, inode);
    if check_key(inode).is_err() {
        return dir::of_link(&target).ok_or(Error::Invalid("an impossible encrypted link"));
    }
    Ok(target)
}

/// Sets modification and change time to now, in an operation of its own: a checkpoint under way must neither miss the
/// change nor take the inode off the list of dirty ones after it.
pub(super) fn note_modified(fs: &Fs, inode: &Arc<Inode>) {
    let _op = fs.start_op();
    touch_modified(fs, inode);
    fs.note_dirty(inode);
}

/// Sets modification and change time to now, inside an operation that notes the inode as dirty.
pub(crate) fn touch_modified(fs: &Fs, inode: &Inode) {
    let now = to_disk(fs.now());
    let mut tree = inode.tree.lock();
    let block = tree.times_mut();
    block.set_mtime(now);
    block.set_ctime(now);
}

/// Refuses to open what is no regular file, and a sealed one for writing.
pub(crate) fn check_open(inode: &Inode, may_write: bool) -> Result<()> {
    check_regular(inode)?;
    if !may_write {
        return Ok(());
    }
    if inode.seal.is_some() {
        return Err(SEALED);
    }
    if inode
        .tree
        .lock()
        .inode
        .flags()
        .contains(InodeFlags::IMMUTABLE)
    {
        return Err(Error::NotPermitted("the file is immutable"));
    }
    Ok(())
}

pub(crate) fn check_regular(inode: &Inode) -> Result<()> {
    match inode.file_type {
        FileType::Regular => Ok(()),
        FileType::Directory => Err(Error::IsADirectory),
        _ => Err(Error::Invalid("not a regular file")),
    }
}

/// Refuses what is encrypted: its bytes and names mean nothing without the key.
pub(crate) fn check_key(inode: &Inode) -> Result<()> {
    if inode.tree.lock().inode.advise().contains(Advise::ENCRYPT) {
        return Err(Error::NoKey);
    }
    Ok(())
}

pub(crate) fn is_append_only(inode: &Inode) -> bool {
    inode.tree.lock().inode.flags().contains(InodeFlags::APPEND)
}

/// Refuses to change files that must not, or cannot, change.
pub(crate) fn check_changeable(inode: &Inode) -> Result<()> {
    check_free(inode)?;
    check_key(inode)
}

/// Refuses to change files that must not change.
pub(crate) fn check_free(inode: &Inode) -> Result<()> {
    let tree = inode.tree.lock();
    if tree.inode.flags().contains(InodeFlags::IMMUTABLE) {
        return Err(Error::NotPermitted("the file is immutable"));
    }
    let advise = tree.inode.advise();
    if advise.contains(Advise::VERITY) {
        return Err(SEALED);
    }
    if tree
        .inode
        .inline()
        .contains(f2fs_format::InlineFlags::PIN_FILE)
    {
        return Err(Error::NotPermitted("the file is pinned to its blocks"));
    }
    Ok(())
}
