//! One batch of fsyncs: nodes are placed, written, made valid.
//!
//! # On disk
//! A node belongs to the chain if its footer carries the version of the last checkpoint. The marked node of a file is
//! first written without it; when the device holds that, the data and all other nodes, it is written once more, now
//! valid. Both times the block differs in its last sector only, so a torn write is the old one or the new one. Two
//! writes of a block and one flush are the price for a device that writes in any order and tears blocks at sectors; the
//! kernel's order (node and data, then a flush) lets a crash show stale blocks as data.

use super::rules::{self, Reason};
use super::{Outcome, SyncScope};
use crate::error::{Error, Result};
use crate::fs::{Fs, OpGuard};
use crate::inode::Inode;
use crate::meta::batch::MetaBatch;
use crate::node::{ChainMark, NodeWriter};
use crate::options::FsyncMode;
use f2fs_format::node::NodeFooter;
use f2fs_format::{Block, BlockAddr};
use std::sync::Arc;

/// The nodes of some files on their way into the chain.
pub(super) struct Batch<'a> {
    fs: &'a Fs,
    writer: NodeWriter<'a>,
    logged: Vec<Arc<Inode>>,
}

impl<'a> Batch<'a> {
    /// An empty batch, inside an operation.
    pub(super) fn new(fs: &'a Fs, _op: &OpGuard<'_>) -> Self {
        Self {
            fs,
            writer: NodeWriter::new(fs),
            logged: Vec::new(),
        }
    }

    /// Places the nodes of a file, if roll-forward will do for it.
    pub(super) fn add(&mut self, inode: &Arc<Inode>, scope: SyncScope) -> Result<Outcome> {
        self.fs.check_writable()?;
        let now = self.fs.epoch();
        let mut tree = inode.tree.lock();
        let is_unnamed = inode.epochs.made.is(now) && !inode.epochs.logged.is(now);
        if let Some(reason) = rules::reason(self.fs, inode, &tree, is_unnamed)? {
            return Ok(Outcome::NeedsCheckpoint(reason));
        }
        if !self.fs.has_chain_room(tree.direct_nodes()) {
            return Ok(Outcome::NeedsCheckpoint(Reason::Room));
        }
        let wants_inode = scope == SyncScope::All || is_unnamed;
        let mark = ChainMark { dentry: is_unnamed };
        match self.writer.add_direct(&mut tree, wants_inode, mark) {
            Ok(placed) if placed.inode => self.logged.push(Arc::clone(inode)),
            Ok(_) => {}
            // What was placed is written, without a mark.
            Err(Error::NoSpace) => return Ok(Outcome::NeedsCheckpoint(Reason::Room)),
            Err(error) => return Err(error),
        }
        Ok(Outcome::Logged)
    }

    /// Makes the batch durable.
    ///
    /// # Errors
    /// The device's; then the volume writes nothing more.
    pub(super) fn write(self) -> Result<()> {
        let (fs, now) = (self.fs, self.fs.epoch());
        let blocks = self.writer.into_blocks();
        if blocks.is_empty() {
            return Ok(());
        }
        fs.fsyncs.note_nodes(blocks.len());
        if fs.options.fsync_mode == FsyncMode::NoBarrier {
            MetaBatch::write_all(&fs.meta.device, blocks.iter().map(as_pair))?;
        } else {
            write_in_order(fs, &blocks)?;
        }
        for inode in &self.logged {
            inode.epochs.logged.note(now);
        }
        Ok(())
    }
}

/// Everything, then what makes it valid.
fn write_in_order(fs: &Fs, blocks: &[(BlockAddr, Box<Block>)]) -> Result<()> {
    let device = &fs.meta.device;
    let unsealed: Vec<Box<Block>> = blocks.iter().map(|(_, block)| unsealed(block)).collect();
    let addrs = blocks.iter().map(|(addr, _)| *addr);
    MetaBatch::write_all(device, addrs.zip(unsealed.iter().map(|block| &**block)))?;
    device.flush()?;
    let mut marked = blocks
        .iter()
        .filter(|(_, block)| NodeFooter::read(block).fsync);
    match (marked.next(), marked.next()) {
        (None, _) => Ok(()),
        (Some((addr, block)), None) => device.write_meta_durable(*addr, &block[..]),
        (Some(first), Some(second)) => {
            let all = [first, second].into_iter().chain(marked);
            MetaBatch::write_all(device, all.map(as_pair))?;
            device.flush()
        }
    }
}

fn as_pair((addr, block): &(BlockAddr, Box<Block>)) -> (BlockAddr, &Block) {
    (*addr, block)
}

/// A marked node as it is before it belongs to the chain; any other as it is.
fn unsealed(block: &Block) -> Box<Block> {
    let mut block = Box::new(*block);
    let mut footer = NodeFooter::read(&block);
    if footer.fsync {
        // No version that was or will be: not in its upper half, not in its lower one.
        footer.cp_ver = !footer.cp_ver;
        footer.write(&mut block);
    }
    block
}
