//! An open volume.

use super::bytes_of;
use super::entry::ReadDir;
use super::file::File;
use super::metadata::Metadata;
use super::node::Node;
use super::open_options::{CompressChoice, OpenOptions};
use super::report::VolumeInfo;
use crate::device::Device;
use crate::discard::TrimReport;
use crate::error::{Error, Inconsistent, Result};
use crate::fs::Fs;
use crate::inode::NewFile;
use crate::locks;
use crate::meta;
use crate::ops::attr::{self, SetAttr, Toggle};
use crate::ops::exchange::exchange;
use crate::ops::file;
use crate::ops::fileattr;
use crate::ops::handle::OpenInode;
use crate::ops::namei::{self, Leave, Remove, RenameTo};
use crate::ops::path::{self, Final, Parent};
use crate::options::{CompressDefaults, VolumeOptions};
use crate::recovery;
use crate::stats::Stats;
use crate::xattr::SetXattr;
use blockdev::{Access, BlockDevice, FileDevice};
use f2fs_format::{FileType, InodeFlags};
use f2fs_offline::FormatOptions;
use runtime::sync::Mutex;
use std::ffi::OsString;
use std::ops::Range;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An F2FS volume in an image file, on a device or in memory.
///
/// Paths start at the root of the volume, with or without a leading slash. A volume may be shared by threads. What
/// was written is durable after [`Volume::sync`]; dropping the volume writes the last checkpoint too, but only
/// [`Volume::close`] tells whether that went well.
#[derive(Debug)]
pub struct Volume {
    pub(super) fs: Arc<Fs>,
    /// How it ended, once it has.
    ended: Mutex<Option<Result<()>>>,
    /// Why what was fsynced after the last checkpoint is not shown.
    unrecovered: Option<Error>,
}

/// What [`Volume::mknod`] makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// A character device of this major and minor number.
    CharDevice(u32, u32),
    /// A block device of this major and minor number.
    BlockDevice(u32, u32),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

/// Permissions and owner of what is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Permission bits (12 bits).
    pub permissions: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Owner {
    /// Root's, with these permission bits.
    pub fn root(permissions: u16) -> Self {
        Self {
            permissions,
            uid: 0,
            gid: 0,
        }
    }
}

impl Volume {
    /// Opens the volume in an image file or on a block device. A writable volume is locked against every other
    /// process that opens it this way.
    pub fn open(path: impl AsRef<Path>, options: &VolumeOptions) -> Result<Self> {
        let path = path.as_ref();
        let access = if options.resolved().read_only {
            Access::ReadOnly
        } else {
            Access::ReadWrite
        };
        let device = FileDevice::open(path, access, options.device_threads);
        let device =
            device.map_err(|error| Error::Open(path.display().to_string(), error.into()))?;
        Self::open_device(Arc::new(device), options)
    }

    /// Makes an image file of the size in `format`, or empties an existing one, formats it and opens it.
    pub fn create(
        path: impl AsRef<Path>,
        format: &FormatOptions,
        options: &VolumeOptions,
    ) -> Result<Self> {
        let path = path.as_ref();
        let device = FileDevice::create(path, format.size, options.device_threads);
        let device =
            device.map_err(|error| Error::Open(path.display().to_string(), error.into()))?;
        Self::create_on(Arc::new(device), format, options)
    }

    /// Formats a device and opens the volume on it.
    pub fn create_on(
        device: Arc<dyn BlockDevice>,
        format: &FormatOptions,
        options: &VolumeOptions,
    ) -> Result<Self> {
        f2fs_offline::format(&*device, format).map_err(|e| Error::Format(e.to_string()))?;
        Self::open_device(device, options)
    }

    /// Opens the volume on a device.
    pub fn open_device(device: Arc<dyn BlockDevice>, options: &VolumeOptions) -> Result<Self> {
        let options = options.resolved();
        let volume = Self::load(Arc::clone(&device), &options)?;
        match volume.recover() {
            Ok(()) => {
                if !options.read_only {
                    *volume.ended.lock() = None;
                }
                Ok(volume)
            }
            Err(error) if options.read_only => {
                tracing::warn!(%error, "fsynced data cannot be recovered; this is the last checkpoint");
                drop(volume);
                let mut last = Self::load(device, &options)?;
                last.unrecovered = Some(error);
                Ok(last)
            }
            Err(error) => Err(error),
        }
    }

