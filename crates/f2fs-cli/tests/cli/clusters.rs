//! Commands that change the form of clusters, on images.

use crate::common::{Image, f2fs};
use std::path::Path;

/// Text that compresses well, with a number in every line.
fn text(len: usize) -> Vec<u8> {
    let lines =
        (0..).flat_map(|n| format!("line {n} of some text that repeats itself\n").into_bytes());
    lines.take(len).collect()
}

fn noise(len: usize) -> Vec<u8> {
    let mut word = 1_u64;
    let bytes = std::iter::repeat_with(|| {
        word = word
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (word >> 56) as u8
    });
    bytes.take(len).collect()
}

fn stat(image: &Image, path: &str) -> serde_json::Value {
    image.run("stat", &[path, "--json"]).json()[0].clone()
}

fn saved(image: &Image, path: &str) -> u64 {
    stat(image, path)["clusters"]["blocks_saved"]
        .as_u64()
        .unwrap()
}

#[test]
fn files_are_compressed_another_way() {
    let image = Image::new(&["--size", "128M", "--compress", "lz4"]);
    let (content, other) = (text(3 << 20), [noise(200_000), text(900_000)].concat());
    image.run("mkdir", &["/d"]).ok();
    image.write("/d/a", &content);
    image.write("/b", &other);
    image.run("release", &["/b"]).ok();
    let before = saved(&image, "/d/a");
    let told = image
        .run("recompress", &["-r", "/", "--algorithm", "zstd:9"])
        .ok();
    assert!(told.starts_with("2 files: "), "{told}");
    assert!(saved(&image, "/d/a") > before);
    for (path, bytes, is_released) in [("/d/a", &content, false), ("/b", &other, true)] {
        let found = stat(&image, path);
        assert_eq!(found["compression"]["algorithm"], "zstd");
        assert_eq!(found["compression"]["level"], 9);
        assert_eq!(found["compression"]["cluster_bytes"], 65536);
        assert_eq!(found["compression"]["is_released"], is_released, "{found}");
        assert!(image.cat(path) == *bytes);
    }
    let all = saved(&image, "/d/a") + saved(&image, "/b");
    let args = [
        "/d/a",
        "/b",
        "--algorithm",
        "zstd:9",
        "--cluster-size",
        "256K",
    ];
    let told = image.run("recompress", &args).ok();
    let now = saved(&image, "/d/a") + saved(&image, "/b");
    assert!(now > all);
    assert!(
        told.starts_with(&format!("2 files: {now} blocks saved")),
        "{told}"
    );
    assert_eq!(stat(&image, "/b")["compression"]["cluster_bytes"], 262_144);
    assert!(image.cat("/d/a") == content && image.cat("/b") == other);
    image.assert_clean();
    let wrong = ["/b", "--algorithm", "zstd", "--cluster-size", "3K"];
    image.run("recompress", &wrong).fails(2, "--cluster-size");
    assert_eq!(
        image
            .run("recompress", &["/b", "--algorithm", "lz4:99"])
            .code,
        2
    );
    image
        .run("recompress", &["/d", "--algorithm", "lz4"])
        .fails(1, "-r");
}

