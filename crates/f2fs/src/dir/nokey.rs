//! Names of encrypted directories, without their key (kernel: `fs/crypto/fname.c`).
//!
//! Such a name has all it takes to find its entry again, in characters that any name may have: the entry's hash, up to
//! 149 bytes of the encrypted name and, of a longer one, the SHA-256 of the rest; in base64 of the alphabet for URLs,
//! without padding.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use f2fs_format::Corrupt;
use f2fs_format::CorruptKind;
use sha2::{Digest, Sha256};

/// The hash, and room for one of 64 bits.
const HASH_LEN: usize = 8;
/// Bytes of the encrypted name that are in the open.
const SHOWN: usize = 149;
const DIGEST_LEN: usize = 32;
/// Fewest bytes of an encrypted name.
const LEN_MIN: usize = 16;

/// What a no-key name says.
#[derive(Debug)]
pub(super) struct NoKeyName {
    pub(super) hash: u32,
    shown: Vec<u8>,
    digest: Option<[u8; DIGEST_LEN]>,
}

impl NoKeyName {
    /// Reads a name; `None` if it is not one of this kind.
    pub(super) fn parse(name: &[u8]) -> Option<Self> {
        let bytes = BASE64.decode(name).ok()?;
        let (hash, rest) = bytes.split_at_checked(HASH_LEN)?;
        let (shown, digest) = rest.split_at(rest.len().min(SHOWN));
        let digest = match digest {
            [] if shown.is_empty() => return None,
            [] => None,
            digest => Some(digest.try_into().ok()?),
        };
        Some(Self {
            hash: u32::from_le_bytes(hash[..4].try_into().ok()?),
            shown: shown.to_vec(),
            digest,
        })
    }

    /// Whether it stands for this encrypted name.
    pub(super) fn matches(&self, stored: &[u8]) -> bool {
        let (shown, rest) = stored.split_at(stored.len().min(SHOWN));
        shown == self.shown && digest_of(rest) == self.digest
    }
}

fn digest_of(rest: &[u8]) -> Option<[u8; DIGEST_LEN]> {
    (!rest.is_empty()).then(|| Sha256::digest(rest).into())
}

/// The no-key name of an entry in `slot`.
pub(super) fn of_entry(slot: usize, hash: u32, stored: &[u8]) -> Result<Vec<u8>, Corrupt> {
    if stored.len() < LEN_MIN {
        let len = stored.len() as u16;
        return Err(CorruptKind::DentryNameLen { slot, len }.into());
    }
    Ok(encode(hash, stored))
}

/// What an encrypted symbolic link of these bytes, a length and the encrypted target, shows as its target.
pub(crate) fn of_link(bytes: &[u8]) -> Option<Vec<u8>> {
    let (len, rest) = bytes.split_first_chunk()?;
    let target = rest.get(..usize::from(u16::from_le_bytes(*len)))?;
    (target.len() >= LEN_MIN).then(|| encode(0, target))
}

/// Bytes of what [`of_link`] gives for so many.
pub(crate) fn link_len(bytes: u64) -> u64 {
    let target = bytes.saturating_sub(2);
    let shown = target.min(SHOWN as u64);
    let digest = if target > shown { DIGEST_LEN } else { 0 };
    ((HASH_LEN + digest) as u64 + shown)
        .saturating_mul(4)
        .div_ceil(3)
}

fn encode(hash: u32, stored: &[u8]) -> Vec<u8> {
    let (shown, rest) = stored.split_at(stored.len().min(SHOWN));
    let mut bytes = u64::from(hash).to_le_bytes().to_vec();
    bytes.extend(shown);
    bytes.extend(digest_of(rest).into_iter().flatten());
    BASE64.encode(bytes).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_finds_its_entry_only() {
        for len in [16, 32, 148, 149, 150, 176, 255] {
            let stored: Vec<u8> = (0..len).map(|n| (n * 7) as u8).collect();
            let name = of_entry(0, 0x1234_5678, &stored).unwrap();
            assert!(name.len() <= 252);
            let read = NoKeyName::parse(&name).unwrap();
            assert_eq!(read.hash, 0x1234_5678);
            assert!(read.matches(&stored));
            let mut other = stored.clone();
            *other.last_mut().unwrap() ^= 1;
            assert!(!read.matches(&other));
            assert!(!read.matches(&stored[..len - 1]));
            let link = [&(len as u16).to_le_bytes()[..], &stored].concat();
            assert_eq!(
                of_link(&link).unwrap().len() as u64,
                link_len(link.len() as u64)
            );
        }
    }

    #[test]
    fn other_names_are_none_of_this_kind() {
        let hash_only = BASE64.encode([0; 8]);
        let half_a_digest = BASE64.encode([0; 8 + 149 + 31]);
        let more = BASE64.encode([0; 8 + 149 + 33]);
        for name in [
            "",
            "plain",
            "a.txt",
            "AAAA",
            &hash_only,
            &half_a_digest,
            &more,
        ] {
            assert!(NoKeyName::parse(name.as_bytes()).is_none(), "{name}");
        }
        assert!(of_entry(3, 0, &[1; 15]).is_err());
        assert!(of_link(&[15, 0, 1, 2, 3]).is_none());
        assert!(of_link(&[0]).is_none());
    }
}
