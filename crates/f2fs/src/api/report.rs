//! What is known of a whole volume.

use crate::meta::Metadata as VolumeMeta;
use f2fs_format::{Checkpoint, Features, SuperBlock};

/// Space of a volume, in blocks of 4 KiB, and its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatFs {
    /// Bytes of a block.
    pub block_bytes: u64,
    /// Blocks of the volume behind its superblocks.
    pub blocks: u64,
    /// Blocks that users may have in all.
    pub user_blocks: u64,
    /// Blocks free for users.
    pub blocks_free: u64,
    /// Nodes that files may take in all.
    pub files: u64,
    /// Nodes free.
    pub files_free: u64,
}

impl StatFs {
    pub(crate) fn of(meta: &VolumeMeta) -> Self {
        let space = meta.space.snapshot();
        let blocks_free = space.user_blocks.saturating_sub(space.valid_blocks);
        let nodes = u64::from(meta.geometry.max_nid())
            .saturating_sub(3)
            .min(space.user_blocks);
        let nodes_free = nodes.saturating_sub(u64::from(space.valid_nodes));
        Self {
            block_bytes: iomap::BLOCK_SIZE,
            blocks: meta
                .sb
                .block_count
                .saturating_sub(meta.sb.segment0_blkaddr.get().into()),
            user_blocks: space.user_blocks,
            blocks_free,
            files: nodes,
            files_free: nodes_free.min(blocks_free),
        }
    }
}

/// Superblock, checkpoint and logs of a volume.
#[derive(Clone, Debug)]
pub struct VolumeInfo {
    /// The superblock.
    pub super_block: SuperBlock,
    /// The checkpoint the volume was opened at, or the last one written since.
    pub checkpoint: Checkpoint,
    /// Segments without a valid block that no log uses.
    pub free_segments: u32,
    /// Segments that the next checkpoint makes free.
    pub prefree_segments: u32,
    /// Segments with valid blocks and holes, without the open logs.
    pub dirty_segments: u32,
    /// Segments of the main area.
    pub main_segments: u32,
    /// Inodes in use.
    pub inodes: u32,
}

impl VolumeInfo {
    pub(crate) fn of(meta: &VolumeMeta) -> Self {
        let segments = meta.segments.counts();
        Self {
            super_block: meta.sb.clone(),
            checkpoint: meta.checkpoint_info(),
            free_segments: segments.free,
            prefree_segments: segments.prefree,
            dirty_segments: segments.dirty,
            main_segments: segments.total,
            inodes: meta.space.snapshot().valid_inodes,
        }
    }

    /// Names of the features the volume was made with.
    pub fn feature_names(&self) -> String {
        let features: Features = self.super_block.features;
        features.names()
    }
}