#[test]
fn a_dry_run_tells_what_would_be_saved_and_writes_nothing() {
    let image = Image::new(&["--size", "128M"]);
    image.write("/f", &text(5 << 20));
    image.write("/noise", &noise(1 << 20));
    image.write("/small", b"no whole cluster");
    let before = std::fs::read(&image.path).unwrap();
    let args = [
        "/f",
        "--dry-run",
        "--algorithm",
        "zstd:3",
        "--cluster-size",
        "128K",
    ];
    let told = image.run("compress", &args).ok();
    assert!(told.starts_with("1 file: 5.0 MiB to "), "{told}");
    assert!(told.contains("everything was encoded") && told.contains("nothing was written"));
    let told_of = |args: &[&str]| image.run("compress", args).ok();
    let all = told_of(&["-r", "/", "--dry-run"]);
    assert!(all.starts_with("3 files: "), "{all}");
    let noise = told_of(&["/noise", "--dry-run"]);
    assert!(noise.contains("ratio 1.00, 0 blocks saved"), "{noise}");
    assert!(told_of(&["/small", "--dry-run"]).contains(", 0 blocks saved"));
    assert!(std::fs::read(&image.path).unwrap() == before);
    // It says what comes true.
    let format = [
        "--size",
        "128M",
        "--compress",
        "zstd:3",
        "--cluster",
        "128K",
    ];
    let made = Image::new(&format);
    made.write("/f", &text(5 << 20));
    let saved = saved(&made, "/f");
    assert!(
        saved > 100 && told.contains(&format!(", {saved} blocks saved")),
        "{told}"
    );
    // A file that is marked keeps what it has, unless something else is asked for.
    let same = made.run("compress", &["/f", "--dry-run"]).ok();
    assert!(same.contains(&format!(", {saved} blocks saved")), "{same}");
    let lz4 = made
        .run("recompress", &["/f", "--dry-run", "--algorithm", "lz4"])
        .ok();
    assert!(!lz4.contains(&format!(", {saved} blocks saved")), "{lz4}");
    assert_eq!(stat(&made, "/f")["compression"]["algorithm"], "zstd");
}

#[test]
fn only_empty_files_are_marked() {
    let image = Image::new(&["--size", "64M"]);
    image.write("/empty", b"");
    image.write("/full", &text(200_000));
    image.run("compress", &["/full"]).fails(1, "chattr +c");
    image
        .run("compress", &["/full", "--mark"])
        .fails(1, "only an empty file");
    let args = [
        "/empty",
        "--mark",
        "--algorithm",
        "zstd",
        "--cluster-size",
        "32K",
    ];
    image.run("compress", &args).ok();
    let found = stat(&image, "/empty");
    assert_eq!(found["compression"]["algorithm"], "zstd");
    assert_eq!(found["compression"]["cluster_bytes"], 32768);
    let told = image.run("compress", &["-r", "/", "--mark"]).ok();
    assert!(told.contains("1 with content not marked"), "{told}");
    assert_eq!(
        image.run("compress", &["/full", "--algorithm", "lz4"]).code,
        2
    );
    image.assert_clean();
}

#[test]
fn space_that_is_free_is_taken_again_by_writing() {
    let image = Image::new(&["--size", "64M", "--compress", "lz4"]);
    let content = text(2 << 20);
    let release = ["--space", "release"];
    image.write("/f", &content);
    assert_eq!(stat(&image, "/f")["compression"]["is_released"], false);
    let write = |args: &[&str]| image.run_with_input("write", args, b"changed");
    write(&["/f", "--offset", "100000", release[0], release[1]]).ok();
    assert_eq!(stat(&image, "/f")["compression"]["is_released"], true);
    image.assert_clean();
    write(&["/f", "--offset", "100000"]).fails(1, "released");
    write(&["/f", "--offset", "200000", release[0], release[1]]).ok();
    let mut expected = content;
    expected[100_000..100_007].copy_from_slice(b"changed");
    expected[200_000..200_007].copy_from_slice(b"changed");
    assert!(image.cat("/f") == expected);
    image
        .run("decompress", &["-r", "/", release[0], release[1]])
        .ok();
    assert_eq!(saved(&image, "/f"), 0);
    assert!(image.cat("/f") == expected);
    image.assert_clean();
}

#[test]
fn the_first_path_says_where_the_files_are() {
    let image = Image::new(&["--size", "64M", "--compress", "lz4"]);
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    f2fs(["compress", &path(&image.path)]).fails(2, "which files");
    f2fs(["compress", "-r", &path(image.work.path())]).fails(1, "not on a mounted F2FS");
    f2fs(["release", "/nowhere", "/f"]).fails(3, "no such image");
}
