//! `get` from volumes that somebody made to do harm.

use crate::common::{Ended, arg, f2fs, f2fs_with_input};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Replaces every occurrence of some bytes in an image.
fn patch(image: &Path, from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let mut bytes = fs::read(image).unwrap();
    let places: Vec<usize> = (0..bytes.len() - from.len())
        .filter(|&at| bytes[at..].starts_with(from))
        .collect();
    assert!(!places.is_empty(), "nothing to patch");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    fs::write(image, bytes).unwrap();
}

fn write(image: &Path, path: &str, content: &[u8]) {
    f2fs_with_input(["write", arg(image), path, "--create"], content).ok();
}

fn get(image: &Path, args: &[&str]) -> Ended {
    f2fs([&["get", arg(image)], args].concat())
}

#[test]
fn names_that_lead_out_are_refused() {
    // Without checksums of inodes, so that the patched volume is valid otherwise.
    let image = testkit::tools::mkfs(&[], 64 << 20);
    let work = tempfile::tempdir().unwrap();
    write(image.path(), "/..Xescaped", b"harm");
    write(image.path(), "/good", b"good");
    patch(image.path(), b"..Xescaped", b"../escaped");
    let out = work.path().join("out");
    let ended = get(image.path(), &["/", arg(&out)]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(!work.path().join("escaped").exists());
}

#[test]
fn links_made_before_are_not_followed() {
    let work = tempfile::tempdir().unwrap();
    let outside = work.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "untouched").unwrap();
    let (first, second) = (
        testkit::tools::mkfs(&[], 64 << 20),
        testkit::tools::mkfs(&[], 64 << 20),
    );
    f2fs(["ln", "-s", arg(first.path()), arg(&outside), "/d"]).ok();
    f2fs([
        "ln",
        "-s",
        arg(first.path()),
        arg(&outside.join("file")),
        "/f",
    ])
    .ok();
    f2fs(["mkdir", arg(second.path()), "/d"]).ok();
    write(second.path(), "/d/file", b"harm");
    write(second.path(), "/f", b"new");
    let out = work.path().join("out");
    fs::create_dir(&out).unwrap();
    get(first.path(), &["/", arg(&out)]).ok();
    assert!(out.join("d").is_symlink());
    let ended = get(second.path(), &["/", arg(&out)]);
    ended.fails(1, "/d: ");
    assert_eq!(fs::read(outside.join("file")).unwrap(), b"untouched");
    // A link in the place of a file is replaced, not written through.
    assert!(!out.join("f").is_symlink());
    assert_eq!(fs::read(out.join("f")).unwrap(), b"new");
}

#[test]
fn a_link_of_the_user_on_the_way_is_followed() {
    let work = tempfile::tempdir().unwrap();
    let image = testkit::tools::mkfs(&[], 64 << 20);
    write(image.path(), "/f", b"f");
    fs::create_dir(work.path().join("real")).unwrap();
    symlink("real", work.path().join("link")).unwrap();
    get(image.path(), &["/f", arg(&work.path().join("link"))]).ok();
    assert_eq!(fs::read(work.path().join("real/f")).unwrap(), b"f");
}

#[test]
fn directories_in_a_circle_end() {
    let image = testkit::tools::mkfs(&[], 64 << 20);
    f2fs(["mkdir", "-p", arg(image.path()), "/a/circle"]).ok();
    let ino = |path: &str| -> u32 {
        let stat = f2fs(["stat", "--json", arg(image.path()), path]).json();
        stat[0]["ino"].as_u64().unwrap() as u32
    };
    let entry = |ino: u32| {
        let hash = f2fs_format::dentry_hash(b"circle").to_le_bytes();
        [hash, ino.to_le_bytes()].concat()
    };
    let (circle, a) = (ino("/a/circle"), ino("/a"));
    patch(image.path(), &entry(circle), &entry(a));
    let work = tempfile::tempdir().unwrap();
    let ended = get(image.path(), &["/a", arg(&work.path().join("out"))]);
    ended.fails(1, "second name");
    let list = f2fs(["ls", "-R", arg(image.path())]);
    assert!(list.out.len() < 1000, "{list:?}");
}

#[test]
fn terminals_are_safe_from_names() {
    let image = testkit::tools::mkfs(&[], 64 << 20);
    write(image.path(), "/a\x1b[31m\nb", b"");
    let long = f2fs(["ls", "-l", arg(image.path())]).ok();
    assert!(long.contains("a\\033[31m\\nb"), "{long:?}");
    let plain = f2fs(["ls", arg(image.path())]);
    assert_eq!(plain.out, b"a\x1b[31m\nb\n");
    let ended = f2fs(["cat", arg(image.path()), "/none\x1b[31m\n"]);
    ended.fails(1, "/none\\033[31m\\n: no such file");
}
