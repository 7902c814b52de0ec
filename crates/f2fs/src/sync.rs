//! Making room, and making changes durable: flush, then checkpoint.
//!
//! # Locking
//! A checkpoint takes CHECKPOINT, then OP exclusively. It may be asked for by a thread that holds an inode's lock,
//! never by one that holds OP or anything below.

use crate::checkpoint::CheckpointReason;
use crate::data::flush::{flush_pages, flush_pages_in_op};
use crate::error::{Error, Result};
use crate::fs::{Fs, OpGuard};
use crate::gc;
use crate::idle::Patience;
use crate::node::NodeWriter;
use crate::options::Space;
use crate::stats;
use runtime::sync::MutexGuard;
use std::sync::atomic::Ordering;

impl Fs {
    /// Makes room before an operation: memory by writing back, segments by a checkpoint. Called at the top of
    /// every operation that changes something, before any lock.
    pub(crate) fn balance(&self) -> Result<()> {
        if self.cache.dirty_blocks() > self.cache.budget() / 2 {
            self.flush_data()?;
        }
        if self.inodes.is_large() {
            // Written, they are clean, and the unused ones can go.
            self.flush_data()?;
            self.write_checkpoint(CheckpointReason::Sync)?;
            self.inodes.shrink();
        }
        self.ask_idle_files(SPARE_BLOCKS);
        self.make_room(0)
    }

    /// Writes a checkpoint if the free segments would not hold `blocks` more and what is dirty already, if what is
    /// dirty would soon leave no room for the checkpoint itself, or if dirty nodes take too much memory.
    pub(crate) fn make_room(&self, blocks: u64) -> Result<()> {
        let nodes = self.dirty_bound();
        let is_dirty = self.changed.load(Ordering::Acquire);
        if self.meta.segments.wants_checkpoint(blocks + nodes)
            || (is_dirty && !self.has_checkpoint_room(OPERATION_BLOCKS))
            || self.dirty_nodes.load(Ordering::Relaxed) > DIRTY_NODES_MAX
        {
            self.write_checkpoint(CheckpointReason::Sync)?;
        }
        let data = blocks.min(CLEANED_FOR);
        if !self.fits(data) {
            self.cleaning.retired.release(self);
            // Whether it helps shows when the room is taken.
            gc::clean_for(self, data)?;
        }
        Ok(())
    }

    /// Whether `data` blocks can be written beside what is dirty, and everything can be removed afterwards.
    pub(crate) fn fits(&self, data: u64) -> bool {
        self.meta.segments.has_room(data, self.dirty_bound())
            && self.has_checkpoint_room(REMOVAL_BLOCKS)
    }

    /// Whether the cleaner can move `data` blocks and make `nodes` nodes dirty.
    pub(crate) fn fits_cleaning(&self, data: u64, nodes: u64) -> bool {
        let data = data + self.dirty_entry_blocks();
        self.meta
            .segments
            .has_cleaning_room(data, nodes + self.dirty_bound())
    }

    /// Whether a checkpoint could be written now if so many blocks more were dirty: of nodes, or of directories.
    fn has_checkpoint_room(&self, more: u64) -> bool {
        let room = self.meta.segments.room();
        room.nodes >= self.dirty_bound() + more && room.data >= self.dirty_entry_blocks() + more
    }

    /// Blocks of directories that the next checkpoint writes, at most.
    fn dirty_entry_blocks(&self) -> u64 {
        self.dirty_entries.load(Ordering::Relaxed)
    }

    /// Pages of one batch of writeback: at most `most`, and no more than there is room for their nodes, should each
    /// lie under another.
    ///
    /// # Errors
    /// `NoSpace` if the checkpoint after it could not be written.
    pub(crate) fn batch_pages(&self, most: usize) -> Result<usize> {
        let room = self.meta.segments.room();
        let nodes = room
            .nodes
            .saturating_sub(self.dirty_bound() + OPERATION_BLOCKS);
        let data = room
            .data
            .saturating_sub(self.dirty_entry_blocks() + OPERATION_BLOCKS);
        if data < BATCH_PAGES_MIN as u64 {
            return Err(Error::NoSpace);
        }
        Ok((nodes.min(data) as usize).clamp(BATCH_PAGES_MIN, most))
    }

