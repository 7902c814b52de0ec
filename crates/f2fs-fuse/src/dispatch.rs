//! The operations of FUSE, each a few lines: look the inode up, ask the engine, answer. What takes more is in
//! [`crate::filesystem`].

use crate::answer::{
    TTL, Told, answer_attr, answer_created, answer_empty, answer_entry, answer_sized, attr_ttl,
    name_ttl,
};
use crate::attr::{decode_device, errno, file_attr, timestamp};
use crate::filesystem::{F2fsFilesystem, copy, set_len};
use crate::words::{
    attribute, fallocate_mode, killed, new_node, rename_mode, set_xattr_mode, time_of,
};
use crate::{ioctl, listing};
use f2fs::{NewNode, SetAttr};
use fuser::{
    BsdFileFlags, CopyFileRangeFlags, Errno, FileAttr, FileHandle, Filesystem, Generation, INodeNo,
    InitFlags, IoctlFlags, KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyBmap,
    ReplyCreate, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyIoctl,
    ReplyLseek, ReplyOpen, ReplyStatfs, ReplyStatx, ReplyWrite, ReplyXattr, Request, TimeOrNow,
    WriteFlags,
};
use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

/// Largest request of one write or read; the kernel cuts it to what it grants (fs.fuse.max_pages_limit, 1 MiB by
/// default).
const MAX_WRITE: u32 = 16 << 20;
/// Requests that the kernel may have waiting in the background (readahead, direct I/O).
const MAX_BACKGROUND: u16 = 64;
/// Bytes of a block, which a mount on a block device has too.
const BLOCK_BYTES: u64 = 4096;
/// Longest name.
const NAME_MAX: u32 = 255;

thread_local! {
    /// Where a read's bytes are gathered; kept, so that no read allocates.
    static READ_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
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
        let attr = self.serve("getattr", || Ok(self.nodes.get(ino)?.metadata()));
        answer_attr(reply, self.space(), attr);
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
            Ok(meta) => {
                let ttl = attr_ttl(&meta, self.space());
                reply.statx(&ttl, &file_attr(&meta), meta.created().is_some());
            }
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
                set_len(&node, size, kill_suidgid)?;
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
            Ok(node.metadata())
        });
        answer_attr(reply, self.space(), attr);
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
            // Pages of a mapping come without their writer; they count as their owner's.
            let is_cached = write_flags.contains(WriteFlags::FUSE_WRITE_CACHE);
            let _limits =
                (is_cached && open.file.metadata().uid() != 0).then(|| self.volume.enforce_quota());
            let by_user = write_flags.contains(WriteFlags::FUSE_WRITE_KILL_SUIDGID);
            // First, as in Linux: a write that is durable at once takes this with it.
            open.file
                .kill_privileges(killed(by_user))
                .and_then(|()| open.file.write_at(offset, data))
                .map_err(|e| errno(&e))
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
        datasync: bool,
        reply: ReplyEmpty,
    ) {
        let done = self.serve("fsync", || {
            let file = &self.files.get(fh)?.file;
            let synced = if datasync {
                file.sync_data()
            } else {
                file.sync_all()
            };
            synced.map_err(|e| errno(&e))
        });
        answer_empty(reply, done);
    }

    fn fsyncdir(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        let done = self.serve("fsyncdir", || {
            self.nodes.get(ino)?.sync().map_err(|e| errno(&e))
        });
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
                    Some(node) => Told::of(&node.metadata(), &dir, self.space()),
                    // Node id 0: a name without attributes.
                    None => Told {
                        attr: FileAttr {
                            ino: INodeNo(entry.ino.into()),
                            kind: entry.kind,
                            ..dir_attr
                        },
                        attr_ttl: TTL,
                        generation: Generation(0),
                        name_ttl,
                    },
                };
                // Without a node id the kernel takes the name and asks for the rest itself.
                let ino = node.as_ref().map_or(INodeNo(0), |_| told.attr.ino);
                let is_full = reply.add(
                    ino,
                    entry.next,
                    name,
                    &told.name_ttl.min(told.attr_ttl),
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
            let how = set_xattr_mode(flags)?;
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
                .and_then(|()| open.file.kill_privileges(killed(req.uid() != 0)))
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
        let found = self.serve("lseek", || self.seek(ino, fh, offset, whence));
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
            to.file
                .kill_privileges(killed(req.uid() != 0))
                .map_err(|e| errno(&e))?;
            copy(&from.file, offset_in, &to.file, offset_out, len)
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
        fh: FileHandle,
        _flags: IoctlFlags,
        cmd: u32,
        in_data: &[u8],
        out_size: u32,
        reply: ReplyIoctl,
    ) {
        let answer = self.serve_for(req, "ioctl", || {
            let node = self.nodes.get(ino)?;
            let caller = ioctl::Caller {
                is_root: req.uid() == 0,
                writes: self.files.get(fh).is_ok_and(|open| open.writes),
                has_other_writers: self.files.writers(node.ino()) > 1,
            };
            ioctl::run(
                &self.volume,
                &node,
                caller,
                cmd,
                (in_data, out_size as usize),
            )
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
