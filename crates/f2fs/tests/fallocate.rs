//! Ranges of files reserved, punched, zeroed, taken out and inserted.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{assert_content, compressed, noise, pattern, reopen, volume};
use f2fs::{
    CompressAlgorithm, Error, Fallocate, File, InodeFlags, OpenOptions, RootCompression, Volume,
};
use tempfile::NamedTempFile;
use testkit::fsck::assert_clean;

const BLOCK: u64 = 4096;

/// Plain and compressed volumes.
const SETUPS: [Option<(CompressAlgorithm, u8)>; 3] = [
    None,
    Some((CompressAlgorithm::Lz4, 2)),
    Some((CompressAlgorithm::Zstd, 5)),
];

fn setups() -> impl Iterator<Item = Option<RootCompression>> {
    SETUPS
        .into_iter()
        .map(|s| s.map(|(algorithm, log)| compressed(algorithm, log)))
}

fn make(volume: &Volume, path: &str) -> File {
    let options = OpenOptions::new().read(true).write(true).create_new(true);
    volume.open_with(path, &options).unwrap()
}

/// The same bytes now, after a flush, and from the device alone.
fn check(image: &NamedTempFile, volume: &Volume, path: &str, expected: &[u8]) {
    assert_content(volume, path, expected);
    volume.sync().unwrap();
    assert_clean(image.path());
    volume.drop_caches();
    assert_content(volume, path, expected);
}

#[test]
fn reserved_space_reads_as_zeros_until_it_is_written() {
    for compress in setups() {
        let (image, volume) = volume(64 << 20, compress);
        let file = make(&volume, "/f");
        file.fallocate(Fallocate::Allocate, 0..8_000_000).unwrap();
        let mut expected = vec![0; 8_000_000];
        assert_eq!(file.metadata().blocks(), 8_000_000u64.div_ceil(BLOCK) + 2);
        check(&image, &volume, "/f", &expected);
        // In an order that is neither forwards nor backwards, over each other.
        for n in 0..400u64 {
            let pos = n * 7_919_003 % 7_900_000;
            let bytes = pattern(3000 + 97 * n as usize, n);
            let end = 8_000_000.min(pos as usize + bytes.len());
            let bytes = &bytes[..end - pos as usize];
            file.write_all_at(pos, bytes).unwrap();
            expected[pos as usize..end].copy_from_slice(bytes);
            if n % 100 == 50 {
                volume.sync().unwrap();
                volume.drop_caches();
            }
        }
        check(&image, &volume, "/f", &expected);
        drop(file);
        volume.close().unwrap();
        assert_content(&reopen(&image), "/f", &expected);
    }
}

#[test]
fn space_behind_the_end_is_kept_and_goes_with_a_truncation() {
    for compress in setups() {
        let (image, volume) = volume(64 << 20, compress);
        let file = make(&volume, "/f");
        let bytes = pattern(10_000, 1);
        file.write_all_at(0, &bytes).unwrap();
        file.fallocate(Fallocate::AllocateKeepSize, 0..1 << 20)
            .unwrap();
        assert_eq!(file.metadata().len(), 10_000);
        assert_eq!(file.metadata().blocks(), 256);
        check(&image, &volume, "/f", &bytes);
        file.write_all_at(10_000, &bytes).unwrap();
        check(&image, &volume, "/f", &[&bytes[..], &bytes].concat());
        assert_eq!(file.metadata().blocks(), 256);
        // To the size it has.
        file.set_len(20_000).unwrap();
        assert_eq!(file.metadata().blocks(), 5);
        check(&image, &volume, "/f", &[&bytes[..], &bytes].concat());
        drop(file);
        volume.close().unwrap();
        assert_clean(image.path());
    }
}

#[test]
fn holes_are_punched_at_every_alignment() {
    for compress in setups() {
        let (image, volume) = volume(64 << 20, compress);
        let file = make(&volume, "/f");
        let mut expected = pattern(1_000_000, 2);
        file.write_all_at(0, &expected).unwrap();
        let ranges = [
            0..4096,
            5000..5010,
            8192..20_000,
            70_000..131_072,
            131_072..393_216,
            400_000..600_001,
            990_000..2_000_000,
        ];
        for (n, range) in ranges.into_iter().enumerate() {
            let before = file.metadata().blocks();
            file.fallocate(Fallocate::PunchHole, range.clone()).unwrap();
            let end = 1_000_000.min(range.end as usize);
            expected[range.start as usize..end].fill(0);
            assert!(file.metadata().blocks() <= before);
            if n % 2 == 0 {
                volume.drop_caches();
            }
            check(&image, &volume, "/f", &expected);
        }
        file.fallocate(Fallocate::PunchHole, 0..1 << 30).unwrap();
        assert_eq!(file.metadata().blocks(), 0);
        assert_eq!(file.clusters().unwrap().map_or(0, |c| c.blocks_saved), 0);
        check(&image, &volume, "/f", &vec![0; 1_000_000]);
    }
}

