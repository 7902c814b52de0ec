//! The chain of nodes that follows the last checkpoint.
//!
//! # On disk
//! It starts where the checkpoint leaves the log of warm nodes, each node names the block of the next, and it ends at
//! the first block that does not carry the checkpoint's version, or at an address outside of MAIN.

use crate::error::{Inconsistent, Result};
use crate::fs::Fs;
use crate::meta::Metadata;
use f2fs_format::checkpoint::CpFlags;
use f2fs_format::node::{NodeFooter, XATTR_NODE_OFFSET};
use f2fs_format::{
    BLOCKS_PER_SEGMENT, Block, BlockAddr, Checkpoint, Corrupt, CorruptKind, CursegType, Ino,
    InodeBlock, Nid,
};

/// Blocks read at a time: the chain mostly lies in one piece.
const WINDOW: u32 = 32;

/// One node of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChainNode {
    pub(super) addr: BlockAddr,
    pub(super) nid: Nid,
    pub(super) ino: Ino,
    pub(super) offset: u32,
    /// An fsync wrote it last.
    pub(super) fsync: bool,
    /// The inode's name is to be recovered.
    pub(super) dentry: bool,
}

impl ChainNode {
    pub(super) fn is_inode(&self) -> bool {
        self.nid == self.ino
    }

    pub(super) fn is_xattr(&self) -> bool {
        self.offset == XATTR_NODE_OFFSET
    }
}

/// A chain.
#[derive(Debug)]
pub(super) struct Chain {
    /// All its nodes, in order.
    pub(super) nodes: Vec<ChainNode>,
    /// The block at which it ends, if it lies in MAIN.
    pub(super) end: Option<BlockAddr>,
    is_unread: bool,
}

impl Chain {
    /// Whether nothing is known of it but where it begins.
    pub(super) fn is_unread(&self) -> bool {
        self.is_unread
    }

    /// Whether an fsync is part of it.
    pub(super) fn has_marks(&self) -> bool {
        self.nodes.iter().any(|node| node.fsync)
    }
}

/// The block where the chain begins.
fn start(meta: &Metadata) -> BlockAddr {
    let log = meta.checkpoint_info().curseg(CursegType::WarmNode);
    BlockAddr::new(meta.geometry.segment_start(log.segno).get() + u32::from(log.blkoff))
}

/// A chain of which nothing is known but where it begins.
pub(super) fn unread(meta: &Metadata) -> Chain {
    Chain {
        nodes: Vec::new(),
        end: Some(start(meta)),
        is_unread: true,
    }
}

/// The chain of a volume as it was opened.
///
/// # Errors
/// `Inconsistent` if it runs in a circle; the device's.
pub(super) fn read(meta: &Metadata) -> Result<Chain> {
    let checkpoint = meta.checkpoint_info();
    let mut at = start(meta).get();
    let mut reader = ChainReader::new(meta);
    let mut nodes: Vec<ChainNode> = Vec::new();
    // A mark that follows in growing steps meets every circle (Brent).
    let (mut mark, mut steps, mut limit) = (at, 0u64, 2u64);
    while let Ok(addr) = meta.geometry.main_addr(at) {
        let footer = NodeFooter::read(reader.read(addr)?);
        if !follows(&checkpoint, footer.cp_ver) {
            break;
        }
        nodes.push(ChainNode {
            addr,
            nid: footer.nid,
            ino: footer.ino,
            offset: footer.offset,
            fsync: footer.fsync,
            dentry: footer.dentry,
        });
        at = footer.next_blkaddr;
        if at == mark {
            let addr = BlockAddr::new(at);
            return Err(Inconsistent::ChainLoop { addr }.into());
        }
        steps += 1;
        if steps == limit {
            (mark, steps, limit) = (at, 0, limit * 2);
        }
    }
    let end = meta.geometry.main_addr(at).ok();
    Ok(Chain {
        nodes,
        end,
        is_unread: false,
    })
}

/// Whether a node with this version was written after the checkpoint.
fn follows(checkpoint: &Checkpoint, cp_ver: u64) -> bool {
    if checkpoint.flags.contains(CpFlags::NOCRC_RECOVERY) {
        cp_ver as u32 == checkpoint.version as u32
    } else {
        cp_ver == checkpoint.node_version()
    }
}

/// Reads blocks of the chain, with those that follow.
pub(super) struct ChainReader<'a> {
    meta: &'a Metadata,
    start: u32,
    blocks: Vec<Box<Block>>,
}

impl<'a> ChainReader<'a> {
    pub(super) fn new(meta: &'a Metadata) -> Self {
        Self {
            meta,
            start: 0,
            blocks: Vec::new(),
        }
    }

    /// A block of MAIN.
    fn read(&mut self, addr: BlockAddr) -> Result<&Block> {
        let at = addr.get();
        let is_here = self.start <= at && at - self.start < self.blocks.len() as u32;
        if !is_here {
            let main = self.meta.geometry.main_addr(at)?;
            let in_segment =
                BLOCKS_PER_SEGMENT - u32::from(self.meta.geometry.offset_in_segment(main));
            let bytes = self.meta.device.read_blocks(addr, WINDOW.min(in_segment))?;
            let (blocks, _) = bytes.as_chunks();
            self.blocks = blocks.iter().map(|block| Box::new(*block)).collect();
            self.start = at;
        }
        Ok(&self.blocks[(at - self.start) as usize])
    }

    /// The block of a node.
    ///
    /// # Errors
    /// `Corrupt` if it is not that node any more.
    pub(super) fn block(&mut self, node: &ChainNode) -> Result<&Block> {
        let block = self.read(node.addr)?;
        let nid = NodeFooter::read(block).nid;
        if nid != node.nid {
            let (nid, found) = (node.nid.get(), nid.get());
            return Err(Corrupt::from(CorruptKind::FooterNid { nid, found }).into());
        }
        Ok(block)
    }

    /// The block of an inode, checked.
    pub(super) fn inode(&mut self, fs: &Fs, node: &ChainNode) -> Result<InodeBlock> {
        let ino = self.meta.geometry.nid(node.ino.get())?;
        let block = Box::new(*self.block(node)?);
        Ok(InodeBlock::parse(block, ino, &fs.meta.sb)?)
    }
}
