//! Each command: what it does, and its main failures.

use crate::common::{Image, arg, f2fs, text};
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

#[test]
fn mkfs_makes_what_is_asked() {
    let image = Image::new(&["--size", "96M", "--label", "my volume", "--owner", "7:8"]);
    assert_eq!(image.path.metadata().unwrap().len(), 96 << 20);
    let info = image.run::<&str>("info", &["--json"]).json();
    assert_eq!(info["super_block"]["label"], "my volume");
    assert_eq!(info["super_block"]["bytes"], 96 << 20);
    assert_eq!(info["logs"].as_array().unwrap().len(), 6);
    let root = image.run("stat", &["/", "--json"]).json();
    assert_eq!((&root[0]["uid"], &root[0]["gid"]), (&7.into(), &8.into()));
    image.run("info", &[] as &[&str]).ok();
    // A second time only if asked; then with the size it has.
    image.run::<&str>("mkfs", &[]).fails(1, "use --force");
    let made = image
        .run(
            "mkfs",
            &[
                "--force",
                "--json",
                "--compress",
                "zstd:5",
                "--cluster",
                "1M",
            ],
        )
        .json();
    assert_eq!(made["bytes"], 96 << 20);
    let root = image.run("stat", &["/", "--json"]).json();
    assert_eq!(root[0]["compression"]["cluster_bytes"], 1 << 20);
    assert_eq!(root[0]["compression"]["level"], 5);
    image.assert_clean();
}

#[test]
fn mkfs_refuses_with_advice_and_leaves_nothing() {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("x.img");
    f2fs(["mkfs", arg(&path), "--size", "1M"]).fails(2, "or more");
    assert!(!path.exists());
    let long = "x".repeat(600);
    f2fs(["mkfs", arg(&path), "--size", "64M", "--label", &long]).fails(2, "label");
    for bad in [
        ["--size", "huge"],
        ["--compress", "gzip"],
        ["--cluster", "64K"],
        ["--owner", "me"],
    ] {
        assert_eq!(
            f2fs(["mkfs", arg(&path), bad[0], bad[1]]).code,
            2,
            "{bad:?}"
        );
    }
    f2fs(["mkfs", arg(work.path())]).fails(1, "neither a file nor a block device");
    f2fs(["mkfs", arg(&work.path().join("no/dir"))]).fails(3, "no such file");
    fs::write(&path, "my diary").unwrap();
    f2fs(["mkfs", arg(&path)]).fails(1, "use --force");
    assert_eq!(fs::read(&path).unwrap(), b"my diary");
}

#[test]
fn write_and_cat() {
    let image = Image::new(&["--size", "64M", "--compress", "lz4"]);
    let mut content = text(2_500_000);
    image.write("/f", &content);
    assert!(image.cat("/f") == content);
    image
        .run_with_input("write", &["/f", "--offset", "100000"], &vec![b'z'; 200_000])
        .ok();
    content[100_000..300_000].fill(b'z');
    assert!(image.cat("/f") == content);
    image
        .run_with_input("write", &["/f", "--offset", "2M", "--truncate"], b"end")
        .ok();
    content.truncate(2 << 20);
    content.extend_from_slice(b"end");
    assert!(image.cat("/f") == content);
    // Behind the end, with a hole between.
    image
        .run_with_input("write", &["/f", "--offset", "4M"], b"!")
        .ok();
    content.resize(4 << 20, 0);
    content.push(b'!');
    assert!(image.cat("/f") == content);
    image.write("/g", b"");
    assert_eq!(image.cat("/g"), b"");
    image
        .run_with_input(
            "write",
            &["/h", "--create", "--mode", "640", "--owner", "3:4"],
            b"h",
        )
        .ok();
    let stat = image.run("stat", &["/h", "--json"]).json();
    assert_eq!(
        (&stat[0]["mode"], &stat[0]["uid"]),
        (&"0640".into(), &3.into())
    );
    let both = image.run("cat", &["/h", "/h"]);
    assert_eq!(both.out, b"hh");
    image.run("write", &["/none"]).fails(1, "--create");
    image.run("write", &["/"]).fails(1, "is a directory");
    image
        .run("write", &["/f", "--compress", "lz4"])
        .fails(2, "--create");
    image.run("cat", &["/none"]).fails(1, "/none: no such file");
    image.run("cat", &["/"]).fails(1, "/: is a directory");
    image.assert_clean();
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let image = Image::new(&["--size", "64M"]);
    image.write("/big", &text(8 << 20));
    let mut child = Command::new(env!("CARGO_BIN_EXE_f2fs"))
        .args(["cat", arg(&image.path), "/big"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stderr.as_slice()),
        (Some(0), &b""[..])
    );
}

