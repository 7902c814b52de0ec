//! Checkpoints: how the volume goes from one consistent state to the next.
//!
//! | module | what |
//! |---|---|
//! | [`read`] | finding the current pack and reading it |
//! | [`pack`] | building the next pack |
//!
//! # Invariants
//! The next checkpoint goes to the pack that is not current. Its footer is written after a flush of
//! everything else, and is durable when that write returns, so a torn pack has no valid footer and
//! the current pack stays current. What the checkpoint names was written beside what the current
//! one names; only summaries of closed segments are written in place, with the same entries for
//! every block the current checkpoint knows.
//!
//! # Locking
//! The caller holds the lock of rank [`CHECKPOINT`](crate::locks::CHECKPOINT) and the one of rank
//! [`OP`](crate::locks::OP) exclusively.

pub(crate) mod pack;
pub(crate) mod read;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::meta::Metadata;
use f2fs_format::BlockAddr;
pub(crate) use pack::CheckpointReason;

impl Metadata {
    /// Makes the state of all tables durable and current. The caller lets nobody change metadata
    /// meanwhile and has handed all data and node blocks to the device, which has completed them.
    ///
    /// # Errors
    /// The device's, after which the volume writes nothing more; `NoSpace` if a log that filled its
    /// segment finds no other. The last checkpoint stays the current one, on the device and in
    /// memory.
    pub(crate) fn write_checkpoint(&self, reason: CheckpointReason) -> Result<()> {
        self.check_writable()?;
        self.segments.open_full_logs()?;
        let nat = self.nat.flush()?;
        let sit = self.segments.flush()?;
        let (last, current) = self.last_checkpoint();
        let pack = self.build_pack(&last, &nat, &sit, reason)?;
        let other = 1 - current;
        let start = self.geometry.cp_pack(other);
        self.device.write_meta(start, &pack.body)?;
        self.device.flush()?;
        let footer = BlockAddr::new(start.get() + pack.checkpoint.pack_blocks - 1);
        self.device.write_meta_durable(footer, &pack.footer)?;
        tracing::debug!(
            version = pack.checkpoint.version,
            pack = other,
            ?reason,
            blocks = pack.checkpoint.pack_blocks,
            "checkpoint"
        );
        self.nat.commit(nat);
        self.segments.commit(sit);
        self.set_last_checkpoint(pack.checkpoint, other);
        Ok(())
    }

    fn check_writable(&self) -> Result<()> {
        if self.is_writable() {
            Ok(())
        } else {
            Err(Error::ReadOnly(
                "the volume was opened for reading".to_owned(),
            ))
        }
    }
}
