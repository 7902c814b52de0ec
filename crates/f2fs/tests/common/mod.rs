//! Helpers shared by the engine's tests.
#![allow(dead_code, reason = "each test file uses some of them")]

use f2fs::{CompressAlgorithm, FormatOptions, RootCompression, Volume, VolumeOptions};
use std::io::Read;
use tempfile::NamedTempFile;

/// Compression of the root directory, which files inherit.
pub(crate) fn compressed(algorithm: CompressAlgorithm, log_cluster_size: u8) -> RootCompression {
    RootCompression {
        algorithm,
        level: 0,
        log_cluster_size,
        checksum: true,
    }
}

/// A fresh volume in a temporary image.
pub(crate) fn volume(size: u64, compress: Option<RootCompression>) -> (NamedTempFile, Volume) {
    volume_with(size, compress, &VolumeOptions::default())
}

/// A fresh volume opened with options.
pub(crate) fn volume_with(
    size: u64,
    compress: Option<RootCompression>,
    options: &VolumeOptions,
) -> (NamedTempFile, Volume) {
    let image = NamedTempFile::new().unwrap();
    let mut format = FormatOptions::new(size);
    format.compress = compress;
    let volume = Volume::create(image.path(), &format, options).unwrap();
    (image, volume)
}

/// The volume again, from its image.
pub(crate) fn reopen(image: &NamedTempFile) -> Volume {
    Volume::open(image.path(), &VolumeOptions::default()).unwrap()
}

/// Bytes that compress to about a third and differ everywhere.
pub(crate) fn pattern(len: usize, seed: u64) -> Vec<u8> {
    let mut rng = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut out = Vec::with_capacity(len + 16);
    while out.len() < len {
        rng ^= rng << 13;
        rng ^= rng >> 7;
        rng ^= rng << 17;
        let word = rng.to_le_bytes();
        out.extend_from_slice(&word[..4]);
        out.extend_from_slice(b"some text ");
    }
    out.truncate(len);
    out
}

/// Bytes that do not compress.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut rng = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        rng ^= rng << 13;
        rng ^= rng >> 7;
        rng ^= rng << 17;
        out.extend_from_slice(&rng.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
    }
    out.truncate(len);
    out
}

/// Compares a file's content without printing megabytes.
pub(crate) fn assert_content(volume: &Volume, path: &str, expected: &[u8]) {
    let mut content = Vec::new();
    volume
        .open_file(path)
        .unwrap()
        .read_to_end(&mut content)
        .unwrap();
    assert_eq!(content.len(), expected.len(), "size of {path}");
    if let Some(at) = content.iter().zip(expected).position(|(a, b)| a != b) {
        panic!(
            "{path} differs at byte {at}: {:#x}, not {:#x}",
            content[at], expected[at]
        );
    }
}
