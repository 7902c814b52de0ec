//! Cleaning: valid blocks are moved out of segments with holes, so that these become free as a whole
//! (kernel: `f2fs_gc`).
//!
//! A victim section is taken ([`VictimPolicy`]), its segments are kept from all logs. Segment
//! by segment, with all operations stopped, each valid block is followed from its summary to the slot or the NAT entry
//! that names it. Data blocks are copied as they are to the log of cold data, in the order of their files, compressed
//! clusters without decoding; nodes are declared dirty and written by the next checkpoint, without the marks an fsync
//! left on them. Then operations go on. Content in the page cache stays where it is: only places change.
//!
//! | module | what |
//! |---|---|
//! | [`owner`] | from a block to what names it; what contradicts is refused |
//! | [`relocate`] | blocks to new places |
//! | [`retired`] | emptied segments until the logs may have them |
//!
//! # Invariants
//! 1. Nothing of a segment moves before all its owners were found. A segment whose summary contradicts its owners is
//!    never touched again, and the next checkpoint tells `fsck.f2fs`.
//! 2. A moved block's old place is not written again before the next checkpoint, as with every freed block, nor before
//!    every read has ended that may have looked it up ([`crate::reads`]).
//! 3. Room for the moved blocks, and for the nodes that change, is there before the first one moves.
//! 4. A writer that has room waits for the move of one segment at most; one that has none cleans until it has.
//!
//! # Locking
//! GC, one cleaner at a time, below an inode's lock and above CHECKPOINT. A step holds OP exclusively, then TREE, inode
//! by inode; no checkpoint, writeback or truncation is half done meanwhile.

mod owner;
mod relocate;
mod retired;

use crate::checkpoint::CheckpointReason;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::locks;
use crate::segment::{Victim, VictimPolicy};
use crate::stats;
use owner::Unfit;
use retired::RetiredSegments;
use runtime::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Blocks of a segment.
const SEGMENT: u16 = f2fs_format::BLOCKS_PER_SEGMENT as u16;
/// Blocks that one round moves before a checkpoint makes their old places free.
const ROUND_BLOCKS: u64 = 4096;
/// Rounds without a gain after which nothing more is to be expected.
const FUTILE_ROUNDS: u32 = 3;
/// Sections that one round passes over because they are unfit.
const UNFIT_MAX: u32 = 64;
/// Valid blocks of a segment that is worth cleaning while there is room.
const IDLE_VALID_MAX: u16 = SEGMENT - SEGMENT / 16;
/// Percent of the room left that lies in holes, from which on an idle volume is cleaned.
const IDLE_HOLES_PERCENT: u64 = 40;
/// Blocks freed since a futile try, after which another may do better.
const FREED_SINCE_MIN: u64 = 256;

/// The cleaner of a volume.
#[derive(Debug)]
pub(crate) struct Cleaning {
    /// One at a time.
    lock: Mutex<()>,
    pub(crate) retired: RetiredSegments,
    /// Blocks freed, and one, when the last try for room found nothing; 0 if it did.
    futile_at: AtomicU64,
}

impl Default for Cleaning {
    fn default() -> Self {
        Self {
            lock: Mutex::new(locks::GC, ()),
            retired: RetiredSegments::default(),
            futile_at: AtomicU64::new(0),
        }
    }
}

/// How far to clean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GcOptions {
    /// Free segments at which it is enough.
    pub free_segments: u32,
    /// Valid blocks of a segment, in percent, up to which cleaning it pays; 1 to 100.
    pub utilisation_max: u8,
}

impl Default for GcOptions {
    /// All segments of which a sixteenth and more is holes.
    fn default() -> Self {
        Self {
            free_segments: u32::MAX,
            utilisation_max: 93,
        }
    }
}

impl GcOptions {
    pub(crate) fn valid_max(self) -> u16 {
        let valid = u32::from(SEGMENT) * u32::from(self.utilisation_max.min(100)) / 100;
        (valid as u16).min(SEGMENT - 1)
    }
}

