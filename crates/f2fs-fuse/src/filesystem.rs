//! The operations of FUSE: look the inode up, ask the engine, answer.
//!
//! A panic in an operation is a bug of ours: the operation fails with EIO, the volume takes no more writes (its last
//! checkpoint stays what it was), and the mount goes on answering.

use crate::attr::{decode_device, errno, file_attr, generation, timestamp};
use crate::files::{Files, OpenFile};
use crate::nodes::Nodes;
use crate::options::MountOptions;
use crate::{ioctl, listing};
use f2fs::{
    Fallocate, Metadata, NewNode, Node, OpenOptions, Privileges, RenameMode, SetAttr, SetXattr,
    Volume,
};
use fuser::{
    BsdFileFlags, CopyFileRangeFlags, Errno, FileAttr, FileHandle, Filesystem, FopenFlags,
    Generation, INodeNo, InitFlags, IoctlFlags, KernelConfig, LockOwner, Notifier, OpenFlags,
    RenameFlags, ReplyAttr, ReplyBmap, ReplyCreate, ReplyData, ReplyDirectory, ReplyDirectoryPlus,
    ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen, ReplyStatfs, ReplyStatx, ReplyWrite,
    ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

/// How long the kernel may keep what it was told: nothing changes behind its back.
const TTL: Duration = Duration::from_hours(24);
/// Largest request of one write or read, the most that the kernel sends by default.
const MAX_WRITE: u32 = 1 << 20;
/// Requests that the kernel may have waiting in the background (readahead, direct I/O).
const MAX_BACKGROUND: u16 = 64;
/// Bytes of a block, which a mount on a block device has too.
const BLOCK_BYTES: u64 = 4096;
/// Bytes copied at once by `copy_file_range`.
const COPY_CHUNK: usize = 1 << 20;

type Answer<T> = Result<T, Errno>;

thread_local! {
    /// Where a read's bytes are gathered; kept, so that no read allocates.
    static READ_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A volume as FUSE sees it.
pub(crate) struct F2fsFilesystem {
    volume: Arc<Volume>,
    nodes: Nodes,
    files: Files,
    options: MountOptions,
    notifier: Arc<OnceLock<Notifier>>,
    /// Held by the one thread that asks the kernel to write its pages back: another one at a time could leave
    /// nobody to take them.
    flushing_kernel: Mutex<()>,
}

/// What goes with an inode in most answers.
struct Told {
    attr: FileAttr,
    generation: Generation,
    /// How long the name may be kept. The kernel knows one spelling of it; in a directory that ignores case another
    /// may take it away.
    name_ttl: Duration,
}

impl Told {
    fn of(meta: &Metadata, parent: &Node) -> Self {
        Self {
            attr: file_attr(meta),
            generation: generation(meta),
            name_ttl: name_ttl(parent),
        }
    }
}

fn name_ttl(parent: &Node) -> Duration {
    if parent.ignores_case() {
        Duration::ZERO
    } else {
        TTL
    }
}

impl F2fsFilesystem {
    /// The file system of an open volume.
    pub(crate) fn new(
        volume: Arc<Volume>,
        options: MountOptions,
        notifier: Arc<OnceLock<Notifier>>,
    ) -> f2fs::Result<Self> {
        let root = volume.root()?;
        Ok(Self {
            volume,
            nodes: Nodes::new(root),
            files: Files::default(),
            options,
            notifier,
            flushing_kernel: Mutex::new(()),
        })
    }

    /// Runs one operation that takes space; root is not held to quotas.
    fn serve_for<T>(
        &self,
        req: &Request,
        what: &'static str,
        operation: impl FnOnce() -> Answer<T>,
    ) -> Answer<T> {
        let _limits = (req.uid() != 0).then(|| self.volume.enforce_quota());
        self.serve(what, operation)
    }

    /// Runs one operation.
    fn serve<T>(&self, what: &'static str, operation: impl FnOnce() -> Answer<T>) -> Answer<T> {
        catch_unwind(AssertUnwindSafe(operation)).unwrap_or_else(|_| {
            self.volume.stop(&format!("panic in {what}"));
            Err(Errno::EIO)
        })
    }

    /// Counts that the kernel is told of `node`, and what it is told.
    fn introduce(&self, node: &Node, parent: &Node) -> Told {
        self.nodes.remember(node);
        Told::of(&node.metadata(), parent)
    }

    /// Makes something and tells of it.
    fn make(&self, parent: INodeNo, name: &OsStr, new: &NewNode<'_>) -> Answer<Told> {
        let parent = self.nodes.get(parent)?;
        let node = parent.create(name.as_bytes(), new).map_err(|e| errno(&e))?;
        Ok(self.introduce(&node, &parent))
    }

    /// Makes a file, opens it and tells of it. Without a name it is one for `O_TMPFILE`.
    fn make_open(
        &self,
        parent: INodeNo,
        name: Option<&OsStr>,
        new: &NewNode<'_>,
        flags: i32,
    ) -> Answer<(Told, FileHandle)> {
        let parent = self.nodes.get(parent)?;
        let made = match name {
            Some(name) => parent.create(name.as_bytes(), new),
            None => parent.create_unnamed(new),
        };
        let node = made.map_err(|e| errno(&e))?;
        let fh = self.open_file(&node, flags)?;
        Ok((self.introduce(&node, &parent), fh))
    }

    /// Opens a file. Reading is always allowed: the kernel fills pages through whatever handle it has, and lets no
    /// process read that may not.
    fn open_file(&self, node: &Node, flags: i32) -> Answer<FileHandle> {
        let writes = flags & O_ACCMODE != O_RDONLY;
        let options = OpenOptions::new().read(true).write(writes);
        let file = node.open(&options).map_err(|e| errno(&e))?;
        Ok(self.files.add(OpenFile {
            file,
            ino: node.ino(),
            writes,
        }))
    }

    /// How the kernel may use an open file: it keeps its pages over opens, since nobody else changes the file.
    fn open_flags(&self) -> FopenFlags {
        if self.options.direct_io {
            FopenFlags::FOPEN_DIRECT_IO
        } else {
            FopenFlags::FOPEN_KEEP_CACHE | FopenFlags::FOPEN_PARALLEL_DIRECT_WRITES
        }
    }

    /// Brings pages that the kernel changed through a mapping to us, so that we know what is data. Whether it did:
    /// it does not while another thread is at it.
    fn flush_kernel_pages(&self, ino: INodeNo) -> bool {
        let Ok(_one) = self.flushing_kernel.try_lock() else {
            return false;
        };
        match self.notifier.get() {
            Some(notifier) => notifier.inval_inode(ino, 0, 0).is_ok(),
            None => false,
        }
    }
}

const O_ACCMODE: i32 = 0o3;
const O_RDONLY: i32 = 0;
const SEEK_DATA: i32 = 3;
const SEEK_HOLE: i32 = 4;
const XATTR_CREATE: i32 = 1;
const XATTR_REPLACE: i32 = 2;

/// What a change of content takes from a file: the capability always, the set-id bits if the kernel says so.
fn killed(by_user: bool) -> Privileges {
    if by_user {
        Privileges::All
    } else {
        Privileges::Capability
    }
}

fn new_node(req: &Request, file_type: f2fs::FileType, mode: u32, umask: u32) -> NewNode<'static> {
    NewNode {
        file_type,
        permissions: (mode & 0o7777) as u16,
        umask: (umask & 0o777) as u16,
        uid: req.uid(),
        gid: req.gid(),
        device: None,
        target: b"",
    }
}

/// Attribute names are text; no attribute of a volume has another name.
fn attribute(name: &OsStr) -> Answer<&str> {
    name.to_str().ok_or(Errno::EOPNOTSUPP)
}

/// Answers with a list or a value of an attribute, or with its size alone.
fn answer_sized(reply: ReplyXattr, size: u32, value: Answer<Vec<u8>>) {
    match value {
        Err(error) => reply.error(error),
        Ok(value) if size == 0 => reply.size(value.len() as u32),
        Ok(value) if value.len() > size as usize => reply.error(Errno::ERANGE),
        Ok(value) => reply.data(&value),
    }
}

fn answer_empty(reply: ReplyEmpty, result: Answer<()>) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

fn answer_entry(reply: ReplyEntry, result: Answer<Told>) {
    match result {
        Ok(told) => reply.entry_with_ttls(&TTL, &told.name_ttl, &told.attr, told.generation),
        Err(error) => reply.error(error),
    }
}

fn answer_attr(reply: ReplyAttr, result: Answer<FileAttr>) {
    match result {
        Ok(attr) => reply.attr(&TTL, &attr),
        Err(error) => reply.error(error),
    }
}

fn answer_created(reply: ReplyCreate, flags: FopenFlags, result: Answer<(Told, FileHandle)>) {
    match result {
        Ok((told, fh)) => reply.created(&told.name_ttl, &told.attr, told.generation, fh, flags),
        Err(error) => reply.error(error),
    }
}

fn time_of(time: TimeOrNow) -> f2fs::Timestamp {
    timestamp(match time {
        TimeOrNow::SpecificTime(time) => time,
        TimeOrNow::Now => SystemTime::now(),
    })
}

impl Filesystem for F2fsFilesystem {
    fn init(&mut self, _req: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        let mut wanted = InitFlags::FUSE_PARALLEL_DIROPS
            | InitFlags::FUSE_DO_READDIRPLUS
            | InitFlags::FUSE_READDIRPLUS_AUTO
            | InitFlags::FUSE_HAS_IOCTL_DIR
            | InitFlags::FUSE_POSIX_ACL
            | InitFlags::FUSE_DONT_MASK
            | InitFlags::FUSE_HANDLE_KILLPRIV_V2
            | InitFlags::FUSE_CACHE_SYMLINKS
            | InitFlags::FUSE_ASYNC_DIO
            | InitFlags::FUSE_EXPLICIT_INVAL_DATA;
        if self.options.writeback_cache {
            wanted |= InitFlags::FUSE_WRITEBACK_CACHE;
        }
        // What an older kernel does not have it does without.
        if let Err(missing) = config.add_capabilities(wanted) {
            tracing::info!(?missing, "the kernel's FUSE lacks some capabilities");
            let _ = config.add_capabilities(wanted & !missing);
        }
        let _ = config.set_max_write(MAX_WRITE);
        let _ = config.set_max_background(MAX_BACKGROUND);
        Ok(())
    }

    fn unmounting(&self) {
        let closed = self.serve("unmount", || {
            self.files.clear();
            self.nodes.clear();
            self.volume.finish().map_err(|e| {
                tracing::error!(error = %e, "the volume could not be closed cleanly");
                errno(&e)
            })
        });
        // Nobody is left to tell; the log has it.
        let _ = closed;
    }

    fn lookup(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.serve("lookup", || {
            let parent = self.nodes.get(parent)?;
            let node = parent.lookup(name.as_bytes()).map_err(|e| errno(&e))?;
            Ok(self.introduce(&node, &parent))
        });
        answer_entry(reply, found);
    }

    fn forget(&self, _req: &Request, ino: INodeNo, nlookup: u64) {
        let _ = self.serve("forget", || {
            self.nodes.forget(ino, nlookup);
            Ok(())
        });
    }

    fn getattr(&self, _req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        let attr = self.serve("getattr", || {
            Ok(file_attr(&self.nodes.get(ino)?.metadata()))
        });
        answer_attr(reply, attr);
    }

    fn statx(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: Option<FileHandle>,
        _mask: u32,
        reply: ReplyStatx,
    ) {
        match self.serve("statx", || Ok(self.nodes.get(ino)?.metadata())) {
            Ok(meta) => reply.statx(&TTL, &file_attr(&meta), meta.created().is_some()),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        req: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        ctime: Option<SystemTime>,
        _fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        kill_suidgid: bool,
        reply: ReplyAttr,
    ) {
        let attr = self.serve_for(req, "setattr", || {
            let node = self.nodes.get(ino)?;
            if let Some(size) = size {
                node.set_len(size).map_err(|e| errno(&e))?;
                node.kill_privileges(killed(kill_suidgid))
                    .map_err(|e| errno(&e))?;
            }
            let set = SetAttr {
                permissions: mode.map(|mode| (mode & 0o7777) as u16),
                uid,
                gid,
                accessed: atime.map(time_of),
                modified: mtime.map(time_of),
                changed: ctime.map(timestamp),
            };
            if !set.is_empty() {
                node.set_attr(&set).map_err(|e| errno(&e))?;
            }
            Ok(file_attr(&node.metadata()))
        });
        answer_attr(reply, attr);
    }

    fn readlink(&self, _req: &Request, ino: INodeNo, reply: ReplyData) {
        let target = self.serve("readlink", || {
            self.nodes.get(ino)?.read_link().map_err(|e| errno(&e))
        });
        match target {
            Ok(target) => reply.data(&target),
            Err(error) => reply.error(error),
        }
    }

    fn mknod(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        rdev: u32,
        reply: ReplyEntry,
    ) {
        let made = self.serve_for(req, "mknod", || {
            let file_type = f2fs::FileType::from_mode(mode as u16).ok_or(Errno::EINVAL)?;
            let new = NewNode {
                device: file_type.is_device().then(|| decode_device(rdev)),
                ..new_node(req, file_type, mode, umask)
            };
            self.make(parent, name, &new)
        });
        answer_entry(reply, made);
    }

    fn mkdir(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        let made = self.serve_for(req, "mkdir", || {
            let new = new_node(req, f2fs::FileType::Directory, mode, umask);
            self.make(parent, name, &new)
        });
        answer_entry(reply, made);
    }

    fn unlink(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let done = self.serve("unlink", || {
            let parent = self.nodes.get(parent)?;
            parent.unlink(name.as_bytes()).map_err(|e| errno(&e))
        });
        answer_empty(reply, done);
    }

    fn rmdir(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let done = self.serve("rmdir", || {
            let parent = self.nodes.get(parent)?;
            parent.rmdir(name.as_bytes()).map_err(|e| errno(&e))
        });
        answer_empty(reply, done);
    }

    fn symlink(
        &self,
        req: &Request,
        parent: INodeNo,
        link_name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        let made = self.serve_for(req, "symlink", || {
            let new = NewNode {
                target: target.as_os_str().as_bytes(),
                ..new_node(req, f2fs::FileType::Symlink, 0o777, 0)
            };
            self.make(parent, link_name, &new)
        });
        answer_entry(reply, made);
    }

    fn rename(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let done = self.serve_for(req, "rename", || {
            let (from, to) = (self.nodes.get(parent)?, self.nodes.get(newparent)?);
            let mode = rename_mode(req, flags)?;
            from.rename(name.as_bytes(), &to, newname.as_bytes(), mode)
                .map_err(|e| errno(&e))
        });
        answer_empty(reply, done);
    }

    fn link(
        &self,
        req: &Request,
        ino: INodeNo,
        newparent: INodeNo,
        newname: &OsStr,
        reply: ReplyEntry,
    ) {
        let linked = self.serve_for(req, "link", || {
            let (node, parent) = (self.nodes.get(ino)?, self.nodes.get(newparent)?);
            parent
                .link(&node, newname.as_bytes())
                .map_err(|e| errno(&e))?;
            Ok(self.introduce(&node, &parent))
        });
        answer_entry(reply, linked);
    }

    fn open(&self, _req: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let opened = self.serve("open", || {
            let node = self.nodes.get(ino)?;
            self.open_file(&node, flags.0)
        });
        match opened {
            Ok(fh) => reply.opened(fh, self.open_flags()),
            Err(error) => reply.error(error),
        }
    }

    fn create(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let created = self.serve_for(req, "create", || {
            let new = new_node(req, f2fs::FileType::Regular, mode, umask);
            self.make_open(parent, Some(name), &new, flags)
        });
        answer_created(reply, self.open_flags(), created);
    }

    fn tmpfile(
        &self,
        req: &Request,
        parent: INodeNo,
        mode: u32,
        umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let created = self.serve_for(req, "tmpfile", || {
            let new = new_node(req, f2fs::FileType::Regular, mode, umask);
            self.make_open(parent, None, &new, flags)
        });
        answer_created(reply, self.open_flags(), created);
    }

    fn read(
        &self,
        _req: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        READ_BUFFER.with_borrow_mut(|buffer| {
            if buffer.len() < size as usize {
                buffer.resize(size as usize, 0);
            }
            let read = self.serve("read", || {
                let open = self.files.get(fh)?;
                let read = open.file.read_at(offset, &mut buffer[..size as usize]);
                read.map_err(|e| errno(&e))
            });
            match read {
                Ok(n) => reply.data(&buffer[..n]),
                Err(error) => reply.error(error),
            }
        });
    }

    fn write(
        &self,
        req: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        data: &[u8],
        write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = self.serve_for(req, "write", || {
            let open = self.files.get(fh)?;
            let written = open.file.write_at(offset, data).map_err(|e| errno(&e))?;
            let by_user = write_flags.contains(WriteFlags::FUSE_WRITE_KILL_SUIDGID);
            open.file
                .kill_privileges(killed(by_user))
                .map_err(|e| errno(&e))?;
            Ok(written)
        });
        match written {
            Ok(n) => reply.written(n as u32),
            Err(error) => reply.error(error),
        }
    }

    /// Nothing waits for a close: the kernel need not ask again.
    fn flush(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _lock_owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::ENOSYS);
    }

    fn release(
        &self,
        _req: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        let done = self.serve("release", || {
            self.files.remove(fh);
            Ok(())
        });
        answer_empty(reply, done);
    }

    fn fsync(
        &self,
        _req: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        let done = self.serve("fsync", || {
            let open = self.files.get(fh)?;
            open.file.sync_all().map_err(|e| errno(&e))
        });
        answer_empty(reply, done);
    }

    fn fsyncdir(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        let done = self.serve("fsyncdir", || self.volume.sync().map_err(|e| errno(&e)));
        answer_empty(reply, done);
    }

    fn syncfs(&self, _req: &Request, _ino: INodeNo, reply: ReplyEmpty) {
        let done = self.serve("syncfs", || self.volume.sync().map_err(|e| errno(&e)));
        answer_empty(reply, done);
    }

    fn readdir(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let listed = self.serve("readdir", || {
            let dir = self.nodes.get(ino)?;
            let tell = |entry: &listing::Listed| {
                let ino = INodeNo(entry.ino.into());
                reply.add(ino, entry.next, entry.kind, OsStr::from_bytes(&entry.name))
            };
            listing::list(&dir, offset, tell).map_err(|e| errno(&e))
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn readdirplus(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let listed = self.serve("readdirplus", || {
            let dir = self.nodes.get(ino)?;
            let dir_attr = file_attr(&dir.metadata());
            let name_ttl = name_ttl(&dir);
            let tell = |entry: &listing::Listed| {
                let name = OsStr::from_bytes(&entry.name);
                let node = (!entry.is_dot)
                    .then(|| dir.lookup(&entry.name).ok())
                    .flatten();
                let told = match &node {
                    Some(node) => Told::of(&node.metadata(), &dir),
                    // Node id 0: a name without attributes.
                    None => Told {
                        attr: FileAttr {
                            ino: INodeNo(if entry.is_dot { entry.ino.into() } else { 0 }),
                            kind: entry.kind,
                            ..dir_attr
                        },
                        generation: Generation(0),
                        name_ttl,
                    },
                };
                let ino = told.attr.ino;
                let is_full = reply.add(
                    ino,
                    entry.next,
                    name,
                    &name_ttl,
                    &told.attr,
                    told.generation,
                );
                if let Some(node) = node.filter(|_| !is_full) {
                    self.nodes.remember(&node);
                }
                is_full
            };
            listing::list(&dir, offset, tell).map_err(|e| errno(&e))
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn statfs(&self, _req: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        let s = self.volume.statfs();
        let block = s.block_bytes as u32;
        reply.statfs(
            s.blocks,
            s.blocks_free,
            s.blocks_free,
            s.files,
            s.files_free,
            block,
            NAME_MAX,
            block,
        );
    }

    fn setxattr(
        &self,
        req: &Request,
        ino: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        let done = self.serve_for(req, "setxattr", || {
            let how = match flags & (XATTR_CREATE | XATTR_REPLACE) {
                0 => SetXattr::Any,
                XATTR_CREATE => SetXattr::Create,
                XATTR_REPLACE => SetXattr::Replace,
                _ => return Err(Errno::EINVAL),
            };
            let node = self.nodes.get(ino)?;
            node.set_xattr(attribute(name)?, value, how)
                .map_err(|e| errno(&e))
        });
        answer_empty(reply, done);
    }

    fn getxattr(&self, _req: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let value = self.serve("getxattr", || {
            let node = self.nodes.get(ino)?;
            node.get_xattr(attribute(name)?).map_err(|e| errno(&e))
        });
        answer_sized(reply, size, value);
    }

    fn listxattr(&self, _req: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        let list = self.serve("listxattr", || {
            let names = self.nodes.get(ino)?.list_xattrs().map_err(|e| errno(&e))?;
            let mut list = Vec::new();
            for name in names {
                list.extend_from_slice(&name);
                list.push(0);
            }
            Ok(list)
        });
        answer_sized(reply, size, list);
    }

    fn removexattr(&self, _req: &Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let done = self.serve("removexattr", || {
            let node = self.nodes.get(ino)?;
            node.remove_xattr(attribute(name)?).map_err(|e| errno(&e))
        });
        answer_empty(reply, done);
    }

    fn fallocate(
        &self,
        req: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let done = self.serve_for(req, "fallocate", || {
            let open = self.files.get(fh)?;
            let what = fallocate_mode(mode).ok_or(Errno::EOPNOTSUPP)?;
            let end = offset.checked_add(length).ok_or(Errno::EFBIG)?;
            open.file
                .fallocate(what, offset..end)
                .map_err(|e| errno(&e))
        });
        answer_empty(reply, done);
    }

    fn lseek(
        &self,
        _req: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        let found = self.serve("lseek", || {
            let open = self.files.get(fh)?;
            let pos = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
            let size = open.file.metadata().len();
            if pos >= size {
                return Err(Errno::ENXIO);
            }
            if self.files.has_writer(open.ino) && !self.flush_kernel_pages(ino) {
                // Data everywhere is never wrong.
                return Ok(if whence == SEEK_HOLE { size } else { pos });
            }
            match whence {
                SEEK_DATA => open
                    .file
                    .seek_data(pos)
                    .map_err(|e| errno(&e))?
                    .ok_or(Errno::ENXIO),
                SEEK_HOLE => open.file.seek_hole(pos).map_err(|e| errno(&e)),
                _ => Err(Errno::EINVAL),
            }
        });
        match found {
            Ok(pos) => reply.offset(pos.cast_signed()),
            Err(error) => reply.error(error),
        }
    }

    fn copy_file_range(
        &self,
        req: &Request,
        _ino_in: INodeNo,
        fh_in: FileHandle,
        offset_in: u64,
        _ino_out: INodeNo,
        fh_out: FileHandle,
        offset_out: u64,
        len: u64,
        _flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        let copied = self.serve_for(req, "copy_file_range", || {
            let (from, to) = (self.files.get(fh_in)?, self.files.get(fh_out)?);
            let mut buffer = vec![0; COPY_CHUNK.min(len as usize)];
            // The answer counts in 32 bits; the caller comes back for the rest.
            let len = len.min(u64::from(u32::MAX) & !0xfff);
            let mut done = 0;
            while done < len {
                let want = buffer.len().min((len - done) as usize);
                let got = from.file.read_at(offset_in + done, &mut buffer[..want]);
                let got = got.map_err(|e| errno(&e))?;
                if got == 0 {
                    break;
                }
                match to.file.write_at(offset_out + done, &buffer[..got]) {
                    Ok(n) => done += n as u64,
                    Err(_) if done > 0 => break,
                    Err(error) => return Err(errno(&error)),
                }
            }
            Ok(done as u32)
        });
        match copied {
            Ok(n) => reply.written(n),
            Err(error) => reply.error(error),
        }
    }

    fn ioctl(
        &self,
        req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        _flags: IoctlFlags,
        cmd: u32,
        in_data: &[u8],
        out_size: u32,
        reply: ReplyIoctl,
    ) {
        let answer = self.serve_for(req, "ioctl", || {
            let node = self.nodes.get(ino)?;
            ioctl::run(&self.volume, &node, cmd, in_data, out_size as usize)
        });
        match answer {
            Ok(data) => {
                // Flags and block counts may have changed without the kernel knowing.
                if let Some(notifier) = self.notifier.get() {
                    let _ = notifier.inval_inode(ino, -1, 0);
                }
                reply.ioctl(0, &data);
            }
            Err(error) => reply.error(error),
        }
    }

    fn bmap(&self, _req: &Request, ino: INodeNo, blocksize: u32, idx: u64, reply: ReplyBmap) {
        let block = self.serve("bmap", || {
            if u64::from(blocksize) != BLOCK_BYTES {
                return Err(Errno::EINVAL);
            }
            let node = self.nodes.get(ino)?;
            let address = node.block_address(idx).map_err(|e| errno(&e))?;
            Ok(address.unwrap_or(0))
        });
        match block {
            Ok(block) => reply.bmap(block.into()),
            Err(error) => reply.error(error),
        }
    }
}

/// Longest name.
const NAME_MAX: u32 = 255;

/// The kernel's flags of fallocate(2): keep size 1, punch 2, collapse 8, zero 16, insert 32.
fn fallocate_mode(mode: i32) -> Option<Fallocate> {
    Some(match mode {
        0 => Fallocate::Allocate,
        1 => Fallocate::AllocateKeepSize,
        3 => Fallocate::PunchHole,
        8 => Fallocate::CollapseRange,
        16 => Fallocate::ZeroRange,
        17 => Fallocate::ZeroRangeKeepSize,
        32 => Fallocate::InsertRange,
        _ => return None,
    })
}

fn rename_mode(req: &Request, flags: RenameFlags) -> Answer<RenameMode> {
    let no_replace = flags.contains(RenameFlags::RENAME_NOREPLACE);
    let exchange = flags.contains(RenameFlags::RENAME_EXCHANGE);
    let whiteout = flags.contains(RenameFlags::RENAME_WHITEOUT);
    match (exchange, whiteout, no_replace) {
        (true, false, false) => Ok(RenameMode::Exchange),
        (true, _, _) => Err(Errno::EINVAL),
        (false, true, no_replace) => Ok(RenameMode::Whiteout {
            no_replace,
            uid: req.uid(),
            gid: req.gid(),
        }),
        (false, false, true) => Ok(RenameMode::NoReplace),
        (false, false, false) => Ok(RenameMode::Replace),
    }
}
