//! Directory entries: the block and the inline form, which differ only in their sizes.
//!
//! [`DentryView`] reads, [`DentryViewMut`] writes; the blocks of a directory are chosen by
//! [`crate::hash`].
//!
//! # On disk
//! A bitmap (LSB first), some unused bytes, one 11-byte entry a slot and 8 bytes of name a slot. A
//! long name takes several slots: all their bits are set, but only the first entry counts.

mod edit;
mod file_type;

use core::mem::size_of;

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::BLOCK_SIZE;
use crate::addr::Ino;
use crate::bitmap::lsb;
use crate::error::{Corrupt, CorruptKind, Result, ensure};

pub use edit::{DentryViewMut, DirEntry};
pub use file_type::FileType;

/// Slots of a dentry block.
pub const NR_DENTRY_IN_BLOCK: usize = 214;
/// Bytes of name in a slot.
pub const SLOT_LEN: usize = 8;
/// Longest name in bytes.
pub const NAME_LEN: usize = 255;
/// Bytes of an entry without its name.
const ENTRY_LEN: usize = 11;

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawDirEntry {
    hash_code: U32,
    ino: U32,
    name_len: U16,
    file_type: u8,
}

const _: () = assert!(size_of::<RawDirEntry>() == ENTRY_LEN);

/// Slots that a name of this length takes.
pub const fn slots_for(name_len: usize) -> usize {
    name_len.div_ceil(SLOT_LEN)
}

/// Where bitmap, entries and names lie in a dentry block or an inline area.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    slots: usize,
    entries: usize,
    names: usize,
    len: usize,
}

const _: () = assert!(Layout::BLOCK.entries == 30 && Layout::BLOCK.names == 2384);

impl Layout {
    /// The layout of a dentry block.
    pub const BLOCK: Self = Self::with(NR_DENTRY_IN_BLOCK, BLOCK_SIZE);

    /// The layout of an inline area of `area_len` bytes.
    pub const fn inline(area_len: usize) -> Self {
        let area_len = if area_len > BLOCK_SIZE {
            BLOCK_SIZE
        } else {
            area_len
        };
        Self::with(area_len * 8 / ((ENTRY_LEN + SLOT_LEN) * 8 + 1), area_len)
    }

    const fn with(slots: usize, len: usize) -> Self {
        let names = len - slots * SLOT_LEN;
        Self {
            slots,
            entries: names - slots * ENTRY_LEN,
            names,
            len,
        }
    }

    /// Slots in the area.
    pub const fn slots(self) -> usize {
        self.slots
    }

    /// Bytes of the bitmap.
    pub const fn bitmap_len(self) -> usize {
        self.slots.div_ceil(8)
    }

    /// Byte position of the first entry.
    pub const fn entries_offset(self) -> usize {
        self.entries
    }

    /// Byte position of the first name.
    pub const fn names_offset(self) -> usize {
        self.names
    }

    /// Bytes of the whole area.
    pub const fn area_len(self) -> usize {
        self.len
    }

    const fn entry_at(self, slot: usize) -> usize {
        self.entries + slot * ENTRY_LEN
    }

    const fn name_at(self, slot: usize) -> usize {
        self.names + slot * SLOT_LEN
    }
}

/// One validated directory entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dentry<'a> {
    /// The first slot of the entry.
    pub slot: usize,
    /// Hash of the name, as stored.
    pub hash: u32,
    /// The inode; not 0, but whether it exists is not known here.
    pub ino: Ino,
    /// What the inode is.
    pub file_type: FileType,
    /// The name, 1 to 255 bytes; in an encrypted directory the ciphertext.
    pub name: &'a [u8],
}

impl Dentry<'_> {
    /// Checks that the name could have been made through the kernel: no slash, no NUL. Not for
    /// encrypted names.
    pub fn check_name(&self) -> Result<()> {
        let valid = !self.name.iter().any(|byte| matches!(byte, b'/' | 0));
        ensure(valid, CorruptKind::DentryName { slot: self.slot })
    }

    /// Whether the entry is `.` or `..`.
    pub fn is_dot(&self) -> bool {
        matches!(self.name, b"." | b"..")
    }
}

