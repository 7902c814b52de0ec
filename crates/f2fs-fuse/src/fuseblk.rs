//! Root's mounts.
//!
//! On a `fuseblk` mount sync(2) and syncfs(2) reach the volume, and umount(2) returns after its last checkpoint; on a
//! plain `fuse` mount neither is so. The kernel wants a block device for it: an image file gets a loop device, which
//! stands for it in the list of mounts and lives as long as the mount. All transfers go to the image itself.

use crate::mounts;
use crate::options::MountOptions;
use crate::session::MountError;
use blockdev::Access;
use f2fs::{Atime, Synchronous};
use rustix::mount::{MountFlags, UnmountFlags, unmount};
use std::ffi::CString;
use std::fs::OpenOptions;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Largest readahead of the kernel, in KiB: several requests of the largest size on their way.
const READAHEAD_KIB: u32 = 4096;

/// Whether the volume is on a block device, which the mount itself claims. Such a device is opened after mounting,
/// an image file before: the mount may hide it.
pub(crate) fn claims_device(image: &Path, options: &MountOptions) -> bool {
    let is_device = std::fs::metadata(image).is_ok_and(|m| m.file_type().is_block_device());
    is_device && !options.plain
}

/// How the volume is opened.
pub(crate) fn access(image: &Path, options: &MountOptions) -> Access {
    match (options.volume.read_only, claims_device(image, options)) {
        (true, _) => Access::ReadOnly,
        (false, true) => Access::ReadWriteClaimed,
        (false, false) => Access::ReadWrite,
    }
}

/// Mounts `image` at `point` and gives the connection to the kernel; a plain `fuse` mount if that is asked for or no
/// loop device can be had.
pub(crate) fn mount(
    image: &Path,
    point: &Path,
    options: &MountOptions,
) -> Result<OwnedFd, MountError> {
    let fuse = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/fuse")
        .map_err(|e| MountError::system("/dev/fuse", e))?;
    let fuse = OwnedFd::from(fuse);
    let is_device = std::fs::metadata(image).is_ok_and(|m| m.file_type().is_block_device());
    let source = block_source(image, is_device, options);
    let source_is_block = source.is_some();
    let fs_type = if source_is_block {
        "fuseblk.f2fs"
    } else {
        "fuse.f2fs"
    };
    let shown = options.fsname.as_ref().map(PathBuf::from);
    let name = source
        .clone()
        .or(shown)
        .unwrap_or_else(|| image.to_path_buf());
    let data = mount_data(&fuse, options, source_is_block)?;
    let mounted = rustix::mount::mount(&name, point, fs_type, flags(options), Some(&*data));
    if let Some(source) = source.filter(|_| !is_device) {
        // The mount, or nobody, holds it now; it goes with its last user.
        run_losetup(&["-d".as_ref(), source.as_os_str()]);
    }
    mounted.map_err(|errno| MountError::Point {
        point: point.to_owned(),
        what: match errno {
            rustix::io::Errno::BUSY => format!("cannot be mounted: {} is in use", name.display()),
            _ => format!("cannot be mounted: {errno}"),
        },
    })?;
    widen_readahead(point);
    Ok(fuse)
}

/// The block device that stands for the image.
fn block_source(image: &Path, is_device: bool, options: &MountOptions) -> Option<PathBuf> {
    if options.plain {
        return None;
    }
    if is_device {
        return Some(image.to_owned());
    }
    let device = attach_loop(image, options.volume.read_only);
    if device.is_none() {
        tracing::warn!(
            image = %image.display(),
            "no loop device: sync(2) does not reach this mount, and umount(2) does not wait for it"
        );
    }
    device
}

fn attach_loop(image: &Path, read_only: bool) -> Option<PathBuf> {
    let mut args = vec!["--find".as_ref(), "--show".as_ref()];
    if read_only {
        args.push("--read-only".as_ref());
    }
    args.push("--".as_ref());
    args.push(image.as_os_str());
    let out = run_losetup(&args)?;
    Some(PathBuf::from(out.trim_end()))
}

fn run_losetup(args: &[&std::ffi::OsStr]) -> Option<String> {
    // mount(8) starts helpers without the administrators' folders on the path.
    let places = ["/usr/sbin/losetup", "/sbin/losetup"];
    let program = places
        .into_iter()
        .find(|place| Path::new(place).is_file())
        .unwrap_or("losetup");
    let out = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .inspect_err(|error| tracing::warn!(%error, program, "loop device"))
        .ok()?;
    if !out.status.success() {
        let error = String::from_utf8_lossy(&out.stderr);
        tracing::warn!(error = error.trim_end(), "losetup");
        return None;
    }
    String::from_utf8(out.stdout).ok()
}

fn mount_data(
    fuse: &OwnedFd,
    options: &MountOptions,
    is_block: bool,
) -> Result<CString, MountError> {
    let mut data = format!(
        "fd={},rootmode=40000,user_id={},group_id={},default_permissions",
        fuse.as_raw_fd(),
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    if is_block {
        data.push_str(",blksize=4096");
    }
    if options.allow_other {
        data.push_str(",allow_other");
    }
    CString::new(data).map_err(|e| MountError::system("mount options", std::io::Error::from(e)))
}

fn flags(options: &MountOptions) -> MountFlags {
    let chosen = [
        (!options.suid, MountFlags::NOSUID),
        (!options.dev, MountFlags::NODEV),
        (!options.exec, MountFlags::NOEXEC),
        (options.volume.read_only, MountFlags::RDONLY),
        (options.volume.atime == Atime::Noatime, MountFlags::NOATIME),
        (
            options.volume.atime == Atime::Relatime,
            MountFlags::RELATIME,
        ),
        (
            options.volume.atime == Atime::Strictatime,
            MountFlags::STRICTATIME,
        ),
        (
            options.volume.synchronous == Synchronous::All,
            MountFlags::SYNCHRONOUS,
        ),
        (
            options.volume.synchronous != Synchronous::Nothing,
            MountFlags::DIRSYNC,
        ),
    ];
    chosen
        .into_iter()
        .filter(|(on, _)| *on)
        .fold(MountFlags::empty(), |all, (_, flag)| all | flag)
}

/// Takes back a mount that cannot be served.
pub(crate) fn abandon(point: &Path) {
    if let Err(error) = unmount(point, UnmountFlags::DETACH) {
        tracing::error!(point = %point.display(), %error, "unmounting after a failure");
    }
}

/// Lets the kernel read further ahead than its default of 128 KiB.
fn widen_readahead(point: &Path) {
    let Ok(Some(mount)) = mounts::at(point) else {
        return;
    };
    let knob = format!("/sys/class/bdi/{}/read_ahead_kb", mount.device);
    if let Err(error) = std::fs::write(&knob, READAHEAD_KIB.to_string()) {
        tracing::debug!(%error, knob, "readahead stays as it is");
    }
}
