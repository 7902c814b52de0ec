//! Counters of one volume.

use crate::device::DeviceCounters;
use pagecache::CacheStats;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Live counters.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)+
        }

        /// What happened to clusters and bytes so far.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct DataStats {
            $($(#[$doc])* pub $name: u64,)+
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> DataStats {
                DataStats { $($name: self.$name.load(Ordering::Relaxed),)+ }
            }
        }
    };
}

counters! {
    /// Bytes that callers wrote.
    bytes_written,
    /// Bytes that callers read.
    bytes_read,
    /// Compressed clusters read from the device and decoded.
    clusters_read,
    /// Compressed clusters that a write replaced whole, so that they were not read.
    clusters_not_read,
    /// Clusters written compressed.
    clusters_compressed,
    /// Clusters written raw because no block would have been saved.
    clusters_incompressible,
    /// Clusters written raw because the file ends in them or they have holes.
    clusters_raw,
    /// Blocks that compressed clusters did not need.
    blocks_saved,
    /// Plain data blocks written.
    raw_blocks_written,
    /// Checkpoints written.
    checkpoints,
    /// Node blocks written.
    node_blocks_written,
    /// Segments that the cleaner emptied.
    segments_cleaned,
    /// Blocks of data, and nodes, that it moved.
    blocks_moved,
}

pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

/// All counters of a volume.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Folios and memory.
    pub cache: CacheStats,
    /// Clusters and bytes.
    pub data: DataStats,
    /// Transfers.
    pub device: DeviceCounters,
}
