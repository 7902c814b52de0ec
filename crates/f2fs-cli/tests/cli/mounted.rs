//! The same commands on a mount, which frees what compression saves.

use crate::common::{Ended, f2fs};
use rustix::fs::{FallocateFlags, statvfs};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use testkit::mount::{Mount, MountOptions};
use testkit::system::System;

const BLOCK: u64 = 4096;

fn mounted(size: u64, options: Vec<&'static str>) -> Option<Mount> {
    let system = System::F2fs(PathBuf::from(env!("CARGO_BIN_EXE_f2fs")));
    let options = MountOptions {
        compress: Some("lz4"),
        options,
        ..MountOptions::new(system, size)
    };
    Mount::or_skip(options).map(Result::unwrap)
}

fn text(len: usize) -> Vec<u8> {
    let lines =
        (0..).flat_map(|n| format!("line {n} of some text that repeats itself\n").into_bytes());
    lines.take(len).collect()
}

fn run(command: &str, paths: &[&Path], more: &[&str]) -> Ended {
    let paths = paths.iter().map(|path| path.to_str().unwrap());
    f2fs(
        [command]
            .into_iter()
            .chain(paths)
            .chain(more.iter().copied()),
    )
}

/// The number of blocks in a command's summary.
fn blocks(told: &str) -> u64 {
    let (_, rest) = told.split_once(": ").unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}

/// Free blocks of the volume, and blocks of a file, as `df` and `du` see them.
fn counts(path: &Path) -> (u64, u64) {
    let found = fs::metadata(path).unwrap();
    (statvfs(path).unwrap().f_bfree, found.blocks() * 512 / BLOCK)
}

/// Syncs until the counts of a file are as they should be: the kernel tells a mount of a close a moment later.
fn sync_until(path: &Path, is_right: impl Fn((u64, u64)) -> bool) {
    let start = Instant::now();
    while !is_right(counts(path)) {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{:?}",
            counts(path)
        );
        rustix::fs::syncfs(File::open(path).unwrap()).unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn clusters_change_their_form_on_a_mount() {
    let Some(mut mount) = mounted(256 << 20, vec![]) else {
        return;
    };
    let (dir, content) = (mount.dir().join("dir"), text(3 << 20));
    fs::create_dir(&dir).unwrap();
    let file = dir.join("file");
    fs::write(&file, &content).unwrap();
    File::open(&file).unwrap().sync_all().unwrap();
    let saved = blocks(&run("compress", &[&dir], &["-r"]).ok());
    let before = counts(&file);
    assert!(saved > 300, "{saved}");
    assert_eq!(blocks(&run("release", &[&dir], &["-r"]).ok()), saved);
    assert_eq!(counts(&file), (before.0 + saved, before.1 - saved));
    run("release", &[&file], &[]).fails(1, "released before");
    let open = OpenOptions::new().write(true).open(&file).unwrap();
    let refused = open.write_all_at(b"x", 9).unwrap_err();
    drop(open);
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    fs::write(dir.join("more"), &content).unwrap();
    let zstd = ["--algorithm", "zstd:9", "--cluster-size", "128K"];
    let told = run(
        "recompress",
        &[&file],
        &[&zstd[..], &["--dry-run"]].concat(),
    )
    .ok();
    assert!(told.contains("nothing was written"), "{told}");
    assert_eq!(counts(&file).1, before.1 - saved);
    run("recompress", &[&file], &zstd).ok();
    assert!(counts(&file).1 < before.1 - saved);
    assert!(fs::read(&file).unwrap() == content);
    let taken = blocks(&run("reserve", &[&dir], &["-r"]).ok());
    assert!(taken > saved);
    assert_eq!(blocks(&run("decompress", &[&file], &[]).ok()), taken);
    assert!(fs::read(&file).unwrap() == content);
    run("compress", &[&dir], &[]).fails(1, "-r");
    let empty = dir.join("empty");
    File::create(&empty).unwrap();
    run("compress", &[&empty], &["--mark"]).ok();
    mount.check_by_kernel().unwrap();
}

#[test]
fn a_mount_that_frees_space_counts_right_at_every_moment() {
    let Some(mut mount) = mounted(128 << 20, vec!["space=release"]) else {
        return;
    };
    let (file, content) = (mount.dir().join("file"), text(8 << 20));
    let mut open = File::create(&file).unwrap();
    open.write_all(&content).unwrap();
    open.sync_all().unwrap();
    let held = counts(&file);
    // With its nodes.
    assert!(held.1 >= (8 << 20) / BLOCK, "{held:?}");
    drop(open);
    sync_until(&file, |now| now.1 < held.1);
    let free = counts(&file);
    assert!(free.1 < held.1 / 2, "{free:?} {held:?}");
    assert_eq!(free.0 + free.1, held.0 + held.1);
    // It is written as any other.
    let open = OpenOptions::new().write(true).open(&file).unwrap();
    assert_eq!(counts(&file), free);
    open.write_all_at(b"changed", 100_000).unwrap();
    assert_eq!(counts(&file), held);
    drop(open);
    sync_until(&file, |now| now == free);
    // More than the volume has room for without that.
    let mut files = 0;
    while files < 100 {
        let path = mount.dir().join(format!("more{files}"));
        if let Err(error) = fs::write(&path, &content) {
            assert_eq!(error.kind(), ErrorKind::StorageFull);
            fs::remove_file(&path).unwrap();
            break;
        }
        files += 1;
    }
    assert!(
        (20..100).contains(&files),
        "{files} files of 8 MiB in 128 MiB"
    );
    let mut expected = content.clone();
    expected[100_000..100_007].copy_from_slice(b"changed");
    assert!(fs::read(&file).unwrap() == expected);
    assert!(fs::read(mount.dir().join("more3")).unwrap() == content);
    // Too full to take its blocks again: it stays as it is.
    let filler = File::create(mount.dir().join("filler")).unwrap();
    let left = (counts(&file).0 - 200) * BLOCK;
    rustix::fs::fallocate(&filler, FallocateFlags::empty(), 0, left).unwrap();
    drop(filler);
    run("decompress", &[&file], &[]).fails(4, "no space");
    let open = OpenOptions::new().write(true).open(&file).unwrap();
    let refused = open.write_all_at(b"x", 9).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StorageFull);
    drop(open);
    assert_eq!(counts(&file).1, free.1);
    assert!(fs::read(&file).unwrap() == expected);
    fs::remove_file(mount.dir().join("filler")).unwrap();
    let taken = blocks(&run("decompress", &[&file], &[]).ok());
    assert_eq!(taken, held.1 - free.1);
    mount.check_by_kernel().unwrap();
}
