//! Crash states of a recorded device: a prefix of its log, and of what no flush had made durable some blocks only.

use crate::disk::{BLOCK, Disk};
use crate::log::{Action, Entry};
use crate::pool::Rng;
use crate::record::Recording;

/// A moment in a log, and what was lost then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// Entries that happened.
    pub(crate) upto: usize,
    /// Of a hundred blocks that were not durable, how many are lost; drawn with the seed.
    pub(crate) lost: u64,
    pub(crate) seed: u64,
}

/// Cuts of a log in ascending order: behind flushes, anywhere, and with losses.
pub(crate) fn draw(entries: &[Entry], count: usize, rng: &mut Rng) -> Vec<Cut> {
    let flushes: Vec<usize> = (0..entries.len())
        .filter(|&n| entries[n].is_flush)
        .collect();
    let mut cuts: Vec<Cut> = (0..count)
        .map(|n| {
            let flush = flushes[rng.below(flushes.len() as u64) as usize] + 1;
            let anywhere = 1 + rng.below(entries.len() as u64) as usize;
            let (upto, lost) = match n % 4 {
                0 | 1 => (flush, 0),
                2 => (anywhere, 0),
                _ => (anywhere, [10, 50, 90][rng.below(3) as usize]),
            };
            Cut {
                upto,
                lost,
                seed: rng.next(),
            }
        })
        .collect();
    cuts.sort_by_key(|cut| cut.upto);
    cuts
}

/// The device after each cut; `each` gets the cut and the last mark before it.
pub(crate) fn replay(recording: &Recording, cuts: &[Cut], mut each: impl FnMut(Cut, &str, Disk)) {
    let entries = &recording.entries;
    let mut durable = recording.base.clone();
    let mut done = 0;
    let mut mark = String::new();
    for &cut in cuts {
        let safe = last_flush(&entries[..cut.upto]).max(done);
        for entry in &entries[done..safe] {
            apply(&mut durable, entry, |_| true);
        }
        done = safe;
        for entry in &entries[..cut.upto] {
            if let Action::Mark(text) = &entry.action {
                mark.clone_from(text);
            }
        }
        let mut disk = durable.clone();
        let mut rng = Rng::new(cut.seed);
        for entry in &entries[safe..cut.upto] {
            apply(&mut disk, entry, |is_fua| {
                is_fua || rng.below(100) >= cut.lost
            });
        }
        each(cut, &mark, disk);
    }
}

/// Entries that the last flush made durable.
fn last_flush(entries: &[Entry]) -> usize {
    let last = entries.iter().rposition(|entry| entry.is_flush);
    last.unwrap_or(0)
}

/// Does what an entry did to the blocks that `keeps` says; discards are kept or lost as a whole.
fn apply(disk: &mut Disk, entry: &Entry, mut keeps: impl FnMut(bool) -> bool) {
    match &entry.action {
        Action::Write(pos, data) => {
            assert_eq!(pos % BLOCK as u64, 0, "a block in parts");
            let first = pos / BLOCK as u64;
            for (at, block) in (first..).zip(data.chunks(BLOCK)) {
                if keeps(entry.is_fua) {
                    disk.put(at, block);
                }
            }
        }
        Action::Discard(pos, len) => {
            if keeps(entry.is_fua) {
                disk.discard(pos / BLOCK as u64, len / BLOCK as u64);
            }
        }
        Action::Nothing | Action::Mark(_) => {}
    }
}
