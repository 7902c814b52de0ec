//! Ends a mount from outside, and waits until its volume is closed.

use crate::mounts::{self, MountEntry};
use blockdev::{Access, FileDevice};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How a mount is ended.
#[derive(Clone, Copy, Debug)]
pub struct Umount {
    /// Take it out of the tree even if it is in use; it ends with its last user.
    pub lazy: bool,
    /// How long to wait for the last checkpoint.
    pub wait: Duration,
}

/// Why a mount did not end.
#[derive(Debug, thiserror::Error)]
pub enum UmountError {
    /// Nothing of ours is mounted there.
    #[error("{}: no F2FS volume is mounted there by this command", .0.display())]
    NotMounted(PathBuf),
    /// Somebody uses it.
    #[error("{}: in use; close what is open there, or take it out of the tree with --lazy", .0.display())]
    Busy(PathBuf),
    /// The last checkpoint failed; the volume is what the one before says.
    #[error("{}: unmounted, but what changed since the last checkpoint could not be written: {error}", point.display())]
    NotWritten {
        /// The mount point.
        point: PathBuf,
        /// What the process answered.
        error: io::Error,
    },
    /// The process did not finish in time.
    #[error("{}: unmounted, but its process is still writing the last checkpoint", .0.display())]
    StillWriting(PathBuf),
    /// The system refused.
    #[error("{}: {error}", point.display())]
    System {
        /// The mount point.
        point: PathBuf,
        /// Its error.
        error: io::Error,
    },
}

/// Pause between two looks at a volume that is being closed.
const POLL: Duration = Duration::from_millis(10);
/// How long a process that only read is waited for.
const READER_WAIT: Duration = Duration::from_secs(2);

/// Unmounts what is mounted at `point` and waits for its last checkpoint. A mount whose process is gone has nothing
/// left to lose, so it is taken out of the tree even if it is in use.
pub fn umount(point: &Path, how: &Umount) -> Result<(), UmountError> {
    let entry = find(point)?;
    let image = image_behind(&entry.source);
    // The kernel does not tell how the last checkpoint went. One before it does.
    let written = if how.lazy {
        Ok(())
    } else {
        write_out(&entry.point)
    };
    match detach(&entry.point, how.lazy) {
        Err(UmountError::Busy(_)) if is_dead(&entry.point) => detach(&entry.point, true)?,
        result => result?,
    }
    if how.lazy {
        return Ok(());
    }
    written.and(wait_closed(&entry, &image, how.wait))
}

/// Makes everything on a mount durable. A process that is gone has nothing to write.
fn write_out(point: &Path) -> Result<(), UmountError> {
    let Ok(root) = std::fs::File::open(point) else {
        return Ok(());
    };
    root.sync_all().map_err(|error| UmountError::NotWritten {
        point: point.to_owned(),
        error,
    })
}

/// The image file behind a loop device; anything else stands for itself.
fn image_behind(source: &Path) -> PathBuf {
    let name = source.file_name().unwrap_or_default();
    let knob = Path::new("/sys/block").join(name).join("loop/backing_file");
    let behind = std::fs::read_to_string(knob).ok();
    behind.map_or_else(|| source.to_owned(), |text| PathBuf::from(text.trim_end()))
}

/// Unmounts what is mounted at `point` if its process is gone.
pub fn take_away_dead(point: &Path) -> Result<(), UmountError> {
    let entry = find(point)?;
    if is_dead(&entry.point) {
        detach(&entry.point, true)?;
    }
    Ok(())
}

fn detach(point: &Path, lazy: bool) -> Result<(), UmountError> {
    if !rustix::process::geteuid().is_root() {
        return fusermount(point, lazy);
    }
    let flags = if lazy {
        UnmountFlags::DETACH
    } else {
        UnmountFlags::empty()
    };
    unmount(point, flags).map_err(|errno| match errno {
        Errno::BUSY => UmountError::Busy(point.to_owned()),
        errno => system(point, errno),
    })
}

/// Whether the process behind a mount is gone.
fn is_dead(point: &Path) -> bool {
    rustix::fs::stat(point).is_err_and(|errno| errno == Errno::NOTCONN)
}

fn system(point: &Path, error: impl Into<io::Error>) -> UmountError {
    UmountError::System {
        point: point.to_owned(),
        error: error.into(),
    }
}

/// The mount at a path. The path is not followed first: a mount whose process is gone answers nothing.
fn find(point: &Path) -> Result<MountEntry, UmountError> {
    let absolute = std::path::absolute(point).map_err(|e| system(point, e))?;
    let plain: PathBuf = absolute.components().collect();
    let candidates = [Some(plain), point.canonicalize().ok()];
    for candidate in candidates.into_iter().flatten() {
        let entry = mounts::at(&candidate).map_err(|e| system(point, e))?;
        if let Some(entry) = entry.filter(MountEntry::is_ours) {
            return Ok(entry);
        }
    }
    Err(UmountError::NotMounted(point.to_owned()))
}

fn fusermount(point: &Path, lazy: bool) -> Result<(), UmountError> {
    let mut command = Command::new("fusermount3");
    command.arg("-u");
    if lazy {
        command.arg("-z");
    }
    let out = command
        .arg("--")
        .arg(point)
        .output()
        .map_err(|e| system(point, e))?;
    if out.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&out.stderr);
    if message.contains("busy") {
        return Err(UmountError::Busy(point.to_owned()));
    }
    Err(system(
        point,
        io::Error::other(message.trim_end().to_owned()),
    ))
}

/// Waits until the process behind a mount has closed the image: one that wrote holds its lock alone, one that read
/// shares it with other readers, who are not waited for long.
fn wait_closed(entry: &MountEntry, image: &Path, wait: Duration) -> Result<(), UmountError> {
    if !image.is_file() {
        return Ok(());
    }
    if !becomes_free(image, Access::ReadOnly, wait) {
        return Err(UmountError::StillWriting(entry.point.clone()));
    }
    let _ = becomes_free(image, Access::ReadWrite, READER_WAIT);
    Ok(())
}

/// Whether the image can be locked so within a time. One that cannot be opened at all is nobody's.
fn becomes_free(image: &Path, access: Access, wait: Duration) -> bool {
    let until = Instant::now() + wait;
    loop {
        match FileDevice::open(image, access, 0) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return true,
        }
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_waited_for_but_not_for_ever() {
        let image = tempfile::NamedTempFile::new().unwrap();
        let reader = FileDevice::open(image.path(), Access::ReadOnly, 0).unwrap();
        let soon = Duration::from_millis(30);
        assert!(becomes_free(image.path(), Access::ReadOnly, soon));
        assert!(!becomes_free(image.path(), Access::ReadWrite, soon));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(100));
                drop(reader);
            });
            assert!(becomes_free(image.path(), Access::ReadWrite, READER_WAIT));
        });
        assert!(becomes_free(Path::new("/nowhere"), Access::ReadWrite, soon));
    }
}
