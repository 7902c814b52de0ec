//! All operations of a run, from its seed.
//!
//! First files are made until the volume is as full as it may be. Then it swings between two marks: while it grows,
//! more is made than removed, then the other way round; between them files are overwritten in pieces, replaced,
//! extended and cut. What has been done is known from [`Plan::files`] alone, never from the volume, so every run is the
//! same.

use crate::content::GRAIN;
use crate::files::{Files, blocks};
use runtime::rng::Rng;
use std::collections::VecDeque;

/// Parts of a run after each of which there is a sample.
pub const PARTS: u64 = 20;
/// How far it is emptied, in percent of what its users may have, before it is filled again.
const SWING: u64 = 10;
/// Blocks that directories may take.
const DIR_BLOCKS: u64 = 256;
/// Bytes that one file grows to, at most.
const LEN_MAX: u64 = 6 << 20;
/// Of so many writes, one is made durable by itself.
const FSYNC_EVERY: u64 = 64;

/// What decides a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Decides everything random.
    pub seed: u64,
    /// Blocks that users may have.
    pub capacity: u64,
    /// How full the volume is made, in percent of them.
    pub full: u64,
    /// Bytes written after the volume was filled.
    pub bytes: u64,
    /// Operations between two syncs.
    pub sync_every: u32,
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Makes an empty file.
    Create(u32),
    /// Writes a version of some bytes.
    Write(Write),
    /// Makes a file durable.
    Fsync(u32),
    /// Cuts a file off.
    Truncate(u32, u64),
    /// Removes a file.
    Remove(u32),
    /// Makes everything durable.
    Sync,
    /// The end of this part of the run; part 0 is the filling.
    Sample(u64),
}

/// A write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// To which file.
    pub file: u32,
    /// At which byte.
    pub pos: u64,
    /// So many bytes.
    pub len: u64,
    /// Of this version.
    pub version: u32,
}

/// Where the volume swings to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Filling,
    Growing,
    Shrinking,
}

/// The operations, one after the other, and what the files are after them.
#[derive(Clone, Debug)]
pub struct Plan {
    shape: Shape,
    rng: Rng,
    files: Files,
    phase: Phase,
    /// Files made so far.
    made: u32,
    version: u32,
    /// Bytes written since the filling.
    written: u64,
    parts: u64,
    unsynced: u32,
    next: VecDeque<Op>,
}

