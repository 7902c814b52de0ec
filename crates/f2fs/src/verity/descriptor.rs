//! The descriptor of a sealed file and the attribute that says where it lies.

use super::hash::{VerityDigest, VerityHash};
use std::ops::Range;

/// The one version of attribute and descriptor.
const VERSION: u8 = 1;
/// Bytes of the attribute.
const LOCATION_LEN: usize = 16;
/// Bytes of a descriptor without its signature.
pub(super) const DESCRIPTOR_LEN: usize = 256;
/// Most bytes of a descriptor with its signature (kernel: `FS_VERITY_MAX_DESCRIPTOR_SIZE`).
const DESCRIPTOR_LEN_MAX: u32 = 16_384;

const LOG_BLOCK_MIN: u8 = 10;
const LOG_BLOCK_MAX: u8 = 12;

// Where the fields of a descriptor lie.
const HASH: usize = 1;
const LOG_BLOCK: usize = 2;
const SALT_LEN: usize = 3;
const SIGNATURE_LEN: Range<usize> = 4..8;
const DATA_LEN: Range<usize> = 8..16;
const ROOT: usize = 16;
const SALT: Range<usize> = 80..112;
const RESERVED: Range<usize> = 112..DESCRIPTOR_LEN;

/// Where a descriptor lies in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// First byte.
    pub(super) pos: u64,
    /// Bytes, its signature included.
    pub(super) len: u32,
}

impl Location {
    /// From the value of the attribute; the metadata of the file starts at `metadata`.
    pub(super) fn parse(value: &[u8], metadata: u64) -> Result<Self, &'static str> {
        let Ok(value) = <&[u8; LOCATION_LEN]>::try_from(value) else {
            return Err("the place of the descriptor is of the wrong size");
        };
        let word = |range: Range<usize>| le_u64(&value[range]);
        if word(0..4) != u64::from(VERSION) {
            return Err("the place of the descriptor is of an unknown version");
        }
        let (len, pos) = (word(4..8) as u32, word(8..16));
        if !(DESCRIPTOR_LEN as u32..=DESCRIPTOR_LEN_MAX).contains(&len) {
            return Err("the descriptor has an impossible size");
        }
        if pos < metadata || pos.checked_add(u64::from(len)).is_none() {
            return Err("the descriptor lies in an impossible place");
        }
        Ok(Self { pos, len })
    }
}

/// A checked descriptor.
#[derive(Clone, Debug)]
pub(super) struct Descriptor {
    pub(super) hash: VerityHash,
    /// Logarithm of the bytes that are hashed together.
    pub(super) log_block: u8,
    bytes: [u8; DESCRIPTOR_LEN],
}

impl Descriptor {
    /// From its bytes, with the signature behind; `size` is the file's.
    pub(super) fn parse(bytes: &[u8], size: u64) -> Result<Self, &'static str> {
        let Some((bytes, rest)) = bytes.split_first_chunk::<DESCRIPTOR_LEN>() else {
            return Err("the descriptor is cut short");
        };
        if bytes[0] != VERSION {
            return Err("the descriptor is of an unknown version");
        }
        let hash = VerityHash::from_number(bytes[HASH]);
        let hash = hash.ok_or("the descriptor names an unknown hash algorithm")?;
        let log_block = bytes[LOG_BLOCK];
        if !(LOG_BLOCK_MIN..=LOG_BLOCK_MAX).contains(&log_block) {
            return Err("the descriptor names an impossible block size");
        }
        if usize::from(bytes[SALT_LEN]) > SALT.len() {
            return Err("the descriptor has an impossible salt");
        }
        if le_u64(&bytes[SIGNATURE_LEN]) > rest.len() as u64 {
            return Err("the descriptor has an impossible signature");
        }
        if le_u64(&bytes[DATA_LEN]) != size {
            return Err("the descriptor is of a file of another size");
        }
        if bytes[RESERVED].iter().any(|&byte| byte != 0) {
            return Err("the descriptor has unknown fields");
        }
        Ok(Self {
            hash,
            log_block,
            bytes: *bytes,
        })
    }

    /// The salt of all hashes of the tree.
    pub(super) fn salt(&self) -> &[u8] {
        &self.bytes[SALT][..self.bytes[SALT_LEN].into()]
    }

    /// The hash of the tree's root.
    pub(super) fn root(&self) -> &[u8] {
        &self.bytes[ROOT..ROOT + self.hash.digest_len()]
    }

    /// The hash of the descriptor without its signature.
    pub(super) fn measurement(&self) -> VerityDigest {
        let mut bytes = self.bytes;
        bytes[SIGNATURE_LEN].fill(0);
        VerityDigest {
            algorithm: self.hash,
            digest: self.hash.digest(&bytes),
        }
    }
}

