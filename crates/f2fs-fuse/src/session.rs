//! Mounting, serving, ending.
//!
//! Root gets a `fuseblk` mount ([`crate::fuseblk`]), anybody else a plain one through `fusermount3`. Either way the
//! volume is open and the kernel has shaken hands before [`mount`] returns, so that every error is told to the one who
//! mounts. A mount ends with umount(2), or with SIGTERM or SIGINT; each ends in a clean checkpoint.

use crate::commit::Commits;
use crate::filesystem::F2fsFilesystem;
use crate::fuseblk;
use crate::lockin::{self, Unmounter};
use crate::mounts;
use crate::options::MountOptions;
use blockdev::{Access, FileDevice};
use f2fs::{Synchronous, Volume};
use fuser::{Config, MountOption, Notifier, Session, SessionACL};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Fewest threads that answer requests: a few slow readers leave some for others.
const THREADS_MIN: usize = 8;
/// How long a signal waits for the last user of the mount before the volume is closed under them.
const SIGNAL_GRACE: Duration = Duration::from_secs(10);

/// Why a volume is not mounted, or its mount ended badly.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The mount point cannot be used.
    #[error("{}: {what}", point.display())]
    Point {
        /// The mount point.
        point: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The volume cannot be opened or closed.
    #[error(transparent)]
    Volume(#[from] f2fs::Error),
    /// The system refused.
    #[error("{what}: {error}")]
    System {
        /// What was asked of it.
        what: String,
        /// Its error.
        error: io::Error,
    },
}

impl MountError {
    pub(crate) fn system(what: impl Into<String>, error: impl Into<io::Error>) -> Self {
        Self::System {
            what: what.into(),
            error: error.into(),
        }
    }
}

/// A mounted volume that nobody serves yet.
pub struct Mounted {
    session: Session<F2fsFilesystem>,
    volume: Arc<Volume>,
    point: PathBuf,
    commits: Option<Commits>,
    unmounter: Option<Unmounter>,
}

/// Mounts the volume in `image` at `point`.
///
/// # Errors
/// Whatever keeps it from being mounted; then nothing is left behind.
pub fn mount(image: &Path, point: &Path, options: MountOptions) -> Result<Mounted, MountError> {
    let point = check_point(point)?;
    let image = image
        .canonicalize()
        .map_err(|e| f2fs::Error::Open(image.display().to_string(), e.into()))?;
    let is_root = rustix::process::geteuid().is_root();
    // Best effort: memory that this process needs to write back must not wait for its own writeback.
    let _ = rustix::process::configure_io_flusher_behavior(true);
    let notifier = Arc::new(OnceLock::new());
    let interval = (!options.volume.read_only).then_some(options.commit);
    let cleans = options.background_gc;
    let Served {
        session,
        volume,
        unmounter,
    } = if is_root {
        mount_as_root(&image, &point, options, &notifier)?
    } else {
        mount_as_user(&image, &point, options, &notifier)?
    };
    let _ = notifier.set(session.notifier());
    let commits = interval
        .map(|interval| Commits::start(&volume, interval, cleans))
        .transpose()
        .inspect_err(|_| {
            // A mount of fusermount3 goes with its session.
            if is_root {
                fuseblk::abandon(&point);
            }
        })
        .map_err(|e| MountError::system("a thread for checkpoints", e))?;
    Ok(Mounted {
        session,
        volume,
        point,
        commits,
        unmounter,
    })
}

/// What came of mounting.
struct Served {
    session: Session<F2fsFilesystem>,
    volume: Arc<Volume>,
    unmounter: Option<Unmounter>,
}

/// The mount point as an absolute path, if it is a directory that nothing is mounted on.
fn check_point(point: &Path) -> Result<PathBuf, MountError> {
    let wrong = |what: String| MountError::Point {
        point: point.to_owned(),
        what,
    };
    let found = point
        .canonicalize()
        .map_err(|error| wrong(unusable(&error)))?;
    match std::fs::metadata(&found) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => return Err(wrong("the mount point is not a directory".to_owned())),
        Err(error) => return Err(wrong(unusable(&error))),
    }
    match mounts::at(&found) {
        Ok(Some(mount)) if found != Path::new("/") => Err(wrong(format!(
            "the mount point is busy: {} is mounted there",
            mount.source.display()
        ))),
        _ => Ok(found),
    }
}

