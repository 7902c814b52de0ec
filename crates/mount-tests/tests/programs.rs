//! The programs are content with a good file system and find what is planted.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs `mount-tests` with arguments and a path at the end.
fn run(args: &[&str], path: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mount-tests"));
    command.args(args).arg(path).output().unwrap()
}

#[track_caller]
fn ok(args: &[&str], path: &Path) -> String {
    let output = run(args, path);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// It fails, and says this.
#[track_caller]
fn fails(args: &[&str], path: &Path, part: &str) {
    let output = run(args, path);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(part), "{text}");
}

#[test]
fn fsx_repeats_itself() {
    let work = tempfile::tempdir().unwrap();
    let lacking = "--may-lack=zero,zero-keep,collapse,insert";
    let mut left = Vec::new();
    for seed in ["1", "1", "2"] {
        let file = work.path().join("file");
        ok(&["fsx", "--ops", "3000", "--seed", seed, lacking], &file);
        left.push(fs::read(file).unwrap());
    }
    assert!(left[0] == left[1] && left[1] != left[2]);
}

#[test]
fn fsx_finds_a_byte_that_another_wrote() {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("file");
    let mut child = Command::new(env!("CARGO_BIN_EXE_mount-tests"))
        .args(["fsx", "--ops", "1000000000", "--without", "fallocate"])
        .arg("--may-lack=zero,zero-keep,collapse,insert")
        .arg(&path)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while child.try_wait().unwrap().is_none() {
        if let Ok(file) = File::options().write(true).open(&path) {
            // Neither what fsx writes there nor a hole, whatever the size is.
            file.write_all_at(&[0xa5, 0x5a, 0xa5], 4000).unwrap();
        }
    }
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("again with: --seed 1 --ops"), "{text}");
}

#[test]
fn stress_is_content() {
    let work = tempfile::tempdir().unwrap();
    let text = ok(
        &["stress", "--seconds", "2", "--processes", "4"],
        &work.path().join("stress"),
    );
    assert!(!text.starts_with("0 files"), "{text}");
}

#[test]
fn a_lost_block_is_found() {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("file");
    ok(&["prealloc", "--blocks", "200"], &path);
    ok(&["prealloc", "--blocks", "200", "--verify"], &path);
    // Half of the blocks are written, so one of two neighbours at least is found wrong.
    let file = File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[0xa5; 2 * 4096], 60 * 4096).unwrap();
    fails(
        &["prealloc", "--blocks", "200", "--verify"],
        &path,
        "blocks are wrong",
    );
}

#[test]
fn lost_and_unknown_entries_are_found() {
    let work = tempfile::tempdir().unwrap();
    let dir = work.path().join("folder");
    let again = ["folder", "--entries", "500", "--verify"];
    ok(&again[..3], &dir);
    ok(&again, &dir);
    fs::remove_file(dir.join("e00000000100")).unwrap();
    fails(&again, &dir, "is not listed");
    fs::write(dir.join("e00000000100"), b"").unwrap();
    fs::write(dir.join("unknown"), b"").unwrap();
    fails(&again, &dir, "is listed");
}

#[test]
fn lost_durable_files_are_found() {
    let work = tempfile::tempdir().unwrap();
    let dir = work.path().join("volume");
    fs::create_dir(&dir).unwrap();
    let lines = work.path().join("lines");
    let mut writer = Command::new(env!("CARGO_BIN_EXE_mount-tests"))
        .arg("durable")
        .arg(&dir)
        .stdout(File::create(&lines).unwrap())
        .spawn()
        .unwrap();
    while fs::read_to_string(&lines).unwrap().lines().count() < 20 {
        assert!(writer.try_wait().unwrap().is_none());
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
    let verify = ["durable", "--verify", lines.to_str().unwrap()];
    ok(&verify, &dir);
    let text = fs::read_to_string(&lines).unwrap();
    let longest = text.lines().max_by_key(|line| size_of_line(line)).unwrap();
    let name = longest.split(' ').next().unwrap();
    let file = File::options().write(true).open(dir.join(name)).unwrap();
    file.write_all_at(b"x", size_of_line(longest) * 4096 - 1)
        .unwrap();
    fails(&verify, &dir, "blocks differ");
    fs::remove_file(dir.join(name)).unwrap();
    fails(&verify, &dir, "damaged or gone");
}

/// Blocks of the file that a line names.
fn size_of_line(line: &str) -> u64 {
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn positions_are_true_here() {
    let work = tempfile::tempdir().unwrap();
    let text = ok(&["seekdir", "--seconds", "1"], &work.path().join("folder"));
    assert!(text.ends_with("passes\n"), "{text}");
}
