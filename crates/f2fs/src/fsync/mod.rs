//! fsync and fdatasync (kernel: `f2fs_do_sync_file`): one file durable, without a checkpoint where that can be.
//!
//! The file's data is written, then its dirty direct nodes go to the log of warm nodes, linked to one another, the last
//! one marked. Opening the volume after a crash follows that chain from where the last checkpoint left the log
//! ([`crate::recovery`]). What the chain cannot tell needs a checkpoint; [`rules`] knows.
//!
//! | module | what |
//! |---|---|
//! | [`rules`] | when an fsync needs a checkpoint |
//! | [`group`] | concurrent fsyncs become one batch |
//! | [`batch`] | the nodes of a batch on their way to the device |
//! | [`implied`] | calls that are durable without an fsync |
//! | [`vacated`] | names that a file left which still exists |
//!
//! # Invariants
//! 1. A node of the chain becomes valid only when the device holds the data it names and all nodes before it. So a
//!    crash leaves the file as it was or as it is, whatever order the device wrote in.
//! 2. The chain grows by one batch at a time, each durable before the next begins: no later fsync depends on an earlier
//!    one that failed.
//! 3. The first fsync of an open volume takes a checkpoint: nodes that an earlier crash left in the log carry the
//!    version of an older one from then on.
//!
//! # Locking
//! An fsync holds its inode's lock shared while its nodes are placed, so no operation on the file is half done. Whoever
//! leads a batch holds OP, then TREE, inode by inode; the others wait without either.

mod batch;
mod group;
mod implied;
mod rules;
#[cfg(test)]
mod tests;
mod vacated;

pub(crate) use group::FsyncQueue;
pub(crate) use implied::{sync_names, sync_write};
pub(crate) use vacated::VacatedNames;

use crate::data::flush::flush_pages;
use crate::dir;
use crate::error::Result;
use crate::fs::Fs;
use crate::inode::Inode;
use f2fs_format::{Advise, FileType};
use std::sync::Arc;

/// What a caller wants to be durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyncScope {
    /// Content and attributes: fsync(2).
    All,
    /// Content, and what is needed to read it: fdatasync(2).
    Data,
}

/// How an fsync ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It is durable.
    Logged,
    /// It takes a checkpoint.
    NeedsCheckpoint(rules::Reason),
}

/// Makes one file durable.
pub(crate) fn sync_file(fs: &Fs, inode: &Arc<Inode>, scope: SyncScope) -> Result<()> {
    if fs.options.read_only {
        return Ok(());
    }
    fs.check_writable()?;
    if inode.file_type == FileType::Regular {
        flush_pages(fs, inode, 0..u64::MAX)?;
    }
    if !inode.is_listed() {
        return Ok(()); // The last checkpoint has it.
    }
    let outcome = {
        let _settled = inode.rwsem.read();
        if inode.tree.lock().inode.links() == 0 {
            return Ok(()); // A crash takes it, durable or not.
        }
        fs.fsyncs.commit(fs, inode, scope)?
    };
    if let Outcome::NeedsCheckpoint(reason) = outcome {
        tracing::debug!(ino = %inode.ino, ?reason, "fsync takes a checkpoint");
        fs.request_checkpoint()?;
        settle_place(fs, inode)?;
    }
    Ok(())
}

/// Takes the mark off a file whose place was in doubt, if its only name is where its inode says (kernel:
/// `try_to_fix_pino`). Its next fsync needs no checkpoint then.
fn settle_place(fs: &Fs, inode: &Arc<Inode>) -> Result<()> {
    let place = |inode: &Inode| {
        let tree = inode.tree.lock();
        let is_lost = tree.inode.advise().contains(Advise::LOST_PINO);
        (is_lost && tree.inode.links() == 1)
            .then(|| (tree.inode.pino(), tree.inode.name().to_vec()))
    };
    let Some((pino, name)) = place(inode) else {
        return Ok(());
    };
    // What the inode says may be wrong; then the mark stays.
    let Ok(dir) = fs
        .meta
        .geometry
        .nid(pino.get())
        .map_err(Into::into)
        .and_then(|pino| fs.inodes.get(fs, pino))
    else {
        return Ok(());
    };
    if !dir.is_dir() || dir::check_name(&name).is_err() {
        return Ok(());
    }
    let _names = dir.rwsem.read();
    let found = dir::lookup(fs, &dir, &name)?;
    if found.is_some_and(|found| found.ino == inode.ino) && place(inode) == Some((pino, name)) {
        let _op = fs.start_op();
        fs.note_dirty(inode);
        let mut tree = inode.tree.lock();
        let advise = tree.inode.advise() - Advise::LOST_PINO;
        tree.inode_mut().set_advise(advise);
    }
    Ok(())
}
