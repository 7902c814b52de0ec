//! Holes and every level of the node tree.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{compressed, noise, pattern, volume};
use f2fs::{CompressAlgorithm, Error, Fallocate, OpenOptions, RootCompression};

const BLOCK: u64 = 4096;

/// A file with a few bytes below each part of the node tree, cut off part by part.
fn every_level(compress: Option<RootCompression>) {
    let (image, volume) = volume(128 << 20, compress);
    let options = OpenOptions::new().read(true).write(true).create(true);
    let file = volume.open_with("/sparse", &options).unwrap();
    // In the inode, both direct nodes, both indirect ones, and three places of the double indirect one.
    let blocks = [
        0,
        1500,
        2500,
        500_000,
        1_500_000,
        3_000_000,
        40_000_000,
        900_000_000,
    ];
    let bytes = pattern(10_000, 1);
    for block in blocks {
        file.write_all_at(block * BLOCK + 123, &bytes).unwrap();
    }
    volume.sync().unwrap();
    testkit::fsck::assert_clean(image.path());
    volume.drop_caches();
    let mut buffer = vec![0xEE; 20_000];
    for block in blocks {
        file.read_at(block * BLOCK, &mut buffer).unwrap();
        assert!(buffer[..123].iter().all(|&b| b == 0));
        assert!(buffer[123..10_123] == bytes);
        let data = file.seek_data(block * BLOCK).unwrap().unwrap();
        assert!(data <= block * BLOCK + 123 && data + BLOCK > block * BLOCK);
        assert!(file.seek_hole(data).unwrap() < block * BLOCK + (2 << 20));
    }
    for block in blocks.iter().rev() {
        file.set_len(block * BLOCK + 5000).unwrap();
        volume.sync().unwrap();
        testkit::fsck::assert_clean(image.path());
        let n = file.read_at(block * BLOCK, &mut buffer).unwrap();
        assert_eq!(n, 5000);
        assert!(buffer[123..5000] == bytes[..4877]);
    }
    file.set_len(0).unwrap();
    drop(file);
    volume.remove_file("/sparse").unwrap();
    let left = volume.statfs();
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
    assert_eq!(left.user_blocks - left.blocks_free, 2);
}

#[test]
fn plain_file_over_every_level() {
    every_level(None);
}

#[test]
fn compressed_file_over_every_level() {
    every_level(Some(compressed(CompressAlgorithm::Lz4, 5)));
}

#[test]
fn a_file_beyond_the_format_is_refused() {
    let (_image, volume) = volume(64 << 20, None);
    let options = OpenOptions::new().write(true).create(true);
    let file = volume.open_with("/big", &options).unwrap();
    assert!(matches!(file.write_at(1 << 43, b"x"), Err(Error::TooLarge)));
    assert!(matches!(
        file.write_at(u64::MAX - 3, b"xxxxxx"),
        Err(Error::TooLarge)
    ));
    assert!(matches!(file.set_len(1 << 43), Err(Error::TooLarge)));
    file.set_len(1 << 41).unwrap();
    assert_eq!(file.metadata().len(), 1 << 41);
}

/// The last byte of the largest file can be written, punched, reserved; the next one cannot.
#[test]
fn the_largest_files_are_whole() {
    // As measured on Linux 6.12; clusters of 16 KiB leave two slots of each node unused.
    let limits = [
        (None, 4_329_687_105_536),
        (
            Some(compressed(CompressAlgorithm::Lz4, 2)),
            4_321_184_382_976,
        ),
    ];
    for (compress, limit) in limits {
        let (image, volume) = volume(64 << 20, compress);
        let options = OpenOptions::new().read(true).write(true).create(true);
        let file = volume.open_with("/big", &options).unwrap();
        // A write that reaches across is cut, as on Linux.
        assert_eq!(file.write_at(limit - 5, b"0123456789").unwrap(), 5);
        let too_large = |result: f2fs::Result<()>| {
            assert!(matches!(result, Err(Error::TooLarge)), "{result:?}");
        };
        too_large(file.write_at(limit, b"x").map(drop));
        too_large(file.set_len(limit + 1));
        too_large(file.fallocate(Fallocate::Allocate, limit - BLOCK..limit + 1));
        too_large(file.fallocate(Fallocate::InsertRange, 0..BLOCK << 2));
        assert_eq!(file.metadata().len(), limit);
        let last = limit - 100 * BLOCK;
        file.fallocate(Fallocate::Allocate, last..limit).unwrap();
        // fsck.f2fs 1.15 takes compressed clusters behind missing nodes, the kernel's too, for damage.
        file.write_all_at(last, &noise(98_304, 1)).unwrap();
        file.fallocate(Fallocate::PunchHole, last..last + 16_384)
            .unwrap();
        volume.sync().unwrap();
        testkit::fsck::assert_clean(image.path());
        volume.drop_caches();
        let mut bytes = [0xEE; 10];
        assert_eq!(file.read_at(limit - 7, &mut bytes).unwrap(), 7);
        assert_eq!(&bytes[..7], b"\0\x0001234");
        let mut bytes = vec![0xEE; 98_304];
        file.read_at(last, &mut bytes).unwrap();
        assert!(bytes[..16_384].iter().all(|&b| b == 0));
        assert!(bytes[16_384..] == noise(98_304, 1)[16_384..]);
        file.set_len(limit - 1).unwrap();
        file.set_len(limit).unwrap();
        file.set_len(0).unwrap();
        drop(file);
        volume.close().unwrap();
        testkit::fsck::assert_clean(image.path());
    }
}

#[test]
fn holes_of_compressed_files_take_no_space() {
    let (image, volume) = volume(64 << 20, Some(compressed(CompressAlgorithm::Zstd, 4)));
    let options = OpenOptions::new().read(true).write(true).create(true);
    let file = volume.open_with("/holes", &options).unwrap();
    let bytes = pattern(65_536, 4);
    for n in [0u64, 3, 4, 9] {
        file.write_all_at(n * 65_536, &bytes).unwrap();
    }
    file.write_all_at(6 * 65_536 + 8192, b"in the middle of a hole")
        .unwrap();
    volume.sync().unwrap();
    let clusters = file.clusters().unwrap().unwrap();
    assert_eq!(
        (clusters.compressed, clusters.raw, clusters.holes),
        (4, 1, 5)
    );
    // Four clusters count whole, one counts its block.
    assert_eq!(file.metadata().blocks(), 4 * 16 + 1);
    drop(file);
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
}
