//! `f2fs demo` runs anywhere and proves what it says.

use crate::common::{arg, f2fs, text};
use std::fs;

#[test]
fn the_demo_of_a_directory() {
    let work = tempfile::tempdir().unwrap();
    let dir = work.path().join("dir");
    fs::create_dir_all(dir.join("sub")).unwrap();
    fs::write(dir.join("sub/text"), text(3 << 20)).unwrap();
    fs::write(dir.join("small"), "small").unwrap();
    let kept = work.path().join("kept.img");
    let report = f2fs([
        "demo",
        arg(&dir),
        "--json",
        "--compress",
        "zstd",
        "--keep",
        arg(&kept),
    ])
    .json();
    assert_eq!(report["written"]["files"], 2);
    assert_eq!(report["written"]["bytes"], (3 << 20) + 5);
    assert_eq!(report["written"]["stats"]["clusters_compressed"], 48);
    assert!(
        report["written"]["stats"]["blocks_saved"].as_u64().unwrap() > 100,
        "{report}"
    );
    assert_eq!(report["rewritten"]["file"], "/sub/text");
    assert_eq!(report["rewritten"]["clusters_not_read"], 48);
    assert_eq!(report["rewritten"]["clusters_read"], 0);
    assert_eq!(report["read"]["different"], serde_json::json!([]));
    assert_eq!(report["fsck"]["result"], "clean");
    let copy = f2fs(["cat", arg(&kept), "/sub/text"]);
    assert!(copy.out == text(3 << 20));
    f2fs(["demo", arg(&dir), "--keep", arg(&kept)]).fails(1, "exists");
}

#[test]
fn the_demo_without_arguments() {
    let text = f2fs(["demo", "--limit", "6M", "--stats"]);
    assert_eq!(text.code, 0, "{text:?}");
    let out = String::from_utf8(text.out).unwrap();
    assert!(
        out.contains("every byte is the same") && out.contains("clusters not read"),
        "{out}"
    );
    assert!(text.err.contains("folios made"), "{}", text.err);
}

#[test]
fn a_directory_without_files() {
    let work = tempfile::tempdir().unwrap();
    f2fs(["demo", arg(work.path())]).fails(1, "holds no file that can be read");
    f2fs(["demo", arg(&work.path().join("none"))]).fails(1, "no such file");
}