#[test]
fn dirty_bytes_do_not_come_back_into_a_hole() {
    let (image, volume) = volume(64 << 20, None);
    let file = make(&volume, "/f");
    file.write_all_at(0, &noise(1 << 20, 3)).unwrap();
    file.fallocate(Fallocate::PunchHole, 4096..1 << 20).unwrap();
    let mut expected = noise(1 << 20, 3);
    expected[4096..].fill(0);
    check(&image, &volume, "/f", &expected);
    assert_eq!(file.metadata().blocks(), 1);
}

#[test]
fn the_size_stays_when_its_bytes_are_dropped_before_they_are_written() {
    for what in [Fallocate::PunchHole, Fallocate::ZeroRange] {
        let (image, volume) = volume(64 << 20, None);
        let file = make(&volume, "/f");
        file.write_all_at(0, &[1; 10_000]).unwrap();
        file.write_all_at(300_000, &[1; 10_000]).unwrap();
        file.fallocate(what, 299_000..310_000).unwrap();
        drop(file);
        volume.close().unwrap();
        let mut expected = vec![1; 310_000];
        expected[10_000..].fill(0);
        assert_content(&reopen(&image), "/f", &expected);
    }
}

#[test]
fn ranges_are_zeroed_and_stay_reserved() {
    for compress in setups() {
        let (image, volume) = volume(64 << 20, compress);
        let file = make(&volume, "/f");
        let mut expected = pattern(1_000_000, 2);
        file.write_all_at(0, &expected).unwrap();
        volume.sync().unwrap();
        for range in [100..200, 4096..8192, 60_000..500_000, 700_001..799_999] {
            file.fallocate(Fallocate::ZeroRange, range.clone()).unwrap();
            expected[range.start as usize..range.end as usize].fill(0);
            check(&image, &volume, "/f", &expected);
        }
        assert!(file.metadata().blocks() >= 1_000_000u64.div_ceil(BLOCK));
        file.fallocate(Fallocate::ZeroRangeKeepSize, 900_001..2 << 20)
            .unwrap();
        expected[900_001..].fill(0);
        check(&image, &volume, "/f", &expected);
        file.fallocate(Fallocate::ZeroRange, 950_000..3_000_000)
            .unwrap();
        expected.resize(3_000_000, 0);
        check(&image, &volume, "/f", &expected);
        file.write_all_at(950_100, &pattern(1_500_000, 9)).unwrap();
        expected[950_100..2_450_100].copy_from_slice(&pattern(1_500_000, 9));
        check(&image, &volume, "/f", &expected);
        file.set_len(0).unwrap();
        drop(file);
        volume.close().unwrap();
        assert_clean(image.path());
    }
}

#[test]
fn inline_files_get_blocks() {
    let (image, volume) = volume(64 << 20, None);
    let all = [
        Fallocate::Allocate,
        Fallocate::AllocateKeepSize,
        Fallocate::PunchHole,
        Fallocate::ZeroRange,
    ];
    for (n, what) in all.into_iter().enumerate() {
        let path = format!("/{n}");
        let file = make(&volume, &path);
        file.write_all_at(0, &[7; 100]).unwrap();
        file.fallocate(what, 10..20).unwrap();
        let mut expected = vec![7; 100];
        if n > 1 {
            expected[10..20].fill(0);
        }
        assert!(!file.metadata().is_inline());
        check(&image, &volume, &path, &expected);
    }
}

#[test]
fn a_volume_without_room_reserves_nothing() {
    for compress in setups() {
        let (image, volume) = volume(64 << 20, compress);
        let file = make(&volume, "/f");
        file.write_all_at(1 << 20, &pattern(100_000, 1)).unwrap();
        volume.sync().unwrap();
        let before = (file.metadata().blocks(), volume.statfs().blocks_free);
        let too_much = [
            0..1 << 30,
            0..volume.statfs().blocks_free * BLOCK + (2 << 20),
        ];
        for range in too_much {
            let result = file.fallocate(Fallocate::Allocate, range);
            assert!(matches!(result, Err(Error::NoSpace)), "{result:?}");
            assert_eq!(
                before,
                (file.metadata().blocks(), volume.statfs().blocks_free)
            );
        }
        assert_eq!(file.metadata().len(), (1 << 20) + 100_000);
        volume.sync().unwrap();
        assert_clean(image.path());
    }
}