/// Why a mount point cannot be looked at.
fn unusable(error: &io::Error) -> String {
    if error.raw_os_error() == Some(ENOTCONN) {
        "a mount whose process has ended; run 'f2fs umount' on it".to_owned()
    } else {
        format!("mount point: {error}")
    }
}

/// The error of a mount point whose process is gone.
const ENOTCONN: i32 = 107;

fn mount_as_root(
    image: &Path,
    point: &Path,
    options: MountOptions,
    notifier: &Arc<OnceLock<Notifier>>,
) -> Result<Served, MountError> {
    let access = fuseblk::access(image, &options);
    let early = (access != Access::ReadWriteClaimed)
        .then(|| open_device(image, access, &options))
        .transpose()?;
    let fuse = fuseblk::mount(image, point, &options)?;
    let opened = (|| {
        let device = match early {
            Some(device) => device,
            None => open_device(image, access, &options)?,
        };
        let unmounter = shut_in_if_asked(point, &options)?;
        let volume = open_volume(device, &options)?;
        let config = config(&options);
        let filesystem = F2fsFilesystem::new(Arc::clone(&volume), options, Arc::clone(notifier))?;
        let acl = config.acl;
        let session = Session::from_fd(filesystem, fuse, acl, config)
            .map_err(|e| MountError::system("FUSE handshake", e))?;
        Ok(Served {
            session,
            volume,
            unmounter,
        })
    })();
    if opened.is_err() {
        fuseblk::abandon(point);
    }
    opened
}

fn mount_as_user(
    image: &Path,
    point: &Path,
    options: MountOptions,
    notifier: &Arc<OnceLock<Notifier>>,
) -> Result<Served, MountError> {
    let access = if options.volume.read_only {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    };
    let volume = open_volume(open_device(image, access, &options)?, &options)?;
    let mut config = config(&options);
    config.mount_options = user_options(image, &options);
    let untrusted = options.clone();
    let filesystem = F2fsFilesystem::new(Arc::clone(&volume), options, Arc::clone(notifier))?;
    let session = Session::new(filesystem, point, &config)
        .map_err(|e| MountError::system("mounting through fusermount3", e))?;
    // The mount helper had to run first, so the volume is open and the threads that decode clusters run already; the
    // process has no privileges to lose but its own files.
    let unmounter = shut_in_if_asked(point, &untrusted)?;
    Ok(Served {
        session,
        volume,
        unmounter,
    })
}

fn shut_in_if_asked(point: &Path, options: &MountOptions) -> Result<Option<Unmounter>, MountError> {
    if !options.untrusted {
        return Ok(None);
    }
    let unmounter = Unmounter::start(point)?;
    lockin::shut_in(options)?;
    Ok(Some(unmounter))
}

fn open_device(
    image: &Path,
    access: Access,
    options: &MountOptions,
) -> Result<FileDevice, MountError> {
    let device = FileDevice::open(image, access, options.volume.device_threads);
    Ok(device.map_err(|e| f2fs::Error::Open(image.display().to_string(), e.into()))?)
}

fn open_volume(device: FileDevice, options: &MountOptions) -> Result<Arc<Volume>, MountError> {
    let volume = Volume::open_device(Arc::new(device), &options.volume)?;
    Ok(Arc::new(volume))
}

