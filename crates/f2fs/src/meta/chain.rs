//! Looks for nodes that an fsync wrote behind the last checkpoint.
//!
//! # On disk
//! Each node of the warm node log names the address that the log took next. The chain starts where
//! the checkpoint left the log and ends at the first block that does not carry the checkpoint's
//! version.

use super::Metadata;
use crate::error::{Inconsistent, Result};
use f2fs_format::checkpoint::CpFlags;
use f2fs_format::node::NodeFooter;
use f2fs_format::{BlockAddr, Checkpoint, CursegType};

impl Metadata {
    /// Whether the last checkpoint is followed by nodes that were made durable by an fsync alone,
    /// so that only roll-forward recovery would find them.
    ///
    /// # Errors
    /// `Inconsistent` if the chain runs in a circle; the device's.
    pub(crate) fn has_fsync_chain(&self) -> Result<bool> {
        let checkpoint = self.checkpoint_info();
        let log = checkpoint.curseg(CursegType::WarmNode);
        let first = self.geometry.segment_start(log.segno).get() + u32::from(log.blkoff);
        let mut at = first;
        // A mark that follows in growing steps meets every circle (Brent).
        let (mut mark, mut steps, mut limit) = (first, 0u64, 2u64);
        while let Ok(addr) = self.geometry.main_addr(at) {
            let footer = NodeFooter::read(&*self.device.read_block(addr)?);
            if !follows(&checkpoint, footer.cp_ver) {
                break;
            }
            if footer.fsync {
                return Ok(true);
            }
            at = footer.next_blkaddr;
            if at == mark {
                return Err(Inconsistent::ChainLoop {
                    addr: BlockAddr::new(at),
                }
                .into());
            }
            steps += 1;
            if steps == limit {
                (mark, steps, limit) = (at, 0, limit * 2);
            }
        }
        Ok(false)
    }
}

/// Whether a node with this version was written after the checkpoint.
fn follows(checkpoint: &Checkpoint, cp_ver: u64) -> bool {
    if checkpoint.flags.contains(CpFlags::NOCRC_RECOVERY) {
        cp_ver as u32 == checkpoint.version as u32
    } else {
        cp_ver == checkpoint.node_version()
    }
}
