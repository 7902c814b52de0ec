//! What a codec has to know about a cluster: the compression fields of its inode.

use crate::error::CodecError;
use f2fs_format::cluster::{MAX_LOG_CLUSTER_SIZE, MIN_LOG_CLUSTER_SIZE};
use f2fs_format::{BLOCK_SIZE, CompressAlgorithm};
use std::ops::RangeInclusive;

/// Cluster sizes, as logarithms of the number of blocks.
pub const LOG_CLUSTER_SIZES: RangeInclusive<u8> = MIN_LOG_CLUSTER_SIZE..=MAX_LOG_CLUSTER_SIZE;

/// What level 0 means for zstd.
const ZSTD_LEVEL_DEFAULT: u8 = 1;

/// How the clusters of a file are compressed.
///
/// The fields mirror those of the inode. [`Encoder`](crate::Encoder) and
/// [`Decoder`](crate::Decoder) check them again, so a literal is as good as [`CodecParams::new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodecParams {
    /// `i_compress_algorithm`.
    pub algorithm: CompressAlgorithm,
    /// Level of the encoder; 0 is the default of the algorithm. lz4 has 3..=16 (then it is lz4hc;
    /// those above 12 are as 12), zstd 1..=22, the others have none. The decoders do not use it.
    pub level: u8,
    /// Logarithm of the cluster size in blocks, 2..=8 (16 KiB to 1 MiB).
    pub log_cluster_size: u8,
    /// Whether the header holds a checksum of the payload.
    pub checksum: bool,
}

impl CodecParams {
    /// Checks and combines the compression fields of an inode.
    ///
    /// # Errors
    /// [`CodecError::ClusterSize`] and [`CodecError::Level`].
    pub fn new(
        algorithm: CompressAlgorithm,
        level: u8,
        log_cluster_size: u8,
        checksum: bool,
    ) -> Result<Self, CodecError> {
        let params = Self {
            algorithm,
            level,
            log_cluster_size,
            checksum,
        };
        params.check()?;
        Ok(params)
    }

    /// Bytes in a cluster.
    pub fn cluster_bytes(&self) -> usize {
        BLOCK_SIZE << self.log_cluster_size
    }

    pub(crate) fn check(self) -> Result<(), CodecError> {
        let Self {
            algorithm,
            level,
            log_cluster_size,
            ..
        } = self;
        if !LOG_CLUSTER_SIZES.contains(&log_cluster_size) {
            return Err(CodecError::ClusterSize { log_cluster_size });
        }
        if !algorithm.is_level_valid(level) {
            return Err(CodecError::Level { algorithm, level });
        }
        Ok(())
    }

    /// The zstd level to encode with.
    pub(crate) fn zstd_level(self) -> u8 {
        if self.level == 0 {
            ZSTD_LEVEL_DEFAULT
        } else {
            self.level
        }
    }
}

/// What to do about a wrong checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Refuse the cluster.
    Strict,
    /// Decode it all the same, as the kernel does. The payload must still be well formed.
    Ignore,
}
