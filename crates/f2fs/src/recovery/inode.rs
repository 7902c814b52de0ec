//! What an inode block of the chain says beside its slots (kernel: `recover_inode`, `f2fs_recover_inline_xattr`,
//! `f2fs_recover_inline_data`, `f2fs_recover_xattr_data`).

use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use crate::node::Tree;
use crate::quota::{set_owner, set_project};
use f2fs_format::node::{FOOTER_OFFSET, XATTR_NODE_OFFSET};
use f2fs_format::{Block, InlineFlags, InodeBlock};
use std::sync::Arc;

const INLINE_DATA: InlineFlags = InlineFlags::INLINE_DATA.union(InlineFlags::DATA_EXIST);

/// Owners, mode, size, times, flags.
pub(super) fn recover_attributes(fs: &Fs, inode: &Arc<Inode>, newer: &InodeBlock) -> Result<()> {
    let mut tree = inode.tree.lock();
    let changes_layout = tree.inode.addrs_in_inode() != newer.addrs_in_inode()
        || tree.inode.addrs_per_dnode() != newer.addrs_per_dnode()
        || tree.inode.extra_isize() != newer.extra_isize();
    if changes_layout && tree.inode.blocks() > 1 {
        return Err(Error::Invalid(
            "roll-forward: an inode whose slots lie elsewhere than before",
        ));
    }
    set_owner(fs, &mut tree, Some(newer.uid()), Some(newer.gid()))?;
    if let Some(project) = newer
        .projid()
        .filter(|id| tree.inode.projid().is_some_and(|old| old != *id))
    {
        set_project(fs, &mut tree, project)?;
    }
    tree.inode_mut().recover_attributes(newer);
    inode.set_size(newer.size());
    inode.reload_layout(fs, &tree)
}

/// The part of the extended attributes that lies in the inode block.
pub(super) fn recover_inline_xattrs(inode: &Inode, newer: &InodeBlock) {
    let mut tree = inode.tree.lock();
    let inline = tree.inode.inline() - InlineFlags::INLINE_XATTR;
    let Some(bytes) = newer.inline_xattr() else {
        tree.inode_mut().set_inline(inline);
        return;
    };
    tree.inode_mut()
        .set_inline(inline | InlineFlags::INLINE_XATTR);
    if let Some(area) = tree.inode_mut().inline_xattr_mut() {
        let len = area.len().min(bytes.len());
        area[..len].copy_from_slice(&bytes[..len]);
    }
}

/// The part that lies in a node of its own.
pub(super) fn recover_xattr_node(fs: &Fs, inode: &Inode, newer: &Block) -> Result<()> {
    let mut tree = inode.tree.lock();
    let nid = if let Some(nid) = tree.inode.xattr_nid() {
        fs.meta.geometry.nid(nid.get())?
    } else {
        let nid = tree.new_node(fs, XATTR_NODE_OFFSET)?;
        tree.inode_mut().set_xattr_nid(Some(nid));
        nid
    };
    let block = tree.load_mut(fs, nid, XATTR_NODE_OFFSET)?;
    block[..FOOTER_OFFSET].copy_from_slice(&newer[..FOOTER_OFFSET]);
    Ok(())
}

/// Content in the inode block; whether that is all the content there is. `newer` is the node that is applied, if it is
/// an inode: then it tells where the content is. Any other node tells that it is not in the inode block.
pub(super) fn recover_inline_data(
    fs: &Fs,
    inode: &Inode,
    newer: Option<&InodeBlock>,
) -> Result<bool> {
    let mut tree = inode.tree.lock();
    let was_inline = tree.inode.inline().contains(InlineFlags::INLINE_DATA);
    let Some(newer) = newer.filter(|newer| newer.inline().contains(InlineFlags::INLINE_DATA))
    else {
        if was_inline {
            clear_inline_data(&mut tree, newer);
        }
        return Ok(false);
    };
    if !was_inline {
        tree.truncate(fs, 0)?;
    }
    let inline = tree.inode.inline() | INLINE_DATA;
    tree.inode_mut().set_inline(inline);
    let bytes = newer.inline_data_area();
    let area = tree.inode_mut().inline_data_area_mut();
    let len = area.len().min(bytes.len());
    area[..len].copy_from_slice(&bytes[..len]);
    Ok(true)
}

/// The content moves out of the inode block.
fn clear_inline_data(tree: &mut Tree, newer: Option<&InodeBlock>) {
    let kept = newer.map_or(InlineFlags::empty(), |newer| {
        newer.inline() & InlineFlags::DATA_EXIST
    });
    let inline = (tree.inode.inline() - INLINE_DATA) | kept;
    let block = tree.inode_mut();
    block.inline_data_area_mut().fill(0);
    block.set_inline(inline);
}
