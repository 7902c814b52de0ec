//! A workload on the kernel's F2FS above `log-writes`: the device before it, and everything that it wrote.

use crate::disk::Disk;
use crate::guest::Guest;
use crate::log::{self, Entry};
use testkit::tools;

/// Bytes of a log device; it is sparse.
const LOG_BYTES: u64 = 2 << 30;

/// How a volume is made and mounted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// Bytes of the volume.
    pub(crate) size: u64,
    /// Arguments of `mkfs.f2fs`.
    pub(crate) features: &'static [&'static str],
    /// Options of the mount under the workload.
    pub(crate) options: &'static str,
    /// Options that a volume needs at every mount.
    pub(crate) lasting: &'static str,
}

/// What the kernel did to a volume.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) base: Disk,
    pub(crate) entries: Vec<Entry>,
}

/// Runs commands on a fresh volume; None where there is no kernel to ask.
pub(crate) fn record(setup: &Setup, commands: &str) -> Option<Recording> {
    let image = tools::mkfs(setup.features, setup.size);
    let base = Disk::of_image(image.path());
    let log = tools::blank(LOG_BYTES);
    let mut guest = Guest::new();
    let (device, writes) = (guest.device(image.path()), guest.device(log.path()));
    guest.then(format!(
        "mountlogged {device} {writes} noatime,{},{}",
        setup.options, setup.lasting
    ));
    guest.then(commands.trim_end()).then("umountlogged");
    guest.run()?;
    let entries = log::read(log.path());
    Some(Recording { base, entries })
}
