//! Where files lie, files written anew in fewer pieces, and what the segments of a volume hold.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{assert_content, compressed, noise, pattern, reopen, volume, volume_with};
use f2fs::{
    CompressAlgorithm, CompressMode, Defragment, Error, ExtentKind, Fallocate, File, FileExtent,
    InodeFlags, LayoutSummary, LeftAlone, OpenOptions, Volume, VolumeOptions,
};
use f2fs_format::ClusterHeader;
use std::fs;
use std::path::Path;
use testkit::fsck::assert_clean;

const BLOCK: u64 = 4096;

fn make(volume: &Volume, path: &str) -> File {
    let options = OpenOptions::new().read(true).write(true).create(true);
    volume.open_with(path, &options).unwrap()
}

fn extents(volume: &Volume, path: &str) -> Vec<FileExtent> {
    let file = volume.open_file(path).unwrap();
    file.layout().map(Result::unwrap).collect()
}

fn summary(volume: &Volume, path: &str) -> LayoutSummary {
    let mut summary = LayoutSummary::default();
    for extent in extents(volume, path) {
        summary.add(&extent);
    }
    summary
}

/// Two files that take turns, so that each lies in many pieces; their content.
fn take_turns(volume: &Volume, piece: usize, rounds: usize) -> [Vec<u8>; 2] {
    let files = [make(volume, "/a"), make(volume, "/b")];
    let content = [1, 2].map(|seed| pattern(piece * rounds, seed));
    for round in 0..rounds {
        for (file, content) in files.iter().zip(&content) {
            let at = piece * round;
            file.write_all_at(at as u64, &content[at..at + piece])
                .unwrap();
            file.sync_all().unwrap();
        }
    }
    content
}

/// Checks extents against the bytes of the image: plain ones hold the content, compressed ones the right lengths.
fn check_bytes(image: &Path, extents: &[FileExtent], content: &[u8]) {
    let bytes = fs::read(image).unwrap();
    let at = |block: u32| u64::from(block) as usize * BLOCK as usize;
    for extent in extents {
        match extent.kind {
            ExtentKind::Plain => {
                let [run] = extent.runs[..] else {
                    panic!("{extent:?}");
                };
                assert_eq!(u64::from(run.blocks) * BLOCK, extent.len);
                let start = extent.pos as usize;
                let expected = &content[start..content.len().min(start + extent.len as usize)];
                assert!(bytes[at(run.block)..].starts_with(expected), "{extent:?}");
            }
            ExtentKind::Compressed => {
                assert!(extent.stored_blocks() * BLOCK < extent.len, "{extent:?}");
                let first = &bytes[at(extent.runs[0].block)..];
                let header = ClusterHeader::parse(first, extent.len as usize).unwrap();
                let blocks = (u64::from(header.clen) + 24).div_ceil(BLOCK);
                assert!(blocks <= extent.stored_blocks(), "{extent:?}");
            }
            _ => assert!(extent.runs.is_empty(), "{extent:?}"),
        }
    }
}

#[test]
fn extents_are_where_the_bytes_are() {
    let (image, volume) = volume(128 << 20, Some(compressed(CompressAlgorithm::Lz4, 4)));
    let plain = OpenOptions::new().write(true).create(true).compress(None);
    let mut content = noise(3_000_000, 7);
    let file = volume.open_with("/plain", &plain).unwrap();
    file.write_all_at(0, &content).unwrap();
    // A hole, then a piece, then space that was never written.
    file.write_all_at(8 << 20, b"far").unwrap();
    file.fallocate(Fallocate::AllocateKeepSize, 9 << 20..10 << 20)
        .unwrap();
    drop(file);
    let packed = [pattern(1 << 20, 1), noise(300_000, 2), pattern(500_000, 3)].concat();
    make(&volume, "/packed").write_all_at(0, &packed).unwrap();
    volume.sync().unwrap();

    let found = extents(&volume, "/plain");
    check_bytes(image.path(), &found, &{
        content.resize(8 << 20, 0);
        content.extend_from_slice(b"far");
        content
    });
    let kinds: Vec<_> = found.iter().map(|e| e.kind).collect();
    let end = kinds.iter().rev().take(3).copied().collect::<Vec<_>>();
    assert_eq!(
        end,
        [ExtentKind::Reserved, ExtentKind::Plain, ExtentKind::Hole],
        "{found:?}"
    );
    let joined = found.windows(2).all(|pair| pair[0].end() <= pair[1].pos);
    assert!(joined && found[0].pos == 0);
    assert_eq!(found.last().unwrap().end(), 10 << 20);

    let found = extents(&volume, "/packed");
    check_bytes(image.path(), &found, &packed);
    let len = found.iter().map(|e| e.len).sum::<u64>();
    assert_eq!(len, (packed.len() as u64).next_multiple_of(BLOCK));
    let sum = summary(&volume, "/packed");
    let saved = volume.saved_blocks("/packed").unwrap();
    assert_eq!(
        sum.compressed_len / BLOCK - sum.compressed_blocks,
        saved,
        "{sum:?}"
    );
    assert_eq!(extents(&volume, "/packed").len() as u64, sum.extents);
}

