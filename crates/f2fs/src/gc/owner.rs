//! From the blocks of a segment to what names them (kernel: `is_alive`, `gc_data_segment`, `gc_node_segment`).
//!
//! The caller has stopped all operations, so what is valid is named by exactly one slot or NAT entry, in memory or on
//! the volume. Whatever does not agree is damage.

use crate::error::{Error, Inconsistent, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use crate::node::{Span, Tree};
use crate::segment::Victim;
use f2fs_format::path::first_block_of_dnode;
use f2fs_format::summary::SummaryBlock;
use f2fs_format::{BlockAddr, FileType, InlineFlags, Ino, Nid, SummaryEntry};
use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

/// More slots than any node holds.
const SLOTS_MAX: usize = 1024;

/// Why a segment cannot be cleaned.
#[derive(Debug)]
pub(super) enum Unfit {
    /// A block of it belongs to a file that keeps its blocks.
    Pinned(Ino),
    /// Something needed for it cannot be read.
    Unreadable(Error),
    /// Tables or summaries contradict one another.
    Contradiction(Error),
}

impl From<Error> for Unfit {
    fn from(error: Error) -> Self {
        match error {
            Error::Corrupt(_) | Error::Inconsistent(_) | Error::Invalid(_) | Error::TooLarge => {
                Self::Contradiction(error)
            }
            _ => Self::Unreadable(error),
        }
    }
}

/// A block of data and the slot that names it.
#[derive(Debug)]
pub(super) struct DataBlock {
    pub(super) inode: Arc<Inode>,
    /// The node that holds the slot.
    pub(super) nid: Nid,
    /// The file block.
    pub(super) at: u64,
    pub(super) addr: BlockAddr,
}

/// A node and its inode.
#[derive(Debug)]
pub(super) struct NodeBlock {
    pub(super) inode: Arc<Inode>,
    pub(super) nid: Nid,
    /// Its offset among the nodes of the inode; 0 for the inode itself.
    pub(super) offset: u32,
}

/// Finds the inodes of nodes.
struct Inodes<'a> {
    fs: &'a Fs,
    /// Nodes in memory that are new: the NAT does not have them yet, but blocks of theirs may be written already.
    new: OnceCell<HashMap<Nid, Arc<Inode>>>,
}

impl<'a> Inodes<'a> {
    fn new(fs: &'a Fs) -> Self {
        let new = OnceCell::new();
        Self { fs, new }
    }

    /// The inode that a node belongs to.
    fn of(&self, nid: Nid) -> Result<Arc<Inode>> {
        let meta = &self.fs.meta;
        if let Some((ino, _)) = meta.nat.get(nid)?.check(nid, &meta.geometry)? {
            return self.fs.inodes.get(self.fs, ino);
        }
        let new = self.new.get_or_init(|| self.find_new());
        let inode = new.get(&nid).map(Arc::clone);
        inode.ok_or(Error::Inconsistent(Inconsistent::NidFree { nid }))
    }

    fn find_new(&self) -> HashMap<Nid, Arc<Inode>> {
        let mut new = HashMap::new();
        for inode in self.fs.dirty_inodes() {
            for nid in inode.tree.lock().dirty_nids() {
                new.insert(nid, Arc::clone(&inode));
            }
        }
        new
    }
}

/// A node that holds slots of the segment: its file, and the slots.
struct Holder {
    inode: Arc<Inode>,
    first: u64,
    slots: Vec<u32>,
}

