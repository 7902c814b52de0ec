//! Hash algorithms, and hashing behind a salt.

use sha2::digest::core_api::BlockSizeUser;
use sha2::{Digest, Sha256, Sha512};
use std::fmt;

/// A hash algorithm of fs-verity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerityHash {
    /// SHA-256, number 1.
    Sha256,
    /// SHA-512, number 2.
    Sha512,
}

impl VerityHash {
    /// The algorithm of a number; None if it is unknown.
    pub(super) fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Sha256),
            2 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// Its number in the system's interface.
    pub fn number(self) -> u16 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }

    /// Bytes of a hash.
    pub fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// The hash of some bytes.
    pub(super) fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}

/// The measurement of a sealed file (`FS_IOC_MEASURE_VERITY`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VerityDigest {
    /// The algorithm.
    pub algorithm: VerityHash,
    /// The hash of the file's descriptor, which holds the hash of its content.
    pub digest: Vec<u8>,
}

impl fmt::Display for VerityDigest {
    /// As `fsverity measure` prints it: the algorithm, a colon and hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.algorithm {
            VerityHash::Sha256 => "sha256:",
            VerityHash::Sha512 => "sha512:",
        })?;
        self.digest
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A hash whose salt went in already.
#[derive(Clone, Debug)]
pub(super) enum Salted {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Salted {
    pub(super) fn new(algorithm: VerityHash, salt: &[u8]) -> Self {
        match algorithm {
            VerityHash::Sha256 => Self::Sha256(salted(salt)),
            VerityHash::Sha512 => Self::Sha512(salted(salt)),
        }
    }

    /// Whether some bytes have the hash `expected`.
    pub(super) fn matches(&self, bytes: &[u8], expected: &[u8]) -> bool {
        match self {
            Self::Sha256(hash) => hash.clone().chain_update(bytes).finalize()[..] == *expected,
            Self::Sha512(hash) => hash.clone().chain_update(bytes).finalize()[..] == *expected,
        }
    }
}

/// The salt is padded with zeros to whole blocks of the algorithm, so that it costs nothing for each hash.
fn salted<D: Digest + BlockSizeUser>(salt: &[u8]) -> D {
    let mut padded = salt.to_vec();
    padded.resize(salt.len().next_multiple_of(D::block_size()), 0);
    D::new().chain_update(padded)
}
