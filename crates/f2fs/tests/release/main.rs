//! Volumes where compression frees space (`space=release`): what is counted when, who takes blocks again, and what
//! happens when there are none. Also what overwriting leaves of compression, in both modes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod accounting;
mod changes;
mod overwrites;
mod pressure;
mod recompress;
mod short;

use f2fs::{File, OpenOptions, Space, Volume, VolumeOptions};

/// Options of a volume where saved blocks are free.
fn releasing() -> VolumeOptions {
    VolumeOptions {
        space: Space::Release,
        ..VolumeOptions::default()
    }
}

/// A new file, open for reading and writing.
fn make(volume: &Volume, path: &str, bytes: &[u8]) -> File {
    let options = OpenOptions::new().read(true).write(true).create_new(true);
    let file = volume.open_with(path, &options).unwrap();
    file.write_all_at(0, bytes).unwrap();
    file
}

fn open(volume: &Volume, path: &str) -> File {
    let options = OpenOptions::new().read(true).write(true);
    volume.open_with(path, &options).unwrap()
}

/// A new file that nobody has open and that gave its blocks.
fn make_released(volume: &Volume, path: &str, bytes: &[u8]) {
    drop(make(volume, path, bytes));
    volume.sync().unwrap();
    assert!(volume.metadata(path).unwrap().is_released());
}

/// Blocks of the volume that are free, and blocks of a file.
fn counts(volume: &Volume, path: &str) -> (u64, u64) {
    let free = volume.statfs().blocks_free;
    (free, volume.metadata(path).unwrap().blocks())
}
