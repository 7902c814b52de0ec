//! Operations on a volume of the engine.

use crate::observe::identity;
use crate::op::{Durable, Layout, Op};
use crate::world::Identity;
use anyhow::{Result, ensure};
use blockdev::BlockDevice;
use f2fs::{
    CompressDefaults, Defragment, FsyncMode, GcOptions, Node, OpenOptions, Owner, SetAttr,
    SetXattr, Volume, VolumeOptions,
};
use runtime::clock::StepClock;
use std::sync::Arc;

/// Second at which the clock of a workload starts.
const START: u64 = 1_700_000_000;
/// Binary logarithm of the blocks of a cluster: 16 KiB.
const LOG_CLUSTER_SIZE: u8 = 2;

/// What is cleaned: every segment that is not full.
const ANY_HOLE: GcOptions = GcOptions {
    free_segments: u32::MAX,
    utilisation_max: 100,
};

/// Options under which the same operations give the same writes. Generations of inodes differ from one `opening` to
/// another, so that numbers used again are told apart.
pub fn options(mode: FsyncMode, opening: Opening) -> VolumeOptions {
    VolumeOptions {
        cache_bytes: 16 << 20,
        threads: 1,
        fsync_mode: mode,
        clock: Arc::new(StepClock::starting_at(START)),
        seed: Some(opening as u64),
        ..VolumeOptions::default()
    }
}

/// What a volume is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// To be formatted.
    Format = 1,
    /// To hold what a workload starts from.
    Setup,
    /// For the workload.
    Workload,
    /// After the power cut.
    Recovery,
}

/// Opens a volume for reading and writing.
pub fn open(
    device: Arc<dyn BlockDevice>,
    mode: FsyncMode,
    opening: Opening,
) -> f2fs::Result<Volume> {
    Volume::open_device(device, &options(mode, opening))
}

/// Opens a volume for reading.
pub fn open_read_only(device: Arc<dyn BlockDevice>) -> f2fs::Result<Volume> {
    let options = VolumeOptions {
        read_only: true,
        ..options(FsyncMode::Posix, Opening::Recovery)
    };
    Volume::open_device(device, &options)
}

/// Runs an operation; `bytes` is what it writes, or the value of an attribute. What it made is returned.
pub fn run(volume: &Volume, op: &Op, bytes: &[u8]) -> Result<Option<Identity>> {
    let writing = OpenOptions::new().write(true);
    match op {
        Op::Create(path, layout) => {
            let compress = match layout {
                Layout::Plain => None,
                Layout::Compressed(algorithm) => Some(CompressDefaults {
                    algorithm: *algorithm,
                    log_cluster_size: LOG_CLUSTER_SIZE,
                    ..CompressDefaults::default()
                }),
            };
            let options = OpenOptions::new().write(true).create_new(true);
            volume.open_with(path, &options.compress(compress))?;
            return made(volume, path).map(Some);
        }
        Op::Mkdir(path) => {
            volume.create_dir(path, Owner::root(0o755))?;
            return made(volume, path).map(Some);
        }
        Op::Symlink(target, path) => {
            volume.symlink(target, path, Owner::root(0o777))?;
            return made(volume, path).map(Some);
        }
        Op::Write(path, pos, _) => {
            let file = volume.open_with(path, &writing)?;
            let written = file.write_at(*pos, bytes)?;
            ensure!(written == bytes.len(), "a short write");
        }
        Op::Truncate(path, size) => volume.open_with(path, &writing)?.set_len(*size)?,
        Op::Allocate(path, how, start, len) => {
            let file = volume.open_with(path, &writing)?;
            file.fallocate(*how, *start..*start + *len)?;
        }
        Op::Defragment(path) => {
            volume.defragment(path, Defragment::Write)?;
        }
        Op::Rename(from, to) => volume.rename(from, to)?,
        Op::Link(from, to) => volume.hard_link(from, to)?,
        Op::Unlink(path) => volume.remove_file(path)?,
        Op::Rmdir(path) => volume.remove_dir(path)?,
        Op::Chmod(path, permissions) => {
            let set = SetAttr {
                permissions: Some(*permissions),
                ..SetAttr::default()
            };
            volume.set_attr(path, &set)?;
        }
        Op::SetXattr(path, name, _) => {
            volume.set_xattr(path, name, bytes, SetXattr::Any)?;
        }
        Op::RemoveXattr(path, name) => volume.remove_xattr(path, name)?,
        Op::Clean => {
            volume.gc_section(ANY_HOLE)?;
        }
        Op::Discard => {
            while volume.discard_some() {}
            volume.trim(0..u64::MAX, 0)?;
        }
        Op::Sync(Durable::Volume) => volume.sync()?,
        Op::Sync(Durable::Directory(path)) => find(volume, path)?.sync()?,
        Op::Sync(Durable::File(path)) => volume.open_with(path, &writing)?.sync_all()?,
        Op::Sync(Durable::Data(path)) => volume.open_with(path, &writing)?.sync_data()?,
    }
    Ok(None)
}

fn made(volume: &Volume, path: &str) -> Result<Identity> {
    Ok(identity(&find(volume, path)?))
}

fn find(volume: &Volume, path: &str) -> Result<Node> {
    let mut node = volume.root()?;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        node = node.lookup(name.as_bytes())?;
    }
    Ok(node)
}
