//! Quota files: what every user, group and project uses and may use (kernel: `fs/quota/quota_v2.c`,
//! `quota_tree.c`, revision 1).
//!
//! # On disk
//! Blocks of 1 KiB. Block 0 begins with the header and the state of the file. From block 1 on a
//! tree of depth 4 spells an id in four bytes, the high one first; each of its blocks is 256 block
//! numbers. The last level names leaves: a header and 14 records of 72 bytes. Leaves with room are
//! chained from `free_entry`, blocks of no use from `free_block`.
//!
//! | module | what |
//! |---|---|
//! | `raw` | the structures |
//! | `check` | reading a file, block by block |
//! | `edit` | changing and adding records |
//!
//! # Invariants
//! A [`QuotaFile`] was checked whole: every block has one use, every reference leads to the record
//! it is for. So lookups and changes cannot fail, and no file makes them loop.

mod check;
mod edit;
mod raw;
#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::error::Result;
use raw::Info;

/// Bytes of a block of a quota file.
pub const QUOTA_BLOCK_SIZE: usize = 1024;
/// Seconds a soft limit may be passed, unless the file says otherwise: a week.
const GRACE_DEFAULT: u32 = 7 * 24 * 60 * 60;
/// The root of the tree.
const ROOT: u32 = 1;
/// Levels of the tree above the leaves.
const DEPTH: u32 = 4;

/// Whom a quota file counts for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum QuotaKind {
    /// Users.
    User,
    /// Groups.
    Group,
    /// Projects.
    Project,
}

impl QuotaKind {
    /// All, in the order of the superblock's inode numbers.
    pub const ALL: [Self; 3] = [Self::User, Self::Group, Self::Project];

    /// Its place in the superblock's list.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name in commands.
    pub const fn name(self) -> &'static str {
        ["user", "group", "project"][self as usize]
    }

    const fn magic(self) -> u32 {
        [0xD9C0_1F11, 0xD9C0_1927, 0xD9C0_3F14][self as usize]
    }
}

/// Limits of one id; 0 is none. Soft limits may be passed for a while.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct QuotaLimits {
    /// Most bytes; the file keeps them in KiB, rounded up.
    pub space_hard: u64,
    /// Bytes that may be passed for the grace time.
    pub space_soft: u64,
    /// Most inodes.
    pub inode_hard: u64,
    /// Inodes that may be passed for the grace time.
    pub inode_soft: u64,
}

impl QuotaLimits {
    /// Whether nothing is limited.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}

/// What one id uses and may use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct QuotaRecord {
    /// User, group or project.
    pub id: u32,
    /// Bytes in use.
    pub space: u64,
    /// Inodes in use.
    pub inodes: u64,
    /// The limits.
    pub limits: QuotaLimits,
    /// When the passed soft limit of bytes becomes a hard one, in seconds since 1970; 0 if it is
    /// not passed.
    pub space_time: u64,
    /// The same for inodes.
    pub inode_time: u64,
}

/// Seconds that soft limits may be passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuotaGrace {
    /// Of bytes.
    pub space: u32,
    /// Of inodes.
    pub inodes: u32,
}

/// A quota file in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuotaFile {
    kind: QuotaKind,
    info: Info,
    bytes: Vec<u8>,
    /// Where the record of an id begins.
    records: BTreeMap<u32, usize>,
    /// Blocks of the volume's size that were changed.
    dirty: BTreeSet<usize>,
}

impl QuotaFile {
    /// An empty file.
    pub fn new(kind: QuotaKind) -> Self {
        let mut file = Self {
            kind,
            info: Info::empty(),
            bytes: Vec::new(),
            records: BTreeMap::new(),
            dirty: BTreeSet::new(),
        };
        file.start();
        file
    }

    /// Reads a file and checks all of it.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(bytes: Vec<u8>, kind: QuotaKind) -> Result<Self> {
        check::parse(bytes, kind)
    }

    /// How long soft limits may be passed.
    pub fn grace(&self) -> QuotaGrace {
        self.info.grace()
    }

    /// Whether the file has a record of an id.
    pub fn contains(&self, id: u32) -> bool {
        self.records.contains_key(&id)
    }

    /// The record of an id.
    pub fn find(&self, id: u32) -> Option<QuotaRecord> {
        self.records.get(&id).map(|&at| self.read(at))
    }

    /// All records, ascending by id.
    pub fn records(&self) -> impl Iterator<Item = QuotaRecord> {
        self.records.values().map(|&at| self.read(at))
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The changed ranges of bytes since the last call: whole blocks of the volume, or up to the
    /// end of the file.
    pub fn take_dirty(&mut self) -> Vec<core::ops::Range<usize>> {
        let blocks = core::mem::take(&mut self.dirty);
        let range = |block| {
            let start = block * crate::BLOCK_SIZE;
            start..self.bytes.len().min(start + crate::BLOCK_SIZE)
        };
        blocks.into_iter().map(range).collect()
    }

    fn read(&self, at: usize) -> QuotaRecord {
        raw::record_at(&self.bytes, at).expect("records lie inside the file")
    }
}
