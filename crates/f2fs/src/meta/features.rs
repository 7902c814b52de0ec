//! Which volumes are refused, and why, by name.

use super::open::OpenMode;
use crate::device::Device;
use crate::error::{Error, Result};
use f2fs_format::checkpoint::CpFlags;
use f2fs_format::{Checkpoint, Features, SuperBlock};

/// Features that change where things lie in a way that is not implemented.
const OTHER_GEOMETRY: Features = Features::BLKZONED.union(Features::PACKED_SSA);

/// Unknown to writing, harmless to reading.
const READABLE_UNKNOWN: Features = Features::DEVICE_ALIAS;

/// States of a volume that writing would make worse.
const UNWRITABLE_STATES: CpFlags = CpFlags::ERROR
    .union(CpFlags::RESIZEFS)
    .union(CpFlags::DISABLED)
    .union(CpFlags::DISABLED_QUICK);

/// Refuses a volume that cannot be read, or not be written if that is asked for, for its features.
pub(super) fn check_features(device: &Device, sb: &SuperBlock, mode: OpenMode) -> Result<()> {
    let unknown = sb.features.unknown().difference(READABLE_UNKNOWN);
    refuse((sb.features & OTHER_GEOMETRY) | unknown, "")?;
    if !sb.devices.is_empty() {
        return Err(Error::Unsupported("volumes of several devices".to_owned()));
    }
    if mode == OpenMode::ReadOnly {
        return Ok(());
    }
    if device.is_read_only() {
        return Err(Error::ReadOnly(
            "the device does not allow writing".to_owned(),
        ));
    }
    if sb.features.contains(Features::RO) {
        return Err(Error::ReadOnly("the volume has the feature ro".to_owned()));
    }
    refuse(sb.features & READABLE_UNKNOWN, "writing with ")
}

fn refuse(features: Features, action: &str) -> Result<()> {
    if features.is_empty() {
        return Ok(());
    }
    Err(Error::Unsupported(format!(
        "{action}the features {}",
        features.names()
    )))
}

/// Refuses to write to a volume for the state that its checkpoint records.
pub(super) fn check_state(checkpoint: &Checkpoint, mode: OpenMode) -> Result<()> {
    let state = checkpoint.flags & UNWRITABLE_STATES;
    if mode == OpenMode::ReadOnly || state.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = state
        .iter_names()
        .map(|(name, _)| name.to_ascii_lowercase())
        .collect();
    Err(Error::ReadOnly(format!(
        "the checkpoint has the flags {}",
        names.join(",")
    )))
}
