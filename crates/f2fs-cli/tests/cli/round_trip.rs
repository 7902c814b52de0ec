//! `put` and `get` keep everything, and Linux reads what `put` wrote.

use crate::common::tree::{assert_same, disk_bytes, make, snapshot};
use crate::common::{Image, arg, f2fs, is_root};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

fn tree_in(image: &Image) -> std::path::PathBuf {
    let tree = image.beside("tree");
    make(&tree);
    tree
}

#[test]
fn a_tree_comes_back_as_it_was() {
    let variants: [(&[&str], &[&str]); 3] = [
        (&["--size", "128M"], &[]),
        (
            &[
                "--size",
                "128M",
                "--compress",
                "zstd:3",
                "--cluster",
                "16K",
                "--checksum",
            ],
            &[],
        ),
        (
            &["--size", "128M"],
            &["--compress", "lz4", "--cluster", "128K"],
        ),
    ];
    for (mkfs, put) in variants {
        let image = Image::new(mkfs);
        let tree = tree_in(&image);
        let before = snapshot(&tree);
        let mut args = vec![arg(&tree), "/"];
        args.extend(put);
        image.run("put", &args).ok();
        image.assert_clean();
        let back = image.beside("back");
        image.run("get", &["/tree", arg(&back), "--all"]).ok();
        assert_same(&before, &snapshot(&back));
        for sparse in ["sparse", "only hole"] {
            let (old, new) = (
                disk_bytes(&tree.join(sparse)),
                disk_bytes(&back.join(sparse)),
            );
            assert!(
                new <= old + (256 << 10),
                "{sparse}: {old} bytes became {new}"
            );
        }
    }
}

#[test]
fn without_all_nothing_dangerous_comes_back() {
    let image = Image::new(&["--size", "128M"]);
    let tree = tree_in(&image);
    image.run("put", &[arg(&tree), "/"]).ok();
    let back = image.beside("back");
    let ended = image.run("get", &["/tree", arg(&back)]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        ended
            .err
            .starts_with("f2fs: note: left out without --all: "),
        "{ended:?}"
    );
    let (mut before, after) = (snapshot(&tree), snapshot(&back));
    before.retain(|_, seen| seen.device == 0);
    for seen in before.values_mut() {
        seen.mode &= 0o1777;
        seen.xattrs
            .retain(|name, _| !name.starts_with(b"trusted.") && !name.starts_with(b"security."));
    }
    assert_same(&before, &after);
}

#[test]
fn destinations_follow_cp() {
    let image = Image::new(&["--size", "64M"]);
    let tree = image.beside("t");
    std::fs::create_dir_all(tree.join("sub")).unwrap();
    std::fs::write(tree.join("a"), "a").unwrap();
    std::fs::write(tree.join("sub/b"), "b").unwrap();
    let (t, a, sub) = (arg(&tree), tree.join("a"), tree.join("sub"));
    image.run("put", &[t, "/new"]).ok();
    image.run("put", &[t, "/new"]).ok();
    image.run("put", &[&format!("{t}/."), "/"]).ok();
    image.run("put", &[arg(&a), "/renamed"]).ok();
    image.run("put", &[arg(&a), arg(&sub), "/new/sub"]).ok();
    let mut expected = [
        "/a",
        "/new",
        "/new/a",
        "/new/sub",
        "/new/sub/a",
        "/new/sub/b",
        "/new/sub/sub",
        "/new/sub/sub/b",
        "/new/t",
        "/new/t/a",
        "/new/t/sub",
        "/new/t/sub/b",
        "/renamed",
        "/sub",
        "/sub/b",
    ];
    expected.sort_unstable();
    assert_eq!(names(&image), expected);
    image
        .run("put", &[arg(&a), arg(&sub), "/renamed"])
        .fails(1, "need a directory");
    image
        .run("put", &[arg(&a), arg(&sub), "/missing"])
        .fails(1, "f2fs mkdir -p");
    image
        .run("put", &[arg(&a), "/missing/"])
        .fails(1, "f2fs mkdir -p");
    image
        .run("put", &[arg(&a), "/missing/x"])
        .fails(1, "f2fs mkdir -p");
    image
        .run("put", &[arg(&a), "/renamed/x"])
        .fails(1, "/renamed");
    // What has the name of a directory is not replaced, and the reverse.
    image
        .run("put", &[arg(&sub), "/renamed"])
        .fails(1, "/renamed");
    image.run("mkdir", &["-p", "/dirs/a"]).ok();
    image
        .run("put", &[arg(&a), "/dirs"])
        .fails(1, "is a directory there");
    // The other way.
    let back = image.beside("back");
    image.run("get", &["/new", arg(&back)]).ok();
    assert!(back.join("sub/sub/b").is_file());
    image.run("get", &["/renamed", "/sub", arg(&back)]).ok();
    assert!(back.join("renamed").is_file() && back.join("sub/b").is_file());
    let all = image.beside("all");
    image.run("get", &["/", arg(&all)]).ok();
    assert!(all.join("new/t/sub/b").is_file() && all.join("renamed").is_file());
    image
        .run("get", &["/a", "/sub", arg(&image.beside("none"))])
        .fails(1, "make it first");
    image
        .run("get", &["/none", arg(&back)])
        .fails(1, "/none: no such file");
    image.assert_clean();
}

