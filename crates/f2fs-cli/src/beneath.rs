//! Makes files below a directory of the host without leaving it.
//!
//! Every step opens one name in an open directory and never follows a symbolic link, so that
//! neither a link made earlier nor one that somebody makes meanwhile leads elsewhere. Only the
//! first directory is opened by a path that the user gave.

use rustix::fs::{AtFlags, CWD, Dev, FileType, FlockOperation, Gid, Mode, OFlags, Timestamps, Uid};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

type Result<T> = rustix::io::Result<T>;

const OPEN_DIR: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// Whether a name from a volume may be used on the host.
pub(crate) fn is_safe_name(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    !bytes.is_empty()
        && bytes != b"."
        && bytes != b".."
        && !bytes.contains(&b'/')
        && !bytes.contains(&0)
}

/// An open directory of the host.
#[derive(Debug)]
pub(crate) struct Dir {
    fd: OwnedFd,
}

impl Dir {
    /// A directory that the user named; links on the way are followed.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let fd = rustix::fs::openat(CWD, path, OPEN_DIR, Mode::empty())?;
        Ok(Self { fd })
    }

    /// The open directory itself, for attributes.
    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// The same directory, opened again.
    pub(crate) fn again(&self) -> Result<Self> {
        self.child(OsStr::new("."))
    }

    /// A directory in this one; a symbolic link is refused.
    pub(crate) fn child(&self, name: &OsStr) -> Result<Self> {
        let flags = OPEN_DIR | OFlags::NOFOLLOW;
        Ok(Self {
            fd: rustix::fs::openat(&self.fd, name, flags, Mode::empty())?,
        })
    }

    /// A directory below, step by step.
    pub(crate) fn descend(&self, relative: &Path) -> Result<Self> {
        let mut at = self.again()?;
        for part in relative.components() {
            let Component::Normal(name) = part else {
                return Err(Errno::INVAL);
            };
            at = at.child(name)?;
        }
        Ok(at)
    }

    /// A directory in this one, made for its owner alone if it is missing.
    pub(crate) fn make_child(&self, name: &OsStr) -> Result<Self> {
        match rustix::fs::mkdirat(&self.fd, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => self.child(name),
            Err(error) => Err(error),
        }
    }

    /// Removes the name of a regular file or symbolic link. It may be missing. Devices, pipes and files that
    /// somebody holds locked, such as an open volume, stay.
    pub(crate) fn clear(&self, name: &OsStr) -> Result<()> {
        self.check_replaceable(name)?;
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            // What Linux says of a directory; POSIX says EPERM.
            Err(Errno::PERM) => Err(Errno::ISDIR),
            Err(error) => Err(error),
        }
    }

    fn check_replaceable(&self, name: &OsStr) -> Result<()> {
        let stat = match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(error),
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => return Ok(()),
            FileType::RegularFile => {}
            FileType::Directory => return Err(Errno::ISDIR),
            _ => return Err(Errno::EXIST),
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(file) => rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
                .map_err(|_| Errno::BUSY),
            // Unreadable, so it is nobody's open volume here.
            Err(_) => Ok(()),
        }
    }

    /// A new file, for its owner alone.
    pub(crate) fn create_file(&self, name: &OsStr) -> Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::RUSR | Mode::WUSR;
        let fd = rustix::fs::openat(&self.fd, name, flags | OFlags::CLOEXEC, mode)?;
        Ok(fd.into())
    }

    /// A new symbolic link.
    pub(crate) fn symlink(&self, target: &Path, name: &OsStr) -> Result<()> {
        rustix::fs::symlinkat(target, &self.fd, name)
    }

    /// Another name for a file below `root`.
    pub(crate) fn link(&self, root: &Self, original: &Path, name: &OsStr) -> Result<()> {
        let parent = root.descend(original.parent().unwrap_or(Path::new("")))?;
        let original = original.file_name().ok_or(Errno::INVAL)?;
        rustix::fs::linkat(&parent.fd, original, &self.fd, name, AtFlags::empty())
    }

    /// A new device, pipe or socket, for its owner alone.
    pub(crate) fn make_node(&self, name: &OsStr, file_type: FileType, device: Dev) -> Result<()> {
        rustix::fs::mknodat(&self.fd, name, file_type, Mode::RUSR | Mode::WUSR, device)
    }

    /// Sets the owner of a name; of a symbolic link itself.
    pub(crate) fn set_owner(&self, name: &OsStr, uid: u32, gid: u32) -> Result<()> {
        if uid == u32::MAX || gid == u32::MAX {
            // The system's word for "leave it as it is": nobody's number.
            return Err(Errno::INVAL);
        }
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        rustix::fs::chownat(
            &self.fd,
            name,
            Some(uid),
            Some(gid),
            AtFlags::SYMLINK_NOFOLLOW,
        )
    }

    /// Sets the mode of a special file that was made here.
    pub(crate) fn set_mode(&self, name: &OsStr, mode: Mode) -> Result<()> {
        rustix::fs::chmodat(&self.fd, name, mode, AtFlags::empty())
    }

    /// Sets the times of a name; of a symbolic link itself.
    pub(crate) fn set_times(&self, name: &OsStr, times: &Timestamps) -> Result<()> {
        rustix::fs::utimensat(&self.fd, name, times, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// A path to a name that stays in this directory, for calls that take only paths.
    pub(crate) fn proc_path(&self, name: &OsStr) -> PathBuf {
        Path::new("/proc/self/fd")
            .join(self.fd.as_raw_fd().to_string())
            .join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for bad in ["", ".", "..", "/", "a/b", "a\0b"] {
            assert!(!is_safe_name(OsStr::new(bad)), "{bad:?}");
        }
        for good in ["a", "...", "a b", "-rf", "\n", "\\"] {
            assert!(is_safe_name(OsStr::new(good)), "{good:?}");
        }
    }

    #[test]
    fn links_are_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        let inside = tempfile::tempdir().unwrap();
        let dir = Dir::open(inside.path()).unwrap();
        dir.symlink(outside.path(), OsStr::new("link")).unwrap();
        assert!(dir.make_child(OsStr::new("link")).is_err());
        assert!(dir.descend(Path::new("link")).is_err());
        assert!(dir.descend(Path::new("../x")).is_err());
        assert!(dir.create_file(OsStr::new("link")).is_err());
        dir.clear(OsStr::new("link")).unwrap();
        assert!(outside.path().exists());
        dir.make_child(OsStr::new("d")).unwrap();
        assert_eq!(dir.clear(OsStr::new("d")), Err(Errno::ISDIR));
        dir.create_file(OsStr::new("f")).unwrap();
        let d = dir.child(OsStr::new("d")).unwrap();
        d.link(&dir, Path::new("f"), OsStr::new("g")).unwrap();
        assert!(inside.path().join("d/g").exists());
    }
}