#[test]
fn ls_and_stat() {
    let image = Image::new(&["--size", "64M"]);
    image.run("mkdir", &["-p", "/d/e", "-m", "750"]).ok();
    image.write("/d/file", &text(5000));
    image.run("ln", &["-s", "file", "/d/link"]).ok();
    assert_eq!(image.run::<&str>("ls", &[]).ok(), "d\n");
    assert_eq!(image.run("ls", &["/d"]).ok(), "e\nfile\nlink\n");
    assert_eq!(
        image.run("ls", &["-R", "/"]).ok(),
        "/:\nd\n\n/d:\ne\nfile\nlink\n\n/d/e:\n"
    );
    assert_eq!(
        image.run("ls", &["/d/file", "/d/e"]).ok(),
        "/d/file\n\n/d/e:\n"
    );
    assert_eq!(image.run("ls", &["-d", "/d"]).ok(), "/d\n");
    let long = image.run("ls", &["-li", "/d"]).ok();
    let lines: Vec<_> = long.lines().collect();
    assert!(lines[0].contains(" drwxr-x--- 2 0 0 "), "{long}");
    assert!(
        lines[1].contains(" -rw-r--r-- 1 0 0 ") && lines[1].contains(" 5000 "),
        "{long}"
    );
    assert!(
        lines[2].contains(" lrwxrwxrwx ") && lines[2].ends_with(" link -> file"),
        "{long}"
    );
    let json = image.run("ls", &["--json", "/d"]).json();
    assert_eq!(json[1]["size"], 5000);
    assert_eq!(json[2]["target"]["name"], "file");
    let stat = image.run("stat", &["/d/link", "/d"]).ok();
    assert!(
        stat.contains("/d/link -> file\n") && stat.contains("0750 drwxr-x---"),
        "{stat}"
    );
    let followed = image
        .run("stat", &["-L", "/d/link", "--json", "--extents"])
        .json();
    assert_eq!(
        (&followed[0]["type"], &followed[0]["extents"][0]["kind"]),
        (&"file".into(), &"plain".into())
    );
    image
        .run("ls", &["/none", "/d"])
        .fails(1, "/none: no such file");
    image
        .run("stat", &["/none"])
        .fails(1, "/none: no such file");
}