fn names(image: &Image) -> Vec<String> {
    let list = image.run("ls", &["-R", "--json"]).json();
    let mut names: Vec<String> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn replacing_files_keeps_other_names() {
    let image = Image::new(&["--size", "64M"]);
    let local = image.beside("f");
    std::fs::write(&local, "one").unwrap();
    image.run("put", &[arg(&local), "/f"]).ok();
    image.run("ln", &["/f", "/g"]).ok();
    std::fs::write(&local, "two").unwrap();
    image
        .run("put", &[arg(&local), "/f", "--owner", "5:6"])
        .ok();
    assert_eq!(
        (image.cat("/f"), image.cat("/g")),
        (b"two".to_vec(), b"one".to_vec())
    );
    let stat = image.run("stat", &["/f", "/g", "--json"]).json();
    assert_eq!(
        (&stat[0]["uid"], &stat[0]["gid"], &stat[1]["links"]),
        (&5.into(), &6.into(), &1.into())
    );
    image.assert_clean();
}

#[test]
fn a_bad_source_does_not_stop_the_others() {
    let image = Image::new(&["--size", "64M"]);
    let tree = image.beside("t");
    std::fs::create_dir(&tree).unwrap();
    std::fs::write(tree.join("good"), "good").unwrap();
    let (gone, t) = (image.beside("gone"), arg(&tree).to_owned());
    image
        .run("put", &[arg(&gone), &t, "/"])
        .fails(1, "gone: no such file");
    assert_eq!(image.cat("/t/good"), b"good");
    // The image itself, in the tree it is made from.
    let ended = image.run("put", &[arg(image.work.path()), "/copy"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.err.contains("the image itself"), "{ended:?}");
    image.assert_clean();
}

#[test]
fn compression_is_as_asked() {
    let image = Image::new(&["--size", "128M", "--compress", "lz4"]);
    let local = image.beside("text");
    std::fs::write(&local, crate::common::text(1 << 20)).unwrap();
    image.run("put", &[arg(&local), "/inherits"]).ok();
    image
        .run(
            "put",
            &[
                arg(&local),
                "/zstd",
                "--compress",
                "zstd:7",
                "--cluster",
                "256K",
            ],
        )
        .ok();
    image
        .run("put", &[arg(&local), "/plain", "--no-compress"])
        .ok();
    let stat = image
        .run("stat", &["/inherits", "/zstd", "/plain", "--json"])
        .json();
    assert_eq!(stat[0]["compression"]["algorithm"], "lz4");
    assert_eq!(stat[0]["compression"]["cluster_bytes"], 65536);
    assert_eq!(stat[0]["clusters"]["compressed"], 16);
    assert_eq!(stat[1]["compression"]["algorithm"], "zstd");
    assert_eq!(stat[1]["compression"]["level"], 7);
    assert_eq!(stat[1]["clusters"]["compressed"], 4);
    assert!(stat[1]["clusters"]["blocks_saved"].as_u64().unwrap() > 64);
    assert_eq!(
        stat[1]["clusters"]["blocks_saved"],
        stat[1]["compression"]["blocks_saved"]
    );
    assert!(stat[2].get("compression").is_none(), "{stat}");
    let wrong = [
        vec!["--compress", "gzip"],
        vec!["--compress", "lz4:99"],
        vec!["--cluster", "64K"],
        vec!["--compress", "lz4", "--cluster", "3K"],
        vec!["--compress", "lz4", "--no-compress"],
    ];
    for args in wrong {
        let all = [&[arg(&local), "/x"], &args[..]].concat();
        assert_eq!(image.run("put", &all).code, 2, "{args:?}");
    }
    image.assert_clean();
}

/// One line a file with everything that find knows, and the hash of each content.
const DESCRIBE: &str = r"
cd $1
find . -mindepth 1 \( -type d -printf '%p|%y|%m|%U|%G|%T@\n' \) \
    -o -printf '%p|%y|%m|%U|%G|%s|%n|%T@|%l\n' | LC_ALL=C sort
find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
find . -mindepth 1 -print0 | LC_ALL=C sort -z | xargs -0 getfattr -h -d -m - 2>&1
stat -c '%n %t %T' 'char device' 'block device'
";

#[test]
fn linux_reads_what_put_wrote() {
    if !is_root() || Command::new("getfattr").arg("--version").output().is_err() {
        eprintln!("SKIPPED: needs root and getfattr to describe the tree");
        return;
    }
    let image = Image::new(&["--size", "128M", "--compress", "lz4"]);
    let tree = tree_in(&image);
    image.run("put", &[arg(&tree), "/"]).ok();
    let guest = format!(
        "set -e; mkdir /tmp/m; mount -t f2fs /dev/ubda /tmp/m; set -- /tmp/m/tree\n{DESCRIBE}\ncd /; umount /tmp/m"
    );
    let Some(linux) = testkit::oracle::run(&guest, &[&image.path]) else {
        return;
    };
    let host = Command::new("bash")
        .args(["-c", DESCRIBE, "describe", arg(&tree)])
        .output()
        .unwrap();
    let host = String::from_utf8_lossy(&host.stdout).into_owned();
    assert!(host.contains("many-299") && host.contains("user.note") && host.contains("sparse"));
    let (left, right): (Vec<_>, Vec<_>) = (host.lines().collect(), linux.lines().collect());
    for (left, right) in left.iter().zip(&right) {
        assert_eq!(left, right);
    }
    assert_eq!(left.len(), right.len());
    image.assert_clean();
}

#[test]
fn readers_share_an_image_that_cannot_be_written() {
    let image = Image::new(&["--size", "64M"]);
    image.write("/f", b"content");
    let mut permissions = image.path.metadata().unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&image.path, permissions).unwrap();
    let before = image.path.metadata().unwrap();
    let reader = lock(
        &image.path,
        rustix::fs::FlockOperation::NonBlockingLockShared,
    );
    assert_eq!(image.cat("/f"), b"content");
    f2fs(["df", arg(&image.path)]).ok();
    drop(reader);
    let after = image.path.metadata().unwrap();
    assert_eq!(
        (before.mtime(), before.mtime_nsec()),
        (after.mtime(), after.mtime_nsec())
    );
}

fn lock(path: &Path, how: rustix::fs::FlockOperation) -> std::fs::File {
    let file = std::fs::File::open(path).unwrap();
    rustix::fs::flock(&file, how).unwrap();
    file
}