/// Up to eight bytes as a number.
fn le_u64(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, &byte| (number << 8) | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = 5000;

    fn bytes() -> Vec<u8> {
        let mut bytes = vec![0; DESCRIPTOR_LEN];
        bytes[..4].copy_from_slice(&[1, 2, 12, 3]);
        bytes[DATA_LEN].copy_from_slice(&SIZE.to_le_bytes());
        bytes[SALT][..3].copy_from_slice(b"abc");
        bytes
    }

    #[test]
    fn a_descriptor_is_read() {
        let descriptor = Descriptor::parse(&bytes(), SIZE).unwrap();
        assert_eq!(descriptor.hash, VerityHash::Sha512);
        assert_eq!((descriptor.log_block, descriptor.salt()), (12, &b"abc"[..]));
        assert_eq!(descriptor.root(), [0; 64]);
        let mut signed = bytes();
        signed[SIGNATURE_LEN.start] = 9;
        signed.extend([7; 9]);
        let signed = Descriptor::parse(&signed, SIZE).unwrap();
        assert_eq!(signed.measurement(), descriptor.measurement());
    }

    #[test]
    fn hostile_descriptors_are_refused() {
        let bad = [
            (0, 2),
            (0, 0),
            (HASH, 0),
            (HASH, 3),
            (LOG_BLOCK, 9),
            (LOG_BLOCK, 13),
            (LOG_BLOCK, 255),
            (SALT_LEN, 33),
            (SIGNATURE_LEN.start, 1),
            (SIGNATURE_LEN.end - 1, 0xFF),
            (DATA_LEN.start, 0),
            (DATA_LEN.end - 1, 0x80),
            (RESERVED.start, 1),
            (DESCRIPTOR_LEN - 1, 1),
        ];
        for (at, value) in bad {
            let mut bytes = bytes();
            bytes[at] = value;
            assert!(Descriptor::parse(&bytes, SIZE).is_err(), "{at}: {value}");
        }
        assert!(Descriptor::parse(&bytes()[..255], SIZE).is_err());
    }

    #[test]
    fn hostile_places_are_refused() {
        const METADATA: u64 = 65_536;
        let value = |version: u32, len: u32, pos: u64| {
            let mut value = version.to_le_bytes().to_vec();
            value.extend(len.to_le_bytes());
            value.extend(pos.to_le_bytes());
            value
        };
        let good = Location::parse(&value(1, 256, METADATA), METADATA).unwrap();
        assert_eq!((good.pos, good.len), (METADATA, 256));
        let bad = [
            value(2, 256, METADATA),
            value(1, 255, METADATA),
            value(1, 16_385, METADATA),
            value(1, u32::MAX, METADATA),
            value(1, 256, METADATA - 1),
            value(1, 256, u64::MAX),
            value(1, 256, METADATA)[..15].to_vec(),
            Vec::new(),
        ];
        for value in bad {
            assert!(Location::parse(&value, METADATA).is_err(), "{value:?}");
        }
    }
}
