//! Roll-forward: what was fsynced after the last checkpoint (kernel: `fs/f2fs/recovery.c`).
//!
//! An fsync links direct nodes to one another in the log of warm nodes, from where the last checkpoint left it
//! ([`crate::fsync`]). Opening a volume follows that chain twice: first to see which inodes have a marked node, then to
//! apply, in order, all nodes of those inodes up to each one's last marked one.
//!
//! Everything happens in memory: the trees, directories, tables and counts of the open volume become what they were. A
//! volume opened for writing gets a checkpoint at the end; one opened for reading just shows the result. So a crash in
//! the middle of recovery changes nothing, and whatever is wrong with the chain leaves the last checkpoint as it is.
//!
//! | module | what |
//! |---|---|
//! | [`chain`] | following the chain |
//! | [`inode`] | attributes, inline content, extended attributes |
//! | [`data`] | address slots, and whose blocks they name |
//! | [`dentry`] | names of new files |
//!
//! # Invariants
//! 1. Nothing is written before the checkpoint at the end, and its nodes go behind the chain, so that a crash finds the
//!    chain as it was. (The kernel writes over the chain.)
//! 2. A block that the chain names becomes valid once. One that is in use is taken only from another slot of the same
//!    file.
//!
//! # Locking
//! Nobody else knows the volume yet. OP is held while the chain is applied.

mod chain;
mod data;
mod dentry;
mod inode;

use crate::checkpoint::CheckpointReason;
use crate::error::{Error, Result};
use crate::fs::{Fs, OpGuard};
use crate::inode::Inode;
#[cfg(test)]
use crate::meta::Metadata;
use crate::ops::handle::OpenInode;
use crate::options::RollForward;
use crate::segment::Claims;
use chain::{Chain, ChainNode, ChainReader};
use f2fs_format::{BlockAddr, FileType, Ino, InodeBlock};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// An inode with marked nodes.
#[derive(Debug)]
struct Recovered {
    /// Held open, so that one that loses its name to another file is not freed before its nodes are applied.
    open: OpenInode,
    /// Index in the chain of its last marked node.
    last: usize,
    /// Index of the last block that carries its name.
    last_name: Option<usize>,
}

/// A chain that is being applied.
struct Recovery<'a> {
    fs: &'a Arc<Fs>,
    inodes: BTreeMap<Ino, Recovered>,
    /// Blocks of the chain itself.
    nodes: HashSet<BlockAddr>,
    claims: Claims,
}

/// Does with what was fsynced after the last checkpoint as the volume's options say.
///
/// # Errors
/// What is wrong with the chain. The volume in memory is half recovered then and must be given up.
pub(crate) fn roll_forward(fs: &Arc<Fs>) -> Result<()> {
    let chain = match chain::read(&fs.meta) {
        // Even one that cannot be followed.
        Err(Error::Inconsistent(_)) if gives_up(fs) => chain::unread(&fs.meta),
        chain => chain.map_err(refusal)?,
    };
    match fs.options.roll_forward {
        RollForward::Replay if chain.has_marks() => return replay(fs, &chain).map_err(refusal),
        RollForward::Ignore if chain.has_marks() && !fs.options.read_only => {
            let reason = "fsynced data that is not to be recovered would be lost; open the volume for reading";
            return Err(Error::ReadOnly(reason.to_owned()));
        }
        _ if fs.options.read_only => return Ok(()),
        _ => leave_alone(fs, &chain),
    }
    if gives_up(fs) && (chain.has_marks() || chain.is_unread()) {
        tracing::warn!("what was fsynced after the last checkpoint is given up");
        drop(fs.start_op());
        fs.write_checkpoint(CheckpointReason::Sync)?;
    }
    Ok(())
}

/// Whether what was fsynced is to be given up.
fn gives_up(fs: &Fs) -> bool {
    fs.options.roll_forward == RollForward::Discard && !fs.options.read_only
}

/// Says what is wrong with the chain, and what is still there. Errors of the system stay as they are.
fn refusal(error: Error) -> Error {
    if matches!(
        error,
        Error::Device(_) | Error::Shutdown(_) | Error::Resources(_)
    ) {
        return error;
    }
    Error::ReadOnly(format!(
        "what was fsynced after the last checkpoint cannot be recovered: {error}; read-only, the volume opens as that \
         checkpoint has it; the mount option discard_fsynced gives the rest up"
    ))
}

/// Keeps the chain and the block where it ends from being written before the next checkpoint. Whatever a crash before
/// that leaves, the chain is the same: behind its end there may be nodes of this version, which an earlier crash cut
/// off from it and which must not become part of it.
fn leave_alone(fs: &Fs, chain: &Chain) {
    let nodes = chain.nodes.iter().map(|node| node.addr);
    for addr in nodes.chain(chain.end) {
        // What is in use is not written either.
        let _ = fs.meta.segments.keep(addr);
    }
    fs.meta.segments.pass_claims();
}

