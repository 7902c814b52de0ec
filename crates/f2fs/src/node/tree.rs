//! All nodes of one inode that are in memory, owned by the inode and reached under its tree lock.
//!
//! A node belongs to one inode for ever, so the cache of nodes is part of the inode: one lock guards the whole
//! path from the inode block to an address slot, and no two files share one.
//!
//! # Invariants
//! 1. Every cached node was checked: its footer names this inode, its own nid and the offset its place implies.
//!    A node that is linked from two places, or into another file, fails that check.
//! 2. A node without an address on the volume is dirty.
//!
//! # Locking
//! The tree lock (`locks::TREE`) is held over each method, including the reads of node blocks.

use super::dirty::DirtyMark;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::quota::Usage;
use f2fs_format::node::{NIDS_PER_BLOCK, NodeFooter, dnode, indirect, is_direct};
use f2fs_format::path::NodePath;
use f2fs_format::{BLOCK_SIZE, Block, Ino, InodeBlock, Nid, Slot, SummaryEntry};
use std::collections::HashMap;

/// A cached direct, indirect or attribute node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(super) block: Box<Block>,
    pub(super) dirty: DirtyMark,
}

/// The node tree of one inode.
#[derive(Debug)]
pub(crate) struct Tree {
    ino: Ino,
    /// The inode block.
    pub(crate) inode: InodeBlock,
    /// Whether the inode block differs from the volume's.
    pub(crate) dirty: DirtyMark,
    /// Whether it differs by more than times.
    pub(super) differs: bool,
    /// The epoch of the last change that a chain of direct nodes does not tell: see [`Tree::note_unfit`].
    unfit_in: u64,
    pub(super) nodes: HashMap<Nid, Node>,
}

/// Address slots from one file block on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// No node holds them: a hole of so many blocks.
    Hole(u64),
    /// Their raw values, at least one.
    Slots(Vec<u32>),
}

/// What to do about a node that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Make it.
    Create,
    /// That cannot be: the slots were there before.
    Fail,
}

/// Who holds the slots of a file block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Inode,
    Node(Nid),
}

/// What the way to a slot ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// The node with the slot.
    Found(Holder),
    /// The node at this level does not exist.
    Missing(usize),
}

/// The slots of one node from a file block on, for changing them.
pub(crate) struct SlotsMut<'a> {
    nid: Nid,
    first: usize,
    len: usize,
    body: Body<'a>,
    epoch: u64,
    unfit_in: &'a mut u64,
}

enum Body<'a> {
    Inode(&'a mut InodeBlock),
    Node(&'a mut Block),
}

impl SlotsMut<'_> {
    /// Slots from the asked block to the end of the node.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Raw value of slot `i`, counted from the asked block.
    pub(crate) fn get(&self, i: usize) -> u32 {
        match &self.body {
            Body::Inode(inode) => inode.slot(self.first + i),
            Body::Node(block) => dnode::slot(block, self.first + i),
        }
    }

    /// Sets slot `i`.
    pub(crate) fn set(&mut self, i: usize, raw: u32) {
        if changes_form(self.get(i), raw) {
            *self.unfit_in = self.epoch;
        }
        match &mut self.body {
            Body::Inode(inode) => inode.set_slot(self.first + i, raw),
            Body::Node(block) => dnode::set_slot(block, self.first + i, raw),
        }
    }

    /// The summary entry of the block behind slot `i`.
    pub(crate) fn owner(&self, i: usize, version: u8) -> SummaryEntry {
        SummaryEntry {
            nid: self.nid.get(),
            version,
            ofs_in_node: (self.first + i) as u16,
        }
    }

    /// The node that holds the slots.
    pub(crate) fn nid(&self) -> Nid {
        self.nid
    }
}

/// Whether a slot that changes so makes a cluster compressed, or raw.
pub(super) fn changes_form(old: u32, new: u32) -> bool {
    let is_compressed = |raw| Slot::from_raw(raw) == Slot::Compress;
    is_compressed(old) != is_compressed(new)
}

impl Tree {
    /// The tree of a checked inode block.
    pub(crate) fn new(ino: Ino, inode: InodeBlock, dirty: DirtyMark) -> Self {
        Self {
            ino,
            inode,
            differs: dirty.is_set(),
            dirty,
            unfit_in: 0,
            nodes: HashMap::new(),
        }
    }