#[test]
fn mkdir_rm_mv_ln() {
    let image = Image::new(&["--size", "64M"]);
    image.run("mkdir", &["/a/b"]).fails(1, "/a/b: no such file");
    image.run("mkdir", &["-p", "/a/b/c", "/d"]).ok();
    image.run("mkdir", &["-p", "/a/b"]).ok();
    image.run("mkdir", &["/a"]).fails(1, "already exists");
    image.write("/a/f", b"f");
    image.write("/a/g", b"g");
    image.run("mv", &["/a/f", "/a/g", "/d"]).ok();
    assert_eq!(image.run("ls", &["/d"]).ok(), "f\ng\n");
    image
        .run("mv", &["/d/f", "/d/g", "/d/h"])
        .fails(1, "need a directory");
    image
        .run("mv", &["-n", "/d/f", "/d/g"])
        .fails(1, "already exists");
    image.run("mv", &["/d/f", "/d/g"]).ok();
    assert_eq!(image.cat("/d/g"), b"f");
    image.run("mv", &["/a", "/a/b"]).fails(1, "/a/b/a: ");
    image.run("mv", &["/", "/d"]).fails(1, "root");
    image
        .run("mv", &["/none", "/d"])
        .fails(1, "/none: no such file");
    image.run("ln", &["/d/g", "/d/hard"]).ok();
    image.run("ln", &["/d/g", "/d/hard"]).fails(1, "same file");
    image
        .run("ln", &["-s", "g", "/d/hard"])
        .fails(1, "already exists");
    image.run("ln", &["-sf", "/d/g", "/d/hard"]).ok();
    assert_eq!(image.cat("/d/hard"), b"f");
    image.run("ln", &["/d/g", "/a"]).ok();
    assert_eq!(image.cat("/a/g"), b"f");
    image.run("ln", &["/a", "/dir-link"]).fails(1, "directory");
    image.run("rm", &["/a"]).fails(1, "use rm -r");
    image.run("rm", &["/none"]).fails(1, "/none: no such file");
    image.run("rm", &["-f", "/none"]).ok();
    for root in ["/", "//", ".", "/.", "/a/..", "/.."] {
        image.run("rm", &["-rf", root]).fails(1, "refused");
    }
    image.run("rm", &["-r", "/a", "/d/hard"]).ok();
    assert_eq!(image.run("ls", &["-R"]).ok(), "/:\nd\n\n/d:\ng\n");
    image.assert_clean();
}

#[test]
fn chattr_changes_flags_and_compression() {
    let image = Image::new(&["--size", "64M"]);
    image.run("mkdir", &["/d"]).ok();
    image.write("/f", b"f");
    image
        .run(
            "chattr",
            &["+c", "/d", "--algorithm", "zstd:9", "--cluster", "32K"],
        )
        .ok();
    image.write("/d/new", &text(100_000));
    let stat = image.run("stat", &["/d/new", "--json"]).json();
    assert_eq!(stat[0]["compression"]["algorithm"], "zstd");
    assert_eq!(stat[0]["compression"]["cluster_bytes"], 32768);
    assert_eq!(stat[0]["clusters"]["compressed"], 3);
    image.run("chattr", &["-c", "+m", "/d"]).ok();
    image.write("/d/plain", b"x");
    let stat = image.run("stat", &["/d", "/d/plain", "--json"]).json();
    assert_eq!(
        (&stat[0]["flags"], stat[1].get("compression")),
        (&"m".into(), None)
    );
    image.run("chattr", &["+i", "-A", "/f"]).ok();
    // Refused when it is opened, as in Linux, even without a byte to write.
    image.run("write", &["/f"]).fails(1, "immutable");
    image
        .run_with_input("write", &["/f"], b"x")
        .fails(1, "immutable");
    image.run("rm", &["/f"]).fails(1, "immutable");
    image.run("chattr", &["-i", "+ad", "/f"]).ok();
    assert_eq!(
        image.run("stat", &["/f", "--json"]).json()[0]["flags"],
        "ad"
    );
    image
        .run("chattr", &["+c", "/f"])
        .fails(1, "put --compress");
    image.run("chattr", &["+z", "/f"]).fails(2, "no flag 'z'");
    image.run("chattr", &["/f", "/d"]).fails(2, "give flags");
    image
        .run("chattr", &["+i", "/d", "--algorithm", "lz4"])
        .fails(2, "belong to +c");
    image
        .run("chattr", &["+i", "/none"])
        .fails(1, "/none: no such file");
    image.assert_clean();
}