    /// The volume as its last checkpoint has it. Dropping it does not write anything.
    fn load(device: Arc<dyn BlockDevice>, options: &VolumeOptions) -> Result<Self> {
        let mode = if options.read_only {
            meta::OpenMode::ReadOnly
        } else {
            meta::OpenMode::ReadWrite
        };
        let meta = meta::Metadata::open(Arc::new(Device::new(device)), mode)?;
        let fs = Fs::new(meta, options.clone())?;
        fs.watch_memory();
        let volume = Self {
            fs,
            ended: Mutex::new(locks::ENDING, Some(Ok(()))),
            unrecovered: None,
        };
        path::root(&volume.fs)?.inode.check_dir()?;
        Ok(volume)
    }

    /// What a mount does after a crash, in the kernel's order: unlinked files are freed, then what was fsynced after
    /// the last checkpoint is recovered.
    fn recover(&self) -> Result<()> {
        let fs = &self.fs;
        if !fs.options.read_only {
            fs.start_quota()?;
            fs.free_orphans()?;
        }
        recovery::roll_forward(fs)
    }

    /// Writes everything, marks the volume cleanly unmounted and closes it. Open files keep it in memory but can
    /// no longer be relied on.
    pub fn close(self) -> Result<()> {
        self.finish()
    }

    /// As [`Volume::close`], for a volume that others still hold: whatever they do from then on is refused.
    pub fn finish(&self) -> Result<()> {
        // Whoever comes later waits for the one who does it, and hears the same.
        let mut ended = self.ended.lock();
        if ended.is_none() {
            *ended = Some(self.fs.close());
        }
        ended.clone().unwrap_or(Ok(()))
    }

    /// Writes everything and makes it durable.
    pub fn sync(&self) -> Result<()> {
        self.fs.sync()
    }

    /// Tells the device of some of the segments that checkpoints freed since it was last told, if the options say so
    /// ([`VolumeOptions::discard`]); whether more are left. For those who have nothing better to do: it takes a
    /// while on some devices, but nobody waits for it.
    #[must_use]
    pub fn discard_some(&self) -> bool {
        self.fs.discard_some()
    }

    /// Makes everything durable, then tells the device of all free blocks within a range of bytes of the volume,
    /// whoever freed them, in runs of at least `min_len` bytes (`FITRIM`). A minimum above a segment, 2 MiB, means a
    /// segment.
    ///
    /// # Errors
    /// `Unsupported` if the device cannot discard. Its errors change nothing for the volume.
    pub fn trim(&self, range: Range<u64>, min_len: u64) -> Result<TrimReport> {
        self.fs.trim(range, min_len)
    }

    /// What [`Volume::trim`] would tell the device, as far as a checkpoint is not needed first. Works on a volume that
    /// is open for reading, too.
    pub fn trimmable(&self, range: Range<u64>, min_len: u64) -> Result<TrimReport> {
        self.fs.trimmable(range, min_len)
    }

    /// Opens a file for reading.
    pub fn open_file(&self, path: impl AsRef<Path>) -> Result<File> {
        self.open_with(path, &OpenOptions::new().read(true))
    }

    /// Opens a file, making it if the options say so.
    pub fn open_with(&self, path: impl AsRef<Path>, options: &OpenOptions) -> Result<File> {
        let path = bytes_of(path.as_ref());
        if (options.truncate || options.may_create()) && !options.may_write() {
            return Err(Error::Invalid("making or emptying a file needs writing"));
        }
        if options.may_write() {
            self.fs.check_writable()?;
        }
        let open = match path::resolve(&self.fs, path, Final::Follow) {
            Ok(_) if options.create_new => return Err(Error::Exists),
            Ok(open) => open,
            Err(Error::NotFound) if options.may_create() => self.create_file(path, options)?,
            Err(error) => return Err(error),
        };
        file::check_open(&open.inode, options.may_write())?;
        if options.truncate {
            file::set_len(&self.fs, &open.inode, 0)?;
        }
        Ok(File::new(open, options))
    }

