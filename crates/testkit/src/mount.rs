//! A mounted volume of its own for a test: made, mounted, checked, unmounted when dropped.
//!
//! # Invariants
//! While a [`Mount`] lives, its mount point, image and daemon belong to it alone. Errors of the set-up
//! and of the checks are errors, never panics, so that a long run can go on with the next suite.

use crate::manifest;
use crate::system::{Owner, System, done};
use std::fs::{self, File};
use std::io::{self, Error};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a mount may take to appear.
const READY: Duration = Duration::from_secs(30);
/// How long a daemon may take to write everything and end.
const END: Duration = Duration::from_mins(5);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// How a volume is made and mounted.
#[derive(Clone, Debug)]
pub struct MountOptions {
    /// What is mounted.
    pub system: System,
    /// Size of the image in bytes.
    pub size: u64,
    /// Compression of everything, for example `lz4`.
    pub compress: Option<&'static str>,
    /// Options of the mount.
    pub options: Vec<&'static str>,
    /// Whose volume it is, and who mounts it.
    pub user: Option<Owner>,
    /// Folder for the image and the mount point; the system's for temporary files if none.
    pub place: Option<PathBuf>,
    /// Let the command fork its daemon. Such a daemon cannot be killed by [`Mount::kill`].
    pub is_detached: bool,
}

impl MountOptions {
    /// A volume of `size` bytes, mounted by the tests' own user.
    pub fn new(system: System, size: u64) -> Self {
        Self {
            system,
            size,
            compress: None,
            options: Vec::new(),
            user: None,
            place: None,
            is_detached: false,
        }
    }
}

/// A mounted volume.
#[derive(Debug)]
pub struct Mount {
    options: MountOptions,
    work: TempDir,
    daemon: Option<Child>,
}

impl Mount {
    /// Makes and mounts a volume. Where the machine cannot, returns `None` and says so on standard
    /// error.
    ///
    /// # Panics
    /// If the machine cannot and the variable `CI` is set.
    pub fn or_skip(options: MountOptions) -> Option<io::Result<Self>> {
        let Some(reason) = options.system.lacks() else {
            return Some(Self::new(options));
        };
        assert!(std::env::var_os("CI").is_none(), "no mount: {reason}");
        eprintln!("SKIPPED: no mount: {reason}");
        None
    }

    /// Makes and mounts a volume.
    pub fn new(options: MountOptions) -> io::Result<Self> {
        let work = match (&options.system, &options.place) {
            (System::Folder(place), _) | (_, Some(place)) => tempfile::tempdir_in(place)?,
            _ => tempfile::tempdir()?,
        };
        let mut mount = Self {
            options,
            work,
            daemon: None,
        };
        mount.make()?;
        mount.mount()?;
        Ok(mount)
    }

    fn make(&mut self) -> io::Result<()> {
        fs::create_dir(self.dir())?;
        File::create(self.image())?.set_len(self.options.size)?;
        let (uid, gid) = self.options.user.unwrap_or((0, 0));
        let image = self.image();
        let options = &mut self.options;
        options
            .system
            .format(&image, options.compress, (uid, gid))?;
        if options.user.is_some() {
            options.system.copy_program(self.work.path())?;
            for path in [self.dir(), self.image(), self.work.path().to_path_buf()] {
                chown(path, Some(uid), Some(gid))?;
            }
        }
        // Others than root must be able to reach the mount point.
        fs::set_permissions(self.work.path(), fs::Permissions::from_mode(0o755))
    }

    /// The root of the volume.
    pub fn dir(&self) -> PathBuf {
        self.work.path().join("mount")
    }

    /// The image file.
    pub fn image(&self) -> PathBuf {
        self.work.path().join("image")
    }