#[test]
fn directories_can_ignore_case() {
    for (option, taken) in [("--casefold", true), ("--casefold-strict", false)] {
        let image = Image::new(&["--size", "64M", option]);
        image.run("mkdir", &["/d"]).ok();
        image.run("chattr", &["+F", "/d"]).ok();
        image.write("/d/Stra\u{df}e", b"text");
        assert!(image.cat("/d/STRASSE") == b"text");
        assert_eq!(image.run("stat", &["/d", "--json"]).json()[0]["flags"], "F");
        image
            .run("chattr", &["-F", "/d"])
            .fails(1, "directory not empty");
        image.run("mv", &["/d/strasse", "/d/way"]).ok();
        let odd = std::ffi::OsStr::from_bytes(b"/d/\xff");
        let odd = image.run_with_input("write", &[odd, "--create".as_ref()], b"x");
        if taken {
            odd.ok();
        } else {
            odd.fails(1, "UTF-8");
        }
        image.assert_clean();
    }
    let image = Image::new(&["--size", "64M"]);
    image
        .run("chattr", &["+F", "/"])
        .fails(1, "made without it");
}

#[test]
fn truncate_and_df() {
    let image = Image::new(&["--size", "64M"]);
    let free = || {
        image.run::<&str>("df", &["--json"]).json()["free"]
            .as_u64()
            .unwrap()
    };
    let before = free();
    image.write("/f", &text(4 << 20));
    assert!(before - free() >= 4 << 20);
    image.run("truncate", &["/f", "--size", "1000"]).ok();
    assert!(image.cat("/f") == text(1000));
    assert!(before - free() < 1 << 20);
    image.run("truncate", &["-s", "1G", "/f"]).ok();
    assert!(before - free() < 1 << 20);
    assert_eq!(
        image.run("stat", &["/f", "--json"]).json()[0]["size"],
        1 << 30
    );
    image
        .run("truncate", &["-s", "0", "/none"])
        .fails(1, "--create");
    image.run("truncate", &["-s", "5", "/new", "--create"]).ok();
    assert_eq!(image.cat("/new"), [0; 5]);
    assert!(image.run::<&str>("df", &[]).ok().contains("Use%"));
    image.assert_clean();
}

#[test]
fn counters_and_options_of_the_engine() {
    let image = Image::new(&["--size", "64M", "--compress", "lz4"]);
    let content = text(2 << 20);
    let stats = |args: &[&str]| -> serde_json::Value {
        let args = [&["/f", "--create", "--stats=json"], args].concat();
        let ended = image.run_with_input("write", &args, &content);
        assert_eq!(ended.code, 0, "{ended:?}");
        serde_json::from_str(&ended.err).unwrap()
    };
    let large = stats(&[]);
    assert_eq!(large["bytes_in"], content.len());
    assert_eq!(large["clusters_compressed"], 32);
    assert!(large["blocks_saved"].as_u64().unwrap() > 0);
    let small = stats(&["--max-order", "4"]);
    assert_eq!(small["clusters_not_read"], 32);
    let folios =
        |stats: &serde_json::Value, order: usize| stats["folios_by_order"][order].as_u64().unwrap();
    assert!(folios(&large, 4) < folios(&small, 4), "{large} {small}");
    assert!((5..10).all(|order| folios(&small, order) == 0), "{small}");
    let clusters = stats(&[
        "--fill",
        "cluster",
        "--threads",
        "1",
        "--cache",
        "32M",
        "--readahead",
        "0",
    ]);
    assert!(
        (5..10).all(|order| folios(&clusters, order) == 0),
        "{clusters}"
    );
    assert!(image.cat("/f") == content);
    assert_eq!(image.run("ls", &["--max-order", "10"]).code, 2);
    assert_eq!(image.run("ls", &["--fill", "page"]).code, 2);
}

