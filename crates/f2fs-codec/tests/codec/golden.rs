//! Clusters that the kernel (Linux 6.12) wrote decode to what was written.
//!
//! `tests/golden/ALGORITHM[-LEVEL]_LOG[_nosum].bin` holds the compressed blocks of one cluster of
//! `mixed(LOG, cluster size)`. To make one: mount a volume with `compress_algorithm=`,
//! `compress_log_size=`, `compress_extension=*` and, without `_nosum`, `compress_chksum`, write the
//! plain cluster as a file, and take the blocks that `dump.f2fs -i` names after the cluster flag.

use crate::support::{decode, encode, mixed};
use f2fs_codec::{CodecParams, CompressAlgorithm};
use std::path::Path;

#[test]
fn clusters_of_the_kernel_decode() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let params = params_of(name);
        let plain = mixed(u64::from(params.log_cluster_size), params.cluster_bytes());
        let blocks = std::fs::read(&path).unwrap();
        assert!(decode(params, &blocks).unwrap() == plain, "{name}");
        let ours = encode(params, &plain).unwrap();
        assert!(
            ours.len() <= blocks.len(),
            "{name}: the kernel needs fewer blocks"
        );
        count += 1;
    }
    assert_eq!(count, 24);
}

/// The frame header of zstd depends on nothing but the cluster size, so it must be equal.
#[test]
fn zstd_frames_begin_as_those_of_the_kernel() {
    for (log_cluster_size, window) in [(2, 0x20), (4, 0x30), (8, 0x50)] {
        let params = CodecParams::new(CompressAlgorithm::Zstd, 0, log_cluster_size, true).unwrap();
        let blocks = encode(params, &mixed(1, params.cluster_bytes())).unwrap();
        assert_eq!(blocks[24..30], [0x28, 0xb5, 0x2f, 0xfd, 0, window]);
    }
}

fn params_of(name: &str) -> CodecParams {
    let mut parts = name.split('_');
    let codec = parts.next().unwrap();
    let log_cluster_size = parts.next().unwrap().parse().unwrap();
    let checksum = parts.next().is_none();
    let (name, level) = match codec.rsplit_once('-') {
        Some((name, level)) if level != "rle" => (name, level.parse().unwrap()),
        _ => (codec, 0),
    };
    let algorithm = CompressAlgorithm::parse(name).unwrap();
    CodecParams::new(algorithm, level, log_cluster_size, checksum).unwrap()
}
