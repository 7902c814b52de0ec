//! Dirty nodes to new places on the volume (format: node writes; kernel: `f2fs_sync_node_pages`).
//!
//! Used by a checkpoint, while nothing else changes nodes. Each node gets an address in the log of its kind, the
//! footer that roll-forward expects, and its NAT entry; the blocks are written in large runs at the end.

use super::tree::Tree;
use crate::error::Result;
use crate::fs::Fs;
use crate::meta::batch::MetaBatch;
use crate::stats;
use f2fs_format::node::{self, NodeFooter};
use f2fs_format::{Block, BlockAddr, CursegType, Nid};

/// Gathers node blocks and writes them.
pub(crate) struct NodeWriter<'a> {
    fs: &'a Fs,
    cp_ver: u64,
    blocks: Vec<(BlockAddr, Box<Block>)>,
}

impl<'a> NodeWriter<'a> {
    /// A writer of nodes for the next checkpoint.
    pub(crate) fn new(fs: &'a Fs) -> Self {
        Self {
            fs,
            cp_ver: fs.meta.node_cp_ver(),
            blocks: Vec::new(),
        }
    }

    /// Places all dirty nodes of a tree: indirect nodes, then direct nodes, then the inode.
    pub(crate) fn add_tree(&mut self, tree: &mut Tree) -> Result<()> {
        let is_dir = tree.inode.is_dir();
        let ino = tree.ino();
        for direct in [false, true] {
            let dirty = tree.nodes.iter_mut().filter(|(_, n)| {
                n.dirty.is_set() && node::is_direct(NodeFooter::read(&n.block).offset) == direct
            });
            let mut dirty: Vec<_> = dirty.collect();
            dirty.sort_by_key(|(_, n)| NodeFooter::read(&n.block).offset);
            for (&nid, node) in dirty {
                let log = log_of(is_dir, direct);
                self.place(nid, ino, log, &mut node.block)?;
                node.dirty.clear();
            }
        }
        if tree.dirty.is_set() {
            let log = log_of(is_dir, true);
            let (addr, next) = self.fs.meta.segments.allocate_node(log, ino)?;
            let mut footer = tree.inode.footer();
            self.seal(&mut footer, next);
            tree.inode.set_footer(&footer);
            tree.inode.update_checksum(&self.fs.meta.sb);
            self.fs.replace_node_addr(ino, ino, addr)?;
            self.blocks.push((addr, Box::new(*tree.inode.as_block())));
            tree.dirty.clear();
        }
        Ok(())
    }

    fn place(&mut self, nid: Nid, ino: Nid, log: CursegType, block: &mut Block) -> Result<()> {
        let (addr, next) = self.fs.meta.segments.allocate_node(log, nid)?;
        let mut footer = NodeFooter::read(block);
        self.seal(&mut footer, next);
        footer.write(block);
        self.fs.replace_node_addr(nid, ino, addr)?;
        self.blocks.push((addr, Box::new(*block)));
        Ok(())
    }

    fn seal(&self, footer: &mut NodeFooter, next: BlockAddr) {
        footer.cp_ver = self.cp_ver;
        footer.next_blkaddr = next.get();
        footer.fsync = false;
        footer.dentry = false;
    }

    /// Writes all blocks.
    pub(crate) fn finish(mut self) -> Result<()> {
        stats::add(
            &self.fs.counters.node_blocks_written,
            self.blocks.len() as u64,
        );
        self.blocks.sort_by_key(|(addr, _)| *addr);
        let mut batch = MetaBatch::new(&self.fs.meta.device);
        for (addr, block) in &self.blocks {
            batch.push(*addr, block)?;
        }
        batch.finish()
    }
}

fn log_of(is_dir: bool, direct: bool) -> CursegType {
    match (direct, is_dir) {
        (false, _) => CursegType::ColdNode,
        (true, true) => CursegType::HotNode,
        (true, false) => CursegType::WarmNode,
    }
}