    /// The inode block, to be changed.
    pub(crate) fn inode_mut(&mut self) -> &mut InodeBlock {
        self.differs = true;
        self.times_mut()
    }

    /// The inode block, for a change of times alone, which fdatasync(2) need not write.
    pub(crate) fn times_mut(&mut self) -> &mut InodeBlock {
        self.dirty.set();
        &mut self.inode
    }

    /// Notes a change that roll-forward cannot tell from the direct nodes of the file, neither the kernel's nor ours:
    /// a node that is gone, a cluster that became compressed or raw, attributes of compression. Until the next
    /// checkpoint an fsync of the file takes one.
    pub(crate) fn note_unfit(&mut self, fs: &Fs) {
        self.unfit_in = fs.epoch();
    }

    /// Whether there was such a change since the last checkpoint.
    pub(crate) fn is_unfit(&self, fs: &Fs) -> bool {
        self.unfit_in == fs.epoch()
    }

    /// Inode number.
    pub(crate) fn ino(&self) -> Ino {
        self.ino
    }

    pub(super) fn path(&self, block: u64) -> Result<NodePath> {
        let (in_inode, in_node) = self.slots_per_node();
        NodePath::of(block, in_inode, in_node).map_err(|_| Error::TooLarge)
    }

    /// Address slots in the inode and in a direct node.
    pub(super) fn slots_per_node(&self) -> (u32, u32) {
        (self.inode.addrs_in_inode(), self.inode.addrs_per_dnode())
    }

    /// Slots from `block` on, at most `max` and at most to the end of their node.
    pub(crate) fn slots(&mut self, fs: &Fs, block: u64, max: usize) -> Result<Span> {
        let path = self.path(block)?;
        let holder = match self.find(fs, &path)? {
            Lookup::Found(holder) => holder,
            Lookup::Missing(level) => return Ok(Span::Hole(self.hole_after(&path, level))),
        };
        let slots = self.slots_mut(fs, holder, &path);
        Ok(Span::Slots(
            (0..max.min(slots.len)).map(|i| slots.get(i)).collect(),
        ))
    }

