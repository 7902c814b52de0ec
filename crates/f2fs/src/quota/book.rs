//! Usage and limits of one kind.

use super::charge::Usage;
use crate::error::{Error, Result};
use crate::meta::Space;
use f2fs_format::{Ino, QuotaFile, QuotaGrace, QuotaLimits, QuotaRecord};
use runtime::clock::Clock;
use std::collections::HashMap;
use std::ops::Range;

/// Blocks set aside for so many records that are not in their file yet: each takes up to a block of the file (three
/// blocks of the tree and a leaf, of 1 KiB), and all together some nodes.
fn promise(records: u32) -> u32 {
    match records {
        0 => 0,
        _ => records + records / 512 + 4,
    }
}

/// Bytes in which the files keep limits.
const LIMIT_UNIT: u64 = 1024;

/// One id.
#[derive(Debug)]
struct Entry {
    record: QuotaRecord,
    is_stored: bool,
    is_dirty: bool,
}

/// What binds a charge.
pub(super) struct Terms<'a> {
    /// Whether limits are refused, or only noted.
    pub(super) enforce: bool,
    pub(super) clock: &'a dyn Clock,
    pub(super) space: &'a Space,
}

impl Terms<'_> {
    /// Seconds since 1970.
    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().secs).unwrap_or(0)
    }
}

/// One quota file and what it will say.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) ino: Ino,
    file: QuotaFile,
    entries: HashMap<u32, Entry>,
    dirty: Vec<u32>,
    /// Entries that have no record in the file yet.
    unstored: u32,
}

/// A limit, and how far it is used.
struct Gauge {
    hard: u64,
    soft: u64,
    /// When the soft limit becomes a hard one; 0 if it is not passed.
    time: u64,
    grace: u32,
}

impl Gauge {
    /// The time after the use rose to `total`.
    fn rise(&self, total: u64, terms: &Terms<'_>) -> Result<u64> {
        if terms.enforce && self.hard != 0 && total > self.hard {
            return Err(Error::QuotaExceeded);
        }
        if self.soft == 0 || total <= self.soft {
            return Ok(self.time);
        }
        if self.time == 0 {
            return Ok(terms.now().saturating_add(self.grace.into()));
        }
        if terms.enforce && terms.now() >= self.time {
            return Err(Error::QuotaExceeded);
        }
        Ok(self.time)
    }

    /// The time after the use fell to `total`.
    fn fall(&self, total: u64) -> u64 {
        if total <= self.soft { 0 } else { self.time }
    }

    /// The time after new limits were set.
    fn restart(&self, total: u64, now: u64) -> u64 {
        if self.soft == 0 || total <= self.soft {
            0
        } else {
            now.saturating_add(self.grace.into())
        }
    }
}

fn space_gauge(record: &QuotaRecord, grace: QuotaGrace) -> Gauge {
    Gauge {
        hard: record.limits.space_hard,
        soft: record.limits.space_soft,
        time: record.space_time,
        grace: grace.space,
    }
}

fn inode_gauge(record: &QuotaRecord, grace: QuotaGrace) -> Gauge {
    Gauge {
        hard: record.limits.inode_hard,
        soft: record.limits.inode_soft,
        time: record.inode_time,
        grace: grace.inodes,
    }
}

impl Book {
    pub(super) fn new(ino: Ino, file: QuotaFile) -> Self {
        let entry = |record: QuotaRecord| {
            let entry = Entry {
                record,
                is_stored: true,
                is_dirty: false,
            };
            (record.id, entry)
        };
        let entries = file.records().map(entry).collect();
        Self {
            ino,
            file,
            entries,
            dirty: Vec::new(),
            unstored: 0,
        }
    }

    /// Adds to what an id uses.
    ///
    /// # Errors
    /// `QuotaExceeded`, or `NoSpace` if the id is new and its record would find no room. Then nothing has changed.
    pub(super) fn charge(&mut self, id: u32, usage: Usage, terms: &Terms<'_>) -> Result<()> {
        let grace = self.file.grace();
        let entry = self.entry(id, terms.space)?;
        let record = &mut entry.record;
        let space = record.space.saturating_add(usage.bytes());
        let inodes = record.inodes.saturating_add(usage.inodes);
        let mut times = (record.space_time, record.inode_time);
        if usage.blocks > 0 {
            times.0 = space_gauge(record, grace).rise(space, terms)?;
        }
        if usage.inodes > 0 {
            times.1 = inode_gauge(record, grace).rise(inodes, terms)?;
        }
        (record.space, record.inodes) = (space, inodes);
        (record.space_time, record.inode_time) = times;
        self.note_dirty(id);
        Ok(())
    }