    /// Refuses new data that could not be written back later: what is dirty already needs the segments that are
    /// left, and some stay for removing, which always goes on. Only operations that add blocks ask.
    pub(crate) fn check_room(&self, blocks: u64) -> Result<()> {
        self.ask_idle_files(blocks + SPARE_BLOCKS);
        self.check_segments(blocks)
    }

    /// Lets idle files give back what they save, if so many blocks cannot be reserved. Whether it helped shows when the
    /// blocks are taken.
    fn ask_idle_files(&self, blocks: u64) {
        if self.options.space == Space::Release {
            self.has_free_blocks(blocks);
        }
    }

    /// Whether so many blocks can be reserved. Idle files give back what they save if that is needed for it.
    pub(crate) fn has_free_blocks(&self, blocks: u64) -> bool {
        let are_there = || self.meta.space.snapshot().free_blocks() >= blocks;
        are_there() || self.release_until(are_there)
    }

    /// As [`Self::check_room`], for what gives blocks back.
    pub(crate) fn check_segments(&self, blocks: u64) -> Result<()> {
        if self.fits(blocks + self.cache.dirty_blocks() as u64) {
            return Ok(());
        }
        self.flush_data()?;
        self.write_checkpoint(CheckpointReason::Sync)?;
        if self.fits(blocks) || gc::clean_for(self, blocks)? {
            Ok(())
        } else {
            Err(Error::NoSpace)
        }
    }

    /// Whether one more dirty inode needs neither a checkpoint nor memory that is short.
    pub(crate) fn has_room_for_inode(&self) -> bool {
        !self.inodes.is_large()
            && !self.meta.segments.wants_checkpoint(self.dirty_bound() + 2)
            && self.has_checkpoint_room(REMOVAL_BLOCKS)
    }

    /// The node blocks and quota blocks that a checkpoint would write now, and those that dirty data will add if it
    /// lies together. Where it is scattered, writing it back asks again, batch by batch.
    fn dirty_bound(&self) -> u64 {
        let nodes = self.dirty_nodes.load(Ordering::Relaxed);
        // A listed inode may have grown in memory only.
        let inodes = self.dirty.lock().len() as u64;
        let data = self.cache.dirty_blocks() as u64 / 256;
        nodes + inodes + data + self.quota_dirty_bound()
    }

    /// Writes all dirty file data. Goes on after an error; returns the first.
    pub(crate) fn flush_data(&self) -> Result<()> {
        let mut result = Ok(());
        for inode in self.dirty_inodes() {
            if !inode.is_dir() {
                // Also waits for what another thread is writing of it.
                result = result.and(flush_pages(self, &inode, 0..u64::MAX));
            }
        }
        result
    }

    /// Writes everything and makes it durable.
    pub(crate) fn sync(&self) -> Result<()> {
        if self.options.read_only {
            return Ok(());
        }
        self.check_writable()?;
        self.flush_data()?;
        self.release_idle(Patience::Wait);
        if self.changed.load(Ordering::Acquire) {
            self.request_checkpoint()?;
        }
        Ok(())
    }

    /// Whether an fsync may write so many nodes before the next checkpoint. Recovery writes all nodes of the chain once
    /// more, and the directories of new files, so there must be room for that too.
    pub(crate) fn has_chain_room(&self, nodes: u64) -> bool {
        self.has_checkpoint_room(OPERATION_BLOCKS + self.fsyncs.length() + nodes)
    }

    /// A checkpoint of everything up to now. Those who ask at the same time share one.
    pub(crate) fn request_checkpoint(&self) -> Result<()> {
        let before = self.frozen.load(Ordering::Acquire);
        let one = self.checkpoint.lock();
        if self.checkpointed.load(Ordering::Acquire) > before {
            return Ok(()); // It began after this was asked for.
        }
        self.checkpoint_locked(CheckpointReason::Sync, &one)
    }