#[test]
fn clusters_change_their_form_and_give_their_blocks() {
    let image = Image::new(&["--size", "64M", "--compress", "lz4"]);
    let content = text(1 << 20);
    image.run("mkdir", &["/d"]).ok();
    image.write("/d/a", &content);
    image.write("/b", &content);
    image.run("ln", &["/b", "/d/same"]).ok();
    image.write("/small", b"less than a cluster");
    let saved = |path: &str| {
        let stat = image.run("stat", &[path, "--json"]).json();
        let clusters = stat[0]["clusters"]["blocks_saved"].as_u64();
        clusters.unwrap()
    };
    let all = saved("/b");
    let told = image.run("decompress", &["-r", "/"]).ok();
    assert!(
        told.starts_with(&format!("2 files: {} blocks", 2 * all)),
        "{told}"
    );
    assert_eq!((saved("/b"), saved("/d/a")), (0, 0));
    let told = image.run("compress", &["-r", "/d"]).ok();
    assert!(
        told.starts_with(&format!("2 files: {} blocks", 2 * all)),
        "{told}"
    );
    let told = image.run("release", &["/b"]).ok();
    assert!(told.starts_with(&format!("1 file: {all} blocks")), "{told}");
    image.assert_clean();
    assert!(image.run("stat", &["/b"]).ok().contains("released"));
    assert!(image.cat("/b") == content);
    image
        .run_with_input("write", &["/b"], b"x")
        .fails(1, "released");
    image.run("release", &["/b"]).fails(1, "released before");
    image.run("release", &["/small"]).fails(1, "no blocks");
    image.run("release", &["/d"]).fails(1, "-r");
    image.run("release", &["-r", "/"]).ok();
    image.run("reserve", &["-r", "/"]).ok();
    image.run_with_input("write", &["/b"], b"x").ok();
    image.run("chattr", &["+m", "/d"]).fails(1, "marked");
    image.assert_clean();
    let plain = Image::new(&["--size", "64M"]);
    plain.write("/f", &content);
    plain.run("compress", &["/f"]).fails(1, "chattr +c");
}

#[test]
fn the_help_lists_the_exit_codes() {
    let help = f2fs(["--help"]).ok();
    for part in ["Exit codes:", "  3  the volume", "demo", "--max-order"] {
        assert!(help.contains(part), "{part}");
    }
    assert_eq!(f2fs(["nonsense"]).code, 2);
    assert_eq!(f2fs(["put", "image"]).code, 2);
}

#[test]
fn quotas_are_shown_and_set() {
    let image = Image::new(&["--size", "64M", "--quota", "user,group,project"]);
    image.write("/f", &text(10_000));
    image
        .run(
            "setquota",
            &["user", "7", "--block-hard", "1M", "--inode-soft", "3"],
        )
        .ok();
    // What is not given stays.
    image
        .run("setquota", &["user", "7", "--block-soft", "512K"])
        .ok();
    image.run("chattr", &["-p", "5", "/f"]).ok();
    let quota = image.run("info", &["--quota", "--json"]).json();
    assert_eq!(quota["state"], "on");
    assert_eq!(quota["user"][0]["inodes"], 2);
    assert_eq!(quota["user"][1]["id"], 7);
    assert_eq!(quota["user"][1]["space_hard"], 1 << 20);
    assert_eq!(quota["user"][1]["space_soft"], 512 << 10);
    assert_eq!(quota["user"][1]["inode_soft"], 3);
    assert_eq!(quota["project"][1]["id"], 5);
    assert_eq!(quota["project"][1]["space"], 12_288);
    let table = image.run("info", &["--quota"]).ok();
    assert!(
        table.contains("512.0 KiB") && table.contains("project"),
        "{table}"
    );
    assert_eq!(image.run("setquota", &["nobody", "7"]).code, 2);
    image.assert_clean();

    let plain = Image::new(&["--size", "64M"]);
    plain
        .run("setquota", &["user", "7"])
        .fails(1, "made without it");
    plain.write("/f", b"x");
    plain.run("chattr", &["-p", "5", "/f"]).fails(1, "projects");
    let quota = plain.run("info", &["--quota", "--json"]).json();
    assert_eq!(quota["state"], "off");
    assert!(quota["user"].is_null());
}
