//! Extended attributes: one stream of bytes, first in the inode, then in the xattr node.
//!
//! # On disk
//! A 24-byte header starts the stream, wherever that is; entries follow, each padded to 4 bytes, up
//! to a zero word or the end. An entry may lie across the border between inode and xattr node.

use alloc::vec;
use alloc::vec::Vec;
use core::mem::size_of;

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::{CorruptKind, Result, ensure};

/// Marks the start of a stream.
pub const XATTR_MAGIC: u32 = 0xF2F5_2011;
/// Bytes that the xattr node adds to the stream.
pub const XATTR_NODE_CAPACITY: usize = 4072;
/// Bytes of the header.
pub const XATTR_HEADER_LEN: usize = 24;
/// Bytes of an entry before its name.
const ENTRY_HEAD_LEN: usize = 4;
/// Entries start at multiples of this.
const ALIGN: usize = 4;

/// Index of `user.` names.
pub const INDEX_USER: u8 = 1;
/// Index of the access ACL, whose name is empty.
pub const INDEX_POSIX_ACL_ACCESS: u8 = 2;
/// Index of the default ACL, whose name is empty.
pub const INDEX_POSIX_ACL_DEFAULT: u8 = 3;
/// Index of `trusted.` names.
pub const INDEX_TRUSTED: u8 = 4;
/// Index of `security.` names.
pub const INDEX_SECURITY: u8 = 6;
/// Index of `system.advise`, which stands for `i_advise` and is never stored.
pub const INDEX_ADVISE: u8 = 7;
/// Index of the encryption context, whose name is `c`.
pub const INDEX_ENCRYPTION: u8 = 9;
/// Index of the verity descriptor's place, whose name is `v`.
pub const INDEX_VERITY: u8 = 11;