#[test]
fn large_clusters_across_segments_are_where_they_are_said_to_be() {
    let (image, volume) = volume(128 << 20, Some(compressed(CompressAlgorithm::Lz4, 8)));
    let content = pattern(20 << 20, 5);
    make(&volume, "/f").write_all_at(0, &content).unwrap();
    volume.sync().unwrap();
    let found = extents(&volume, "/f");
    check_bytes(image.path(), &found, &content);
    let stored: u64 = found.iter().map(FileExtent::stored_blocks).sum();
    assert!(stored > 3 * 512, "several segments");
    let blocks = (20 << 20) / BLOCK - volume.saved_blocks("/f").unwrap();
    assert_eq!(stored, blocks);
}

#[test]
fn a_huge_sparse_file_is_walked_by_what_it_has() {
    let (_image, volume) = volume(64 << 20, Some(compressed(CompressAlgorithm::Lz4, 2)));
    let file = make(&volume, "/huge");
    file.set_len(3 << 40).unwrap();
    for at in [0, 100 << 30, 2 << 40] {
        file.write_all_at(at, &pattern(16384, at)).unwrap();
    }
    volume.sync().unwrap();
    let reads = volume.stats().device.reads;
    let found = extents(&volume, "/huge");
    let kinds: Vec<_> = found.iter().map(|e| e.kind).collect();
    let (data, hole) = (ExtentKind::Compressed, ExtentKind::Hole);
    assert_eq!(kinds, [data, hole, data, hole, data, hole]);
    assert_eq!(found.last().unwrap().end(), 3 << 40);
    assert!(volume.stats().device.reads - reads < 100);
    let counts = file.clusters().unwrap().unwrap();
    assert_eq!((counts.compressed, counts.raw), (3, 0));
    assert_eq!(counts.holes, (3 << 40) / 16384 - 3);
}

#[test]
fn a_file_in_pieces_becomes_one() {
    let (image, volume) = volume(256 << 20, None);
    let content = take_turns(&volume, 8192, 300);
    let before = summary(&volume, "/a");
    assert!(before.runs > 100, "{before:?}");
    let times = |volume: &Volume| {
        let found = volume.metadata("/a").unwrap();
        (found.modified(), found.changed(), found.accessed())
    };
    let (old_times, blocks) = (times(&volume), volume.metadata("/a").unwrap().blocks());
    let plan = volume.defragment("/a", Defragment::Plan).unwrap();
    assert_eq!(plan.before, before);
    assert_eq!(summary(&volume, "/a"), before, "a plan changes nothing");
    let done = volume.defragment("/a", Defragment::Write).unwrap();
    assert_eq!((done.before, done.left), (before, None));
    assert_eq!(done.moved_blocks, before.blocks);
    assert_eq!(
        (plan.moved_blocks, plan.runs_after),
        (done.moved_blocks, done.runs_after)
    );
    let after = summary(&volume, "/a");
    assert_eq!(after.runs, done.runs_after);
    assert!(after.runs <= 3, "{after:?}");
    assert_eq!(after.blocks, before.blocks);
    // What is whole is not written again.
    let again = volume.defragment("/a", Defragment::Write).unwrap();
    assert_eq!((again.moved_blocks, again.left), (0, None));
    assert_eq!(times(&volume), old_times);
    assert_eq!(volume.metadata("/a").unwrap().blocks(), blocks);
    volume.close().unwrap();
    assert_clean(image.path());
    let volume = reopen(&image);
    assert_content(&volume, "/a", &content[0]);
    assert_content(&volume, "/b", &content[1]);
    assert_eq!(times(&volume), old_times);
}