    fn create_file(&self, path: &[u8], options: &OpenOptions) -> Result<OpenInode> {
        let (uid, gid) = options.owner.unwrap_or_default();
        let permissions = options.permissions.unwrap_or(0o644);
        let owner = Owner {
            permissions,
            uid,
            gid,
        };
        let open = self.make(path, FileType::Regular, owner, None, b"")?;
        let chosen = match options.compress {
            CompressChoice::Inherit => Ok(()),
            // A volume that cannot compress has nothing to turn off.
            CompressChoice::Off if open.inode.clusters().is_none() => Ok(()),
            CompressChoice::Off => attr::set_compression(&self.fs, &open.inode, None),
            CompressChoice::On(with) => attr::set_compression(&self.fs, &open.inode, Some(with)),
        };
        if let Err(error) = chosen {
            let Parent { dir, name, .. } = path::resolve_parent(&self.fs, path)?;
            namei::unlink(&self.fs, &dir.inode, &name, Remove::File)?;
            return Err(error);
        }
        Ok(open)
    }

    fn make(
        &self,
        path: &[u8],
        file_type: FileType,
        owner: Owner,
        device: Option<(u32, u32)>,
        target: &[u8],
    ) -> Result<OpenInode> {
        let Parent {
            dir,
            name,
            must_be_dir,
        } = path::resolve_parent(&self.fs, path)?;
        if must_be_dir && file_type != FileType::Directory {
            return Err(Error::IsADirectory);
        }
        let Owner {
            permissions,
            uid,
            gid,
        } = owner;
        let new = NewFile {
            file_type,
            permissions,
            umask: 0,
            uid,
            gid,
            device,
            name: &name,
        };
        namei::create(&self.fs, &dir.inode, &new, target)
    }

    /// Makes a directory.
    pub fn create_dir(&self, path: impl AsRef<Path>, owner: Owner) -> Result<()> {
        self.make(
            bytes_of(path.as_ref()),
            FileType::Directory,
            owner,
            None,
            b"",
        )?;
        Ok(())
    }

    /// Makes a directory and all that lead to it. What exists is left as it is.
    pub fn create_dir_all(&self, path: impl AsRef<Path>, owner: Owner) -> Result<()> {
        let mut at = PathBuf::new();
        for part in path.as_ref().components() {
            at.push(part);
            match self.create_dir(&at, owner) {
                Ok(()) => {}
                Err(error) => match self.metadata(&at) {
                    Ok(found) if found.is_dir() => {}
                    Ok(_) => return Err(Error::NotADirectory),
                    Err(_) => return Err(error),
                },
            }
        }
        Ok(())
    }

    /// Makes a device node, pipe or socket.
    pub fn mknod(&self, path: impl AsRef<Path>, special: Special, owner: Owner) -> Result<()> {
        let (file_type, device) = match special {
            Special::CharDevice(major, minor) => (FileType::CharDevice, Some((major, minor))),
            Special::BlockDevice(major, minor) => (FileType::BlockDevice, Some((major, minor))),
            Special::Fifo => (FileType::Fifo, None),
            Special::Socket => (FileType::Socket, None),
        };
        self.make(bytes_of(path.as_ref()), file_type, owner, device, b"")?;
        Ok(())
    }

    /// Makes a symbolic link to `target`.
    pub fn symlink(
        &self,
        target: impl AsRef<Path>,
        path: impl AsRef<Path>,
        owner: Owner,
    ) -> Result<()> {
        let target = bytes_of(target.as_ref());
        if target.is_empty() {
            return Err(Error::NotFound);
        }
        self.make(
            bytes_of(path.as_ref()),
            FileType::Symlink,
            owner,
            None,
            target,
        )?;
        Ok(())
    }

    /// The target of a symbolic link.
    pub fn read_link(&self, path: impl AsRef<Path>) -> Result<PathBuf> {
        let open = path::resolve(&self.fs, bytes_of(path.as_ref()), Final::Keep)?;
        let target = file::read_link(&self.fs, &open.inode)?;
        Ok(PathBuf::from(OsString::from_vec(target)))
    }

    /// Makes `link` another name of the file `original`; a symbolic link itself, not what it names.
    pub fn hard_link(&self, original: impl AsRef<Path>, link: impl AsRef<Path>) -> Result<()> {
        let open = path::resolve(&self.fs, bytes_of(original.as_ref()), Final::Keep)?;
        let Parent { dir, name, .. } = path::resolve_parent(&self.fs, bytes_of(link.as_ref()))?;
        namei::link(&self.fs, &open.inode, &dir.inode, &name)
    }

