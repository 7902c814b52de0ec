//! Opens the volume for a command, and closes it whatever the command did.

use crate::cli::EngineArgs;
use crate::errors::{At, Failure, Result, cannot_open};
use crate::stats;
use crate::text::shown;
use f2fs::{QuotaState, Volume, VolumeOptions};
use std::path::Path;

/// Runs a command that only reads: several may read one image at a time.
pub(crate) fn reading<T>(
    image: &Path,
    engine: &EngineArgs,
    command: impl FnOnce(&Volume) -> Result<T>,
) -> Result<T> {
    with_options(image, engine, &engine.volume_options(), command)
}

/// As [`reading`], with options of the engine that the command chose.
pub(crate) fn with_options<T>(
    image: &Path,
    engine: &EngineArgs,
    options: &VolumeOptions,
    command: impl FnOnce(&Volume) -> Result<T>,
) -> Result<T> {
    let options = VolumeOptions {
        read_only: true,
        ..options.clone()
    };
    let volume = Volume::open(image, &options).map_err(|error| cannot_open(image, &error))?;
    if let Some(error) = volume.unrecovered() {
        crate::errors::complain(format_args!("f2fs: {}: {error}", shown(image)));
    }
    let result = command(&volume);
    if let Some(format) = engine.stats {
        stats::print(format, &volume.stats());
    }
    result
}

/// Runs a command that writes: the image is locked, and closed cleanly even if the command fails.
pub(crate) fn writing<T>(
    image: &Path,
    engine: &EngineArgs,
    command: impl FnOnce(&Volume) -> Result<T>,
) -> Result<T> {
    let options = engine.volume_options();
    let volume = Volume::open(image, &options).map_err(|error| cannot_open(image, &error))?;
    if volume.quota_state() == QuotaState::Damaged {
        crate::errors::complain(format_args!(
            "f2fs: {}: the quota files are damaged and nothing is counted; run 'fsck.f2fs -a' on it",
            shown(image)
        ));
    }
    let result = command(&volume);
    // The counters are those of all the work, so it has to be on the device before they are read.
    let synced = if engine.stats.is_some() {
        volume.sync().at(image)
    } else {
        Ok(())
    };
    if let Some(format) = engine.stats {
        stats::print(format, &volume.stats());
    }
    let closed = synced.and(volume.close().at(image));
    match (result, closed) {
        (result, Ok(())) => result,
        (Ok(_), Err(failure)) => Err(failure),
        (Err(failure), Err(at_close)) => {
            // The failure of the command decides the exit code; the other must not be lost.
            match failure {
                Failure::Told | Failure::Ended(_) | Failure::BrokenPipe => Err(at_close),
                failure @ Failure::Error { .. } => {
                    crate::errors::complain(format_args!("f2fs: {at_close}"));
                    Err(failure)
                }
            }
        }
    }
}