#[test]
fn clusters_stay_in_their_form() {
    for mode in [CompressMode::Fs, CompressMode::User] {
        let options = VolumeOptions {
            compress_mode: mode,
            ..VolumeOptions::default()
        };
        let format = compressed(CompressAlgorithm::Zstd, 2);
        let (image, volume) = volume_with(256 << 20, Some(format), &options);
        let content = take_turns(&volume, 16384, 200);
        let file = make(&volume, "/a");
        file.compress().unwrap();
        // Some clusters stay raw by request.
        let form = if mode == CompressMode::User {
            file.write_all_at(16384 * 50, &content[0][16384 * 50..16384 * 60])
                .unwrap();
            (190, 10)
        } else {
            (200, 0)
        };
        volume.sync().unwrap();
        let fragment = |n: u64| {
            for at in (0..200 * 16384).step_by(n as usize * 16384) {
                let bytes = &content[0][at..at + 16384];
                file.write_all_at(at as u64, bytes).unwrap();
                file.sync_all().unwrap();
            }
        };
        if mode == CompressMode::Fs {
            fragment(7);
        }
        let counts = || {
            let counts = file.clusters().unwrap().unwrap();
            (counts.compressed, counts.raw)
        };
        assert_eq!(counts(), form);
        let before = summary(&volume, "/a");
        let saved = volume.saved_blocks("/a").unwrap();
        let done = file.defragment(0..u64::MAX).unwrap();
        assert!(done.runs_after <= before.runs.min(4), "{done:?}");
        assert_eq!(counts(), form);
        assert_eq!(volume.saved_blocks("/a").unwrap(), saved);
        volume.sync().unwrap();
        assert_clean(image.path());
        volume.drop_caches();
        assert_content(&volume, "/a", &content[0]);
    }
}

#[test]
fn pieces_far_apart_in_the_file_come_together() {
    let (image, volume) = volume(128 << 20, None);
    let (sparse, other) = (make(&volume, "/sparse"), make(&volume, "/other"));
    for n in 0..60u64 {
        sparse.write_all_at(n << 30, &noise(4096, n)).unwrap();
        sparse.sync_all().unwrap();
        other.write_all_at(n * 4096, &noise(4096, n)).unwrap();
        other.sync_all().unwrap();
    }
    assert!(summary(&volume, "/sparse").runs > 20);
    let done = sparse.defragment(0..u64::MAX).unwrap();
    assert!(done.runs_after <= 2, "{done:?}");
    volume.sync().unwrap();
    assert_clean(image.path());
    volume.drop_caches();
    for n in 0..60u64 {
        let mut bytes = [0; 4096];
        sparse.read_at(n << 30, &mut bytes).unwrap();
        assert!(bytes[..] == noise(4096, n));
    }
}

#[test]
fn only_the_range_asked_for_moves() {
    let (image, volume) = volume(256 << 20, None);
    let content = take_turns(&volume, 8192, 200);
    let before = extents(&volume, "/a");
    let file = make(&volume, "/a");
    let done = file.defragment(0..100 * 8192).unwrap();
    assert_eq!(done.moved_len, 100 * 8192);
    let (after, from) = (extents(&volume, "/a"), 100 * 8192);
    let behind = |extents: &[FileExtent]| -> Vec<FileExtent> {
        let behind = extents.iter().filter(|e| e.pos > from);
        behind.cloned().collect()
    };
    assert_eq!(behind(&before), behind(&after));
    drop(file);
    volume.close().unwrap();
    assert_clean(image.path());
    assert_content(&reopen(&image), "/a", &content[0]);
}

#[test]
fn what_must_not_move_stays() {
    let (image, volume) = volume(128 << 20, Some(compressed(CompressAlgorithm::Lz4, 2)));
    take_turns(&volume, 16384, 60);
    let left = |path: &str| {
        let before = extents(&volume, path);
        let done = volume.defragment(path, Defragment::Write).unwrap();
        assert_eq!(extents(&volume, path), before);
        assert_eq!(done.moved_blocks, 0);
        done.left
    };
    volume.release_blocks("/a").unwrap();
    assert_eq!(left("/a"), Some(LeftAlone::Released));
    let immutable = InodeFlags::IMMUTABLE;
    volume
        .set_flags("/b", immutable, InodeFlags::empty())
        .unwrap();
    assert_eq!(left("/b"), Some(LeftAlone::Immutable));
    let dir = volume.defragment("/", Defragment::Write);
    assert!(matches!(dir, Err(Error::IsADirectory)));
    volume.close().unwrap();
    assert_clean(image.path());
}

