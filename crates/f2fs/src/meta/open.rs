//! Opens a volume: superblock, checkpoint, summaries, SIT, NAT, orphans, in the order of the
//! kernel's mount.

use super::elapsed::Elapsed;
use super::features::{check_features, check_state};
use super::{Last, Metadata, Nat, Orphans, Space};
use crate::checkpoint::read::{CurrentPack, PackReader, current_pack};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::segment::Segments;
use f2fs_format::{BlockAddr, SuperBlock};
use runtime::sync::{Mutex, Rank};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

/// What a volume is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenMode {
    /// Reading; a volume that contradicts itself is still read as far as it goes.
    ReadOnly,
    /// Reading and writing.
    ReadWrite,
}

impl Metadata {
    /// Opens the volume on `device`. Nothing is written, and no orphan is freed.
    ///
    /// # Errors
    /// `Unsupported` or `ReadOnly` for what is refused by name, `Corrupt` and `Inconsistent` for bad
    /// tables, the device's.
    pub(crate) fn open(device: Arc<Device>, mode: OpenMode) -> Result<Self> {
        let sb = read_super(&device)?;
        check_features(&device, &sb, mode)?;
        let geometry = sb.geometry();
        let CurrentPack {
            checkpoint,
            pack,
            other,
        } = current_pack(&device, &sb)?;
        if let Some(error) = other {
            check_other_pack(error, pack, mode)?;
        }
        check_state(&checkpoint, mode)?;
        let reader = PackReader {
            device: &device,
            sb: &sb,
            geometry,
            checkpoint: &checkpoint,
            pack,
        };
        let (nat_journal, logs) = reader.summaries()?;
        let orphans = or_warn(reader.orphans(), mode)?.unwrap_or_default();
        let orphans = Orphans::new(&sb, orphans);
        let elapsed = Arc::new(Elapsed::starting_at(checkpoint.elapsed_time));
        let segments = Segments::load(
            Arc::clone(&device),
            geometry,
            &checkpoint,
            logs,
            Arc::clone(&elapsed),
        )?;
        or_warn(segments.check(&checkpoint), mode)?;
        let nat = Nat::new(Arc::clone(&device), geometry, &checkpoint, nat_journal);
        let space = Space::new(&checkpoint, &geometry);
        let node_version = AtomicU64::new(checkpoint.node_version());
        let last = Mutex::new(Rank::LEAF, Last { checkpoint, pack });
        Ok(Self {
            sb,
            geometry,
            device,
            nat,
            segments,
            space,
            orphans,
            elapsed,
            quota_damaged: AtomicBool::new(false),
            needs_fsck: AtomicBool::new(false),
            mode,
            last,
            node_version,
        })
    }
}

fn read_super(device: &Device) -> Result<SuperBlock> {
    let first = device.read_block(BlockAddr::new(0))?;
    let second = device.read_block(BlockAddr::new(1))?;
    let (sb, copy, bad) = SuperBlock::parse_pair(&first[..], &second[..], device.blocks())?;
    if let Some(error) = bad {
        tracing::warn!(%error, used = ?copy, "one superblock is not valid");
    }
    Ok(sb)
}

/// A pack that was torn is older than the good one, or was never finished. One that cannot be read may be the newer
/// one: then blocks of the good one are in use for something else already, and it must not be written to.
fn check_other_pack(error: Error, used: u32, mode: OpenMode) -> Result<()> {
    if mode == OpenMode::ReadWrite && matches!(error, Error::Device(_)) {
        return Err(error);
    }
    tracing::warn!(%error, used, "one checkpoint pack is not valid");
    Ok(())
}

/// Turns what a reader can live with into a warning.
fn or_warn<T>(result: Result<T>, mode: OpenMode) -> Result<Option<T>> {
    match (result, mode) {
        (Ok(value), _) => Ok(Some(value)),
        (Err(error @ (Error::Corrupt(_) | Error::Inconsistent(_))), OpenMode::ReadOnly) => {
            tracing::warn!(%error, "the volume contradicts itself; reading goes on");
            Ok(None)
        }
        (Err(error), _) => Err(error),
    }
}
