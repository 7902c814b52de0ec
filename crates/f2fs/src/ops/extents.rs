//! Where the bytes of a file lie (`FS_IOC_FIEMAP`, `FIBMAP`).

use crate::data::flush::flush_pages;
use crate::data::{DataOps, extent, inline, truncate};
use crate::error::Result;
use crate::fs::Fs;
use crate::inode::Inode;
use iomap::{Extent, IomapKind};
use std::sync::Arc;

/// All extents of a file, those behind its end too.
pub(crate) fn extents(fs: &Fs, inode: &Arc<Inode>) -> Result<Vec<Extent>> {
    let _shared = inode.rwsem.read();
    let ops = DataOps::new(fs, inode);
    let mut extents = iomap::fiemap(&ops, 0..truncate::size_max(inode))?;
    for extent in &mut extents {
        if extent.kind == IomapKind::Inline {
            extent.len = inode.size();
        }
    }
    extents.retain(|extent| extent.len > 0);
    Ok(extents)
}

/// The block of the volume that holds one of a file; None for holes, reserved space, compressed clusters and bytes
/// in the inode (kernel: `f2fs_bmap`).
pub(crate) fn bmap(fs: &Fs, inode: &Arc<Inode>, file_block: u64) -> Result<Option<u32>> {
    if fs.check_writable().is_ok() {
        flush_pages(fs, inode, 0..u64::MAX)?;
    }
    let _shared = inode.rwsem.read();
    if file_block >= truncate::size_max(inode) / iomap::BLOCK_SIZE {
        return Ok(None);
    }
    let mut tree = inode.tree.lock();
    if inline::is_inline(&tree) {
        return Ok(None);
    }
    extent::block_of(&DataOps::new(fs, inode), &mut tree, file_block)
}
