//! Blocks of a victim to new places.

use super::owner::{DataBlock, NodeBlock};
use crate::data::cluster_read::device_runs;
use crate::data::copies::write_copies;
use crate::data::fallocate::clear_ext;
use crate::data::writeback::addrs_of;
use crate::error::Result;
use crate::fs::{Fs, OpGuard};
use crate::inode::Inode;
use crate::node::Missing;
use f2fs_format::{BLOCK_SIZE, BlockAddr, Ino, Nid, Slot};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What moves out of one segment.
#[derive(Debug)]
pub(super) enum Plan {
    Data(Vec<DataBlock>),
    Nodes(Vec<NodeBlock>),
}

impl Plan {
    /// Keeps as many blocks as there is room for, and how many: for the copies and, at the next checkpoint, for the
    /// nodes that change.
    pub(super) fn limit_to_room(&mut self, fs: &Fs) -> usize {
        while self.len() > 0 && !self.fits(fs) {
            let half = self.len() / 2;
            match self {
                Self::Data(blocks) => blocks.truncate(half),
                Self::Nodes(blocks) => blocks.truncate(half),
            }
        }
        self.len()
    }

    fn len(&self) -> usize {
        match self {
            Self::Data(blocks) => blocks.len(),
            Self::Nodes(blocks) => blocks.len(),
        }
    }

    fn fits(&self, fs: &Fs) -> bool {
        let (data, nodes) = match self {
            Self::Data(blocks) => {
                let nodes: BTreeSet<Nid> = blocks.iter().map(|block| block.nid).collect();
                let inodes: BTreeSet<Ino> = blocks.iter().map(|block| block.inode.ino).collect();
                (blocks.len(), nodes.len() + inodes.len())
            }
            Self::Nodes(blocks) => (0, blocks.len()),
        };
        fs.fits_cleaning(data as u64, nodes as u64)
    }

    /// Moves everything.
    ///
    /// # Errors
    /// The device's and the allocator's; then nothing has moved.
    pub(super) fn run(self, fs: &Fs, frozen: &OpGuard<'_>) -> Result<()> {
        match self {
            Self::Data(blocks) => move_data(fs, &blocks, frozen),
            Self::Nodes(blocks) => renew_nodes(fs, &blocks, frozen),
        }
    }
}

/// Copies blocks, then points their slots at the copies.
fn move_data(fs: &Fs, blocks: &[DataBlock], _frozen: &OpGuard<'_>) -> Result<()> {
    // Their nodes become dirty at once.
    for inode in inodes(blocks.iter().map(|block| &block.inode)) {
        note_changed(fs, inode);
    }
    let mut owners = Vec::with_capacity(blocks.len());
    for block in blocks {
        let version = fs.meta.nat.version(block.nid)?;
        let mut tree = block.inode.tree.lock();
        let slots = tree.change(fs, block.at, Missing::Fail)?;
        owners.push(slots.owner(0, version));
    }
    let bytes = read_all(fs, blocks)?;
    let runs = fs.meta.segments.allocate_for_cleaning(&owners)?;
    if let Err(error) = write_copies(fs, &bytes, &runs) {
        for block in runs.into_iter().flat_map(addrs_of) {
            fs.meta.segments.invalidate(block)?;
        }
        return Err(error);
    }
    let places = runs.into_iter().flat_map(addrs_of);
    if let Err(error) = commit(fs, blocks, places) {
        // Slots and valid maps may disagree now; no checkpoint must ever say so.
        fs.meta.device.stop(format!("cleaning: {error}"));
        return Err(error);
    }
    Ok(())
}

/// The bytes of blocks, one after the other. Those that lie together are read together.
fn read_all(fs: &Fs, blocks: &[DataBlock]) -> Result<Vec<u8>> {
    let mut places: Vec<(BlockAddr, usize)> = blocks
        .iter()
        .enumerate()
        .map(|(i, block)| (block.addr, i))
        .collect();
    places.sort_unstable();
    let addrs: Vec<BlockAddr> = places.iter().map(|(addr, _)| *addr).collect();
    let mut bytes = vec![0; blocks.len() * BLOCK_SIZE];
    for (start, run) in device_runs(&addrs) {
        let read = fs.meta.device.read_blocks(start, run.len() as u32)?;
        for (piece, (_, i)) in read.chunks(BLOCK_SIZE).zip(&places[run]) {
            bytes[i * BLOCK_SIZE..(i + 1) * BLOCK_SIZE].copy_from_slice(piece);
        }
    }
    Ok(bytes)
}

fn commit(fs: &Fs, blocks: &[DataBlock], places: impl Iterator<Item = BlockAddr>) -> Result<()> {
    for (block, place) in blocks.iter().zip(places) {
        let mut tree = block.inode.tree.lock();
        clear_ext(&mut tree);
        let mut slots = tree.change(fs, block.at, Missing::Fail)?;
        slots.set(0, Slot::Block(place).to_raw());
        drop(tree);
        fs.meta.segments.invalidate(block.addr)?;
    }
    for inode in inodes(blocks.iter().map(|block| &block.inode)) {
        inode.bump_cookie();
    }
    Ok(())
}

/// Declares nodes dirty: the next checkpoint writes them elsewhere.
fn renew_nodes(fs: &Fs, blocks: &[NodeBlock], _frozen: &OpGuard<'_>) -> Result<()> {
    for block in blocks {
        let mut tree = block.inode.tree.lock();
        if block.offset == 0 {
            tree.times_mut();
        } else {
            tree.load_mut(fs, block.nid, block.offset)?;
        }
    }
    for inode in inodes(blocks.iter().map(|block| &block.inode)) {
        note_changed(fs, inode);
    }
    Ok(())
}

fn inodes<'a>(all: impl Iterator<Item = &'a Arc<Inode>>) -> impl Iterator<Item = &'a Arc<Inode>> {
    let by_ino: BTreeMap<Ino, &Arc<Inode>> = all.map(|inode| (inode.ino, inode)).collect();
    by_ino.into_values()
}

fn note_changed(fs: &Fs, inode: &Arc<Inode>) {
    fs.note_dirty(inode);
    fs.changed.store(true, std::sync::atomic::Ordering::Release);
}