#[test]
fn millions_of_blocks_are_reserved_at_once() {
    let image = NamedTempFile::new().unwrap();
    let size = 40 << 30;
    image.as_file().set_len(size).unwrap();
    let format = f2fs::FormatOptions::new(size);
    let volume = Volume::create(image.path(), &format, &f2fs::VolumeOptions::default()).unwrap();
    let file = make(&volume, "/f");
    let blocks = 8_000_000;
    file.fallocate(Fallocate::Allocate, 0..blocks * BLOCK)
        .unwrap();
    assert!(file.metadata().blocks() > blocks);
    file.write_all_at(blocks * BLOCK - 1000, &[1; 1000])
        .unwrap();
    volume.sync().unwrap();
    assert_clean(image.path());
    file.fallocate(Fallocate::PunchHole, 0..(blocks - 1) * BLOCK)
        .unwrap();
    assert!(file.metadata().blocks() < 8);
    drop(file);
    volume.close().unwrap();
    assert_clean(image.path());
}

#[test]
fn refused_as_by_linux() {
    let (_image, volume) = volume(64 << 20, None);
    let file = make(&volume, "/f");
    file.write_all_at(0, &pattern(50_000, 1)).unwrap();
    let try_it = |what, range| file.fallocate(what, range).unwrap_err().errno();
    assert_eq!(try_it(Fallocate::Allocate, 5..5), 22);
    assert_eq!(try_it(Fallocate::Allocate, 0..1 << 43), 27);
    assert_eq!(try_it(Fallocate::PunchHole, 0..u64::MAX), 27);
    for what in [Fallocate::CollapseRange, Fallocate::InsertRange] {
        assert_eq!(try_it(what, 1..4097), 22);
        assert_eq!(try_it(what, 0..4095), 22);
        assert_eq!(try_it(what, 53_248..57_344), 22);
    }
    assert_eq!(try_it(Fallocate::CollapseRange, 45_056..53_248), 22);
    assert_eq!(try_it(Fallocate::InsertRange, 0..4_329_687_064_576), 27);
    let append = InodeFlags::APPEND;
    volume.set_flags("/f", append, InodeFlags::empty()).unwrap();
    assert_eq!(try_it(Fallocate::PunchHole, 0..4096), 1);
    file.fallocate(Fallocate::Allocate, 0..100_000).unwrap();
    let immutable = InodeFlags::IMMUTABLE;
    volume.set_flags("/f", immutable, append).unwrap();
    assert_eq!(try_it(Fallocate::Allocate, 0..4096), 1);
}

#[test]
fn ranges_are_taken_out_and_inserted() {
    for compress in setups() {
        let (image, volume) = volume(64 << 20, compress);
        let file = make(&volume, "/f");
        let unit = compress.map_or(BLOCK, |c| BLOCK << c.log_cluster_size);
        let mut expected = pattern(6_000_001, 2);
        file.write_all_at(0, &expected).unwrap();
        file.fallocate(Fallocate::PunchHole, 1_000_000..1_500_000)
            .unwrap();
        expected[1_000_000..1_500_000].fill(0);
        file.fallocate(Fallocate::ZeroRange, 5_600_000..5_800_000)
            .unwrap();
        expected[5_600_000..5_800_000].fill(0);
        let places = [(0, 1), (7, 3), (2, 20), (12, 5), (1, 2), (9, 9)];
        for (n, (start, len)) in places.into_iter().enumerate() {
            let range = start * unit..(start + len) * unit;
            let (from, to) = (range.start as usize, range.end as usize);
            if n % 3 == 1 {
                file.fallocate(Fallocate::InsertRange, range).unwrap();
                expected.splice(from..from, vec![0; to - from]);
            } else {
                file.fallocate(Fallocate::CollapseRange, range).unwrap();
                expected.drain(from..to);
            }
            assert_eq!(file.metadata().len(), expected.len() as u64);
            check(&image, &volume, "/f", &expected);
            let at = 40_000 * n;
            file.write_all_at(at as u64, &noise(20_000, n as u64))
                .unwrap();
            expected[at..at + 20_000].copy_from_slice(&noise(20_000, n as u64));
        }
        check(&image, &volume, "/f", &expected);
        file.set_len(0).unwrap();
        assert_eq!(file.metadata().blocks(), 0);
        assert_eq!(file.clusters().unwrap().map_or(0, |c| c.blocks_saved), 0);
        drop(file);
        volume.close().unwrap();
        assert_clean(image.path());
    }
}

