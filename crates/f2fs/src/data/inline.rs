//! Bytes kept in the inode block.

use crate::data::ops::DataOps;
use crate::inode::Inode;
use crate::node::Tree;
use f2fs_format::InlineFlags;
use iomap::{Intent, Iomap, IomapKind};
use pagecache::RangeRead;
use std::ops::Range;

/// Whether the file's bytes are in its inode block.
pub(crate) fn is_inline(tree: &Tree) -> bool {
    tree.inode.inline().contains(InlineFlags::INLINE_DATA)
}

/// Bytes an inode block can keep.
pub(crate) fn capacity(tree: &Tree) -> u64 {
    tree.inode.inline_data_area().len() as u64
}

/// The extent of an inline file: its one block, and holes behind it.
pub(super) fn begin(ops: &DataOps<'_>, tree: &Tree, range: &Range<u64>, intent: Intent) -> Iomap {
    let block = iomap::BLOCK_SIZE;
    let cookie = ops.inode.cookie();
    if range.start < block {
        assert!(
            intent != Intent::Write || range.end <= capacity(tree),
            "a write beyond the inline area converts the file first"
        );
        return Iomap {
            pos: 0,
            len: block,
            kind: IomapKind::Inline,
            unit: block,
            cookie,
        };
    }
    let pos = range.start / block * block;
    let len = range.end.next_multiple_of(block) - pos;
    Iomap {
        pos,
        len,
        kind: IomapKind::Hole,
        unit: block,
        cookie,
    }
}

/// Fills the first block of a folio from the inode block.
pub(super) fn read(inode: &Inode, range: RangeRead) {
    let tree = inode.tree.lock();
    let area = tree.inode.inline_data_area();
    let mut target = range.target();
    target.fill(0);
    // What lies behind the size is not the file's, whatever the area holds.
    let len = area.len().min(target.len()).min(tree.inode.size() as usize);
    target[..len].copy_from_slice(&area[..len]);
    drop((tree, target));
    range.complete(Ok(()));
}

/// Stores the first block of a folio in the inode block.
pub(super) fn store(tree: &mut Tree, bytes: &[u8], size: u64) {
    let len = (size as usize).min(bytes.len());
    let block = tree.inode_mut();
    let area = block.inline_data_area_mut();
    let len = len.min(area.len());
    area[..len].copy_from_slice(&bytes[..len]);
    area[len..].fill(0);
    let flags = block.inline() | InlineFlags::DATA_EXIST;
    block.set_inline(flags);
    block.set_size(size);
}
