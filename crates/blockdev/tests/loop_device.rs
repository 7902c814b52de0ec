//! Discards on a real block device: a loop device over a file, which becomes smaller. Needs root and loop devices.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use blockdev::{Access, BlockDevice, FileDevice};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::NamedTempFile;

const MIB: u64 = 1 << 20;

/// A loop device that goes when dropped.
struct Loop(PathBuf);

impl Loop {
    fn over(file: &Path) -> Option<Self> {
        let output = Command::new("losetup")
            .args(["--find", "--show"])
            .arg(file)
            .output();
        let reason = match output {
            Ok(output) if output.status.success() => {
                let name = String::from_utf8(output.stdout).unwrap();
                return Some(Self(name.trim().into()));
            }
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => format!("losetup: {error}"),
        };
        assert!(std::env::var_os("CI").is_none(), "no loop device: {reason}");
        eprintln!("SKIPPED: no loop device: {reason}");
        None
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup")
            .arg("--detach")
            .arg(&self.0)
            .status();
    }
}

fn file() -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    file.as_file().set_len(16 * MIB).unwrap();
    file
}

#[test]
fn a_block_device_is_told() {
    let file = file();
    let Some(device) = Loop::over(file.path()) else {
        return;
    };
    let device = FileDevice::open(&device.0, Access::ReadWrite, 0).map(|d| (d, device));
    let (device, _detach) = device.unwrap();
    device.write_at(0, &vec![7; 16 << 20]).unwrap();
    device.flush().unwrap();
    let taken = || file.as_file().metadata().unwrap().blocks() * 512;
    assert!(taken() >= 16 * MIB);
    device.discard(4 * MIB, 8 * MIB).unwrap();
    assert!(device.supports_discard());
    assert!(taken() <= 9 * MIB, "{} bytes are left", taken());
    let mut around = vec![1; (8 << 20) + 2];
    device.read_at(4 * MIB - 1, &mut around).unwrap();
    assert_eq!((around[0], around[around.len() - 1]), (7, 7));
    assert!(around[1..around.len() - 1].iter().all(|&byte| byte == 0));
    // What the system refuses is told, and is not taken for a device without discards.
    assert!(device.discard(1, 5).is_err());
    assert!(device.supports_discard());
    assert!(device.discard(16 * MIB, 4096).is_err());
}

#[test]
fn what_is_no_block_device_is_refused() {
    let file = file();
    let error = runtime::ioctl::discard_blocks(file.as_file(), 0, 4096).unwrap_err();
    assert_eq!(error, rustix::io::Errno::NOTTY);
}
