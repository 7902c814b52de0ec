//! What is removed on a mount is given back to the image or the device below. Needs /dev/fuse; parts need root.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use testkit::mount::{Mount, MountOptions, as_user};
use testkit::system::System;

const MIB: u64 = 1 << 20;

fn mounted(options: &[&'static str]) -> Option<Mount> {
    let mut all = MountOptions::new(System::ours(), 512 * MIB);
    all.options = options.to_vec();
    Mount::or_skip(all).map(Result::unwrap)
}

/// Bytes that a file takes on its file system.
fn taken(file: &Path) -> u64 {
    fs::metadata(file).unwrap().blocks() * 512
}

/// Writes a file of 100 MiB and one to keep, and removes the first.
fn fill_and_empty(mount: &Mount) {
    let dir = mount.dir();
    fs::write(dir.join("keep"), vec![5; 3_000_000]).unwrap();
    fs::write(dir.join("go"), vec![7; 100 << 20]).unwrap();
    run(Command::new("sync").arg("-f").arg(&dir));
    assert!(taken(&mount.image()) > 100 * MIB);
    fs::remove_file(dir.join("go")).unwrap();
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The number of bytes in `... (123 bytes) trimmed`.
fn bytes_in(text: &str) -> u64 {
    let number = text
        .split('(')
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    number
        .and_then(|n| n.parse().ok())
        .unwrap_or_else(|| panic!("{text:?}"))
}

fn is_root() -> bool {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !is_root {
        eprintln!("SKIPPED: only root may trim a mount");
    }
    is_root
}

#[test]
fn fstrim_gives_back_all_that_is_free() {
    let Some(mut mount) = mounted(&["nodiscard", "allow_other"]) else {
        return;
    };
    if !is_root() {
        return;
    }
    fill_and_empty(&mount);
    let full = taken(&mount.image());
    let told = run(Command::new("fstrim").arg("-v").arg(mount.dir()));
    // All that is free of 512 MiB.
    assert!(bytes_in(&told) > 300 * MIB, "{told}");
    let left = taken(&mount.image());
    assert!(left + 95 * MIB < full, "{left} of {full}");
    let part = run(Command::new("fstrim")
        .args(["-v", "-o", "256M", "-l", "32M", "-m", "1M"])
        .arg(mount.dir()));
    // Not where the logs are.
    assert!((20 * MIB..=32 * MIB).contains(&bytes_in(&part)), "{part}");
    mount.check_by_kernel().unwrap();
}

#[test]
fn the_command_trims_mounts_images_and_nothing_else() {
    let Some(mut mount) = mounted(&["nodiscard"]) else {
        return;
    };
    let System::F2fs(f2fs) = System::ours() else {
        return;
    };
    let trim = |args: &[&str], target: &Path| -> Output {
        let mut command = Command::new(&f2fs);
        command.arg("trim").args(args).arg(target).output().unwrap()
    };
    if is_root() {
        fill_and_empty(&mount);
        let full = taken(&mount.image());
        let told = trim(&[], &mount.dir());
        assert!(told.status.success(), "{told:?}");
        assert!(bytes_in(&String::from_utf8_lossy(&told.stdout)) > 300 * MIB);
        assert!(taken(&mount.image()) + 95 * MIB < full);
    }
    let busy = trim(&[], &mount.image());
    assert_eq!(busy.status.code(), Some(3), "{busy:?}");
    let elsewhere = trim(&[], Path::new("/proc"));
    assert_eq!(elsewhere.status.code(), Some(1), "{elsewhere:?}");
    mount.check().unwrap();
    let would = trim(&["--dry-run"], &mount.image());
    let told = trim(&[], &mount.image());
    let bytes = |output: &Output| bytes_in(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(bytes(&would), bytes(&told));
    assert!(bytes(&told) > 300 * MIB);
    mount.mount().unwrap();
    mount.check_by_kernel().unwrap();
}

#[test]
fn only_root_may_trim_a_mount() {
    let Some(mut mount) = mounted(&["allow_other"]) else {
        return;
    };
    if !is_root() {
        return;
    }
    let mut fstrim = Command::new("fstrim");
    fstrim.arg(mount.dir());
    let output = as_user(Some((65534, 65534)), fstrim).output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("Operation not permitted"), "{text}");
    mount.check().unwrap();
}

#[test]
fn an_idle_mount_gives_back_what_was_removed() {
    let Some(mut mount) = mounted(&["commit=1"]) else {
        return;
    };
    fill_and_empty(&mount);
    let full = taken(&mount.image());
    let start = Instant::now();
    while taken(&mount.image()) + 90 * MIB > full {
        assert!(
            start.elapsed() < Duration::from_mins(1),
            "nothing is given back"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(fs::read(mount.dir().join("keep")).unwrap() == vec![5; 3_000_000]);
    mount.check_by_kernel().unwrap();
}

/// A loop device that goes when dropped.
struct Loop(PathBuf);

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup")
            .arg("--detach")
            .arg(&self.0)
            .status();
    }
}

fn loop_over(file: &Path) -> Option<Loop> {
    let output = Command::new("losetup")
        .args(["--find", "--show"])
        .arg(file)
        .output();
    if let Ok(output) = &output
        && output.status.success()
    {
        let name = String::from_utf8_lossy(&output.stdout);
        return Some(Loop(name.trim().into()));
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "no loop device: {output:?}"
    );
    eprintln!("SKIPPED: no loop device: {output:?}");
    None
}

#[test]
fn a_mounted_block_device_is_told() {
    let Some(mut other) = mounted(&[]) else {
        return;
    };
    other.unmount().unwrap();
    let (System::F2fs(f2fs), Some(device)) = (System::ours(), loop_over(&other.image())) else {
        return;
    };
    let f2fs = |args: &[&str]| run(Command::new(&f2fs).args(args));
    let (device_path, dir) = (device.0.to_str().unwrap(), other.dir());
    let point = dir.to_str().unwrap();
    f2fs(&["mount", device_path, point, "-o", "nodiscard"]);
    fill_and_empty(&other);
    let full = taken(&other.image());
    let told = f2fs(&["trim", point]);
    let kept = fs::read(dir.join("keep")).unwrap();
    f2fs(&["umount", point]);
    assert!(bytes_in(&told) > 300 * MIB, "{told}");
    assert!(taken(&other.image()) + 95 * MIB < full);
    assert!(kept == vec![5; 3_000_000]);
    drop(device);
    assert_eq!(testkit::fsck::complaints(&other.image()), None);
    other.mount().unwrap();
    other.check_by_kernel().unwrap();
}
