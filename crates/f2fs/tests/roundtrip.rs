//! Files written by the engine, read back by it and checked by fsck.f2fs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{compressed, pattern, reopen, volume};
use f2fs::{CompressAlgorithm, OpenOptions, Owner, SetXattr};

#[test]
fn an_empty_volume_stays_clean() {
    let (image, volume) = volume(64 << 20, None);
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
}

#[test]
fn plain_files_of_many_sizes() {
    let (image, volume) = volume(256 << 20, None);
    let sizes = [
        0,
        1,
        100,
        3400,
        3500,
        4095,
        4096,
        4097,
        70_000,
        1 << 20,
        (9 << 20) + 13,
    ];
    for (n, &size) in sizes.iter().enumerate() {
        let options = OpenOptions::new().write(true).create_new(true);
        let file = volume.open_with(format!("/f{n}"), &options).unwrap();
        file.write_all_at(0, &pattern(size, n as u64)).unwrap();
    }
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
    let volume = reopen(&image);
    for (n, &size) in sizes.iter().enumerate() {
        common::assert_content(&volume, &format!("/f{n}"), &pattern(size, n as u64));
    }
}

#[test]
fn compressed_files_of_every_algorithm_and_cluster_size() {
    for algorithm in CompressAlgorithm::ALL {
        for log_cluster_size in [2, 4, 6, 8] {
            let (image, volume) = volume(128 << 20, Some(compressed(algorithm, log_cluster_size)));
            let data = pattern((5 << 20) + 777, 3);
            let options = OpenOptions::new().write(true).create_new(true);
            let file = volume.open_with("/big", &options).unwrap();
            file.write_all_at(0, &data).unwrap();
            drop(file);
            volume.sync().unwrap();
            let saved = volume
                .metadata("/big")
                .unwrap()
                .compression()
                .unwrap()
                .blocks_saved;
            assert!(saved > 400, "{algorithm:?} saves only {saved} blocks");
            volume.close().unwrap();
            testkit::fsck::assert_clean(image.path());
            let volume = reopen(&image);
            common::assert_content(&volume, "/big", &data);
        }
    }
}

#[test]
fn overwrites_and_truncation_of_a_compressed_file() {
    let (image, volume) = volume(128 << 20, Some(compressed(CompressAlgorithm::Lz4, 4)));
    let mut data = pattern(3 << 20, 5);
    let options = OpenOptions::new().write(true).read(true).create_new(true);
    let file = volume.open_with("/big", &options).unwrap();
    file.write_all_at(0, &data).unwrap();
    volume.sync().unwrap();
    for (pos, len) in [
        (100_000, 5000),
        (65_536, 65_536),
        (1 << 20, 1 << 20),
        (3_000_000, 200_000),
    ] {
        let patch = pattern(len, pos as u64);
        file.write_all_at(pos as u64, &patch).unwrap();
        data.resize(data.len().max(pos + len), 0);
        data[pos..pos + len].copy_from_slice(&patch);
        volume.drop_caches();
    }
    volume.sync().unwrap();
    testkit::fsck::assert_clean(image.path());
    common::assert_content(&volume, "/big", &data);
    for size in [
        3_000_123,
        2_500_000,
        1 << 20,
        1_000_000,
        70_001,
        65_536,
        4096,
        1,
    ] {
        file.set_len(size).unwrap();
        data.truncate(size as usize);
        volume.sync().unwrap();
        testkit::fsck::assert_clean(image.path());
        volume.drop_caches();
        common::assert_content(&volume, "/big", &data);
    }
    drop(file);
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
}

#[test]
fn names_links_and_attributes() {
    let (image, volume) = volume(128 << 20, None);
    let owner = Owner::root(0o755);
    volume.create_dir_all("/a/b/c", owner).unwrap();
    for n in 0..3000 {
        let options = OpenOptions::new().write(true).create_new(true);
        let file = volume
            .open_with(format!("/a/file_with_a_long_name_{n}"), &options)
            .unwrap();
        file.write_all_at(0, format!("content {n}").as_bytes())
            .unwrap();
    }
    volume
        .symlink("../file_with_a_long_name_7", "/a/b/link", owner)
        .unwrap();
    volume
        .symlink("x".repeat(4000), "/a/b/long", owner)
        .unwrap();
    volume
        .hard_link("/a/file_with_a_long_name_8", "/a/b/hard")
        .unwrap();
    volume
        .set_xattr("/a/b/hard", "user.note", &[7; 3000], SetXattr::Any)
        .unwrap();
    volume
        .set_xattr("/a/b/hard", "user.small", b"x", SetXattr::Any)
        .unwrap();
    volume.rename("/a/b", "/b").unwrap();
    volume
        .rename("/b/hard", "/a/file_with_a_long_name_9")
        .unwrap();
    for n in (0..3000).step_by(2) {
        if n != 8 {
            volume
                .remove_file(format!("/a/file_with_a_long_name_{n}"))
                .unwrap();
        }
    }
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
    let volume = reopen(&image);
    assert_eq!(volume.read_dir("/a").unwrap().count(), 1501);
    common::assert_content(&volume, "/a/file_with_a_long_name_9", b"content 8");
    assert_eq!(
        volume
            .get_xattr("/a/file_with_a_long_name_8", "user.note")
            .unwrap(),
        [7; 3000]
    );
    assert_eq!(volume.read_link("/b/long").unwrap().as_os_str().len(), 4000);
    volume.remove_all("/a").unwrap();
    volume.remove_all("/b").unwrap();
    let before = volume.statfs();
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
    assert_eq!(before.user_blocks - before.blocks_free, 2);
}
