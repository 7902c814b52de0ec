//! POSIX access lists, in the system's form and in the volume's (kernel: `acl.c`).
//!
//! The system's attribute value is a 32-bit version 2 and entries of 8 bytes {tag, permissions, id}. The volume's is
//! a 32-bit version 1 and entries of 4 bytes, or of 8 with an id for named users and groups.

use crate::error::{Error, Result};

const SYSTEM_VERSION: u32 = 2;
const VOLUME_VERSION: u32 = 1;
const NO_ID: u32 = u32::MAX;
const BAD: Error = Error::Invalid("malformed access control list");

// Tags, in the order that entries must have.
const OWNER: u16 = 0x01;
const USER: u16 = 0x02;
const OWNING_GROUP: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHERS: u16 = 0x20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    tag: u16,
    permissions: u16,
    id: u32,
}

/// An access list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccessList(Vec<Entry>);

impl AccessList {
    /// From the system's form.
    ///
    /// # Errors
    /// [`Error::Invalid`] for lists that the kernel would not take either.
    pub(crate) fn from_system(value: &[u8]) -> Result<Self> {
        if u32_at(value, 0)? != SYSTEM_VERSION || value.len() % 8 != 4 {
            return Err(BAD);
        }
        let entry = |bytes: &[u8]| {
            let tag = u16_at(bytes, 0)?;
            let id = if has_id(tag)? {
                u32_at(bytes, 4)?
            } else {
                NO_ID
            };
            Ok(Entry {
                tag,
                permissions: u16_at(bytes, 2)?,
                id,
            })
        };
        let list = Self(
            value[4..]
                .chunks_exact(8)
                .map(entry)
                .collect::<Result<_>>()?,
        );
        if list.is_valid() { Ok(list) } else { Err(BAD) }
    }

    /// Owner, owning group and others stand there once, in order, and a mask if anybody is named.
    fn is_valid(&self) -> bool {
        let count = |tag| self.0.iter().filter(|entry| entry.tag == tag).count();
        let once = [OWNER, OWNING_GROUP, OTHERS]
            .into_iter()
            .all(|tag| count(tag) == 1);
        let needs_mask = count(USER) + count(GROUP) > 0;
        once && count(MASK) <= 1
            && (count(MASK) == 1 || !needs_mask)
            && self.0.is_sorted_by_key(|entry| entry.tag)
            && self.0.iter().all(|entry| entry.permissions <= 7)
    }

    /// From the volume's form.
    pub(crate) fn from_volume(value: &[u8]) -> Result<Self> {
        if u32_at(value, 0)? != VOLUME_VERSION {
            return Err(BAD);
        }
        let mut entries = Vec::new();
        let mut at = 4;
        while at < value.len() {
            let tag = u16_at(value, at)?;
            let permissions = u16_at(value, at + 2)?;
            let with_id = has_id(tag)?;
            let id = if with_id {
                u32_at(value, at + 4)?
            } else {
                NO_ID
            };
            entries.push(Entry {
                tag,
                permissions,
                id,
            });
            at += if with_id { 8 } else { 4 };
        }
        Ok(Self(entries))
    }

    /// To the system's form.
    pub(crate) fn to_system(&self) -> Vec<u8> {
        let mut out = SYSTEM_VERSION.to_le_bytes().to_vec();
        for entry in &self.0 {
            out.extend_from_slice(&entry.tag.to_le_bytes());
            out.extend_from_slice(&entry.permissions.to_le_bytes());
            out.extend_from_slice(&entry.id.to_le_bytes());
        }
        out
    }

    /// To the volume's form.
    pub(crate) fn to_volume(&self) -> Vec<u8> {
        let mut out = VOLUME_VERSION.to_le_bytes().to_vec();
        for entry in &self.0 {
            out.extend_from_slice(&entry.tag.to_le_bytes());
            out.extend_from_slice(&entry.permissions.to_le_bytes());
            if matches!(entry.tag, USER | GROUP) {
                out.extend_from_slice(&entry.id.to_le_bytes());
            }
        }
        out
    }

    /// Whether the permission bits of the mode tell all of it.
    pub(crate) fn is_minimal(&self) -> bool {
        self.0
            .iter()
            .all(|entry| matches!(entry.tag, OWNER | OWNING_GROUP | OTHERS))
    }

