//! Dirty nodes to new places on the volume (format: node writes; kernel: `f2fs_sync_node_pages`,
//! `f2fs_fsync_node_pages`).
//!
//! Used by a checkpoint, while nothing else changes nodes, and by fsync, under the tree's lock. Each node gets an
//! address in the log of its kind, the footer that roll-forward expects, and its NAT entry; the blocks are written in
//! large runs at the end.

use super::tree::Tree;
use crate::error::Result;
use crate::fs::Fs;
use crate::meta::batch::MetaBatch;
use crate::stats;
use f2fs_format::node::NodeFooter;
use f2fs_format::{Block, BlockAddr, CursegType, Ino, Nid};

/// Gathers node blocks and writes them.
pub(crate) struct NodeWriter<'a> {
    fs: &'a Fs,
    cp_ver: u64,
    blocks: Vec<(BlockAddr, Box<Block>)>,
}

/// The mark of the last node of a file in a chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChainMark {
    /// Its name is to be recovered too.
    pub(crate) dentry: bool,
}

/// What of a tree went into a chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    /// The inode block.
    pub(crate) inode: bool,
}

impl<'a> NodeWriter<'a> {
    /// A writer of nodes after the last checkpoint.
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
        for direct in [false, true] {
            for nid in tree.dirty_nodes(direct) {
                self.place(tree, nid, log_of(is_dir, direct), None)?;
            }
        }
        if tree.dirty.is_set() {
            self.place_inode(tree, None)?;
        }
        Ok(())
    }

    /// Places the dirty direct nodes of a file, the last of them marked: the inode, if it is wanted or changed by more
    /// than its times.
    ///
    /// # Errors
    /// As the allocator's; then what was placed carries no mark.
    pub(crate) fn add_direct(
        &mut self,
        tree: &mut Tree,
        wants_inode: bool,
        mark: ChainMark,
    ) -> Result<Placed> {
        let inode = tree.dirty.is_set() && (wants_inode || tree.differs);
        let nodes = tree.dirty_nodes(true);
        for (at, &nid) in nodes.iter().enumerate() {
            let is_last = !inode && at + 1 == nodes.len();
            let mark = is_last.then_some(ChainMark { dentry: false });
            self.place(tree, nid, CursegType::WarmNode, mark)?;
        }
        if inode {
            self.place_inode(tree, Some(mark))?;
        }
        Ok(Placed { inode })
    }

    fn place(
        &mut self,
        tree: &mut Tree,
        nid: Nid,
        log: CursegType,
        mark: Option<ChainMark>,
    ) -> Result<()> {
        self.check_old(nid)?;
        let (addr, next) = self.fs.meta.segments.allocate_node(log, nid)?;
        let ino = tree.ino();
        let node = tree.cached(nid);
        let mut footer = NodeFooter::read(&node.block);
        self.seal(&mut footer, next, mark);
        footer.write(&mut node.block);
        let block = node.block.clone();
        node.dirty.clear();
        self.settle(nid, ino, addr, block)
    }

    fn place_inode(&mut self, tree: &mut Tree, mark: Option<ChainMark>) -> Result<()> {
        let ino = tree.ino();
        let log = log_of(tree.inode.is_dir(), true);
        self.check_old(ino)?;
        let (addr, next) = self.fs.meta.segments.allocate_node(log, ino)?;
        let mut footer = tree.inode.footer();
        self.seal(&mut footer, next, mark);
        tree.inode.set_footer(&footer);
        tree.inode.update_checksum(&self.fs.meta.sb);
        tree.note_written();
        self.settle(ino, ino, addr, Box::new(*tree.inode.as_block()))
    }

    /// Meets the errors of freeing a node's old block while the node is still dirty: placed, it counts as written, and
    /// a later fsync would pass it over.
    fn check_old(&self, nid: Nid) -> Result<()> {
        let old = self.fs.meta.nat.get(nid)?;
        if !old.is_free() {
            self.fs.meta.geometry.main_addr(old.addr)?;
        }
        Ok(())
    }

    fn seal(&self, footer: &mut NodeFooter, next: BlockAddr, mark: Option<ChainMark>) {
        footer.cp_ver = self.cp_ver;
        footer.next_blkaddr = next.get();
        footer.fsync = mark.is_some();
        footer.dentry = mark.is_some_and(|mark| mark.dentry);
    }

    fn settle(&mut self, nid: Nid, ino: Ino, addr: BlockAddr, block: Box<Block>) -> Result<()> {
        self.fs.replace_node_addr(nid, ino, addr)?;
        self.blocks.push((addr, block));
        Ok(())
    }

    /// Writes all blocks.
    pub(crate) fn finish(self) -> Result<()> {
        let fs = self.fs;
        let mut blocks = self.into_blocks();
        blocks.sort_by_key(|(addr, _)| *addr);
        MetaBatch::write_all(
            &fs.meta.device,
            blocks.iter().map(|(addr, block)| (*addr, &**block)),
        )
    }

    /// Gives the blocks to a caller who writes all of them.
    pub(crate) fn into_blocks(self) -> Vec<(BlockAddr, Box<Block>)> {
        stats::add(
            &self.fs.counters.node_blocks_written,
            self.blocks.len() as u64,
        );
        self.blocks
    }
}

fn log_of(is_dir: bool, direct: bool) -> CursegType {
    match (direct, is_dir) {
        (false, _) => CursegType::ColdNode,
        (true, true) => CursegType::HotNode,
        (true, false) => CursegType::WarmNode,
    }
}
