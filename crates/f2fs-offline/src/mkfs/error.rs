//! Why a volume cannot be made.

use blockdev::DeviceError;
use f2fs_format::{Corrupt, Features};

/// The reason that formatting was refused or failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The volume has no room for its metadata and the space kept for cleaning.
    #[error("{size} bytes are too few: a volume of this geometry needs {minimum}")]
    TooSmall {
        /// Bytes asked for.
        size: u64,
        /// The least that works, in bytes.
        minimum: u64,
    },
    /// Block addresses have 32 bits.
    #[error("{size} bytes are too many: a volume has at most {maximum}")]
    TooLarge {
        /// Bytes asked for.
        size: u64,
        /// The most that works, in bytes.
        maximum: u64,
    },
    /// The volume does not fit on its device.
    #[error("a volume of {size} bytes does not fit on a device of {device} bytes")]
    DeviceTooSmall {
        /// Bytes asked for.
        size: u64,
        /// Bytes of the device.
        device: u64,
    },
    /// The device refuses writes.
    #[error("the device is read-only")]
    ReadOnly,
    /// No volume up to the largest one can have such sections and zones.
    #[error("no volume can have {per_section} segments a section and {per_zone} sections a zone")]
    Geometry {
        /// Segments a section.
        per_section: u32,
        /// Sections a zone.
        per_zone: u32,
    },
    /// Features that need more than this formatter makes.
    #[error("this formatter does not make volumes with {}", .0.names())]
    Features(Features),
    /// A feature without the one it stands on.
    #[error("{} cannot be without {}", feature.names(), needs.names())]
    FeatureNeeds {
        /// The features asked for.
        feature: Features,
        /// The one that is missing.
        needs: Features,
    },
    /// A compressed root directory on a volume without compressed files.
    #[error("a compressed root cannot be without compression")]
    CompressFeature,
    /// A kind of quota was given twice.
    #[error("quota for {0}s is asked for twice")]
    QuotaTwice(&'static str),
    /// The label does not fit in the superblock.
    #[error("a label of {units} UTF-16 units is too long: at most {maximum}")]
    Label {
        /// UTF-16 units of the label.
        units: usize,
        /// The most that fit.
        maximum: usize,
    },
    /// A file name extension does not fit in its slot of the superblock.
    #[error("\"{0}\" is not an extension: 1 to 7 bytes without NUL")]
    Extension(String),
    /// More extensions than slots.
    #[error("{count} extensions are too many: at most {maximum}")]
    Extensions {
        /// Cold and hot ones together.
        count: usize,
        /// Slots in the superblock.
        maximum: usize,
    },
    /// No such compression algorithm.
    #[error("\"{0}\" is not a compression algorithm: use lzo, lzo-rle, lz4 or zstd")]
    Algorithm(String),
    /// The algorithm does not take this level.
    #[error("\"{level}\" is not a level of {algorithm}")]
    Level {
        /// Name of the algorithm.
        algorithm: &'static str,
        /// The level as given.
        level: String,
    },
    /// Clusters are powers of two of 4 to 256 blocks.
    #[error("{bytes} bytes are not a cluster: use a power of two from 16 KiB to 1 MiB")]
    Cluster {
        /// Bytes asked for.
        bytes: u64,
    },
    /// The volume made does not pass its own reader; a mistake of this formatter.
    #[error("the new volume does not read back: {0}")]
    ReadBack(#[from] Corrupt),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
}
