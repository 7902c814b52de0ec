//! Address slots of a direct node or an inode of the chain (kernel: `do_recover_data`,
//! `check_index_in_prev_nodes`).

use super::Recovery;
use super::chain::ChainNode;
use crate::data::fallocate::clear_ext;
use crate::data::policy;
use crate::error::{Error, Inconsistent, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use crate::node::{Missing, Span, Tree};
use f2fs_format::node::{dnode, is_direct};
use f2fs_format::path::{first_block_of_dnode, mappable_blocks};
use f2fs_format::{Advise, Block, BlockAddr, InodeBlock, Slot, SummaryEntry};
use std::sync::Arc;

const BLOCK: u64 = iomap::BLOCK_SIZE;
/// More slots than any node holds.
const SLOTS_MAX: usize = 1024;

impl Recovery<'_> {
    /// Makes the slots of the node in memory what `newer` says. `as_inode` is `newer`, if it is an inode.
    pub(super) fn recover_slots(
        &mut self,
        inode: &Arc<Inode>,
        node: &ChainNode,
        newer: &Block,
        as_inode: Option<&InodeBlock>,
    ) -> Result<()> {
        if !is_direct(node.offset) {
            return Err(Error::Invalid(
                "roll-forward: an indirect node in the chain",
            ));
        }
        let (first, old) = self.slots_before(inode, node)?;
        for (index, &old) in old.iter().enumerate() {
            let raw = as_inode.map_or_else(|| dnode::slot(newer, index), |block| block.slot(index));
            if raw != old {
                self.recover_slot(inode, first + index as u64, raw)?;
            }
        }
        Ok(())
    }

    /// The first file block of a node, and its slots as they are. A direct node is made if it is missing, as the kernel
    /// does, even if all its slots are holes.
    fn slots_before(&self, inode: &Arc<Inode>, node: &ChainNode) -> Result<(u64, Vec<u32>)> {
        let mut tree = inode.tree.lock();
        let (in_inode, in_node) = (tree.inode.addrs_in_inode(), tree.inode.addrs_per_dnode());
        let first = first_block_of_dnode(node.offset, in_inode, in_node)?;
        if !node.is_inode() {
            tree.change(self.fs, first, Missing::Create)?;
        }
        match tree.slots(self.fs, first, SLOTS_MAX)? {
            Span::Slots(slots) => Ok((first, slots)),
            Span::Hole(_) => unreachable!("the node was made above"),
        }
    }

    fn recover_slot(&mut self, inode: &Arc<Inode>, at: u64, raw: u32) -> Result<()> {
        let fs = self.fs;
        let mut tree = inode.tree.lock();
        let old = match tree.slots(fs, at, 1)? {
            Span::Hole(_) => Slot::Hole.to_raw(),
            Span::Slots(slots) => slots[0],
        };
        if old == raw {
            return Ok(());
        }
        clear_ext(&mut tree);
        match Slot::from_raw(raw) {
            Slot::Hole => {
                tree.free_slot(fs, old)?;
                tree.change(fs, at, Missing::Fail)?.set(0, raw);
            }
            // The kernel leaves the slot alone; no fsync changes one this way.
            Slot::Compress => {}
            Slot::New => {
                tree.free_slot(fs, old)?;
                reserve(fs, &mut tree, at)?;
                extend(inode, &mut tree, at);
            }
            Slot::Block(addr) => {
                if Slot::from_raw(old) == Slot::Hole {
                    reserve(fs, &mut tree, at)?;
                }
                extend(inode, &mut tree, at);
                drop(tree);
                self.take_from_slot(inode, addr)?;
                self.claim(inode, at, addr)?;
            }
        }
        Ok(())
    }

    /// Lets a slot name a block that nobody has.
    fn claim(&mut self, inode: &Arc<Inode>, at: u64, addr: BlockAddr) -> Result<()> {
        let fs = self.fs;
        let mut tree = inode.tree.lock();
        let log = policy::data_log(&tree.inode);
        let slots = tree.change(fs, at, Missing::Fail)?;
        let (nid, old) = (slots.nid(), slots.get(0));
        let owner = slots.owner(0, fs.meta.nat.version(nid)?);
        if self.nodes.contains(&addr) {
            return Err(Inconsistent::ChainBlockInUse { addr }.into());
        }
        fs.meta.segments.claim(&mut self.claims, addr, log, owner)?;
        if let Slot::Block(old) = Slot::from_raw(old) {
            fs.meta.segments.invalidate(old)?;
        }
        tree.change(fs, at, Missing::Fail)?.set(0, addr.get());
        Ok(())
    }

    /// Takes a block from the slot of the same file that names it now, if it is in use: blocks that were moved within
    /// the file. One of another file is not taken, though the kernel does that too, for blocks that were moved between
    /// files: no forged node shall empty a file it does not belong to.
    fn take_from_slot(&self, inode: &Arc<Inode>, addr: BlockAddr) -> Result<()> {
        let fs = self.fs;
        let addr = fs.meta.geometry.main_addr(addr.get())?;
        if !fs.meta.segments.is_valid(addr) {
            return Ok(());
        }
        let mut tree = inode.tree.lock();
        let summary = fs.meta.segments.owner(&self.claims, addr)?;
        let at = match named_slot(fs, &mut tree, summary, addr)? {
            Some(at) => Some(at),
            // An earlier recovery may have written the summary and then crashed.
            None => find_slot(fs, &mut tree, addr)?,
        };
        let at = at.ok_or(Inconsistent::ChainBlockInUse { addr })?;
        clear_ext(&mut tree);
        tree.free_slot(fs, addr.get())?;
        tree.change(fs, at, Missing::Fail)?
            .set(0, Slot::Hole.to_raw());
        Ok(())
    }
}

