//! Changes to a dentry block or an inline area.

use zerocopy::{FromBytes, IntoBytes};

use super::{DentryView, FileType, Layout, NAME_LEN, RawDirEntry, slots_for};
use crate::addr::Ino;
use crate::bitmap::lsb;
use crate::error::{CorruptKind, Result};

/// An entry to insert.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DirEntry<'a> {
    /// Hash of the name.
    pub hash: u32,
    /// The inode.
    pub ino: Ino,
    /// What the inode is.
    pub file_type: FileType,
    /// The name, 1 to 255 bytes.
    pub name: &'a [u8],
}

/// Changes the entries of a dentry block or an inline area.
#[derive(Debug)]
pub struct DentryViewMut<'a> {
    area: &'a mut [u8],
    layout: Layout,
}

impl<'a> DentryViewMut<'a> {
    /// Takes `area`, which must have at least the layout's length.
    pub fn new(area: &'a mut [u8], layout: Layout) -> Result<Self> {
        let len = area.len();
        let area = area
            .get_mut(..layout.len)
            .ok_or(CorruptKind::DentryArea { len })?;
        Ok(Self { area, layout })
    }

    /// The same entries, to read.
    pub fn view(&self) -> DentryView<'_> {
        DentryView {
            area: self.area,
            layout: self.layout,
        }
    }

    /// Stores an entry in free slots that [`DentryView::room_for`] found.
    pub fn insert(&mut self, slot: usize, entry: &DirEntry<'_>) {
        let len = entry.name.len();
        assert!((1..=NAME_LEN).contains(&len), "a name has 1 to 255 bytes");
        let slots = slots_for(len);
        let free = (slot..slot + slots).all(|slot| !self.view().is_used(slot));
        assert!(
            slot + slots <= self.layout.slots && free,
            "slot {slot} has no room"
        );
        // A reader that steps by bits must find no entry in the slots after the first.
        for next in slot + 1..slot + slots {
            let raw = RawDirEntry {
                name_len: 0.into(),
                ..self.view().raw(next).expect("the slot is in the area")
            };
            self.put(next, &raw);
        }
        let raw = RawDirEntry {
            hash_code: entry.hash.into(),
            ino: entry.ino.get().into(),
            name_len: (len as u16).into(),
            file_type: entry.file_type.to_raw(),
        };
        self.put(slot, &raw);
        let at = self.layout.name_at(slot);
        self.area[at..at + len].copy_from_slice(entry.name);
        for bit in slot..slot + slots {
            lsb::set(self.area, bit);
        }
    }

    /// Takes over all slots of an area that has no more of them, each in its place. This area is empty.
    pub fn copy_slots(&mut self, from: DentryView<'_>) {
        let slots = from.layout.slots;
        assert!(
            slots <= self.layout.slots && self.view().is_empty(),
            "{slots} slots have no room"
        );
        let entries = |layout: Layout| layout.entry_at(0)..layout.entry_at(slots);
        let names = |layout: Layout| layout.name_at(0)..layout.name_at(slots);
        self.area[entries(self.layout)].copy_from_slice(&from.area[entries(from.layout)]);
        self.area[names(self.layout)].copy_from_slice(&from.area[names(from.layout)]);
        for slot in (0..slots).filter(|&slot| from.is_used(slot)) {
            lsb::set(self.area, slot);
        }
    }

    /// Frees the slots of the entry at `slot` with a name of `name_len` bytes.
    pub fn delete(&mut self, slot: usize, name_len: usize) {
        let end = slot + slots_for(name_len);
        assert!(
            end <= self.layout.slots,
            "slot {slot} has no name of {name_len} bytes"
        );
        for bit in slot..end {
            lsb::clear(self.area, bit);
        }
    }

    /// Lets the entry at `slot` name another inode.
    pub fn set_ino_type(&mut self, slot: usize, ino: Ino, file_type: FileType) {
        assert!(slot < self.layout.slots, "slot {slot} is not in the area");
        let raw = RawDirEntry {
            ino: ino.get().into(),
            file_type: file_type.to_raw(),
            ..self.view().raw(slot).expect("the slot is in the area")
        };
        self.put(slot, &raw);
    }

    fn put(&mut self, slot: usize, raw: &RawDirEntry) {
        let at = self.layout.entry_at(slot);
        let (to, _) = RawDirEntry::mut_from_prefix(&mut self.area[at..])
            .expect("an entry that fits in the area");
        to.as_mut_bytes().copy_from_slice(raw.as_bytes());
    }
}
