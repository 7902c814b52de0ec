//! What the caller of the formatter wants.

use super::FormatError;
use f2fs_format::{CompressAlgorithm, Features, QuotaKind};
use std::str::FromStr;

/// File name extensions of data that is written once and kept: it goes to the cold log.
const COLD_EXTENSIONS: [&str; 36] = [
    "mp", "wm", "og", "jp", "avi", "m4v", "m4p", "mkv", "mov", "webm", "wav", "m4a", "3gp", "opus",
    "flac", "gif", "png", "svg", "webp", "jar", "deb", "iso", "gz", "xz", "zst", "pdf", "pyc",
    "ttc", "ttf", "exe", "apk", "cnt", "exo", "odex", "vdex", "so",
];

/// File name extensions of data that is rewritten all the time: it goes to the hot log.
const HOT_EXTENSIONS: [&str; 4] = ["db", "vmdk", "vdi", "qcow2"];

/// Slots for extensions in the superblock.
const EXTENSIONS_MAX: usize = 64;
/// Bytes of an extension; its slot has one more, for the NUL.
const EXTENSION_LEN_MAX: usize = 7;
/// UTF-16 units of a label; its field has one more, for the NUL.
const LABEL_UNITS_MAX: usize = 511;
/// Blocks of the smallest and the largest cluster, as powers of two.
const LOG_CLUSTER_SIZES: std::ops::RangeInclusive<u8> = 2..=8;
/// Bits of the cluster size that count bytes within a block.
const BLOCK_BITS: u32 = f2fs_format::BLOCK_BITS;

/// The wish list for a new volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatOptions {
    /// Bytes of the volume; a last part of a block is left unused.
    pub size: u64,
    /// The volume's name, at most 511 UTF-16 units.
    pub label: String,
    /// Features; see [`FormatOptions::SUPPORTED`].
    pub features: Features,
    /// Directories that ignore case refuse names that are not made of the code points of Unicode 12.1, instead of
    /// taking them for bytes.
    pub strict_names: bool,
    /// Whom the volume counts for, each at most once; projects need their feature.
    pub quota: Vec<QuotaKind>,
    /// Makes the root directory a compressed one, so that everything below it is compressed.
    pub compress: Option<RootCompression>,
    /// Segments a section, the unit of cleaning; 1 unless the device wants more.
    pub segments_per_section: u32,
    /// Sections a zone; open logs start in zones of their own.
    pub sections_per_zone: u32,
    /// Extensions of cold files, 1 to 7 bytes each; with the hot ones at most 64.
    pub cold_extensions: Vec<String>,
    /// Extensions of hot files.
    pub hot_extensions: Vec<String>,
    /// The volume's id; random if not given.
    pub uuid: Option<[u8; 16]>,
    /// Decides the first checkpoint's version; random if not given.
    pub checkpoint_seed: Option<u32>,
    /// Owner of the root directory: uid, gid.
    pub root_owner: (u32, u32),
    /// Times of the root directory, in seconds since 1970; now if not given.
    pub root_time: Option<u64>,
}

impl FormatOptions {
    /// The features that this formatter can give to a volume.
    ///
    /// Quota files are asked for with [`FormatOptions::quota`]. Lost+found needs an inode that it
    /// does not make; read-only and zoned volumes another layout.
    pub const SUPPORTED: Features = Features::ENCRYPT
        .union(Features::EXTRA_ATTR)
        .union(Features::PRJQUOTA)
        .union(Features::INODE_CHKSUM)
        .union(Features::FLEXIBLE_INLINE_XATTR)
        .union(Features::INODE_CRTIME)
        .union(Features::VERITY)
        .union(Features::SB_CHKSUM)
        .union(Features::CASEFOLD)
        .union(Features::COMPRESSION);

    /// What [`FormatOptions::new`] chooses: checksums where there are any, times of creation,
    /// compression.
    pub const DEFAULT_FEATURES: Features = Features::EXTRA_ATTR
        .union(Features::INODE_CHKSUM)
        .union(Features::FLEXIBLE_INLINE_XATTR)
        .union(Features::INODE_CRTIME)
        .union(Features::SB_CHKSUM)
        .union(Features::COMPRESSION);

