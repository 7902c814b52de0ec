//! Tests of the tables on volumes made by mkfs.f2fs, with fsck.f2fs as judge. The helpers serve the
//! tests of the checkpoint and the segments too.

mod corrupt;
mod nids;
pub(crate) mod open;

use super::{Metadata, OpenMode};
use crate::device::Device;
use crate::error::Result;
use blockdev::{Access, BlockDevice, FileDevice, MemDevice};
use f2fs_format::node::{NodeFooter, XATTR_NODE_OFFSET, is_direct};
use f2fs_format::{Block, CursegType, InodeBlock, Nid};
use std::path::Path;
use std::sync::Arc;
use tempfile::NamedTempFile;
use testkit::tools;

pub(crate) const MIB: u64 = 1 << 20;

/// A volume of 100 MiB in memory, made by mkfs.f2fs.
pub(crate) fn fresh(args: &[&str]) -> Arc<MemDevice> {
    load(tools::mkfs(args, 100 * MIB).path())
}

/// An image file's content in memory.
pub(crate) fn load(path: &Path) -> Arc<MemDevice> {
    let bytes = std::fs::read(path).unwrap();
    let device = MemDevice::new(bytes.len() as u64);
    let step = 64 * 1024;
    for (n, chunk) in bytes
        .chunks(step)
        .enumerate()
        .filter(|(_, c)| c.iter().any(|b| *b != 0))
    {
        device.write_at((n * step) as u64, chunk).unwrap();
    }
    Arc::new(device)
}

/// A device's content as an image file.
pub(crate) fn save(device: &MemDevice) -> NamedTempFile {
    let image = tools::blank(device.size_bytes());
    let file = FileDevice::open(image.path(), Access::ReadWrite, 0).unwrap();
    let mut chunk = vec![0; MIB as usize];
    for pos in (0..device.size_bytes()).step_by(MIB as usize) {
        let len = (device.size_bytes() - pos).min(MIB) as usize;
        device.read_at(pos, &mut chunk[..len]).unwrap();
        if chunk[..len].iter().any(|b| *b != 0) {
            file.write_at(pos, &chunk[..len]).unwrap();
        }
    }
    image
}

/// Opens a volume for writing.
pub(crate) fn try_open(device: &Arc<MemDevice>) -> Result<Metadata> {
    let device: Arc<MemDevice> = Arc::clone(device);
    Metadata::open(Arc::new(Device::new(device)), OpenMode::ReadWrite)
}

/// Opens a good volume for writing.
pub(crate) fn open(device: &Arc<MemDevice>) -> Metadata {
    try_open(device).unwrap()
}

/// Opens an image file for writing.
pub(crate) fn open_file(path: &Path) -> Metadata {
    let file = FileDevice::open(path, Access::ReadWrite, 0).unwrap();
    Metadata::open(Arc::new(Device::new(Arc::new(file))), OpenMode::ReadWrite).unwrap()
}

/// Asserts that fsck.f2fs finds nothing wrong with a device's content.
pub(crate) fn assert_clean(device: &MemDevice) {
    testkit::fsck::assert_clean(save(device).path());
}

/// A node in memory.
pub(crate) enum Node {
    Inode(InodeBlock),
    Other(Box<Block>),
}

impl Node {
    fn footer(&self) -> NodeFooter {
        match self {
            Self::Inode(inode) => inode.footer(),
            Self::Other(block) => NodeFooter::read(block),
        }
    }

    /// The log that takes the node.
    fn log(&self) -> CursegType {
        let footer = self.footer();
        let is_indirect = !is_direct(footer.offset) && footer.offset != XATTR_NODE_OFFSET;
        match self {
            Self::Other(_) if is_indirect => CursegType::ColdNode,
            Self::Inode(inode) if inode.is_dir() => CursegType::HotNode,
            Self::Other(_) if !footer.cold => CursegType::HotNode,
            _ => CursegType::WarmNode,
        }
    }
}

/// Reads a node.
pub(crate) fn read_node(meta: &Metadata, nid: Nid) -> Result<Node> {
    let block = meta.device.read_block(meta.nat.node_addr(nid)?)?;
    if NodeFooter::read(&block).is_inode() {
        return Ok(Node::Inode(InodeBlock::parse(block, nid, &meta.sb)?));
    }
    Ok(Node::Other(block))
}

/// Rewrites a node at another place, as any change of it does.
pub(crate) fn rewrite(meta: &Metadata, nid: Nid, mut node: Node) -> Result<()> {
    let old = meta.nat.node_addr(nid)?;
    let (addr, next) = meta.segments.allocate_node(node.log(), nid)?;
    let mut footer = node.footer();
    footer.cp_ver = meta.node_cp_ver();
    footer.next_blkaddr = next.get();
    (footer.fsync, footer.dentry) = (false, false);
    match &mut node {
        Node::Inode(inode) => {
            inode.set_footer(&footer);
            inode.update_checksum(&meta.sb);
            meta.device.write_meta(addr, inode.as_block())?;
        }
        Node::Other(block) => {
            footer.write(block);
            meta.device.write_meta(addr, &block[..])?;
        }
    }
    meta.segments.invalidate(old)?;
    meta.nat.set_addr(nid, footer.ino, addr)
}

/// Rewrites a node without changing it.
pub(crate) fn touch(meta: &Metadata, nid: Nid) -> Result<()> {
    rewrite(meta, nid, read_node(meta, nid)?)
}

/// All nids in use.
pub(crate) fn used_nids(meta: &Metadata) -> Vec<Nid> {
    let count = meta.space.snapshot().valid_nodes as usize;
    let nids = (Nid::ROOT.get()..meta.geometry.max_nid()).map(Nid::new);
    nids.filter(|nid| !meta.nat.get(*nid).unwrap().is_free())
        .take(count)
        .collect()
}
