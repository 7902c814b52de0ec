//! The files that are open through the mount.

use dashmap::DashMap;
use f2fs::File;
use fuser::{Errno, FileHandle};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One open file.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) file: File,
    /// Its inode's number.
    pub(crate) ino: u32,
    /// Whether it was opened for writing.
    pub(crate) writes: bool,
}

/// Open files, by handle.
#[derive(Debug, Default)]
pub(crate) struct Files {
    open: DashMap<u64, Arc<OpenFile>>,
    /// Handles open for writing, by inode.
    writers: DashMap<u32, u32>,
    last: AtomicU64,
}

impl Files {
    /// Gives an open file a handle.
    pub(crate) fn add(&self, file: OpenFile) -> FileHandle {
        if file.writes {
            *self.writers.entry(file.ino).or_insert(0) += 1;
        }
        let handle = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.open.insert(handle, Arc::new(file));
        FileHandle(handle)
    }

    /// The file behind a handle.
    pub(crate) fn get(&self, handle: FileHandle) -> Result<Arc<OpenFile>, Errno> {
        let file = self.open.get(&handle.0).ok_or(Errno::EBADF)?;
        Ok(Arc::clone(&file))
    }

    /// Takes a handle back.
    pub(crate) fn remove(&self, handle: FileHandle) {
        let gone = self.open.remove(&handle.0);
        if let Some((_, file)) = &gone
            && file.writes
        {
            self.writers.remove_if_mut(&file.ino, |_, count| {
                *count = count.saturating_sub(1);
                *count == 0
            });
        }
        // Here, where no shard is locked.
        drop(gone);
    }

    /// Whether an inode is open for writing, so that the kernel may hold pages that are newer than ours.
    pub(crate) fn has_writer(&self, ino: u32) -> bool {
        self.writers.contains_key(&ino)
    }

    /// Handles that are open for writing an inode.
    pub(crate) fn writers(&self, ino: u32) -> u32 {
        self.writers.get(&ino).map_or(0, |count| *count)
    }

    /// Takes all handles back: the mount has ended.
    pub(crate) fn clear(&self) {
        let handles: Vec<u64> = self.open.iter().map(|file| *file.key()).collect();
        for handle in handles {
            self.remove(FileHandle(handle));
        }
    }
}