/// What cleaning did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Segments that were emptied.
    pub segments: u64,
    /// Blocks of data that moved.
    pub data_blocks: u64,
    /// Nodes that moved.
    pub node_blocks: u64,
    /// Sections that could not be cleaned: pinned files, contradictions, blocks that cannot be read.
    pub refused: u64,
    /// Free segments before and after.
    pub free_before: u32,
    /// See `free_before`.
    pub free_after: u32,
}

impl GcReport {
    fn moved(&self) -> u64 {
        self.data_blocks + self.node_blocks
    }
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The segment is empty.
    Emptied,
    /// A checkpoint has to make room first.
    NoRoom,
    /// It cannot be cleaned.
    Refused,
}

/// Cleans until `data` blocks fit beside what is dirty and what is kept, and a checkpoint after them; false if that
/// cannot be.
pub(crate) fn clean_for(fs: &Fs, data: u64) -> Result<bool> {
    let last_futile = fs.cleaning.futile_at.load(Ordering::Relaxed);
    let is_futile = |freed: u64| last_futile != 0 && freed < last_futile + FREED_SINCE_MIN;
    if is_futile(fs.meta.segments.freed() + 1) {
        return Ok(false);
    }
    let _one = fs.cleaning.lock.lock();
    let mut report = GcReport::default();
    let mut futile = 0;
    while !fs.fits(data) {
        let before = fs.meta.segments.free_soon();
        let round = clean_round(fs, SEGMENT - 1, &mut report)?;
        if !round || fs.meta.segments.free_soon() <= before {
            futile += 1;
        }
        if !round || futile == FUTILE_ROUNDS {
            let freed = fs.meta.segments.freed() + 1;
            fs.cleaning.futile_at.store(freed, Ordering::Relaxed);
            return Ok(fs.fits(data));
        }
    }
    fs.cleaning.futile_at.store(0, Ordering::Relaxed);
    tracing::debug!(?report, "cleaned for room");
    Ok(true)
}

/// Cleans until enough segments are free, or nothing is left that pays.
pub(crate) fn clean(fs: &Fs, options: GcOptions) -> Result<GcReport> {
    fs.check_writable()?;
    fs.flush_data()?;
    fs.write_checkpoint(CheckpointReason::Sync)?;
    let _one = fs.cleaning.lock.lock();
    let free_before = fs.meta.segments.counts().free;
    let mut report = GcReport {
        free_before,
        ..GcReport::default()
    };
    let mut futile = 0;
    while futile < FUTILE_ROUNDS && fs.meta.segments.counts().free < options.free_segments {
        let before = fs.meta.segments.free_soon();
        if !clean_round(fs, options.valid_max(), &mut report)? {
            break;
        }
        let gained = fs.meta.segments.free_soon() > before;
        futile = if gained { 0 } else { futile + 1 };
    }
    report.free_after = fs.meta.segments.counts().free;
    Ok(report)
}

/// Cleans one section of an idle volume, if it is fragmented; false if there is nothing to do. The next checkpoint
/// makes its segments free.
pub(crate) fn clean_idle(fs: &Fs) -> Result<bool> {
    fs.check_writable()?;
    if !fs.meta.segments.is_fragmented(IDLE_HOLES_PERCENT) {
        return Ok(false);
    }
    clean_one(fs, VictimPolicy::CostBenefit, IDLE_VALID_MAX)
}

/// Cleans one section; false if none is left that pays. The next checkpoint makes its segments free.
pub(crate) fn clean_one(fs: &Fs, policy: VictimPolicy, most: u16) -> Result<bool> {
    fs.check_writable()?;
    fs.make_room(SEGMENT.into())?;
    let _one = fs.cleaning.lock.lock();
    let victims = fs.meta.segments.take_victims(policy, most);
    if victims.is_empty() {
        return Ok(false);
    }
    clean_section(fs, &victims, &mut GcReport::default())?;
    Ok(true)
}