fn config(options: &MountOptions) -> Config {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = match options.threads {
        0 => THREADS_MIN.max(2 * cores),
        n => n,
    };
    let mut config = Config::default();
    config.n_threads = Some(threads);
    config.acl = if options.allow_other {
        SessionACL::All
    } else {
        SessionACL::Owner
    };
    config
}

/// What `fusermount3` is told.
fn user_options(image: &Path, options: &MountOptions) -> Vec<MountOption> {
    let source = options
        .fsname
        .clone()
        .unwrap_or_else(|| image.display().to_string());
    let mut list = vec![
        MountOption::FSName(source),
        MountOption::Subtype("f2fs".to_owned()),
        MountOption::DefaultPermissions,
        MountOption::NoSuid,
        MountOption::NoDev,
    ];
    let chosen = [
        (options.volume.read_only, MountOption::RO),
        (!options.exec, MountOption::NoExec),
        (
            options.volume.synchronous == Synchronous::All,
            MountOption::Sync,
        ),
        (
            options.volume.synchronous != Synchronous::Nothing,
            MountOption::DirSync,
        ),
    ];
    list.extend(chosen.into_iter().filter(|(on, _)| *on).map(|(_, o)| o));
    list
}

impl Mounted {
    /// Where it is mounted.
    pub fn point(&self) -> &Path {
        &self.point
    }

    /// Answers requests until the volume is unmounted or a signal ends it, then writes the last checkpoint.
    ///
    /// # Errors
    /// The session's, or what kept the volume from being closed cleanly.
    pub fn serve(self) -> Result<(), MountError> {
        let Self {
            session,
            volume,
            point,
            commits,
            unmounter: _unmounter,
        } = self;
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])
            .map_err(|e| MountError::system("signal handlers", e))?;
        let handle = signals.handle();
        let on_signal = {
            let (volume, point) = (Arc::clone(&volume), point.clone());
            std::thread::Builder::new()
                .name("signals".to_owned())
                .spawn(move || wait_for_signal(&mut signals, &volume, &point))
                .map_err(|e| MountError::system("a thread for signals", e))?
        };
        let served = session
            .run()
            .map_err(|e| MountError::system("answering requests", e));
        drop(commits);
        handle.close();
        let _ = on_signal.join();
        // A plain mount ends without a word from the kernel.
        let finished = volume.finish().map_err(MountError::from);
        served.and(finished)
    }
}

/// The first signal unmounts. If the mount stays in use, or a second signal comes, the volume is closed under its
/// users.
fn wait_for_signal(signals: &mut Signals, volume: &Arc<Volume>, point: &Path) {
    if signals.forever().next().is_none() {
        return; // The mount has ended.
    }
    tracing::info!(point = %point.display(), "a signal ends the mount");
    if !detach(point) {
        close_under_users(volume, point);
    }
    let (rest, at) = (Arc::clone(volume), point.to_owned());
    let _ = std::thread::Builder::new()
        .name("grace".to_owned())
        .spawn(move || {
            std::thread::sleep(SIGNAL_GRACE);
            close_under_users(&rest, &at);
        });
    if signals.forever().next().is_some() {
        close_under_users(volume, point);
    }
}

fn close_under_users(volume: &Volume, point: &Path) -> ! {
    let code = match volume.finish() {
        Ok(()) => 0,
        Err(error) => {
            tracing::error!(point = %point.display(), %error, "the volume could not be closed cleanly");
            1
        }
    };
    std::process::exit(code);
}

/// Takes the mount out of the tree; it ends with its last user. Whether that could be done: a process that gave up its
/// privileges cannot.
fn detach(point: &Path) -> bool {
    use rustix::mount::{UnmountFlags, unmount};
    if rustix::process::geteuid().is_root() {
        return unmount(point, UnmountFlags::empty()).is_ok()
            || unmount(point, UnmountFlags::DETACH).is_ok();
    }
    let status = Command::new("fusermount3")
        .args(["-u", "-z", "--"])
        .arg(point)
        .status();
    status.is_ok_and(|status| status.success())
}