    /// Slots from `block` on, for changing them; marks their node dirty.
    pub(crate) fn change(&mut self, fs: &Fs, block: u64, missing: Missing) -> Result<SlotsMut<'_>> {
        let path = self.path(block)?;
        let holder = match (self.find(fs, &path)?, missing) {
            (Lookup::Found(holder), _) => holder,
            (Lookup::Missing(_), Missing::Create) => self.create(fs, &path)?,
            (Lookup::Missing(_), Missing::Fail) => {
                unreachable!("slots that were looked up have a node")
            }
        };
        match holder {
            Holder::Inode => {
                self.inode_mut();
            }
            Holder::Node(nid) => self.cached(nid).dirty.set(),
        }
        Ok(self.slots_mut(fs, holder, &path))
    }

    /// Slots that the node of a path would hold from its slot on.
    fn slots_after(&self, path: &NodePath) -> u64 {
        let (in_inode, in_node) = self.slots_per_node();
        u64::from(if path.level == 0 { in_inode } else { in_node }) - path.slot as u64
    }

    /// Slots from a file block to the end of their node, whether there is one or not.
    pub(crate) fn slots_in_node(&self, block: u64) -> Result<usize> {
        Ok(self.slots_after(&self.path(block)?) as usize)
    }

    fn slots_mut(&mut self, fs: &Fs, holder: Holder, path: &NodePath) -> SlotsMut<'_> {
        let len = self.slots_after(path) as usize;
        let (nid, body) = match holder {
            Holder::Inode => (self.ino, Body::Inode(&mut self.inode)),
            Holder::Node(nid) => {
                let node = self.nodes.get_mut(&nid);
                let node = node.expect("the caller loaded the node");
                (nid, Body::Node(&mut node.block))
            }
        };
        SlotsMut {
            nid,
            first: path.slot,
            len,
            body,
            epoch: fs.epoch(),
            unfit_in: &mut self.unfit_in,
        }
    }

    pub(super) fn cached(&mut self, nid: Nid) -> &mut Node {
        self.nodes
            .get_mut(&nid)
            .expect("the caller loaded the node")
    }

    /// File blocks from a path's slot to the end of the missing node at `level`.
    fn hole_after(&self, path: &NodePath, level: usize) -> u64 {
        let per_node = NIDS_PER_BLOCK as u64;
        let below = level + 1..=path.level;
        let dnodes = below.clone().fold(1, |all, _| all * per_node);
        let dnode = below.fold(0, |at, l| at * per_node + path.index_in_parent[l] as u64);
        (dnodes - dnode) * u64::from(self.slots_per_node().1) - path.slot as u64
    }

    /// The holder of a path's slots, its nodes loaded.
    pub(super) fn find(&mut self, fs: &Fs, path: &NodePath) -> Result<Lookup> {
        let mut holder = Holder::Inode;
        for level in 1..=path.level {
            let Some(nid) = self.child(fs, holder, path.index_in_parent[level])? else {
                return Ok(Lookup::Missing(level));
            };
            self.load(fs, nid, path.node_offset[level])?;
            holder = Holder::Node(nid);
        }
        Ok(Lookup::Found(holder))
    }

    /// The nid at an index of the inode's or an indirect node's list.
    pub(super) fn child(&self, fs: &Fs, holder: Holder, index: usize) -> Result<Option<Nid>> {
        let raw = match holder {
            Holder::Inode => self.inode.nid(index).map_or(0, Nid::get),
            Holder::Node(nid) => indirect::nid(&self.nodes[&nid].block, index),
        };
        if raw == 0 {
            return Ok(None);
        }
        Ok(Some(fs.meta.geometry.nid(raw)?))
    }

    pub(super) fn set_child(&mut self, holder: Holder, index: usize, child: Option<Nid>) {
        match holder {
            Holder::Inode => self.inode_mut().set_nid(index, child),
            Holder::Node(nid) => {
                let node = self.cached(nid);
                node.dirty.set();
                indirect::set_nid(&mut node.block, index, child.map_or(0, Nid::get));
            }
        }
    }

    /// Brings a node into memory and checks that it is this file's node at this place.
    pub(crate) fn load(&mut self, fs: &Fs, nid: Nid, offset: u32) -> Result<&mut Block> {
        if !self.nodes.contains_key(&nid) {
            let addr = fs.meta.nat.node_addr(nid)?;
            fs.meta.segments.check_valid(addr, 1)?;
            let block = fs.meta.device.read_block(addr)?;
            NodeFooter::read(&block).check_node(nid, self.ino, offset)?;
            self.nodes.insert(
                nid,
                Node {
                    block,
                    dirty: self.dirty.sibling(false),
                },
            );
        }
        // A node made in memory passes too: its footer was written when it was made.
        NodeFooter::read(&self.nodes[&nid].block).check_node(nid, self.ino, offset)?;
        Ok(&mut self.cached(nid).block)
    }

    /// Like [`Tree::load`], for changing the node.
    pub(crate) fn load_mut(&mut self, fs: &Fs, nid: Nid, offset: u32) -> Result<&mut Block> {
        self.load(fs, nid, offset)?;
        let node = self.cached(nid);
        node.dirty.set();
        Ok(&mut node.block)
    }

    /// Makes the nodes that a path lacks; all of them or none.
    fn create(&mut self, fs: &Fs, path: &NodePath) -> Result<Holder> {
        let mut holder = Holder::Inode;
        let mut first_made = None;
        for level in 1..=path.level {
            let index = path.index_in_parent[level];
            let nid = match self.child(fs, holder, index)? {
                Some(nid) => nid,
                None => match self.new_node(fs, path.node_offset[level]) {
                    Ok(nid) => {
                        self.set_child(holder, index, Some(nid));
                        first_made.get_or_insert((holder, index, level));
                        nid
                    }
                    Err(error) => {
                        if let Some((parent, index, level)) = first_made {
                            self.free_subtree_at(fs, parent, index, path, level)?;
                        }
                        return Err(error);
                    }
                },
            };
            holder = Holder::Node(nid);
        }
        Ok(holder)
    }

    /// A new, empty node of this inode. The caller links it.
    pub(crate) fn new_node(&mut self, fs: &Fs, offset: u32) -> Result<Nid> {
        fs.charge_quota(&self.inode, Usage::blocks(1))?;
        let nid = fs
            .take_nid()
            .inspect_err(|_| fs.release_quota(&self.inode, Usage::blocks(1)))?;
        let mut block = Box::new([0; BLOCK_SIZE]);
        let footer = NodeFooter {
            nid,
            ino: self.ino,
            offset,
            cold: !self.inode.is_dir(),
            fsync: false,
            dentry: false,
            cp_ver: 0,
            next_blkaddr: 0,
        };
        footer.write(&mut block);
        let dirty = self.dirty.sibling(true);
        self.nodes.insert(nid, Node { block, dirty });
        self.add_blocks(1);
        Ok(nid)
    }

    /// Reserves blocks for slots of the inode, and charges its owners. The caller fills the slots.
    ///
    /// # Errors
    /// `QuotaExceeded` or `NoSpace`; then nothing is reserved.
    pub(crate) fn reserve_blocks(&mut self, fs: &Fs, count: u32) -> Result<()> {
        let usage = Usage::blocks(count.into());
        fs.charge_quota(&self.inode, usage)?;
        fs.meta
            .space
            .reserve_blocks(count)
            .inspect_err(|_| fs.release_quota(&self.inode, usage))?;
        self.add_blocks(count.into());
        Ok(())
    }

    /// Gives back blocks that no slot of the inode stands for any more.
    pub(crate) fn release_blocks(&mut self, fs: &Fs, count: u32) -> Result<()> {
        fs.meta.space.release_blocks(count)?;
        self.sub_blocks(fs, count.into());
        Ok(())
    }

    fn add_blocks(&mut self, count: u64) {
        let blocks = self.inode.blocks() + count;
        self.inode_mut().set_blocks(blocks);
    }

    /// A count that is too small on the volume stops at the inode itself.
    pub(super) fn sub_blocks(&mut self, fs: &Fs, count: u64) {
        let before = self.inode.blocks();
        let after = before.saturating_sub(count).max(1);
        self.inode_mut().set_blocks(after);
        fs.release_quota(&self.inode, Usage::blocks(before.saturating_sub(after)));
    }

    /// The dirty direct nodes, or the indirect ones, in the order of the file; not the inode.
    pub(super) fn dirty_nodes(&self, direct: bool) -> Vec<Nid> {
        let mut dirty: Vec<(u32, Nid)> = self
            .nodes
            .iter()
            .filter(|(_, node)| node.dirty.is_set())
            .map(|(&nid, node)| (NodeFooter::read(&node.block).offset, nid))
            .filter(|(offset, _)| is_direct(*offset) == direct)
            .collect();
        dirty.sort_unstable();
        dirty.into_iter().map(|(_, nid)| nid).collect()
    }

    /// The nodes, the inode included, that differ from the volume's.
    pub(crate) fn dirty_nids(&self) -> Vec<Nid> {
        let nodes = self.nodes.iter().filter(|(_, node)| node.dirty.is_set());
        let inode = self.dirty.is_set().then_some(self.ino);
        nodes.map(|(&nid, _)| nid).chain(inode).collect()
    }

    /// The offset of a node of this inode, 0 for the inode itself; `None` if it is another's.
    pub(crate) fn offset_of(&self, fs: &Fs, nid: Nid) -> Result<Option<u32>> {
        if nid == self.ino {
            return Ok(Some(0));
        }
        if let Some(node) = self.nodes.get(&nid) {
            return Ok(Some(NodeFooter::read(&node.block).offset));
        }
        let block = fs.meta.device.read_block(fs.meta.nat.node_addr(nid)?)?;
        let footer = NodeFooter::read(&block);
        footer.check_nid(nid)?;
        Ok((footer.ino == self.ino).then_some(footer.offset))
    }

    /// How many nodes an fsync may have to write.
    pub(crate) fn direct_nodes(&self) -> u64 {
        self.dirty_nodes(true).len() as u64 + 1
    }

    /// The inode block is on its way to the volume.
    pub(super) fn note_written(&mut self) {
        self.dirty.clear();
        self.differs = false;
    }

    /// Forgets clean nodes beyond `keep`.
    pub(crate) fn trim(&mut self, keep: usize) {
        let mut excess = self.nodes.len().saturating_sub(keep);
        self.nodes.retain(|_, node| {
            let drop = excess > 0 && !node.dirty.is_set();
            excess -= usize::from(drop);
            !drop
        });
    }
}