/// Cleans sections until enough has moved for a checkpoint to pay, then takes it. Whether anything moved.
fn clean_round(fs: &Fs, most: u16, report: &mut GcReport) -> Result<bool> {
    let start = report.moved();
    let refused_before = report.refused;
    while report.moved() < start + ROUND_BLOCKS
        && report.refused < refused_before + u64::from(UNFIT_MAX)
    {
        let victims = fs.meta.segments.take_victims(VictimPolicy::Greedy, most);
        if victims.is_empty() || clean_section(fs, &victims, report)? == Step::NoRoom {
            break;
        }
    }
    let has_moved = report.moved() > start;
    fs.write_checkpoint(CheckpointReason::Sync)?;
    Ok(has_moved)
}

/// Empties the segments of a section, one step each.
fn clean_section(fs: &Fs, victims: &[Victim], report: &mut GcReport) -> Result<Step> {
    let mut result = Ok(Step::Emptied);
    for victim in victims {
        if matches!(result, Ok(Step::Emptied)) {
            result = clean_segment(fs, victim, report);
        }
        // Emptied or not: it goes back to the logs when nobody reads its old blocks any more.
        fs.cleaning.retired.add(fs, victim);
    }
    fs.cleaning.retired.release(fs);
    result
}

/// Moves what is valid in one segment, with all operations stopped.
fn clean_segment(fs: &Fs, victim: &Victim, report: &mut GcReport) -> Result<Step> {
    let frozen = fs.freeze();
    fs.check_writable()?;
    let offsets = fs.meta.segments.valid_offsets(victim.segno);
    let found = if victim.is_node {
        owner::nodes(fs, victim, &offsets).map(relocate::Plan::Nodes)
    } else {
        owner::data(fs, victim, &offsets).map(relocate::Plan::Data)
    };
    let mut plan = match found {
        Ok(plan) => plan,
        Err(unfit) => return Ok(refuse(fs, victim, &unfit, report)),
    };
    let moved = plan.limit_to_room(fs) as u64;
    if moved == 0 {
        return Ok(Step::NoRoom);
    }
    match plan.run(fs, &frozen) {
        Ok(()) => {}
        // The old blocks are as they were.
        Err(Error::NoSpace) => return Ok(Step::NoRoom),
        // One bad block is no reason to fail whoever needs room.
        Err(error @ Error::Device(_)) if fs.meta.device.stopped().is_none() => {
            return Ok(refuse(fs, victim, &Unfit::Unreadable(error), report));
        }
        Err(error) => return Err(error),
    }
    let is_empty = moved == offsets.len() as u64;
    report.segments += u64::from(is_empty);
    stats::add(&fs.counters.segments_cleaned, is_empty.into());
    stats::add(&fs.counters.blocks_moved, moved);
    if victim.is_node {
        report.node_blocks += moved;
    } else {
        report.data_blocks += moved;
    }
    tracing::debug!(segno = %victim.segno, moved, is_node = victim.is_node, "segment cleaned");
    Ok(if is_empty {
        Step::Emptied
    } else {
        Step::NoRoom
    })
}

/// Leaves a section alone from now on.
fn refuse(fs: &Fs, victim: &Victim, unfit: &Unfit, report: &mut GcReport) -> Step {
    report.refused += 1;
    fs.meta.segments.refuse_victim(victim.segno);
    match unfit {
        Unfit::Pinned(ino) => {
            tracing::info!(segno = %victim.segno, %ino, "a pinned file keeps a segment from being cleaned");
        }
        Unfit::Unreadable(error) => {
            tracing::warn!(segno = %victim.segno, %error, "a segment cannot be cleaned");
        }
        Unfit::Contradiction(error) => {
            tracing::error!(segno = %victim.segno, %error, "a segment cannot be cleaned; run fsck");
            fs.meta.needs_fsck.store(true, Ordering::Relaxed);
            fs.changed.store(true, Ordering::Release);
        }
    }
    Step::Refused
}