#[test]
fn bytes_in_the_inode_stay_there() {
    let (_image, volume) = volume(64 << 20, None);
    make(&volume, "/small").write_all_at(0, b"tiny").unwrap();
    let [small] = &extents(&volume, "/small")[..] else {
        panic!("one extent");
    };
    assert_eq!(
        (small.kind, small.pos, small.len),
        (ExtentKind::Inline, 0, 4)
    );
    let done = volume.defragment("/small", Defragment::Write).unwrap();
    assert_eq!((done.left, done.moved_blocks), (Some(LeftAlone::Inline), 0));
    make(&volume, "/empty");
    assert_eq!(extents(&volume, "/empty"), []);
}

#[test]
fn a_full_volume_leaves_the_file_whole() {
    let (image, volume) = volume(64 << 20, None);
    let content = take_turns(&volume, 8192, 100);
    let filler = make(&volume, "/filler");
    let (mut at, piece) = (0, noise(1 << 20, 3));
    while let Ok(n) = filler.write_at(at, &piece) {
        at += n as u64;
    }
    drop(filler);
    volume.sync().unwrap();
    let before = extents(&volume, "/a");
    let done = volume.defragment("/a", Defragment::Write).unwrap();
    assert_eq!((done.left, done.moved_blocks), (Some(LeftAlone::NoRoom), 0));
    assert_eq!(extents(&volume, "/a"), before);
    volume.close().unwrap();
    assert_clean(image.path());
    let volume = reopen(&image);
    assert_content(&volume, "/a", &content[0]);
    assert_content(&volume, "/b", &content[1]);
}

#[test]
fn a_map_agrees_with_the_counters_and_the_files() {
    let (image, volume) = volume(256 << 20, Some(compressed(CompressAlgorithm::Lz4, 4)));
    take_turns(&volume, 65536, 60);
    make(&volume, "/noise")
        .write_all_at(0, &noise(9 << 20, 1))
        .unwrap();
    volume.sync().unwrap();
    volume.remove_file("/b").unwrap();
    volume.close().unwrap();
    let volume = reopen(&image);
    let info = volume.info();
    let mut totals = Vec::new();
    for cells in [1, 10, 1_000_000] {
        let map = volume.map(cells).unwrap();
        assert!(map.cells.len() as u32 <= cells && !map.cells.is_empty());
        assert_eq!(map.totals.segments, u64::from(info.main_segments));
        // What compression saved stays counted for the file, and lies nowhere.
        let saved = volume.saved_blocks("/a").unwrap();
        let valid = info.checkpoint.valid_block_count - saved;
        assert_eq!(map.totals.used_blocks(), valid);
        assert_eq!(map.totals.free_segments, u64::from(info.free_segments));
        let files = ["/a", "/noise"].map(|path| summary(&volume, path).compressed_blocks);
        assert!(files[0] > 0 && files[1] == 0);
        assert_eq!(map.totals.compressed_blocks(), files[0]);
        let end = map.areas.last().unwrap();
        assert!(
            map.areas
                .windows(2)
                .all(|a| a[0].block + a[0].blocks == a[1].block)
        );
        assert_eq!(end.blocks, map.totals.blocks());
        totals.push(map.totals);
    }
    assert_eq!((totals[0], totals[1]), (totals[1], totals[2]));
    let dead = totals[0].dead_blocks;
    assert!(dead > 300, "what was removed is dead: {dead}");
    // The pieces of a file lie in cells that hold as many blocks.
    let map = volume.map(1_000_000).unwrap();
    let main = info.super_block.main_blkaddr.get();
    assert_eq!((map.cell_of(main), map.cell_of(main - 1)), (Some(0), None));
    for extent in extents(&volume, "/a") {
        for run in extent.runs {
            let cell = map.cells[map.cell_of(run.block).unwrap()];
            assert!(cell.compressed_blocks() > 0);
        }
    }
}