/// Prefixes of names as users see them, and whether more must follow.
const PREFIXES: [(u8, &str, Rest); 6] = [
    (INDEX_USER, "user.", Rest::Name),
    (
        INDEX_POSIX_ACL_ACCESS,
        "system.posix_acl_access",
        Rest::Nothing,
    ),
    (
        INDEX_POSIX_ACL_DEFAULT,
        "system.posix_acl_default",
        Rest::Nothing,
    ),
    (INDEX_TRUSTED, "trusted.", Rest::Name),
    (INDEX_SECURITY, "security.", Rest::Name),
    (INDEX_ADVISE, "system.advise", Rest::Nothing),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    Name,
    Nothing,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawXattrHeader {
    magic: U32,
    refcount: U32,
    reserved: [U32; 4],
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawXattrEntry {
    name_index: u8,
    name_len: u8,
    value_size: U16,
}

const _: () = {
    assert!(size_of::<RawXattrHeader>() == XATTR_HEADER_LEN);
    assert!(size_of::<RawXattrEntry>() == ENTRY_HEAD_LEN);
};

/// One attribute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct XattrEntry {
    /// Which prefix the name has.
    pub index: u8,
    /// The name behind the prefix, at most 255 bytes.
    pub name: Vec<u8>,
    /// The value, at most 65535 bytes.
    pub value: Vec<u8>,
}

impl XattrEntry {
    /// Bytes that the entry takes in the stream.
    pub fn encoded_len(&self) -> usize {
        (ENTRY_HEAD_LEN + self.name.len() + self.value.len()).next_multiple_of(ALIGN)
    }

    /// The name as users see it, or `None` for names that they never see.
    pub fn full_name(&self) -> Option<Vec<u8>> {
        full_name(self.index, &self.name)
    }
}

/// The attributes do not fit into the bytes there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("extended attributes need {need} bytes, there are {have}")]
pub struct XattrNoRoom {
    /// Bytes that the stream takes.
    pub need: usize,
    /// Bytes that there are.
    pub have: usize,
}

/// Reads a whole stream: the inline area, if the inode has one, then the first
/// [`XATTR_NODE_CAPACITY`] bytes of the xattr node, if there is one.
///
/// # Errors
/// If the stream has no header or an entry leaves it. Nothing must be written back then.
pub fn parse(stream: &[u8]) -> Result<Vec<XattrEntry>> {
    let mut entries = Vec::new();
    let Ok((header, body)) = RawXattrHeader::ref_from_prefix(stream) else {
        return Ok(entries);
    };
    let value = header.magic.get();
    let first_is_zero = body.iter().take(ENTRY_HEAD_LEN).all(|&byte| byte == 0);
    if value == 0 && first_is_zero {
        // No attribute was ever set.
        return Ok(entries);
    }
    ensure(value == XATTR_MAGIC, CorruptKind::XattrMagic { value })?;
    let mut offset = XATTR_HEADER_LEN;
    while let Some((entry, len)) = entry_at(stream, offset)? {
        entries.push(entry);
        offset += len;
    }
    Ok(entries)
}

/// The entry at `offset` and its padded length, or `None` at the end of the list.
fn entry_at(stream: &[u8], offset: usize) -> Result<Option<(XattrEntry, usize)>> {
    let rest = stream.get(offset..).unwrap_or(&[]);
    let Ok((raw, rest)) = RawXattrEntry::ref_from_prefix(rest) else {
        return Ok(None);
    };
    if raw.as_bytes() == [0; ENTRY_HEAD_LEN] {
        return Ok(None);
    }
    let kind = CorruptKind::XattrEntry {
        offset,
        end: stream.len(),
    };
    let name = rest.get(..usize::from(raw.name_len)).ok_or(kind)?;
    let value = &rest[name.len()..];
    let value = value.get(..usize::from(raw.value_size.get())).ok_or(kind)?;
    let entry = XattrEntry {
        index: raw.name_index,
        name: name.to_vec(),
        value: value.to_vec(),
    };
    let len = entry.encoded_len();
    Ok(Some((entry, len)))
}

/// Bytes that a stream with these entries takes at least; a terminator is not needed at the very
/// end.
pub fn encoded_len(entries: &[XattrEntry]) -> usize {
    XATTR_HEADER_LEN + entries.iter().map(XattrEntry::encoded_len).sum::<usize>()
}

/// The stream of `capacity` bytes that holds these entries and zeros behind them.
///
/// # Errors
/// If the entries do not fit.
pub fn encode(
    entries: &[XattrEntry],
    capacity: usize,
) -> core::result::Result<Vec<u8>, XattrNoRoom> {
    let need = encoded_len(entries);
    if need > capacity {
        return Err(XattrNoRoom {
            need,
            have: capacity,
        });
    }
    let mut stream = vec![0; capacity];
    let header = RawXattrHeader {
        magic: XATTR_MAGIC.into(),
        refcount: 1.into(),
        reserved: [0.into(); 4],
    };
    stream[..XATTR_HEADER_LEN].copy_from_slice(header.as_bytes());
    let mut offset = XATTR_HEADER_LEN;
    for entry in entries {
        let name_len = u8::try_from(entry.name.len());
        let value_size = u16::try_from(entry.value.len());
        let raw = RawXattrEntry {
            name_index: entry.index,
            name_len: name_len.expect("a name has at most 255 bytes"),
            value_size: value_size.expect("a value has at most 65535 bytes").into(),
        };
        let mut at = offset;
        for part in [raw.as_bytes(), &entry.name, &entry.value] {
            stream[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        offset += entry.encoded_len();
    }
    Ok(stream)
}

/// Splits a name as users see it into its index and the part that is stored.
pub fn split_name(full: &str) -> Option<(u8, &str)> {
    PREFIXES.into_iter().find_map(|(index, prefix, rest)| {
        let name = full.strip_prefix(prefix)?;
        (name.is_empty() == (rest == Rest::Nothing)).then_some((index, name))
    })
}

/// Joins an index and a stored name to what users see, or `None` for attributes that they never
/// see.
pub fn full_name(index: u8, name: &[u8]) -> Option<Vec<u8>> {
    let (_, prefix, rest) = PREFIXES.into_iter().find(|(i, _, _)| *i == index)?;
    let mut full = prefix.as_bytes().to_vec();
    if rest == Rest::Name {
        full.extend_from_slice(name);
    }
    Some(full)
}

#[cfg(test)]
mod tests;