    /// The permission bits that it implies: owner, mask or group, others.
    pub(crate) fn mode_bits(&self) -> u16 {
        let class = self.group_class();
        self.0.iter().fold(0, |bits, entry| {
            let permissions = entry.permissions & 7;
            match entry.tag {
                OWNER => bits | permissions << 6,
                OTHERS => bits | permissions,
                tag if tag == class => bits | permissions << 3,
                _ => bits,
            }
        })
    }

    /// Gives the entries behind the mode's bits new permissions, as `chmod` does.
    pub(crate) fn set_mode_bits(&mut self, mode: u16) {
        self.change_bits(|_, bits| bits, mode);
    }

    /// Takes away what `mode` does not allow, as for a new file that inherits the list.
    pub(crate) fn limit(&mut self, mode: u16) {
        self.change_bits(|old, bits| old & bits, mode);
    }

    fn change_bits(&mut self, change: impl Fn(u16, u16) -> u16, mode: u16) {
        let class = self.group_class();
        for entry in &mut self.0 {
            let shift = match entry.tag {
                OWNER => 6,
                OTHERS => 0,
                tag if tag == class => 3,
                _ => continue,
            };
            entry.permissions = change(entry.permissions, mode >> shift & 7);
        }
    }

    /// Which entry the group's bits of the mode stand for.
    fn group_class(&self) -> u16 {
        if self.0.iter().any(|entry| entry.tag == MASK) {
            MASK
        } else {
            OWNING_GROUP
        }
    }
}

fn has_id(tag: u16) -> Result<bool> {
    match tag {
        USER | GROUP => Ok(true),
        OWNER | OWNING_GROUP | MASK | OTHERS => Ok(false),
        _ => Err(BAD),
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16> {
    let bytes = bytes.get(at..at + 2).ok_or(BAD)?;
    Ok(u16::from_le_bytes(bytes.try_into().expect("two bytes")))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32> {
    let bytes = bytes.get(at..at + 4).ok_or(BAD)?;
    Ok(u32::from_le_bytes(bytes.try_into().expect("four bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut value = SYSTEM_VERSION.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            value.extend_from_slice(&tag.to_le_bytes());
            value.extend_from_slice(&permissions.to_le_bytes());
            value.extend_from_slice(&id.to_le_bytes());
        }
        value
    }

    const LIST: [(u16, u16, u32); 5] = [
        (OWNER, 6, NO_ID),
        (USER, 7, 1000),
        (OWNING_GROUP, 4, NO_ID),
        (MASK, 5, NO_ID),
        (OTHERS, 1, NO_ID),
    ];

    #[test]
    fn both_forms_convert_into_each_other() {
        let value = system(&LIST);
        let list = AccessList::from_system(&value).unwrap();
        let volume = list.to_volume();
        assert_eq!(volume.len(), 4 + 4 * 4 + 8);
        assert_eq!(AccessList::from_volume(&volume).unwrap(), list);
        assert_eq!(list.to_system(), value);
        assert_eq!(list.mode_bits(), 0o651);
    }

    #[test]
    fn the_mode_and_the_list_follow_each_other() {
        let mut list = AccessList::from_system(&system(&LIST)).unwrap();
        list.limit(0o437);
        assert_eq!(list.mode_bits(), 0o411);
        list.set_mode_bits(0o177);
        assert_eq!(list.mode_bits(), 0o177);
        assert_eq!(list.0[2].permissions, 4, "the mask stands for the group");
        assert!(!list.is_minimal());
        let mut list = AccessList::from_system(&system(&[LIST[0], LIST[2], LIST[4]])).unwrap();
        list.set_mode_bits(0o123);
        assert!(list.is_minimal() && list.mode_bits() == 0o123);
    }

    #[test]
    fn malformed_lists_are_refused() {
        let bad = [
            b"".to_vec(),
            b"\x02\0\0\0\x01".to_vec(),
            b"\x03\0\0\0".to_vec(),
            system(&[(7, 0, 0)]),
            system(&[LIST[0], LIST[1], LIST[2], LIST[4]]),
            system(&[LIST[2], LIST[0], LIST[4]]),
            system(&[LIST[0], LIST[2]]),
            system(&[LIST[0], (OWNING_GROUP, 8, NO_ID), LIST[4]]),
        ];
        for bad in bad {
            assert!(AccessList::from_system(&bad).is_err(), "{bad:?}");
        }
        assert!(AccessList::from_volume(b"\x01\0\0\0\x02\0\x07\0").is_err());
    }
}