#[test]
fn moves_reach_over_all_levels_of_a_sparse_file() {
    let (image, volume) = volume(64 << 20, None);
    let file = make(&volume, "/f");
    let places = [0u64, 900, 1900, 500_000, 1_100_000, 3_000_000];
    for (n, block) in places.iter().enumerate() {
        file.write_all_at(block * BLOCK, &pattern(9000, n as u64))
            .unwrap();
    }
    file.fallocate(Fallocate::InsertRange, 800 * BLOCK..1_000_800 * BLOCK)
        .unwrap();
    volume.sync().unwrap();
    assert_clean(image.path());
    let by = |block: u64, moved: u64| block + if block < 800 { 0 } else { moved };
    let verify = |moved: u64| {
        for (n, block) in places.iter().enumerate() {
            let mut bytes = vec![0; 9000];
            file.read_at(by(*block, moved) * BLOCK, &mut bytes).unwrap();
            assert!(bytes == pattern(9000, n as u64), "block {block}");
        }
    };
    verify(1_000_000);
    file.fallocate(Fallocate::CollapseRange, 800 * BLOCK..1_000_750 * BLOCK)
        .unwrap();
    verify(50);
    volume.sync().unwrap();
    assert_clean(image.path());
    volume.drop_caches();
    verify(50);
}

/// Without a checkpoint, the volume shows the file as it was.
#[test]
fn a_power_cut_shows_a_move_whole_or_not_at_all() {
    for what in [Fallocate::CollapseRange, Fallocate::InsertRange] {
        let (image, volume) = volume(64 << 20, None);
        let file = make(&volume, "/f");
        let expected = pattern(3_000_000, 5);
        file.write_all_at(0, &expected).unwrap();
        volume.sync().unwrap();
        file.fallocate(what, 40_960..409_600).unwrap();
        let cut = NamedTempFile::new().unwrap();
        std::fs::copy(image.path(), cut.path()).unwrap();
        assert_clean(cut.path());
        assert_content(&reopen(&cut), "/f", &expected);
    }
}

#[test]
fn a_move_that_finds_no_room_changes_nothing() {
    let (image, volume) = volume(256 << 20, None);
    let file = make(&volume, "/f");
    let len = volume.statfs().blocks_free * BLOCK * 9 / 10;
    let expected = pattern(len as usize, 5);
    file.write_all_at(0, &expected).unwrap();
    let moved = file.fallocate(Fallocate::InsertRange, 0..BLOCK);
    assert!(matches!(moved, Err(Error::NoSpace)), "{moved:?}");
    check(&image, &volume, "/f", &expected);
}

/// Writing a large folio back writes what lies behind a hole, too: the size on the volume must not fall back to the
/// hole's end.
#[test]
fn a_hole_in_what_was_just_written_keeps_the_end() {
    const LENS: [usize; 5] = [9000, 65_536, 200_000, 1 << 20, 5 << 20];
    for compress in setups() {
        for what in [
            Fallocate::PunchHole,
            Fallocate::ZeroRange,
            Fallocate::ZeroRangeKeepSize,
        ] {
            let (image, volume) = volume(96 << 20, compress);
            let mut all = Vec::new();
            for (n, len) in LENS.into_iter().enumerate() {
                for (m, request) in [4096, 65_536, len].into_iter().enumerate() {
                    let path = format!("/{n}-{m}");
                    let file = make(&volume, &path);
                    let mut bytes = pattern(len, n as u64);
                    for (at, piece) in bytes.chunks(request).enumerate() {
                        file.write_all_at((at * request) as u64, piece).unwrap();
                    }
                    let hole = len / 5..len / 3 + 5000;
                    file.fallocate(what, hole.start as u64..hole.end as u64)
                        .unwrap();
                    bytes[hole.start..hole.end.min(len)].fill(0);
                    if m == 1 {
                        file.sync_all().unwrap();
                    }
                    all.push((path, bytes));
                }
            }
            for (path, bytes) in &all {
                assert_content(&volume, path, bytes);
            }
            volume.close().unwrap();
            assert_clean(image.path());
            let volume = reopen(&image);
            for (path, bytes) in &all {
                assert_content(&volume, path, bytes);
            }
        }
    }
}