    /// What the daemon has printed.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.work.path().join("log")
    }

    fn is_folder(&self) -> bool {
        matches!(self.options.system, System::Folder(_))
    }

    /// Mounts it again, after [`Mount::unmount`].
    pub fn mount(&mut self) -> io::Result<()> {
        if self.is_folder() {
            return Ok(());
        }
        let (dir, image, system) = (self.dir(), self.image(), &self.options.system);
        let mut command = as_user(
            self.options.user,
            system.mount(&image, &dir, &self.options.options),
        );
        let stays = system.has_daemon() && !self.options.is_detached;
        if stays {
            command.arg("-f");
        }
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path())?;
        let mut child = command.stdout(log.try_clone()?).stderr(log).spawn()?;
        if stays {
            self.daemon = Some(child);
        } else if !child.wait()?.success() {
            return Err(Error::other(format!("{command:?}: {}", self.log())));
        }
        self.wait_until_ready()
    }

    fn wait_until_ready(&mut self) -> io::Result<()> {
        let start = Instant::now();
        while !is_mount_point(&self.dir())? {
            let ended = match &mut self.daemon {
                Some(daemon) => daemon.try_wait()?,
                None => None,
            };
            if ended.is_some() || start.elapsed() > READY {
                return Err(Error::other(format!("no mount appeared: {}", self.log())));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Unmounts it and waits until the image is complete.
    pub fn unmount(&mut self) -> io::Result<()> {
        if self.is_folder() {
            return Ok(());
        }
        let dir = self.dir();
        done(&mut as_user(
            self.options.user,
            self.options.system.unmount(&dir),
        ))?;
        if is_mount_point(&dir)? {
            return Err(Error::other("still mounted after the unmount"));
        }
        self.wait_for_end()
    }

    fn wait_for_end(&mut self) -> io::Result<()> {
        let Some(mut daemon) = self.daemon.take() else {
            return Ok(());
        };
        let start = Instant::now();
        loop {
            if let Some(status) = daemon.try_wait()? {
                let text = || format!("the daemon ended: {status}\n{}", self.log());
                return status
                    .success()
                    .then_some(())
                    .ok_or_else(|| Error::other(text()));
            }
            if start.elapsed() > END {
                daemon.kill()?;
                daemon.wait()?;
                return Err(Error::other("the daemon does not end"));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Unmounts and mounts again.
    pub fn remount(&mut self) -> io::Result<()> {
        self.unmount()?;
        self.mount()
    }

    /// Kills the daemon at once. Pages that the kernel had not handed over are lost; what the daemon
    /// wrote to the image stays. [`Mount::unmount`] takes the dead mount away, once those who used it
    /// have let go.
    pub fn kill(&mut self) -> io::Result<()> {
        let Some(mut daemon) = self.daemon.take() else {
            return Err(Error::other("no daemon to kill"));
        };
        daemon.kill()?;
        daemon.wait()?;
        Ok(())
    }

    /// Unmounts; fails if the checker finds anything wrong. The volume can be mounted again.
    pub fn check(&mut self) -> io::Result<()> {
        self.unmount()?;
        match self.options.system.complaints(&self.image()) {
            Some(text) => Err(Error::other(text)),
            None => Ok(()),
        }
    }

    /// As [`Mount::check`]; then the real kernel mounts the volume, must find the same tree, byte for
    /// byte, goes on writing, and the checker looks again. Without an oracle, and for other systems,
    /// it is [`Mount::check`].
    pub fn check_by_kernel(&mut self) -> io::Result<()> {
        if !matches!(self.options.system, System::F2fs(_)) {
            return self.check();
        }
        let ours = manifest::of(&self.dir())?;
        self.check()?;
        let Some(theirs) = manifest::by_kernel(&self.image())? else {
            return Ok(());
        };
        manifest::compare(&ours, &theirs)?;
        match self.options.system.complaints(&self.image()) {
            Some(text) => Err(Error::other(format!("after the kernel wrote: {text}"))),
            None => Ok(()),
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let dir = self.dir();
        if is_mount_point(&dir).unwrap_or(false) && self.unmount().is_err() {
            // A test failed and left something open, or the daemon is dead.
            let lazy = Command::new("fusermount3").arg("-uz").arg(&dir).status();
            if !lazy.is_ok_and(|status| status.success()) {
                eprintln!("{} cannot be unmounted", dir.display());
            }
        }
        if let Some(mut daemon) = self.daemon.take() {
            // Both fail only if it has ended already.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// Runs a command as another user, without further groups.
pub fn as_user(user: Option<Owner>, command: Command) -> Command {
    let Some((uid, gid)) = user else {
        return command;
    };
    let mut outer = Command::new("setpriv");
    outer
        .arg(format!("--reuid={uid}"))
        .arg(format!("--regid={gid}"));
    outer.arg("--clear-groups").arg(command.get_program());
    outer.args(command.get_args());
    outer
}

/// Looks in the kernel's list: another user's mount does not even let root look at its root.
fn is_mount_point(dir: &Path) -> io::Result<bool> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    Ok(points.into_iter().any(|point| Path::new(point) == dir))
}
