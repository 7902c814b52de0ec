//! The tables of a volume: superblock, checkpoint, NAT, SIT and summaries, counters, orphans.
//!
//! [`Metadata`] is all of them, opened together. Above it are the node cache, inodes and the
//! operations; below are [`crate::device`] and [`crate::segment`]. [`crate::checkpoint`] writes all
//! of it.
//!
//! | module | what |
//! |---|---|
//! | [`open`], [`features`] | opening a volume, and what is refused |
//! | [`nat`], [`free_nid`], [`nat_flush`] | where nodes are, which nids are free |
//! | [`space`] | counters |
//! | [`orphan`] | inodes without a name |
//! | [`elapsed`] | the volume's own time |
//! | [`batch`], [`block_cache`] | writing and keeping table blocks |
//! | [`inconsistent`] | contradictions between tables |

pub(crate) mod batch;
mod block_cache;
pub(crate) mod elapsed;
mod features;
mod free_nid;
pub(crate) mod inconsistent;
pub(crate) mod nat;
pub(crate) mod nat_flush;
mod open;
pub(crate) mod orphan;
pub(crate) mod space;
#[cfg(test)]
pub(crate) mod tests;

use crate::device::Device;
use crate::segment::Segments;
use elapsed::Elapsed;
use f2fs_format::{Checkpoint, Geometry, SuperBlock};
pub(crate) use nat::Nat;
pub(crate) use open::OpenMode;
pub(crate) use orphan::Orphans;
use runtime::sync::Mutex;
pub(crate) use space::Space;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// All tables of an open volume.
#[derive(Debug)]
pub(crate) struct Metadata {
    /// The superblock.
    pub sb: SuperBlock,
    /// Where everything lies.
    pub geometry: Geometry,
    /// The device.
    pub device: Arc<Device>,
    /// Where nodes lie, and free nids.
    pub nat: Nat,
    /// Blocks of MAIN and the logs.
    pub segments: Segments,
    /// Counters of blocks, nodes and inodes.
    pub space: Space,
    /// Inodes that the next mount has to free.
    pub orphans: Orphans,
    /// The volume's own time.
    pub elapsed: Arc<Elapsed>,
    /// Whether the quota files do not say what is in use: every checkpoint tells `fsck.f2fs` so.
    pub quota_damaged: AtomicBool,
    /// Whether the cleaner met damage: every checkpoint tells `fsck.f2fs` so.
    pub needs_fsck: AtomicBool,
    mode: OpenMode,
    last: Mutex<Last>,
    /// [`Last::checkpoint`]'s version as nodes carry it, for readers that cannot wait.
    node_version: AtomicU64,
}

/// The last completed checkpoint.
#[derive(Debug)]
struct Last {
    checkpoint: Checkpoint,
    pack: u32,
}

impl Metadata {
    /// What the footers of nodes written now record as their checkpoint.
    pub(crate) fn node_cp_ver(&self) -> u64 {
        self.node_version.load(Ordering::Acquire)
    }

    /// The last completed checkpoint.
    pub(crate) fn checkpoint_info(&self) -> Checkpoint {
        self.last_checkpoint().0
    }

    /// Whether the volume was opened for writing.
    pub(crate) fn is_writable(&self) -> bool {
        self.mode == OpenMode::ReadWrite
    }

    /// The last completed checkpoint and its pack.
    pub(crate) fn last_checkpoint(&self) -> (Checkpoint, u32) {
        let last = self.last.lock();
        (last.checkpoint.clone(), last.pack)
    }

    /// A checkpoint has been completed.
    pub(crate) fn set_last_checkpoint(&self, checkpoint: Checkpoint, pack: u32) {
        self.node_version
            .store(checkpoint.node_version(), Ordering::Release);
        *self.last.lock() = Last { checkpoint, pack };
    }
}