impl Plan {
    /// A run on an empty volume.
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            rng: Rng::seeded(shape.seed),
            files: Files::default(),
            phase: Phase::Filling,
            made: 0,
            version: 0,
            written: 0,
            parts: 0,
            unsynced: 0,
            next: VecDeque::new(),
        }
    }

    /// What the files are after the operations given so far.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Percent of what users may have.
    pub fn percent(&self) -> f64 {
        self.files.blocks() as f64 * 100.0 / self.room() as f64
    }

    /// Blocks that files may take in all.
    fn room(&self) -> u64 {
        self.shape.capacity.saturating_sub(DIR_BLOCKS)
    }

    /// Whether the files may take so many blocks more.
    fn fits(&self, more: u64) -> bool {
        self.files.blocks() + more <= self.room() * self.shape.full / 100
    }

    fn choose(&mut self) {
        if self.phase == Phase::Filling {
            let len = self.new_len();
            if self.fits(blocks(len)) {
                return self.create(len);
            }
            self.phase = Phase::Shrinking;
            return self.end_part();
        }
        if self.files.blocks() * 100 < self.room() * (self.shape.full - SWING) {
            self.phase = Phase::Growing;
        }
        let (create, remove) = match self.phase {
            Phase::Shrinking => (10, 28),
            _ => (28, 10),
        };
        match self.rng.below(100) {
            n if n < create => {
                let len = self.new_len();
                self.create(len);
            }
            n if n < create + remove => self.remove(),
            n if n < 86 => self.overwrite(),
            n if n < 92 => self.append(),
            n if n < 97 => self.replace(),
            _ => self.truncate(),
        }
        while self.parts < (self.written * PARTS / self.shape.bytes).min(PARTS) {
            self.parts += 1;
            self.end_part();
        }
    }

    /// Everything is made durable and counted.
    fn end_part(&mut self) {
        self.next.extend([Op::Sync, Op::Sample(self.parts)]);
        self.unsynced = 0;
    }

    /// Bytes of a new file: mostly few.
    fn new_len(&mut self) -> u64 {
        let (from, to) = match self.rng.below(100) {
            0..60 => (4 << 10, 16 << 10),
            60..86 => (16 << 10, 64 << 10),
            86..98 => (64 << 10, 512 << 10),
            _ => (512 << 10, 3 << 20),
        };
        let most = self.room() * 4096 / 40;
        (from + self.rng.below(to - from)).min(most)
    }

    fn create(&mut self, len: u64) {
        if !self.fits(blocks(len)) {
            self.phase = Phase::Shrinking;
            return self.remove();
        }
        let id = self.made;
        self.made += 1;
        self.files.create(id);
        self.next.push_back(Op::Create(id));
        self.write(id, 0, len);
    }

    fn remove(&mut self) {
        if self.files.count() > 1 {
            let n = self.rng.below(self.files.count() as u64) as usize;
            let id = self.files.remove_nth(n);
            self.next.push_back(Op::Remove(id));
        }
    }

    /// One of the files, and its length.
    fn pick(&mut self) -> (u32, u64) {
        let n = self.rng.below(self.files.count() as u64) as usize;
        let id = self.files.nth(n);
        (id, self.files.get(id).map_or(0, |file| file.len))
    }

    /// Some bytes within a file, more often whole blocks than not.
    fn overwrite(&mut self) {
        let (id, len) = self.pick();
        let unit = if self.rng.below(4) == 0 { GRAIN } else { 4096 };
        let pos = self.rng.below(len.div_ceil(unit).max(1)) * unit;
        let most = 1 << self.rng.below(6);
        let count = 1 + self.rng.below(most);
        let end = (pos + count * unit).min(len);
        if end > pos {
            self.write(id, pos, end - pos);
        }
    }

    /// At the end; a grain has one version, so the last one is written again if it is a part.
    fn append(&mut self) {
        let (id, len) = self.pick();
        let more = 1 + self.rng.below(64 << 10);
        if len + more > LEN_MAX || !self.fits(blocks(len + more) - blocks(len)) {
            return;
        }
        let pos = len / GRAIN * GRAIN;
        self.write(id, pos, len + more - pos);
    }

    /// A file gets wholly new content, as by an editor.
    fn replace(&mut self) {
        let (id, old) = self.pick();
        let len = self.new_len();
        if !self.fits(blocks(len).saturating_sub(blocks(old))) {
            return;
        }
        self.files.change(id, |file| file.truncate(0));
        self.next.push_back(Op::Truncate(id, 0));
        self.write(id, 0, len);
    }

    fn truncate(&mut self) {
        let (id, old) = self.pick();
        let len = self.rng.below(old + 1);
        self.files.change(id, |file| file.truncate(len));
        self.next.push_back(Op::Truncate(id, len));
    }

    fn write(&mut self, file: u32, pos: u64, len: u64) {
        self.version += 1;
        let version = self.version;
        self.files.change(file, |f| f.write(pos, len, version));
        if self.phase != Phase::Filling {
            self.written += len;
        }
        self.next.push_back(Op::Write(Write {
            file,
            pos,
            len,
            version,
        }));
        if self.rng.below(FSYNC_EVERY) == 0 {
            self.next.push_back(Op::Fsync(file));
        }
    }
}

impl Iterator for Plan {
    type Item = Op;

    fn next(&mut self) -> Option<Op> {
        if self.unsynced >= self.shape.sync_every {
            self.unsynced = 0;
            return Some(Op::Sync);
        }
        while self.next.is_empty() {
            if self.parts == PARTS {
                return None;
            }
            self.choose();
        }
        self.unsynced += 1;
        self.next.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        seed: 3,
        capacity: 10_000,
        full: 95,
        bytes: 64 << 20,
        sync_every: 100,
    };

    #[test]
    fn a_seed_repeats() {
        let all = |seed| Plan::new(Shape { seed, ..SHAPE }).collect::<Vec<_>>();
        assert!(all(3) == all(3));
        assert!(all(3) != all(4));
    }

    #[test]
    fn the_volume_stays_between_the_marks() {
        let mut plan = Plan::new(SHAPE);
        let (mut low, mut high, mut samples) = (f64::MAX, 0.0_f64, Vec::new());
        while let Some(op) = plan.next() {
            if let Op::Sample(part) = op {
                samples.push(part);
            }
            if plan.phase != Phase::Filling {
                low = low.min(plan.percent());
                high = high.max(plan.percent());
            }
        }
        assert_eq!(samples, (0..=PARTS).collect::<Vec<_>>());
        assert!(low < 86.0 && low > 80.0, "{low}");
        assert!(high > 94.0 && high <= 95.0, "{high}");
        assert!(plan.written >= SHAPE.bytes);
    }
}