    /// One checkpoint (kernel: `f2fs_write_checkpoint`). Operations wait at its barrier.
    pub(crate) fn write_checkpoint(&self, reason: CheckpointReason) -> Result<()> {
        let one = self.checkpoint.lock();
        self.checkpoint_locked(reason, &one)
    }

    fn checkpoint_locked(&self, reason: CheckpointReason, _one: &MutexGuard<'_, ()>) -> Result<()> {
        let frozen = self.freeze();
        let number = self.frozen.fetch_add(1, Ordering::AcqRel) + 1;
        self.check_writable()?;
        let result = self.checkpoint_frozen(reason, &frozen);
        if let Err(error) = &result {
            // What is in memory and what was written may disagree; the last checkpoint stays the truth.
            self.meta.device.stop(format!("checkpoint: {error}"));
        } else {
            self.checkpointed.store(number, Ordering::Release);
        }
        result
    }

    fn checkpoint_frozen(&self, reason: CheckpointReason, frozen: &OpGuard<'_>) -> Result<()> {
        self.write_quota(frozen)?;
        let dirty = self.dirty_inodes();
        for dir in dirty.iter().filter(|i| i.is_dir()) {
            flush_pages_in_op(self, dir, 0..u64::MAX, frozen)?;
        }
        let mut writer = NodeWriter::new(self);
        for inode in &dirty {
            writer.add_tree(&mut inode.tree.lock())?;
        }
        writer.finish()?;
        self.meta.write_checkpoint(reason)?;
        stats::add(&self.counters.checkpoints, 1);
        tracing::debug!(?reason, inodes = dirty.len(), "checkpoint");
        self.start_epoch();
        self.dirty_entries.store(0, Ordering::Relaxed);
        self.changed.store(false, Ordering::Release);
        self.needs_umount
            .store(reason == CheckpointReason::Sync, Ordering::Release);
        for inode in dirty {
            if !inode.mapping.is_dirty() {
                self.forget_dirty(&inode);
            }
            inode.tree.lock().trim(NODES_KEPT);
        }
        Ok(())
    }

    /// The last checkpoint of a volume that was changed.
    pub(crate) fn close(&self) -> Result<()> {
        if self.options.read_only {
            return Ok(());
        }
        self.check_writable()?;
        let flushed = self.flush_data();
        self.release_idle(Patience::End);
        if self.changed.load(Ordering::Acquire) || self.needs_umount.load(Ordering::Acquire) {
            self.write_checkpoint(CheckpointReason::Umount)?;
        }
        self.discard_at_end();
        // Files that are still open must not change what was just finished.
        self.meta.device.close();
        flushed
    }

    /// Frees the inodes that were unlinked but open when the volume was last written.
    pub(crate) fn free_orphans(&self) -> Result<()> {
        for ino in self.meta.orphans.list() {
            let inode = self.inodes.get(self, ino)?;
            if inode.info().links != 0 {
                let reason =
                    format!("the orphan list names inode {ino}, which has links; run fsck");
                return Err(Error::ReadOnly(reason));
            }
            let op = self.start_op();
            inode.free(self, &op)?;
        }
        Ok(())
    }
}

/// Blocks that the operations under way together may still make dirty.
const OPERATION_BLOCKS: u64 = 256;
/// Dirty nodes that wait for a checkpoint, at most: 64 MiB of memory.
const DIRTY_NODES_MAX: u64 = 16 * 1024;
/// Blocks of data that are cleaned for at a time, before they are written.
const CLEANED_FOR: u64 = 1024;
/// Free blocks that an operation finds when it starts, if idle files can give them: inodes, nodes, entries.
const SPARE_BLOCKS: u64 = 64;
/// Blocks that are kept for operations that remove.
const REMOVAL_BLOCKS: u64 = 1024;

/// Smallest batch of writeback: a cluster, or it would never end.
const BATCH_PAGES_MIN: usize = 256;

/// Clean nodes that an inode keeps after a checkpoint.
const NODES_KEPT: usize = 256;