    /// The defaults for a volume of `size` bytes.
    pub fn new(size: u64) -> Self {
        let owned = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
        Self {
            size,
            label: String::new(),
            features: Self::DEFAULT_FEATURES,
            strict_names: false,
            quota: Vec::new(),
            compress: None,
            segments_per_section: 1,
            sections_per_zone: 1,
            cold_extensions: owned(&COLD_EXTENSIONS),
            hot_extensions: owned(&HOT_EXTENSIONS),
            uuid: None,
            checkpoint_seed: None,
            root_owner: (0, 0),
            root_time: None,
        }
    }

    /// Checks everything that does not depend on the size.
    pub(super) fn check(&self) -> Result<(), FormatError> {
        self.check_features()?;
        self.check_names()?;
        match &self.compress {
            Some(compress) => compress.check(),
            None => Ok(()),
        }
    }

    fn check_features(&self) -> Result<(), FormatError> {
        let refused = self.features.difference(Self::SUPPORTED);
        if !refused.is_empty() {
            return Err(FormatError::Features(refused));
        }
        let dependent = self.features.intersection(Features::NEED_EXTRA_ATTR);
        if !dependent.is_empty() && !self.features.contains(Features::EXTRA_ATTR) {
            let needs = Features::EXTRA_ATTR;
            return Err(FormatError::FeatureNeeds {
                feature: dependent,
                needs,
            });
        }
        self.check_quota()?;
        if self.compress.is_some() && !self.features.contains(Features::COMPRESSION) {
            return Err(FormatError::CompressFeature);
        }
        Ok(())
    }

    fn check_quota(&self) -> Result<(), FormatError> {
        let needs = Features::PRJQUOTA;
        if self.quota.contains(&QuotaKind::Project) && !self.features.contains(needs) {
            let feature = Features::QUOTA_INO;
            return Err(FormatError::FeatureNeeds { feature, needs });
        }
        for (at, kind) in self.quota.iter().enumerate() {
            if self.quota[..at].contains(kind) {
                return Err(FormatError::QuotaTwice(kind.name()));
            }
        }
        Ok(())
    }

    /// All features of the volume.
    pub(super) fn all_features(&self) -> Features {
        if self.quota.is_empty() {
            self.features
        } else {
            self.features.union(Features::QUOTA_INO)
        }
    }

    fn check_names(&self) -> Result<(), FormatError> {
        let units = self.label.encode_utf16().count();
        if units > LABEL_UNITS_MAX {
            return Err(FormatError::Label {
                units,
                maximum: LABEL_UNITS_MAX,
            });
        }
        let count = self.cold_extensions.len() + self.hot_extensions.len();
        if count > EXTENSIONS_MAX {
            return Err(FormatError::Extensions {
                count,
                maximum: EXTENSIONS_MAX,
            });
        }
        let is_bad = |name: &&String| {
            name.is_empty() || name.len() > EXTENSION_LEN_MAX || name.contains('\0')
        };
        match self
            .cold_extensions
            .iter()
            .chain(&self.hot_extensions)
            .find(is_bad)
        {
            Some(name) => Err(FormatError::Extension(name.clone())),
            None => Ok(()),
        }
    }
}

/// How files below the root directory are compressed.
///
/// The root directory stores all of it, as `chattr +c` does. A Linux kernel passes on only the wish
/// to compress: the algorithm, level and cluster size of a new file are those of its mount options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootCompression {
    /// The algorithm.
    pub algorithm: CompressAlgorithm,
    /// The level; 0 is the algorithm's default.
    pub level: u8,
    /// Binary logarithm of the blocks of a cluster, 2 to 8.
    pub log_cluster_size: u8,
    /// Whether clusters carry a checksum.
    pub checksum: bool,
}

impl RootCompression {
    /// The algorithm at its default level, in clusters of 16 KiB without checksum.
    pub const fn new(algorithm: CompressAlgorithm) -> Self {
        Self {
            algorithm,
            level: 0,
            log_cluster_size: 2,
            checksum: false,
        }
    }

    /// The same in clusters of `bytes`, a power of two from 16 KiB to 1 MiB.
    ///
    /// # Errors
    /// [`FormatError::Cluster`] for any other number.
    pub fn with_cluster_bytes(self, bytes: u64) -> Result<Self, FormatError> {
        let log = bytes.trailing_zeros().saturating_sub(BLOCK_BITS) as u8;
        if !bytes.is_power_of_two() || !LOG_CLUSTER_SIZES.contains(&log) {
            return Err(FormatError::Cluster { bytes });
        }
        Ok(Self {
            log_cluster_size: log,
            ..self
        })
    }

