//! A volume as FUSE sees it: what every operation works with. [`crate::dispatch`] has the operations.
//!
//! A panic in an operation is a bug of ours: the operation fails with EIO, the volume takes no more writes (its last
//! checkpoint stays what it was), and the mount goes on answering.

use crate::answer::{Answer, Told};
use crate::attr::errno;
use crate::files::{Files, OpenFile};
use crate::nodes::Nodes;
use crate::options::MountOptions;
use crate::words::{appends, asks_for_writing, killed, open_options};
use f2fs::{File, InodeFlags, NewNode, Node, Space, Volume};
use fuser::{Errno, FileHandle, FopenFlags, INodeNo, Notifier, Request};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock};

/// Bytes copied at once by `copy_file_range`.
const COPY_CHUNK: usize = 1 << 20;
/// lseek(2) to data and to a hole.
const SEEK_DATA: i32 = 3;
const SEEK_HOLE: i32 = 4;

/// A volume as FUSE sees it.
pub(crate) struct F2fsFilesystem {
    pub(crate) volume: Arc<Volume>,
    pub(crate) nodes: Nodes,
    pub(crate) files: Files,
    pub(crate) options: MountOptions,
    pub(crate) notifier: Arc<OnceLock<Notifier>>,
    /// Held by the one thread that asks the kernel to write its pages back: another one at a time could leave
    /// nobody to take them.
    flushing_kernel: Mutex<()>,
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
    pub(crate) fn serve_for<T>(
        &self,
        req: &Request,
        what: &'static str,
        operation: impl FnOnce() -> Answer<T>,
    ) -> Answer<T> {
        let _limits = (req.uid() != 0).then(|| self.volume.enforce_quota());
        self.serve(what, operation)
    }

    /// Runs one operation.
    pub(crate) fn serve<T>(
        &self,
        what: &'static str,
        operation: impl FnOnce() -> Answer<T>,
    ) -> Answer<T> {
        catch_unwind(AssertUnwindSafe(operation)).unwrap_or_else(|_| {
            self.volume.stop(&format!("panic in {what}"));
            Err(Errno::EIO)
        })
    }

    /// What becomes of the blocks that compression saves.
    pub(crate) fn space(&self) -> Space {
        self.options.volume.space
    }

    /// Counts that the kernel is told of `node`, and what it is told.
    pub(crate) fn introduce(&self, node: &Node, parent: &Node) -> Told {
        self.nodes.remember(node);
        Told::of(&node.metadata(), parent, self.space())
    }

    /// Makes something and tells of it.
    pub(crate) fn make(&self, parent: INodeNo, name: &OsStr, new: &NewNode<'_>) -> Answer<Told> {
        let parent = self.nodes.get(parent)?;
        let node = parent.create(name.as_bytes(), new).map_err(|e| errno(&e))?;
        Ok(self.introduce(&node, &parent))
    }

    /// Makes a file, opens it and tells of it. Without a name it is one for `O_TMPFILE`.
    pub(crate) fn make_open(
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
    pub(crate) fn open_file(&self, node: &Node, flags: i32) -> Answer<FileHandle> {
        let writes = asks_for_writing(flags);
        let is_append_only = node.metadata().flags().contains(InodeFlags::APPEND);
        if writes && is_append_only && !appends(flags) {
            return Err(Errno::EPERM);
        }
        let file = node.open(&open_options(flags)).map_err(|e| errno(&e))?;
        Ok(self.files.add(OpenFile {
            file,
            ino: node.ino(),
            writes,
        }))
    }

    /// How the kernel may use an open file: it keeps its pages over opens, since nobody else changes the file.
    pub(crate) fn open_flags(&self) -> FopenFlags {
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

    /// The next data or hole of an open file.
    pub(crate) fn seek(
        &self,
        ino: INodeNo,
        fh: FileHandle,
        offset: i64,
        whence: i32,
    ) -> Answer<u64> {
        let open = self.files.get(fh)?;
        let pos = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
        // First: pages that the kernel holds may lie behind the end that we know.
        let is_known = !self.files.has_writer(open.ino) || self.flush_kernel_pages(ino);
        let size = open.file.metadata().len();
        if pos >= size {
            return Err(Errno::ENXIO);
        }
        if !is_known {
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
    }
}

/// Copies up to `len` bytes from one file to another; how many.
pub(crate) fn copy(from: &File, from_pos: u64, to: &File, to_pos: u64, len: u64) -> Answer<u32> {
    // The answer counts in 32 bits; the caller comes back for the rest.
    let len = len.min(u64::from(u32::MAX) & !0xfff);
    let mut buffer = vec![0; COPY_CHUNK.min(len as usize)];
    let mut done = 0;
    while done < len {
        let want = buffer.len().min((len - done) as usize);
        let got = from.read_at(from_pos + done, &mut buffer[..want]);
        let got = got.map_err(|e| errno(&e))?;
        if got == 0 {
            break;
        }
        match to.write_at(to_pos + done, &buffer[..got]) {
            Ok(n) => done += n as u64,
            Err(_) if done > 0 => break,
            Err(error) => return Err(errno(&error)),
        }
    }
    Ok(done as u32)
}

/// Cuts or extends a file; what that takes from it goes too.
pub(crate) fn set_len(node: &Node, size: u64, by_user: bool) -> Answer<()> {
    node.set_len(size)
        .and_then(|()| node.kill_privileges(killed(by_user)))
        .map_err(|e| errno(&e))
}