    /// Removes a name of a file.
    pub fn remove_file(&self, path: impl AsRef<Path>) -> Result<()> {
        let parent = path::resolve_parent(&self.fs, bytes_of(path.as_ref()))?;
        if parent.must_be_dir {
            return Err(Error::NotADirectory);
        }
        namei::unlink(&self.fs, &parent.dir.inode, &parent.name, Remove::File)
    }

    /// Removes an empty directory.
    pub fn remove_dir(&self, path: impl AsRef<Path>) -> Result<()> {
        let Parent { dir, name, .. } = path::resolve_parent(&self.fs, bytes_of(path.as_ref()))?;
        namei::unlink(&self.fs, &dir.inode, &name, Remove::Directory)
    }

    /// Removes a file, or a directory and all below it. Symbolic links are removed, not followed.
    pub fn remove_all(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        if !self.symlink_metadata(path)?.is_dir() {
            return self.remove_file(path);
        }
        // The stack holds directories to enter, then (second visit) to remove.
        let mut stack = vec![(path.to_path_buf(), false)];
        let mut above = Vec::new();
        while let Some((dir, emptied)) = stack.pop() {
            if emptied {
                self.remove_dir(&dir)?;
                above.pop();
                continue;
            }
            let ino = self.resolve(&dir, Final::Keep)?.inode.ino;
            if above.contains(&ino) {
                return Err(Inconsistent::DirLoop { ino }.into());
            }
            above.push(ino);
            stack.push((dir.clone(), true));
            for entry in self.read_dir(&dir)?.collect::<Result<Vec<_>>>()? {
                let child = dir.join(entry.file_name());
                if entry.file_type() == FileType::Directory {
                    stack.push((child, false));
                } else {
                    self.remove_file(&child)?;
                }
            }
        }
        Ok(())
    }

