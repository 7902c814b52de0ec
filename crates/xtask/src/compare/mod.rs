//! `cargo xtask compare`: our mount and others do the same jobs in one run.
//!
//! A round makes a new volume of each system in turn and runs all jobs on it, so that what else the
//! machine does hits all alike. Printed are the medians over the rounds, and the median of the ratios
//! within each round. Images lie in memory: the device is never the limit.

mod jobs;
mod table;

use crate::suites::{Context, Profile};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use jobs::Rate;
use std::path::PathBuf;
use table::Table;
use testkit::mount::{Mount, MountOptions};
use testkit::system::System;

/// What to compare.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Rounds; an odd number has a median of its own
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// MiB of the large file
    #[arg(long, default_value_t = 256)]
    mib: u64,
    /// Number of small files
    #[arg(long, default_value_t = 5000)]
    files: u32,
    /// Where the images lie
    #[arg(long, default_value = "/dev/shm")]
    place: PathBuf,
}

/// A system that takes part.
struct Peer {
    name: &'static str,
    system: System,
    compress: Option<&'static str>,
}

/// Runs all rounds and prints the table.
pub(crate) fn run(args: &CompareArgs) -> Result<()> {
    let cx = Context::new(None, false, 1, Profile::Release)?;
    let peers = peers(&cx)?;
    let mut table = Table::new(peers.iter().map(|peer| peer.name).collect());
    for round in 0..args.rounds {
        for (n, peer) in peers.iter().enumerate() {
            eprintln!("round {round}: {}", peer.name);
            let rates = one(&cx, args, peer).with_context(|| peer.name)?;
            table.add(n, rates);
        }
    }
    print!("{table}");
    Ok(())
}

/// Ours first, then the others that this machine has.
fn peers(cx: &Context) -> Result<Vec<Peer>> {
    if let Some(reason) = cx.lacks() {
        bail!("no mount: {reason}");
    }
    let peer = |name, system, compress| Peer {
        name,
        system,
        compress,
    };
    let ours = cx.system.clone();
    let mut peers = vec![
        peer("f2fs", ours.clone(), None),
        peer("f2fs lz4", ours, Some("lz4")),
        peer("fuse2fs", System::Fuse2fs, None),
        peer("btrfs lzo", System::Btrfs("compress=lzo"), None),
    ];
    peers.retain(|peer| match peer.system.lacks() {
        Some(reason) => {
            eprintln!("SKIPPED: {}: {reason}", peer.name);
            false
        }
        None => true,
    });
    Ok(peers)
}

fn one(cx: &Context, args: &CompareArgs, peer: &Peer) -> Result<Vec<Rate>> {
    // Room for the large file three times: nobody is measured while he cleans up.
    let size = (args.mib << 20) * 3 + (1 << 30);
    let mut mount = Mount::new(MountOptions {
        compress: peer.compress,
        place: Some(args.place.clone()),
        ..MountOptions::new(peer.system.clone(), size)
    })?;
    let rates = jobs::run(cx, &mut mount, args.mib, args.files)?;
    mount.check()?;
    Ok(rates)
}