/// The file block whose slot a summary names, if the slot names the block.
fn named_slot(
    fs: &Fs,
    tree: &mut Tree,
    summary: SummaryEntry,
    addr: BlockAddr,
) -> Result<Option<u64>> {
    let nid = fs.meta.geometry.nid(summary.nid)?;
    let Some(offset) = tree.offset_of(fs, nid)? else {
        return Ok(None);
    };
    let (in_inode, in_node) = (tree.inode.addrs_in_inode(), tree.inode.addrs_per_dnode());
    let at = first_block_of_dnode(offset, in_inode, in_node)? + u64::from(summary.ofs_in_node);
    match tree.slots(fs, at, 1)? {
        Span::Slots(slots) if slots[0] == addr.get() => Ok(Some(at)),
        _ => Ok(None),
    }
}

/// The first file block whose slot names a block.
fn find_slot(fs: &Fs, tree: &mut Tree, addr: BlockAddr) -> Result<Option<u64>> {
    let (in_inode, in_node) = (tree.inode.addrs_in_inode(), tree.inode.addrs_per_dnode());
    let end = mappable_blocks(in_inode, in_node);
    let mut at = 0;
    while at < end {
        match tree.slots(fs, at, SLOTS_MAX)? {
            Span::Hole(len) => at += len,
            Span::Slots(slots) => {
                if let Some(index) = slots.iter().position(|&raw| raw == addr.get()) {
                    return Ok(Some(at + index as u64));
                }
                at += slots.len() as u64;
            }
        }
    }
    Ok(None)
}

/// Counts a block for a slot that had none.
fn reserve(fs: &Fs, tree: &mut Tree, at: u64) -> Result<()> {
    tree.reserve_blocks(fs, 1)?;
    tree.change(fs, at, Missing::Create)?
        .set(0, Slot::New.to_raw());
    Ok(())
}

/// A file reaches as far as its blocks, unless it is known to have some behind its end.
fn extend(inode: &Inode, tree: &mut Tree, at: u64) {
    let keeps_size = tree.inode.advise().contains(Advise::KEEP_SIZE);
    if !keeps_size && tree.inode.size() <= at * BLOCK {
        let size = (at + 1) * BLOCK;
        tree.inode_mut().set_size(size);
        inode.set_size(size);
    }
}