    fn check(self) -> Result<(), FormatError> {
        if !self.algorithm.is_level_valid(self.level) {
            return Err(FormatError::Level {
                algorithm: self.algorithm.name(),
                level: self.level.to_string(),
            });
        }
        if !LOG_CLUSTER_SIZES.contains(&self.log_cluster_size) {
            let blocks = 1u64.checked_shl(self.log_cluster_size.into()).unwrap_or(0);
            return Err(FormatError::Cluster {
                bytes: blocks.saturating_mul(1 << BLOCK_BITS),
            });
        }
        Ok(())
    }
}

impl FromStr for RootCompression {
    type Err = FormatError;

    /// Reads `ALGORITHM` or `ALGORITHM:LEVEL`, for example `lz4` or `zstd:5`.
    fn from_str(text: &str) -> Result<Self, FormatError> {
        let (name, level) = match text.split_once(':') {
            Some((name, level)) => (name, Some(level)),
            None => (text, None),
        };
        let algorithm = CompressAlgorithm::parse(name)
            .ok_or_else(|| FormatError::Algorithm(name.to_owned()))?;
        let Some(level) = level else {
            return Ok(Self::new(algorithm));
        };
        let bad_level = || FormatError::Level {
            algorithm: algorithm.name(),
            level: level.to_owned(),
        };
        let level: u8 = level.parse().map_err(|_| bad_level())?;
        if !algorithm.is_level_valid(level) {
            return Err(bad_level());
        }
        Ok(Self {
            level,
            ..Self::new(algorithm)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_reads_from_text() {
        let zstd: RootCompression = "zstd:5".parse().unwrap();
        assert_eq!((zstd.algorithm, zstd.level), (CompressAlgorithm::Zstd, 5));
        let lz4: RootCompression = "lz4".parse().unwrap();
        assert_eq!(lz4, RootCompression::new(CompressAlgorithm::Lz4));
        for bad in [
            "", "gzip", "lz4:", "lz4:2", "zstd:23", "lzo:1", "zstd:-1", "zstd:300",
        ] {
            assert!(bad.parse::<RootCompression>().is_err(), "{bad}");
        }
    }

    #[test]
    fn clusters_are_powers_of_two_in_range() {
        let lz4 = RootCompression::new(CompressAlgorithm::Lz4);
        assert_eq!(
            lz4.with_cluster_bytes(64 << 10).unwrap().log_cluster_size,
            4
        );
        assert_eq!(lz4.with_cluster_bytes(1 << 20).unwrap().log_cluster_size, 8);
        for bad in [0, 1, 4096, 8192, 65535, 3 << 14, 2 << 20, u64::MAX, 1 << 63] {
            assert!(lz4.with_cluster_bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn impossible_wishes_are_refused() {
        let good = FormatOptions::new(64 << 20);
        assert_eq!(good.check(), Ok(()));
        let with = |change: fn(&mut FormatOptions)| {
            let mut options = good.clone();
            change(&mut options);
            options.check().unwrap_err()
        };
        assert!(matches!(
            with(|o| o.features |= Features::RO),
            FormatError::Features(_)
        ));
        let error = with(|o| o.features.remove(Features::EXTRA_ATTR));
        assert!(matches!(error, FormatError::FeatureNeeds { .. }));
        let error = with(|o| {
            o.features.remove(Features::COMPRESSION);
            o.compress = Some(RootCompression::new(CompressAlgorithm::Lz4));
        });
        assert_eq!(
            error.to_string(),
            "a compressed root cannot be without compression"
        );
        assert!(matches!(
            with(|o| o.label = "x".repeat(512)),
            FormatError::Label { .. }
        ));
        let error = with(|o| o.quota = vec![QuotaKind::User, QuotaKind::User]);
        assert_eq!(error, FormatError::QuotaTwice("user"));
        let error = with(|o| o.quota = vec![QuotaKind::Project]);
        assert!(matches!(error, FormatError::FeatureNeeds { .. }));
        let error = with(|o| o.hot_extensions.push("longlong".into()));
        assert!(matches!(error, FormatError::Extension(_)));
        let error = with(|o| o.cold_extensions = vec!["a".into(); 61]);
        assert!(matches!(error, FormatError::Extensions { count: 65, .. }));
    }
}