    /// Moves a name; an existing file or empty directory of the new name is replaced.
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
        self.rename_how(from.as_ref(), to.as_ref(), RenameTo::Replace)
    }

    /// Moves a name; the new name must not exist.
    pub fn rename_new(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
        self.rename_how(from.as_ref(), to.as_ref(), RenameTo::KeepExisting)
    }

    fn rename_how(&self, from: &Path, to: &Path, how: RenameTo) -> Result<()> {
        let from = path::resolve_parent(&self.fs, bytes_of(from))?;
        let to = path::resolve_parent(&self.fs, bytes_of(to))?;
        if from.must_be_dir || to.must_be_dir {
            path::step(&self.fs, &from.dir, &from.name)?
                .inode
                .check_dir()?;
        }
        namei::rename(&self.fs, from.as_name(), to.as_name(), how, Leave::Nothing)
    }

    /// Lets two names change places; both exist.
    pub fn exchange(&self, a: impl AsRef<Path>, b: impl AsRef<Path>) -> Result<()> {
        let a = path::resolve_parent(&self.fs, bytes_of(a.as_ref()))?;
        let b = path::resolve_parent(&self.fs, bytes_of(b.as_ref()))?;
        exchange(&self.fs, a.as_name(), b.as_name())
    }

    /// The root directory, for those that go by inodes instead of paths.
    pub fn root(&self) -> Result<Node> {
        Ok(Node::new(path::root(&self.fs)?))
    }

    /// The entries of a directory.
    pub fn read_dir(&self, path: impl AsRef<Path>) -> Result<ReadDir> {
        let open = path::resolve(&self.fs, bytes_of(path.as_ref()), Final::Follow)?;
        open.inode.check_dir()?;
        Ok(ReadDir::new(open))
    }

    /// Attributes of a file; of what a symbolic link names.
    pub fn metadata(&self, path: impl AsRef<Path>) -> Result<Metadata> {
        Ok(Metadata::of(
            &self.resolve(path.as_ref(), Final::Follow)?.inode,
        ))
    }

    /// Attributes of a file; of a symbolic link itself.
    pub fn symlink_metadata(&self, path: impl AsRef<Path>) -> Result<Metadata> {
        Ok(Metadata::of(
            &self.resolve(path.as_ref(), Final::Keep)?.inode,
        ))
    }

    pub(super) fn resolve(&self, path: &Path, last: Final) -> Result<OpenInode> {
        path::resolve(&self.fs, bytes_of(path), last)
    }

    /// Changes mode, owner or times; of a symbolic link itself.
    pub fn set_attr(&self, path: impl AsRef<Path>, set: &SetAttr) -> Result<()> {
        attr::set_attr(
            &self.fs,
            &self.resolve(path.as_ref(), Final::Keep)?.inode,
            set,
        )
    }

    /// Sets and clears flags (`chattr`): sync, immutable, append, nodump, noatime, dirsync, projinherit, and
    /// casefold of an empty directory on a volume that can.
    pub fn set_flags(
        &self,
        path: impl AsRef<Path>,
        set: InodeFlags,
        clear: InodeFlags,
    ) -> Result<()> {
        let open = self.resolve(path.as_ref(), Final::Keep)?;
        attr::set_flags(&self.fs, &open.inode, set, clear)
    }

    /// Gives a file all the flags of a word, as `FS_IOC_SETFLAGS` does: see [`Metadata::flag_word`].
    pub fn set_flag_word(&self, path: impl AsRef<Path>, word: u32) -> Result<()> {
        let open = self.resolve(path.as_ref(), Final::Keep)?;
        fileattr::set_word(&self.fs, &open.inode, word)
    }

    /// Turns compression on (`chattr +c`) or off. A file must be empty; a directory passes it on to new files.
    pub fn set_compression(
        &self,
        path: impl AsRef<Path>,
        compress: Option<CompressDefaults>,
    ) -> Result<()> {
        let open = self.resolve(path.as_ref(), Final::Keep)?;
        attr::set_compression(&self.fs, &open.inode, compress)
    }

    /// Keeps new files of a directory uncompressed (`chattr +m`), or no longer.
    pub fn set_nocompress(&self, path: impl AsRef<Path>, on: Toggle) -> Result<()> {
        attr::set_nocompress(
            &self.fs,
            &self.resolve(path.as_ref(), Final::Keep)?.inode,
            on,
        )
    }

    /// Names of the extended attributes; of a symbolic link itself.
    pub fn list_xattrs(&self, path: impl AsRef<Path>) -> Result<Vec<OsString>> {
        let open = self.resolve(path.as_ref(), Final::Keep)?;
        let names = attr::list_xattrs(&self.fs, &open.inode)?;
        Ok(names.into_iter().map(OsString::from_vec).collect())
    }

    /// The value of an extended attribute such as `user.note`.
    pub fn get_xattr(&self, path: impl AsRef<Path>, name: &str) -> Result<Vec<u8>> {
        attr::get_xattr(
            &self.fs,
            &self.resolve(path.as_ref(), Final::Keep)?.inode,
            name,
        )
    }

    /// Sets an extended attribute.
    pub fn set_xattr(
        &self,
        path: impl AsRef<Path>,
        name: &str,
        value: &[u8],
        how: SetXattr,
    ) -> Result<()> {
        let open = self.resolve(path.as_ref(), Final::Keep)?;
        attr::set_xattr(&self.fs, &open.inode, name, value, how)
    }

    /// Removes an extended attribute.
    pub fn remove_xattr(&self, path: impl AsRef<Path>, name: &str) -> Result<()> {
        attr::remove_xattr(
            &self.fs,
            &self.resolve(path.as_ref(), Final::Keep)?.inode,
            name,
        )
    }

    /// Lets nothing be written any more, because the caller found that something is wrong. The last checkpoint stays
    /// what a later open finds.
    pub fn stop(&self, reason: &str) {
        self.fs.meta.device.stop(reason.to_owned());
    }

    /// Compression of files that are marked for it without saying how.
    pub fn compress_defaults(&self) -> CompressDefaults {
        self.fs.options.compress
    }

    /// Why what was fsynced after the last checkpoint is not shown, on a volume opened for reading: it cannot be
    /// recovered. `None` if it is shown, or there is nothing, or nobody asked for it.
    pub fn unrecovered(&self) -> Option<&Error> {
        self.unrecovered.as_ref()
    }

    /// The engine below, for its own tests.
    #[cfg(test)]
    pub(crate) fn fs(&self) -> &Arc<Fs> {
        &self.fs
    }

    /// Superblock, checkpoint and logs.
    pub fn info(&self) -> VolumeInfo {
        VolumeInfo::of(&self.fs.meta)
    }

    /// Counters since the volume was opened.
    pub fn stats(&self) -> Stats {
        self.fs.stats()
    }

    /// Takes every clean folio out of the cache, so that the next read comes from the device.
    pub fn drop_caches(&self) {
        self.fs.cache.drop_clean();
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            tracing::error!(%error, "the volume could not be closed cleanly");
        }
    }
}
