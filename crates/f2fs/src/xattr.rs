//! Extended attributes of an inode: one stream over the inline area and the attribute node.
//!
//! # Locking
//! Under the inode's tree lock; changes inside an operation.

use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::node::Tree;
use f2fs_format::node::XATTR_NODE_OFFSET;
use f2fs_format::xattr::{self, XATTR_NODE_CAPACITY, XattrEntry};

/// Whether an attribute may exist already when it is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetXattr {
    /// Either way.
    #[default]
    Any,
    /// It must be new.
    Create,
    /// It must exist.
    Replace,
}

/// Whether an inode surely has no attributes: no node for them, and no header in the inline area.
pub(crate) fn is_none(tree: &Tree) -> bool {
    let has_header = |area: &[u8]| area.iter().take(4).any(|&b| b != 0);
    tree.inode.xattr_nid().is_none() && !tree.inode.inline_xattr().is_some_and(has_header)
}

/// All attributes of an inode.
pub(crate) fn load(fs: &Fs, tree: &mut Tree) -> Result<Vec<XattrEntry>> {
    let mut stream = tree
        .inode
        .inline_xattr()
        .map_or_else(Vec::new, <[u8]>::to_vec);
    if let Some(nid) = tree.inode.xattr_nid() {
        let nid = fs.meta.geometry.nid(nid.get())?;
        let block = tree.load(fs, nid, XATTR_NODE_OFFSET)?;
        stream.extend_from_slice(&block[..XATTR_NODE_CAPACITY]);
    }
    Ok(xattr::parse(&stream)?)
}

/// Sets (`Some`) or removes (`None`) one attribute. All or nothing.
pub(crate) fn change(
    fs: &Fs,
    tree: &mut Tree,
    (index, name): (u8, &[u8]),
    value: Option<&[u8]>,
    how: SetXattr,
) -> Result<()> {
    let mut entries = load(fs, tree)?;
    let at = entries
        .iter()
        .position(|e| e.index == index && e.name == name);
    match (at, value, how) {
        (None, None, _) | (None, Some(_), SetXattr::Replace) => return Err(Error::NoAttribute),
        (Some(_), Some(_), SetXattr::Create) => return Err(Error::Exists),
        _ => {}
    }
    if let Some(at) = at {
        entries.remove(at);
    }
    if let Some(value) = value {
        if value.len() > usize::from(u16::MAX) || name.len() > usize::from(u8::MAX) {
            return Err(Error::AttributeTooLong);
        }
        entries.push(XattrEntry {
            index,
            name: name.to_vec(),
            value: value.to_vec(),
        });
    }
    store(fs, tree, &entries)
}

fn store(fs: &Fs, tree: &mut Tree, entries: &[XattrEntry]) -> Result<()> {
    let inline = tree.inode.inline_xattr().map_or(0, <[u8]>::len);
    let fits_inline = xattr::encoded_len(entries) <= inline;
    let node_len = if fits_inline { 0 } else { XATTR_NODE_CAPACITY };
    // The kernel caps the stream at a multiple of four bytes; both parts are one.
    let stream = xattr::encode(entries, inline + node_len).map_err(|_| Error::AttributeTooLong)?;
    let old = tree.inode.xattr_nid();
    if fits_inline {
        if let Some(nid) = old {
            tree.free_node(fs, nid)?;
            tree.inode_mut().set_xattr_nid(None);
        }
    } else {
        let nid = match old {
            Some(nid) => nid,
            None => tree.new_node(fs, XATTR_NODE_OFFSET)?,
        };
        tree.inode_mut().set_xattr_nid(Some(nid));
        let block = tree.load_mut(fs, nid, XATTR_NODE_OFFSET)?;
        block[..XATTR_NODE_CAPACITY].copy_from_slice(&stream[inline..]);
    }
    if let Some(area) = tree.inode_mut().inline_xattr_mut() {
        area.copy_from_slice(&stream[..inline]);
    }
    Ok(())
}
