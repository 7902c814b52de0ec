//! Builds the blocks of a checkpoint pack.

use crate::error::Result;
use crate::meta::Metadata;
use crate::meta::nat_flush::NatFlush;
use crate::segment::SitFlush;
use f2fs_format::checkpoint::{AllocType, CpFlags, CursegPos, crc_of};
use f2fs_format::orphan::OrphanBlock;
use f2fs_format::summary::{NatJournal, SitJournal, SummaryBlock, compact};
use f2fs_format::{BLOCK_SIZE, BLOCKS_PER_SEGMENT, Checkpoint, CursegType, Nid};
use std::sync::atomic::Ordering;

/// Why a checkpoint is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckpointReason {
    /// To make changes durable; the volume stays in use.
    Sync,
    /// The volume is closed.
    Umount,
}

/// A pack on its way to the device.
#[derive(Debug)]
pub(super) struct Pack {
    /// The checkpoint as a later mount reads it.
    pub(super) checkpoint: Checkpoint,
    /// Everything but the footer.
    pub(super) body: Vec<u8>,
    /// The footer, a copy of the header block.
    pub(super) footer: Vec<u8>,
}

/// The flags that say how a pack was written; all others are kept from checkpoint to checkpoint.
/// NAT bits are not maintained. Freed blocks are discarded after the checkpoint that frees them, so no checkpoint can
/// say that all are (TRIMMED); a kernel that finds it clear discards what is free once more.
const STATE_OF_A_PACK: CpFlags = CpFlags::UMOUNT
    .union(CpFlags::ORPHAN_PRESENT)
    .union(CpFlags::COMPACT_SUM)
    .union(CpFlags::FASTBOOT)
    .union(CpFlags::NAT_BITS)
    .union(CpFlags::TRIMMED)
    .union(CpFlags::NOCRC_RECOVERY);

impl Metadata {
    /// The pack that follows `last`, with the state of all tables.
    pub(super) fn build_pack(
        &self,
        last: &Checkpoint,
        nat: &NatFlush,
        sit: &SitFlush,
        reason: CheckpointReason,
    ) -> Result<Pack> {
        let orphans: Vec<u32> = self.orphans.list().into_iter().map(Nid::get).collect();
        let orphans = OrphanBlock::encode(&orphans);
        let (logs, summaries): (Vec<CursegPos>, Vec<SummaryBlock>) = CursegType::ALL
            .iter()
            .map(|&log| self.segments.log_state(log))
            .unzip();
        let (data, is_compact) = encode_data(&logs, &summaries, nat, sit);
        let nodes = match reason {
            CheckpointReason::Sync => &[][..],
            CheckpointReason::Umount => &summaries[3..],
        };
        let mut checkpoint = self.next_checkpoint(last, nat, sit);
        checkpoint.cur_data.copy_from_slice(&logs[..3]);
        checkpoint.cur_node.copy_from_slice(&logs[3..]);
        checkpoint.start_sum = 1 + self.sb.cp_payload + orphans.len() as u32;
        let summary_blocks = data.len() / BLOCK_SIZE + nodes.len();
        checkpoint.pack_blocks = checkpoint.start_sum + summary_blocks as u32 + 1;
        assert!(
            checkpoint.pack_blocks <= BLOCKS_PER_SEGMENT,
            "the orphan limit keeps packs in a segment"
        );
        checkpoint
            .flags
            .set(CpFlags::UMOUNT, reason == CheckpointReason::Umount);
        checkpoint.flags.set(CpFlags::COMPACT_SUM, is_compact);
        checkpoint
            .flags
            .set(CpFlags::ORPHAN_PRESENT, !orphans.is_empty());

        let mut body = checkpoint.encode(&self.sb)?;
        let footer = body[..BLOCK_SIZE].to_vec();
        checkpoint.crc = crc_of(&footer)?;
        checkpoint.raw.copy_from_slice(&footer);
        body.extend(orphans.iter().flatten());
        body.extend_from_slice(&data);
        body.extend(nodes.iter().flat_map(|summary| *summary.encode()));
        Ok(Pack {
            checkpoint,
            body,
            footer,
        })
    }

    /// The next checkpoint, but for what depends on the pack's layout.
    fn next_checkpoint(&self, last: &Checkpoint, nat: &NatFlush, sit: &SitFlush) -> Checkpoint {
        let counts = self.space.snapshot();
        let mut next = last.clone();
        next.version = last.version.wrapping_add(1);
        next.valid_block_count = counts.valid_blocks;
        next.valid_nodes = counts.valid_nodes;
        next.valid_inodes = counts.valid_inodes;
        next.free_segments = self.segments.free_segment_count();
        next.next_free_nid = self.nat.next_free_nid();
        next.elapsed_time = self.elapsed.secs();
        next.sit_bitmap.clone_from(&sit.bitmap);
        next.nat_bitmap.clone_from(&nat.bitmap);
        next.flags = last.flags.difference(STATE_OF_A_PACK) | CpFlags::CRC_RECOVERY;
        if self.quota_damaged.load(Ordering::Relaxed) {
            next.flags |= CpFlags::QUOTA_NEED_FSCK;
        }
        if self.needs_fsck.load(Ordering::Relaxed) {
            next.flags |= CpFlags::FSCK;
        }
        next
    }
}

/// The data summaries with both journals, compact if they fit so; and whether they did.
fn encode_data(
    logs: &[CursegPos],
    summaries: &[SummaryBlock],
    nat: &NatFlush,
    sit: &SitFlush,
) -> (Vec<u8>, bool) {
    let nat_journal = NatJournal(nat.journal.clone()).encode();
    let sit_journal = SitJournal(sit.journal.clone()).encode();
    let counts = [0, 1, 2].map(|log: usize| match logs[log].alloc {
        AllocType::Lfs => logs[log].blkoff,
        AllocType::Ssr => BLOCKS_PER_SEGMENT as u16,
    });
    if compact::fits(counts).is_some() {
        let entries = [0, 1, 2].map(|log| &summaries[log].entries[..usize::from(counts[log])]);
        return (compact::encode(&nat_journal, &sit_journal, entries), true);
    }
    let mut bytes = Vec::with_capacity(3 * BLOCK_SIZE);
    for (summary, journal) in summaries
        .iter()
        .zip([Some(nat_journal), None, Some(sit_journal)])
    {
        let mut summary = summary.clone();
        summary.journal = journal.unwrap_or(summary.journal);
        bytes.extend_from_slice(&summary.encode()[..]);
    }
    (bytes, false)
}
