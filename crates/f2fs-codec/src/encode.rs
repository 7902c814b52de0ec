//! One cluster in, header, payload and zero fill out.
//!
//! The neighbours: `lz4.rs`, `zstd.rs` and `lzo.rs` make the payload; the caller allocates blocks
//! for it or, if it is incompressible, for the cluster as it is.
//!
//! # On disk
//! `[clen][chksum][4 reserved words][payload of clen bytes][zeros to the end of the block]`, in at
//! least one block less than the cluster has.

use crate::error::CodecError;
use crate::header::header_of;
use crate::lz4;
use crate::lzo::{LzoEncoder, Version};
use crate::params::CodecParams;
use crate::zstd::ZstdEncoder;
use f2fs_format::cluster::CLUSTER_HEADER_LEN;
use f2fs_format::{BLOCK_SIZE, CompressAlgorithm};

/// What became of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoded {
    /// It is encoded.
    Compressed {
        /// Blocks of the output that are to be written: at least 1, fewer than the cluster has.
        blocks: u32,
    },
    /// Not a whole block would be saved; the output holds nothing of use.
    Incompressible,
}

/// Encodes clusters. Keeps the state of the codecs from one cluster to the next.
#[derive(Default)]
pub struct Encoder {
    lzo: Option<LzoEncoder>,
    zstd: Option<ZstdEncoder>,
}

impl Encoder {
    /// Makes an encoder. It takes memory for an algorithm when that is first used.
    pub fn new() -> Self {
        Self::default()
    }

    /// Encodes the cluster `src` into the first blocks of `out`, which is at least a cluster long.
    ///
    /// Bytes of `out` behind the blocks it names are undefined.
    ///
    /// # Errors
    /// [`CodecError::BufferLength`] and the errors of [`CodecParams::new`], all by mistake of the
    /// caller, and [`CodecError::Library`].
    pub fn encode(
        &mut self,
        params: &CodecParams,
        src: &[u8],
        out: &mut [u8],
    ) -> Result<Encoded, CodecError> {
        params.check()?;
        let expected = params.cluster_bytes();
        for got in [src.len(), out.len().min(expected)] {
            if got != expected {
                return Err(CodecError::BufferLength { expected, got });
            }
        }
        // One block has to be saved, so the codec gets no more room than that leaves.
        let (header, payload) = out[..expected - BLOCK_SIZE].split_at_mut(CLUSTER_HEADER_LEN);
        let Some(clen) = self.payload(*params, src, payload)? else {
            return Ok(Encoded::Incompressible);
        };
        header.copy_from_slice(&header_of(*params, &payload[..clen]));
        let blocks = (CLUSTER_HEADER_LEN + clen).div_ceil(BLOCK_SIZE);
        payload[clen..blocks * BLOCK_SIZE - CLUSTER_HEADER_LEN].fill(0);
        Ok(Encoded::Compressed {
            blocks: blocks as u32,
        })
    }

    /// Encodes `src` and returns the length of the payload, or `None` if it does not fit.
    fn payload(
        &mut self,
        params: CodecParams,
        src: &[u8],
        out: &mut [u8],
    ) -> Result<Option<usize>, CodecError> {
        Ok(match params.algorithm {
            CompressAlgorithm::Lz4 => lz4::encode(params.level, src, out),
            CompressAlgorithm::Lzo => self.lzo().encode(Version::Lzo1x, src, out),
            CompressAlgorithm::LzoRle => self.lzo().encode(Version::Rle, src, out),
            CompressAlgorithm::Zstd => self.zstd()?.encode(params, src, out)?,
        })
    }

    fn lzo(&mut self) -> &mut LzoEncoder {
        self.lzo.get_or_insert_with(LzoEncoder::new)
    }

    fn zstd(&mut self) -> Result<&mut ZstdEncoder, CodecError> {
        if self.zstd.is_none() {
            self.zstd = Some(ZstdEncoder::new()?);
        }
        Ok(self.zstd.as_mut().expect("just made"))
    }
}