    /// Takes from what an id uses; never below zero, whatever the file said.
    pub(super) fn release(&mut self, id: u32, usage: Usage) {
        let grace = self.file.grace();
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let record = &mut entry.record;
        record.space = record.space.saturating_sub(usage.bytes());
        record.inodes = record.inodes.saturating_sub(usage.inodes);
        record.space_time = space_gauge(record, grace).fall(record.space);
        record.inode_time = inode_gauge(record, grace).fall(record.inodes);
        self.note_dirty(id);
    }

    /// Sets the limits of an id; a soft limit that is passed already starts its grace time now.
    pub(super) fn set_limits(
        &mut self,
        id: u32,
        limits: QuotaLimits,
        terms: &Terms<'_>,
    ) -> Result<()> {
        let grace = self.file.grace();
        let record = &mut self.entry(id, terms.space)?.record;
        record.limits = QuotaLimits {
            space_hard: limits.space_hard.next_multiple_of(LIMIT_UNIT),
            space_soft: limits.space_soft.next_multiple_of(LIMIT_UNIT),
            ..limits
        };
        let now = terms.now();
        record.space_time = space_gauge(record, grace).restart(record.space, now);
        record.inode_time = inode_gauge(record, grace).restart(record.inodes, now);
        self.note_dirty(id);
        Ok(())
    }

    /// All ids that use something or have limits, ascending.
    pub(super) fn records(&self) -> Vec<QuotaRecord> {
        let mut records: Vec<_> = self.entries.values().map(|entry| entry.record).collect();
        records.retain(|record| !is_blank(record));
        records.sort_unstable_by_key(|record| record.id);
        records
    }

    /// At most so many blocks of the file change when what is dirty is written.
    pub(super) fn dirty_bound(&self) -> u64 {
        3 * self.dirty.len() as u64
    }

    /// Puts all changed records into the file, gives back the room that was set aside for new ones, and returns what
    /// has to be written: where, and the bytes.
    pub(super) fn settle(&mut self, space: &Space) -> Result<Vec<(Range<u64>, Vec<u8>)>> {
        space.release_blocks(promise(self.unstored))?;
        self.unstored = 0;
        for id in std::mem::take(&mut self.dirty) {
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            entry.is_dirty = false;
            if !entry.is_stored {
                if is_blank(&entry.record) {
                    self.entries.remove(&id);
                    continue;
                }
                entry.is_stored = true;
            }
            self.file.put(&entry.record);
        }
        let dirty = self.file.take_dirty();
        let piece = |bytes: Range<usize>| {
            let at = bytes.start as u64..bytes.end as u64;
            (at, self.file.bytes()[bytes].to_vec())
        };
        Ok(dirty.into_iter().map(piece).collect())
    }

    /// The entry of an id. For a new one, room for its record is set aside.
    fn entry(&mut self, id: u32, space: &Space) -> Result<&mut Entry> {
        if !self.entries.contains_key(&id) {
            space.reserve_blocks(promise(self.unstored + 1) - promise(self.unstored))?;
            self.unstored += 1;
            let record = QuotaRecord {
                id,
                ..QuotaRecord::default()
            };
            let entry = Entry {
                record,
                is_stored: false,
                is_dirty: false,
            };
            self.entries.insert(id, entry);
            // Even if nothing comes of it, the room has to be given back.
            self.note_dirty(id);
        }
        Ok(self.entries.get_mut(&id).expect("it was just made"))
    }

    fn note_dirty(&mut self, id: u32) {
        if let Some(entry) = self.entries.get_mut(&id)
            && !std::mem::replace(&mut entry.is_dirty, true)
        {
            self.dirty.push(id);
        }
    }
}

fn is_blank(record: &QuotaRecord) -> bool {
    record.space == 0 && record.inodes == 0 && record.limits.is_unlimited()
}

#[cfg(test)]
mod tests;
