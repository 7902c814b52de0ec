//! Opening what a power cut left, and cutting that too.

use crate::observe::Observed;
use crate::stamp::{Texture, describe, stamped};
use crate::subject::{self, Opening};
use anyhow::{Context, Result, ensure};
use blockdev::DeviceOp;
use f2fs::{FsyncMode, OpenOptions, Volume};
use runtime::rng::Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use testkit::sim::{CrashState, Enumerator, Event, Image, Log, Replay, SimDevice};

/// Name of the file that is made to see whether the volume works.
const AFTER: &str = "/.after";
/// Crash states that are taken from one recovery.
const CUTS: usize = 6;

/// Turns a panic of the engine into an error.
fn guarded<T>(run: impl FnOnce() -> Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|error| format!("{error:#}")),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("panic: {}", text.unwrap_or("without a message")))
        }
    }
}

/// What a reader sees. Nothing is written.
pub fn read_only(image: &Image) -> Result<Observed, String> {
    guarded(|| {
        let device = Arc::new(SimDevice::unlogged(image.clone()));
        let volume = subject::open_read_only(device.clone()).context("opening read-only")?;
        let observed = Observed::of(&volume).context("opened read-only")?;
        drop(volume);
        ensure!(device.count(DeviceOp::Write) == 0, "a reader wrote");
        Ok(observed)
    })
}

/// A volume that was opened for writing after a power cut.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// What was on it.
    pub tree: Observed,
    /// Whether opening it wrote something.
    pub has_written: bool,
    /// Its bytes when it was closed or given up.
    pub after: Image,
}

/// What a writer sees. With `is_working`, it makes a file, closes the volume and finds the file again.
pub fn recovered(image: &Image, mode: FsyncMode, is_working: bool) -> Result<Recovered, String> {
    guarded(|| {
        let device = Arc::new(SimDevice::unlogged(image.clone()));
        let volume = subject::open(device.clone(), mode, Opening::Recovery)
            .context("opening for writing")?;
        let has_written = device.count(DeviceOp::Write) > 0;
        let tree = Observed::of(&volume).context("opened for writing")?;
        if is_working {
            work(&volume).context("working after recovery")?;
            volume.close().context("closing after recovery")?;
            find_work(&device.image(), &tree).context("after recovery, work and closing")?;
        } else {
            // Nothing of interest follows, and a checkpoint takes time.
            volume.stop("enough was seen");
        }
        Ok(Recovered {
            tree,
            has_written,
            after: device.image(),
        })
    })
}

fn work(volume: &Volume) -> Result<()> {
    let file = volume.open_with(AFTER, &OpenOptions::new().write(true).create_new(true))?;
    file.write_all_at(0, &stamped(0, 0, 0, 10_000, Texture::Text))?;
    file.sync_all()?;
    file.write_all_at(10_000, &stamped(0, 0, 10_000, 10_000, Texture::Text))?;
    drop(file);
    volume.sync()?;
    Ok(())
}

/// Everything is as before, and the new file is there.
fn find_work(after: &Image, before: &Observed) -> Result<()> {
    let device = Arc::new(SimDevice::unlogged(after.clone()));
    let mut found = Observed::of(&subject::open_read_only(device)?)?;
    let content = found.content(AFTER).context("the new file is gone")?;
    ensure!(
        content == stamped(0, 0, 0, 20_000, Texture::Text),
        "the new file is wrong"
    );
    found.files.retain(|_, seen| seen.paths != [AFTER]);
    same(before, &found, "before", "afterwards").map_err(anyhow::Error::msg)
}

/// States that a power cut during the recovery of `image` leaves, with their descriptions.
pub fn cuts(image: &Image, mode: FsyncMode, seed: u64) -> Result<Vec<(String, Image)>, String> {
    let log = guarded(|| {
        let device = Arc::new(SimDevice::new(image.clone()));
        let volume = subject::open(device.clone(), mode, Opening::Recovery)
            .context("opening for writing")?;
        volume.stop("enough was seen");
        drop(volume);
        device.log().context("the device keeps a log")
    })?;
    Ok(cut_states(&log, seed))
}

fn cut_states(log: &Log, seed: u64) -> Vec<(String, Image)> {
    let mut all: Vec<(usize, CrashState)> = Vec::new();
    let mut replay = Replay::new(log);
    for (n, event) in log.events.iter().enumerate() {
        replay.advance_to(n + 1);
        if !matches!(event, Event::Mark(_) | Event::FlushBegin) {
            let states = Enumerator::default().states(&replay, seed);
            all.extend(states.into_iter().map(|state| (n + 1, state)));
        }
    }
    let mut rng = Rng::seeded(seed);
    while all.len() > CUTS {
        all.swap_remove(rng.below(all.len() as u64) as usize);
    }
    all.sort_by_key(|&(point, _)| point);
    let mut replay = Replay::new(log);
    let image = |(point, state): (usize, CrashState)| {
        replay.advance_to(point);
        (
            format!("at its point {point} {state}"),
            replay.image(&state),
        )
    };
    all.into_iter().map(image).collect()
}

/// Compares two trees; the first difference.
pub fn same(a: &Observed, b: &Observed, a_name: &str, b_name: &str) -> Result<(), String> {
    if a == b {
        return Ok(());
    }
    for (key, seen) in &a.files {
        let Some(other) = b.files.get(key) else {
            return Err(format!(
                "{} is there {a_name}, not {b_name}",
                seen.paths.join(" ")
            ));
        };
        if seen == other {
            continue;
        }
        let pairs = seen.content.iter().zip(&other.content);
        let differs = pairs.clone().position(|(x, y)| x != y);
        let at = differs.map_or(String::new(), |at| {
            let block = at / 4096 * 4096;
            let (x, y) = (&seen.content[block..], &other.content[block..]);
            format!(" byte {at}: {} and {}", describe(x), describe(y))
        });
        let text = |s: &crate::observe::Seen| {
            format!(
                "{} {:o} {} links {} bytes {:?} {:?}",
                s.paths.join(" "),
                s.permissions,
                s.links,
                s.size,
                s.modified,
                s.xattrs.keys()
            )
        };
        return Err(format!(
            "{a_name} {}; {b_name} {};{at}",
            text(seen),
            text(other)
        ));
    }
    Err(format!("there is more {b_name} than {a_name}"))
}
