//! Telling the device which blocks are free, so that images shrink and flash wears less (kernel: `discard`, `FITRIM`).
//!
//! Checkpoints free blocks; [`crate::segment::discard`] remembers where and tells the device batch by batch. Here is
//! when: whole segments while the volume is in use, if somebody has time for it ([`Fs::discard_some`]); the rest when
//! it is closed; everything that is free when somebody asks ([`Fs::trim`]).
//!
//! # Invariants
//! Nothing depends on a discard: one that fails is told in the log and changes nothing.

use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::segment::discard::{Discarded, Target, Which};
use f2fs_format::{BLOCK_SIZE, SegmentNo};
use std::ops::Range;

/// Blocks of the shortest run that is worth a transfer when the volume is closed.
const RUN_MIN: u16 = 16;

/// What [`crate::Volume::trim`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrimReport {
    /// Bytes that the device was told about.
    pub bytes: u64,
    /// Transfers that took.
    pub transfers: u64,
}

impl Fs {
    /// Discards some of the segments that checkpoints freed; whether more are left.
    pub(crate) fn discard_some(&self) -> bool {
        if !self.discards() {
            return false;
        }
        let target = Target {
            which: Which::FreedWhole,
            range: 0..u32::MAX,
            min_blocks: RUN_MIN,
            is_dry: false,
        };
        match self.meta.segments.discard_batch(&target, SegmentNo::new(0)) {
            Ok(done) => done.blocks > 0 && done.next.is_some(),
            Err(error) => {
                tracing::warn!(%error, "free segments are not discarded");
                false
            }
        }
    }

    /// Discards all that checkpoints freed. Nobody writes any more.
    pub(crate) fn discard_at_end(&self) {
        if !self.discards() {
            return;
        }
        let target = Target {
            which: Which::Freed,
            range: 0..u32::MAX,
            min_blocks: RUN_MIN,
            is_dry: false,
        };
        match self.discard_all(&target) {
            Ok(TrimReport { bytes, transfers }) => tracing::debug!(bytes, transfers, "discarded"),
            Err(error) => tracing::warn!(%error, "free blocks are not discarded"),
        }
    }

    /// Whether freed blocks are discarded without being asked.
    fn discards(&self) -> bool {
        self.options.discard
            && !self.options.read_only
            && self.meta.device.supports_discard()
            && self.meta.device.stopped().is_none()
    }

    /// Discards all free blocks within a range of bytes, in runs of at least `min_len` bytes.
    pub(crate) fn trim(&self, range: Range<u64>, min_len: u64) -> Result<TrimReport> {
        self.check_writable()?;
        self.check_supported()?;
        // What was removed is free after a checkpoint.
        self.sync()?;
        let report = self.discard_all(&target(range, min_len, false))?;
        self.check_supported()?;
        Ok(report)
    }

    /// What [`Fs::trim`] would do now.
    pub(crate) fn trimmable(&self, range: Range<u64>, min_len: u64) -> Result<TrimReport> {
        self.discard_all(&target(range, min_len, true))
    }

    fn check_supported(&self) -> Result<()> {
        if self.meta.device.supports_discard() {
            return Ok(());
        }
        let what = "the device of the volume discards nothing";
        Err(Error::Unsupported(what.to_owned()))
    }

    fn discard_all(&self, target: &Target) -> Result<TrimReport> {
        let mut report = TrimReport::default();
        let mut at = Some(SegmentNo::new(0));
        while let Some(from) = at {
            let Discarded { blocks, runs, next } =
                self.meta.segments.discard_batch(target, from)?;
            report.bytes += blocks * BLOCK_SIZE as u64;
            report.transfers += runs;
            at = next;
        }
        Ok(report)
    }
}

/// All free blocks that lie in a range of bytes as a whole.
fn target(range: Range<u64>, min_len: u64, is_dry: bool) -> Target {
    let block = BLOCK_SIZE as u64;
    let addr = |block: u64| u32::try_from(block).unwrap_or(u32::MAX);
    Target {
        which: Which::All,
        range: addr(range.start.div_ceil(block))..addr(range.end / block),
        min_blocks: u16::try_from(min_len.div_ceil(block)).unwrap_or(u16::MAX),
        is_dry,
    }
}
