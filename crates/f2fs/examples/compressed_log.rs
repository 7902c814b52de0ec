//! Makes a compressed volume, appends to a log in it, and says what compression saved.
//!
//! `cargo run --example compressed_log -- /tmp/log.img`

use f2fs::{
    CompressAlgorithm, FormatOptions, OpenOptions, Owner, RootCompression, Volume, VolumeOptions,
};
use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let image = std::env::args()
        .nth(1)
        .ok_or("usage: compressed_log IMAGE")?;
    let mut format = FormatOptions::new(128 << 20);
    format.compress = Some(RootCompression {
        algorithm: CompressAlgorithm::Zstd,
        level: 3,
        log_cluster_size: 4,
        checksum: true,
    });
    let volume = Volume::create(&image, &format, &VolumeOptions::default())?;
    volume.create_dir_all("/var/log", Owner::root(0o755))?;
    let append = OpenOptions::new().append(true).create(true);
    let mut log = volume.open_with("/var/log/app", &append)?;
    for n in 0..100_000 {
        writeln!(log, "request {n} answered in {} us", n % 977)?;
    }
    log.sync_all()?;
    let clusters = log.clusters()?.ok_or("the log inherited no compression")?;
    println!(
        "{} bytes, {} compressed clusters, {} blocks saved",
        log.metadata().len(),
        clusters.compressed,
        clusters.blocks_saved
    );
    drop(log);
    volume.close()?;
    Ok(())
}