/// The owners of all valid blocks of a segment of data, in the order of their files.
pub(super) fn data(fs: &Fs, victim: &Victim, offsets: &[u16]) -> Result<Vec<DataBlock>, Unfit> {
    let summary = fs.meta.segments.closed_summary(victim)?;
    let inodes = Inodes::new(fs);
    let mut holders: HashMap<Nid, Holder> = HashMap::new();
    let mut blocks = Vec::with_capacity(offsets.len());
    for (addr, entry) in addressed(fs, victim, offsets, &summary) {
        let nid = fs.meta.geometry.nid(entry.nid).map_err(Error::from)?;
        if let std::collections::hash_map::Entry::Vacant(place) = holders.entry(nid) {
            place.insert(holder(fs, inodes.of(nid)?, nid)?);
        }
        let holder = &holders[&nid];
        let slot = holder.slots.get(usize::from(entry.ofs_in_node));
        if slot != Some(&addr.get()) {
            return Err(Error::from(Inconsistent::SummaryOwner { addr, nid }).into());
        }
        blocks.push(DataBlock {
            inode: Arc::clone(&holder.inode),
            nid,
            at: holder.first + u64::from(entry.ofs_in_node),
            addr,
        });
    }
    blocks.sort_by_key(|block| (block.inode.ino, block.at));
    Ok(blocks)
}

/// The owners of all valid blocks of a segment of nodes.
pub(super) fn nodes(fs: &Fs, victim: &Victim, offsets: &[u16]) -> Result<Vec<NodeBlock>, Unfit> {
    let inodes = Inodes::new(fs);
    let summary = fs.meta.segments.closed_summary(victim)?;
    let mut blocks = Vec::with_capacity(offsets.len());
    for (addr, entry) in addressed(fs, victim, offsets, &summary) {
        let nid = fs.meta.geometry.nid(entry.nid).map_err(Error::from)?;
        if fs.meta.nat.node_addr(nid)? != addr {
            return Err(Error::from(Inconsistent::SummaryOwner { addr, nid }).into());
        }
        let inode = inodes.of(nid)?;
        let mut tree = inode.tree.lock();
        let offset = offset_of(fs, &tree, nid)?;
        if offset != 0 {
            // Also checks that it is this inode's node.
            tree.load(fs, nid, offset)?;
        }
        drop(tree);
        blocks.push(NodeBlock { inode, nid, offset });
    }
    Ok(blocks)
}

fn addressed<'a>(
    fs: &Fs,
    victim: &Victim,
    offsets: &'a [u16],
    summary: &'a SummaryBlock,
) -> impl Iterator<Item = (BlockAddr, SummaryEntry)> + use<'a> {
    let start = fs.meta.geometry.segment_start(victim.segno).get();
    offsets.iter().map(move |&offset| {
        let addr = BlockAddr::new(start + u32::from(offset));
        (addr, summary.entries[usize::from(offset)])
    })
}

/// The node `nid` with all its slots, if files of its kind have any and they may move.
fn holder(fs: &Fs, inode: Arc<Inode>, nid: Nid) -> Result<Holder, Unfit> {
    let mut tree = inode.tree.lock();
    check_has_slots(&inode, &tree, nid)?;
    let offset = offset_of(fs, &tree, nid)?;
    let (in_inode, in_node) = (tree.inode.addrs_in_inode(), tree.inode.addrs_per_dnode());
    let first = first_block_of_dnode(offset, in_inode, in_node).map_err(Error::from)?;
    let slots = match tree.slots(fs, first, SLOTS_MAX)? {
        Span::Slots(slots) => slots,
        // The node says it is there, its parent does not name it.
        Span::Hole(_) => return Err(Error::from(Inconsistent::NodeNotLinked { nid }).into()),
    };
    drop(tree);
    Ok(Holder {
        inode,
        first,
        slots,
    })
}

fn check_has_slots(inode: &Inode, tree: &Tree, nid: Nid) -> Result<(), Unfit> {
    let inline = tree.inode.inline();
    if inline.contains(InlineFlags::PIN_FILE) {
        return Err(Unfit::Pinned(inode.ino));
    }
    let may = matches!(
        inode.file_type,
        FileType::Regular | FileType::Directory | FileType::Symlink
    );
    if !may || inline.intersects(InlineFlags::INLINE_DATA | InlineFlags::INLINE_DENTRY) {
        return Err(Error::from(Inconsistent::NoSlots { nid }).into());
    }
    Ok(())
}

fn offset_of(fs: &Fs, tree: &Tree, nid: Nid) -> Result<u32> {
    let offset = tree.offset_of(fs, nid)?;
    offset.ok_or(Error::Inconsistent(Inconsistent::NodeNotLinked { nid }))
}