fn replay(fs: &Arc<Fs>, chain: &Chain) -> Result<()> {
    let op = fs.start_op();
    for node in &chain.nodes {
        fs.meta.segments.keep(node.addr)?;
    }
    let mut recovery = Recovery {
        fs,
        inodes: BTreeMap::new(),
        nodes: chain.nodes.iter().map(|node| node.addr).collect(),
        claims: Claims::default(),
    };
    let found = recovery.find_inodes(&op, &chain.nodes);
    let applied = found.and_then(|()| recovery.apply(&op, &chain.nodes));
    if applied.is_ok() {
        leave_alone(fs, chain);
    }
    // Before the inodes go, also after an error: freeing one is an operation of its own.
    drop(op);
    applied?;
    let (nodes, inodes) = (chain.nodes.len(), recovery.inodes.len());
    tracing::info!(nodes, inodes, "roll-forward");
    // Those that lost their name are freed here.
    drop(recovery.inodes);
    if !fs.options.read_only {
        fs.meta.segments.write_claims(&recovery.claims)?;
        fs.write_checkpoint(CheckpointReason::Sync)?;
    }
    Ok(())
}

/// Whether there is something to recover.
#[cfg(test)]
pub(crate) fn is_needed(meta: &Metadata) -> Result<bool> {
    Ok(chain::read(meta)?.has_marks())
}

impl Recovery<'_> {
    /// Step 1: the inodes with marked nodes. Those that the checkpoint does not have are made, before anything takes
    /// their numbers.
    fn find_inodes(&mut self, op: &OpGuard<'_>, chain: &[ChainNode]) -> Result<()> {
        let mut reader = ChainReader::new(&self.fs.meta);
        for (index, node) in chain.iter().enumerate().filter(|(_, node)| node.fsync) {
            let names = node.is_inode() && node.dentry;
            if !self.inodes.contains_key(&node.ino) {
                let found = self.existing(node.ino)?;
                let inode = match found {
                    Some(inode) => inode,
                    None if names => self.make(op, &reader.inode(self.fs, node)?)?,
                    // Its inode may follow in the chain, or was never durable.
                    None => continue,
                };
                let open = OpenInode::new(self.fs, inode);
                let entry = Recovered {
                    open,
                    last: index,
                    last_name: None,
                };
                self.inodes.insert(node.ino, entry);
            }
            if let Some(entry) = self.inodes.get_mut(&node.ino) {
                entry.last = index;
                entry.last_name = if names { Some(index) } else { entry.last_name };
            }
        }
        Ok(())
    }

    /// An inode that the last checkpoint has.
    fn existing(&self, ino: Ino) -> Result<Option<Arc<Inode>>> {
        let ino = self.fs.meta.geometry.nid(ino.get())?;
        let is_gone = self.fs.meta.nat.get(ino)?.is_free() || self.fs.meta.orphans.contains(ino);
        if is_gone {
            return Ok(None);
        }
        let inode = self.fs.inodes.get(self.fs, ino)?;
        if inode.file_type != FileType::Regular {
            return Err(Error::Invalid(
                "roll-forward: a marked node of something that is no regular file",
            ));
        }
        Ok(Some(inode))
    }

    /// An inode that the last checkpoint does not have.
    fn make(&self, op: &OpGuard<'_>, block: &InodeBlock) -> Result<Arc<Inode>> {
        if block.file_type() != FileType::Regular {
            return Err(Error::Invalid(
                "roll-forward: a marked inode that is no regular file",
            ));
        }
        self.fs.claim_nid(block.ino())?;
        Inode::adopt(self.fs, op, block.without_content())
    }

    /// Step 2: the nodes of those inodes, in order.
    fn apply(&mut self, op: &OpGuard<'_>, chain: &[ChainNode]) -> Result<()> {
        let mut reader = ChainReader::new(&self.fs.meta);
        for (index, node) in chain.iter().enumerate() {
            let Some(entry) = self
                .inodes
                .get(&node.ino)
                .filter(|entry| index <= entry.last)
            else {
                continue;
            };
            let inode = Arc::clone(&entry.open.inode);
            self.fs.note_dirty(&inode);
            if node.is_inode() {
                let has_name = entry.last_name == Some(index);
                let newer = reader.inode(self.fs, node)?;
                inode::recover_attributes(self.fs, &inode, &newer)?;
                if has_name {
                    dentry::recover(self.fs, op, &inode, &newer)?;
                }
                inode::recover_inline_xattrs(&inode, &newer);
                if inode::recover_inline_data(self.fs, &inode, Some(&newer))? {
                    continue;
                }
                self.recover_slots(&inode, node, newer.as_block(), Some(&newer))?;
            } else if node.is_xattr() {
                inode::recover_xattr_node(self.fs, &inode, reader.block(node)?)?;
            } else {
                inode::recover_inline_data(self.fs, &inode, None)?;
                let block = Box::new(*reader.block(node)?);
                self.recover_slots(&inode, node, &block, None)?;
            }
        }
        Ok(())
    }
}