/// Reads the entries of a dentry block or an inline area.
#[derive(Clone, Copy, Debug)]
pub struct DentryView<'a> {
    area: &'a [u8],
    layout: Layout,
}

impl<'a> DentryView<'a> {
    /// Looks at `area`, which must have at least the layout's length.
    pub fn new(area: &'a [u8], layout: Layout) -> Result<Self> {
        let len = area.len();
        let area = area
            .get(..layout.len)
            .ok_or(CorruptKind::DentryArea { len })?;
        Ok(Self { area, layout })
    }

    /// All entries in the order of their slots. A bad entry is an error and one slot is skipped.
    pub fn entries(self) -> Entries<'a> {
        self.entries_from(0)
    }

    /// The entries from `slot` on, which must not be inside a long name.
    pub fn entries_from(self, slot: usize) -> Entries<'a> {
        Entries { view: self, slot }
    }

    /// The entry with this name and hash; bad entries are skipped.
    pub fn find(self, name: &[u8], hash: u32) -> Option<Dentry<'a>> {
        self.entries()
            .flatten()
            .find(|dentry| dentry.hash == hash && dentry.name == name)
    }

    /// The first of `slots` consecutive free slots.
    pub fn room_for(self, slots: usize) -> Option<usize> {
        let mut run = 0;
        for slot in 0..self.layout.slots {
            run = if self.is_used(slot) { 0 } else { run + 1 };
            if run == slots {
                return Some(slot + 1 - slots);
            }
        }
        None
    }

    /// Whether no slot is used.
    pub fn is_empty(self) -> bool {
        !(0..self.layout.slots).any(|slot| self.is_used(slot))
    }

    /// Whether there are no entries but `.` and `..`; bad entries count as entries.
    pub fn is_only_dots(self) -> bool {
        self.entries()
            .all(|entry| entry.is_ok_and(|dentry| dentry.is_dot()))
    }

    fn is_used(self, slot: usize) -> bool {
        lsb::test(self.area, slot)
    }

    fn raw(self, slot: usize) -> Option<RawDirEntry> {
        let bytes = self.area.get(self.layout.entry_at(slot)..)?;
        RawDirEntry::ref_from_prefix(bytes)
            .ok()
            .map(|(raw, _)| *raw)
    }

    /// The entry that starts in `slot`.
    fn entry(self, slot: usize) -> Result<Dentry<'a>> {
        let area_error = Corrupt::from(CorruptKind::DentryArea {
            len: self.area.len(),
        });
        let raw = self.raw(slot).ok_or(area_error)?;
        let len = raw.name_len.get();
        let name_len = usize::from(len);
        ensure(
            (1..=NAME_LEN).contains(&name_len),
            CorruptKind::DentryNameLen { slot, len },
        )?;
        let end = slot + slots_for(name_len);
        let whole = end <= self.layout.slots && (slot..end).all(|slot| self.is_used(slot));
        ensure(whole, CorruptKind::DentryNameSlots { slot })?;
        let name_at = self.layout.name_at(slot);
        let name = self
            .area
            .get(name_at..name_at + name_len)
            .ok_or(area_error)?;
        let value = raw.file_type;
        let file_type = FileType::from_raw(value).ok_or(CorruptKind::DentryType { slot, value })?;
        let ino = raw.ino.get();
        ensure(ino != 0, CorruptKind::DentryIno { slot, ino })?;
        Ok(Dentry {
            slot,
            hash: raw.hash_code.get(),
            ino: Ino::new(ino),
            file_type,
            name,
        })
    }
}

/// Iterates over the entries of a [`DentryView`].
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    view: DentryView<'a>,
    slot: usize,
}

impl Entries<'_> {
    /// The slot where the search for the next entry starts.
    pub const fn slot(&self) -> usize {
        self.slot
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Dentry<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.slot < self.view.layout.slots {
            let slot = self.slot;
            self.slot += 1;
            if !self.view.is_used(slot) {
                continue;
            }
            let entry = self.view.entry(slot);
            if let Ok(dentry) = entry {
                self.slot = slot + slots_for(dentry.name.len());
            }
            return Some(entry);
        }
        None
    }
}

#[cfg(test)]
mod tests;
