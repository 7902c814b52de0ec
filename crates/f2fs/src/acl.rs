//! POSIX ACLs between the system's form and the volume's.
//!
//! The system's attribute value is a 32-bit version 2 and entries of 8 bytes {tag, permissions, id}. The volume's is
//! a 32-bit version 1 and entries of 4 bytes, or of 8 with an id for named users and groups.

use crate::error::{Error, Result};

const SYSTEM_VERSION: u32 = 2;
const VOLUME_VERSION: u32 = 1;
const NO_ID: u32 = u32::MAX;
const BAD: Error = Error::Invalid("malformed access control list");

fn has_id(tag: u16) -> Result<bool> {
    match tag {
        0x02 | 0x08 => Ok(true),
        0x01 | 0x04 | 0x10 | 0x20 => Ok(false),
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

/// From the system's form.
pub(crate) fn to_volume(value: &[u8]) -> Result<Vec<u8>> {
    if u32_at(value, 0)? != SYSTEM_VERSION || value.len() % 8 != 4 {
        return Err(BAD);
    }
    let mut out = VOLUME_VERSION.to_le_bytes().to_vec();
    for entry in value[4..].chunks_exact(8) {
        let with_id = has_id(u16_at(entry, 0)?)?;
        out.extend_from_slice(if with_id { entry } else { &entry[..4] });
    }
    Ok(out)
}

/// To the system's form.
pub(crate) fn to_system(value: &[u8]) -> Result<Vec<u8>> {
    if u32_at(value, 0)? != VOLUME_VERSION {
        return Err(BAD);
    }
    let mut out = SYSTEM_VERSION.to_le_bytes().to_vec();
    let mut at = 4;
    while at < value.len() {
        let with_id = has_id(u16_at(value, at)?)?;
        out.extend_from_slice(value.get(at..at + 4).ok_or(BAD)?);
        let id = if with_id {
            u32_at(value, at + 4)?
        } else {
            NO_ID
        };
        out.extend_from_slice(&id.to_le_bytes());
        at += if with_id { 8 } else { 4 };
    }
    Ok(out)
}

/// The permission bits that an access list of the system's form implies: owner, mask or group, others.
pub(crate) fn mode_bits(value: &[u8]) -> Result<u16> {
    let (mut owner, mut group, mut mask, mut other) = (0, 0, None, 0);
    for entry in value.get(4..).ok_or(BAD)?.chunks_exact(8) {
        let permissions = u16_at(entry, 2)? & 7;
        match u16_at(entry, 0)? {
            0x01 => owner = permissions,
            0x04 => group = permissions,
            0x10 => mask = Some(permissions),
            0x20 => other = permissions,
            _ => {}
        }
    }
    Ok(owner << 6 | mask.unwrap_or(group) << 3 | other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_convert_into_each_other() {
        let mut system = 2u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in [
            (1u16, 6u16, NO_ID),
            (2, 7, 1000),
            (4, 4, NO_ID),
            (0x10, 5, NO_ID),
            (0x20, 0, NO_ID),
        ] {
            system.extend_from_slice(&tag.to_le_bytes());
            system.extend_from_slice(&permissions.to_le_bytes());
            system.extend_from_slice(&id.to_le_bytes());
        }
        let volume = to_volume(&system).unwrap();
        assert_eq!(volume.len(), 4 + 4 * 4 + 8);
        assert_eq!(to_system(&volume).unwrap(), system);
        assert_eq!(mode_bits(&system).unwrap(), 0o650);
    }

    #[test]
    fn malformed_lists_are_refused() {
        for bad in [
            &b""[..],
            b"\x02\0\0\0\x01",
            b"\x03\0\0\0",
            b"\x02\0\0\0\x07\0\0\0\0\0\0\0",
        ] {
            assert!(to_volume(bad).is_err());
        }
        assert!(to_system(b"\x01\0\0\0\x02\0\x07\0").is_err());
    }
}
