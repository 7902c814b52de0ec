//! Header and payload in, one cluster out.
//!
//! The neighbours: `lz4.rs`, `zstd.rs` and `lzo.rs` decode the payload; the caller has read (and
//! decrypted) the compressed blocks.
//!
//! # Invariants
//! - The bytes are hostile until proved otherwise: the length in the header is checked before the
//!   payload is looked at, and a payload that does not give exactly one cluster is an error.

use crate::error::{CodecError, CorruptReason};
use crate::header::checked_payload;
use crate::params::{CodecParams, Verify};
use crate::zstd::ZstdDecoder;
use crate::{lz4, lzo};
use f2fs_format::{BLOCK_SIZE, CompressAlgorithm};

/// Decodes clusters. Keeps the state of the codecs from one cluster to the next.
#[derive(Default)]
pub struct Decoder {
    zstd: Option<ZstdDecoder>,
}

impl Decoder {
    /// Makes a decoder. It takes memory for an algorithm when that is first used.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes the concatenated compressed blocks of a cluster into `out`, which is exactly a
    /// cluster long. After an error the content of `out` is undefined.
    ///
    /// # Errors
    /// [`CodecError::BufferLength`], [`CodecError::BlocksLength`] and the errors of
    /// [`CodecParams::new`] by mistake of the caller, [`CodecError::Library`] for lack of memory,
    /// all others because of the bytes.
    pub fn decode(
        &mut self,
        params: &CodecParams,
        blocks: &[u8],
        verify: Verify,
        out: &mut [u8],
    ) -> Result<(), CodecError> {
        params.check()?;
        let expected = params.cluster_bytes();
        if out.len() != expected {
            return Err(CodecError::BufferLength {
                expected,
                got: out.len(),
            });
        }
        if !blocks.len().is_multiple_of(BLOCK_SIZE) || blocks.len() >= expected {
            return Err(CodecError::BlocksLength {
                bytes: blocks.len(),
            });
        }
        let payload = checked_payload(*params, blocks, verify)?;
        let got = self.payload(params.algorithm, payload, out)?;
        if got != expected {
            return Err(CodecError::DecodedSize {
                expected,
                got: got as u64,
            });
        }
        Ok(())
    }

    /// Decodes the payload into `out` and returns how many bytes it holds.
    fn payload(
        &mut self,
        algorithm: CompressAlgorithm,
        payload: &[u8],
        out: &mut [u8],
    ) -> Result<usize, CodecError> {
        let corrupt = |reason: CorruptReason| CodecError::Corrupt { algorithm, reason };
        match algorithm {
            CompressAlgorithm::Lz4 => lz4::decode(payload, out).map_err(corrupt),
            CompressAlgorithm::Lzo | CompressAlgorithm::LzoRle => {
                lzo::decode(payload, out).map_err(corrupt)
            }
            CompressAlgorithm::Zstd => self.zstd()?.decode(payload, out),
        }
    }

    fn zstd(&mut self) -> Result<&mut ZstdDecoder, CodecError> {
        if self.zstd.is_none() {
            self.zstd = Some(ZstdDecoder::new()?);
        }
        Ok(self.zstd.as_mut().expect("just made"))
    }
}
