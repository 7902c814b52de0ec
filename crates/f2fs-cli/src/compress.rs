//! Compression as an argument.

use crate::errors::{Failure, Result};
use crate::size::parse_size;
use clap::Args;
use f2fs::CompressDefaults;
use f2fs_offline::RootCompression;

/// Cluster size where none is given.
const CLUSTER_BYTES: u64 = 64 << 10;

/// Arguments that choose a compression.
#[derive(Clone, Debug, Args)]
pub(crate) struct CompressArgs {
    /// Compress with lz4, zstd, lzo or lzo-rle, optionally with a level (lz4: 3-16, zstd: 1-22)
    #[arg(long, value_name = "ALG[:LEVEL]")]
    pub(crate) compress: Option<RootCompression>,
    /// Bytes that are compressed together: a power of two from 16K to 1M [default: 64K]
    #[arg(long, value_name = "SIZE", value_parser = parse_size, requires = "compress")]
    pub(crate) cluster: Option<u64>,
    /// Store a checksum in each compressed cluster
    #[arg(long, requires = "compress")]
    pub(crate) checksum: bool,
}

impl CompressArgs {
    /// What was chosen, for a root directory.
    pub(crate) fn root(&self) -> Result<Option<RootCompression>> {
        let Some(chosen) = self.compress else {
            return Ok(None);
        };
        sized(chosen, self.cluster, self.checksum).map(Some)
    }

    /// What was chosen, for files.
    pub(crate) fn defaults(&self) -> Result<Option<CompressDefaults>> {
        Ok(self.root()?.map(defaults_of))
    }
}

/// `chosen` with a cluster size and a checksum or not.
pub(crate) fn sized(
    chosen: RootCompression,
    cluster: Option<u64>,
    checksum: bool,
) -> Result<RootCompression> {
    let sized = chosen.with_cluster_bytes(cluster.unwrap_or(CLUSTER_BYTES));
    let sized = sized.map_err(|error| Failure::usage(format!("--cluster: {error}")))?;
    Ok(RootCompression { checksum, ..sized })
}

/// The same for the engine.
pub(crate) fn defaults_of(chosen: RootCompression) -> CompressDefaults {
    CompressDefaults {
        algorithm: chosen.algorithm,
        level: chosen.level,
        log_cluster_size: chosen.log_cluster_size,
        checksum: chosen.checksum,
    }
}
