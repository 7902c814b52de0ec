//! An I/O error at every transfer of a workload in turn: the call that is concerned reports it, nothing else is
//! touched, and nothing that was acknowledged as durable is lost.
//!
//! | module | what |
//! |---|---|
//! | `disk` | a disk with a volatile cache, and copies of it |
//! | `model` | what may be found on the volume after a crash |
//! | `run` | operations, each told to the model |
//! | `inject` | a workload once for each fault |
//! | `check` | what must hold after a fault |
//! | `work` | the workloads |
//! | `told` | who is told of an error, how often |
//!
//! By default each workload meets a sample of the faults, `F2FS_FAULTS=all` lets it meet all of them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod check;
#[path = "../common/mod.rs"]
mod common;
mod disk;
mod inject;
mod model;
mod run;
mod told;
mod work;

use disk::Disk;
use f2fs::{CompressAlgorithm, CompressDefaults, FormatOptions, Result, Volume, VolumeOptions};
use std::sync::Arc;

const SIZE: u64 = 64 << 20;

fn options() -> VolumeOptions {
    VolumeOptions {
        threads: 1,
        cache_bytes: 16 << 20,
        seed: Some(1),
        ..VolumeOptions::default()
    }
}

fn packed() -> CompressDefaults {
    CompressDefaults {
        algorithm: CompressAlgorithm::Lz4,
        log_cluster_size: 2,
        ..CompressDefaults::default()
    }
}

fn read(volume: &Volume, path: &str) -> Result<Vec<u8>> {
    let file = volume.open_file(path)?;
    let mut bytes = vec![0; file.metadata().len() as usize + 1];
    let mut done = 0;
    loop {
        let n = file.read_at(done as u64, &mut bytes[done..])?;
        if n == 0 {
            bytes.truncate(done);
            return Ok(bytes);
        }
        done += n;
    }
}

/// A disk with an empty volume.
fn formatted() -> Arc<Disk> {
    let disk = Disk::new(SIZE);
    let volume = Volume::create_on(
        Arc::clone(&disk) as _,
        &FormatOptions::new(SIZE),
        &options(),
    );
    volume.unwrap().close().unwrap();
    disk
}
