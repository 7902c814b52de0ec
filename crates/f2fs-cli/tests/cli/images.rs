//! Images that cannot be used: exit code 3, and what to do.

use crate::common::{Image, arg, f2fs, noise};
use rustix::fs::FlockOperation;
use std::fs;
use std::os::unix::fs::FileExt;

#[test]
fn missing_images() {
    let work = tempfile::tempdir().unwrap();
    let missing = work.path().join("none.img");
    f2fs(["ls", arg(&missing)]).fails(3, "make one with: f2fs mkfs");
    f2fs(["ls", arg(work.path())]).fails(3, "cannot be opened");
}

#[test]
fn foreign_images() {
    let work = tempfile::tempdir().unwrap();
    let image = work.path().join("image");
    let contents = [vec![], vec![0; 100], vec![0; 8 << 20], noise(8 << 20, 1)];
    for content in contents {
        fs::write(&image, &content).unwrap();
        for command in [&["ls"][..], &["df"], &["info"]] {
            f2fs([command[0], arg(&image)]).fails(3, "not an F2FS volume");
        }
        f2fs(["mkdir", arg(&image), "/d"]).fails(3, "not an F2FS volume");
    }
}

#[test]
fn truncated_and_damaged_images() {
    let image = Image::new(&["--size", "64M"]);
    image.write("/f", b"content");
    let whole = fs::read(&image.path).unwrap();
    for len in [4096, 1 << 20, 3 << 20] {
        fs::write(&image.path, &whole[..len]).unwrap();
        let ended = f2fs(["ls", arg(&image.path)]);
        assert_eq!(ended.code, 3, "{len}: {ended:?}");
    }
    // Both checkpoints.
    fs::write(&image.path, &whole).unwrap();
    let file = fs::OpenOptions::new()
        .write(true)
        .open(&image.path)
        .unwrap();
    file.write_all_at(&vec![0; 4 << 20], 2 << 20).unwrap();
    f2fs(["ls", arg(&image.path)]).fails(3, "check it with fsck.f2fs");
}

#[test]
fn locked_images() {
    let image = Image::new(&["--size", "64M"]);
    let file = fs::File::open(&image.path).unwrap();
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
    image
        .run("mkdir", &["/d"])
        .fails(3, "in use by another process");
    image
        .run("ls", &["/"])
        .fails(3, "in use by another process");
    image
        .run("mkfs", &["--force"])
        .fails(3, "in use by another process");
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared).unwrap();
    image
        .run("mkdir", &["/d"])
        .fails(3, "in use by another process");
    image.run("ls", &["/"]).ok();
}

#[test]
fn damage_inside_a_file_is_named_and_can_be_salvaged() {
    let image = Image::new(&["--size", "64M", "--compress", "lz4", "--checksum"]);
    let mut content = noise(3000, 5);
    content.resize(256 << 10, b'x');
    image.write("/damaged", &content);
    image.write("/good", b"good");
    // The beginning of a cluster that compresses is stored as it is.
    let mut bytes = fs::read(&image.path).unwrap();
    let marker = &content[..64].to_vec();
    let at = bytes
        .windows(64)
        .position(|window| window == marker)
        .expect("stored as literals");
    bytes[at + 1000] ^= 1;
    fs::write(&image.path, &bytes).unwrap();
    let out = image.beside("out");
    fs::create_dir(&out).unwrap();
    let ended = image.run("get", &["/damaged", "/good", arg(&out)]);
    ended.fails(1, "/damaged: ");
    assert!(ended.err.contains("--salvage"), "{ended:?}");
    assert!(!out.join("damaged").exists() && out.join("good").exists());
    image.run("cat", &["/damaged"]).fails(1, "/damaged: ");
    image.run("get", &["/damaged", arg(&out), "--salvage"]).ok();
    let saved = fs::read(out.join("damaged")).unwrap();
    content[1000] ^= 1;
    assert!(saved == content);
    // What does not even decode becomes zeros.
    let at = bytes
        .windows(64)
        .position(|window| window == marker)
        .unwrap();
    bytes[at - 24..at + 900].fill(0xff);
    fs::write(&image.path, &bytes).unwrap();
    let ended = image.run("get", &["/damaged", arg(&out), "--salvage"]);
    ended.fails(1, "bytes 0 to 65536 are lost and become zeros");
    let saved = fs::read(out.join("damaged")).unwrap();
    assert!(saved[..65536].iter().all(|&b| b == 0) && saved[65536..] == content[65536..]);
}
