//! Compression algorithms and the levels they take.

/// How the clusters of a file are compressed; the value is the one on disk.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CompressAlgorithm {
    /// LZO1X.
    Lzo = 0,
    /// LZ4, or LZ4HC when a level is given.
    Lz4 = 1,
    /// Zstandard.
    Zstd = 2,
    /// LZO with run-length encoding of zeros.
    LzoRle = 3,
}

impl CompressAlgorithm {
    /// All algorithms, in the order of their values on disk.
    pub const ALL: [Self; 4] = [Self::Lzo, Self::Lz4, Self::Zstd, Self::LzoRle];

    /// The algorithm with this value on disk.
    pub const fn from_raw(raw: u8) -> Option<Self> {
        match raw {
            0 => Some(Self::Lzo),
            1 => Some(Self::Lz4),
            2 => Some(Self::Zstd),
            3 => Some(Self::LzoRle),
            _ => None,
        }
    }

    /// The value on disk.
    pub const fn to_raw(self) -> u8 {
        self as u8
    }

    /// The name as in the `compress_algorithm=` mount option.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lzo => "lzo",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
            Self::LzoRle => "lzo-rle",
        }
    }

    /// The algorithm with this [`name`](Self::name).
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }

    /// Whether an inode may carry this level; 0 means the algorithm's default.
    pub const fn is_level_valid(self, level: u8) -> bool {
        match self {
            Self::Lzo | Self::LzoRle => level == 0,
            Self::Lz4 => level == 0 || (level >= 3 && level <= 16),
            Self::Zstd => level <= 22,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_names_invert() {
        for (raw, algorithm) in CompressAlgorithm::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(algorithm.to_raw()), raw);
            assert_eq!(CompressAlgorithm::from_raw(raw as u8), Some(algorithm));
            assert_eq!(CompressAlgorithm::parse(algorithm.name()), Some(algorithm));
        }
        assert_eq!(CompressAlgorithm::from_raw(4), None);
        assert_eq!(CompressAlgorithm::parse("gzip"), None);
    }

    #[test]
    fn levels() {
        assert!(
            CompressAlgorithm::Lz4.is_level_valid(9) && !CompressAlgorithm::Lz4.is_level_valid(2)
        );
        assert!(
            !CompressAlgorithm::Lz4.is_level_valid(17) && !CompressAlgorithm::Lzo.is_level_valid(1)
        );
        assert!(
            CompressAlgorithm::Zstd.is_level_valid(22)
                && !CompressAlgorithm::Zstd.is_level_valid(23)
        );
    }
}
