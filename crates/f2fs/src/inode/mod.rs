//! An inode in memory.
//!
//! `Inode` -> [`Tree`] (inode block and nodes) and [`Mapping`] (folios).
//!
//! # Locking
//! `rwsem` (rank INODE) serialises operations: shared for reading, exclusive for everything that changes size,
//! content, entries or attributes. `tree` (rank TREE) guards the nodes and is taken below folio locks. `size` and
//! `cookie` are single values read without a lock.

mod cache;
mod create;
mod epochs;
mod evict;
mod info;

pub(crate) use cache::InodeCache;
pub(crate) use create::NewFile;
pub(crate) use epochs::Epochs;
pub(crate) use info::{InodeInfo, to_disk};

use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::locks;
use crate::node::Tree;
use crate::node::dirty::DirtyMark;
use crate::verity::Seal;
use f2fs_codec::CodecParams;
use f2fs_format::{FileType, Ino, InodeBlock};
use pagecache::{Mapping, Orders};
use runtime::sync::{Mutex, Rank, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Compression clusters of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClusterLayout {
    pub(crate) params: CodecParams,
    /// Blocks of a cluster, 4 to 256.
    pub(crate) blocks: u64,
}

/// How a writeback stores whole clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClusterForm {
    /// Compressed where that saves a block.
    Compressed,
    Raw,
    /// As they are on the volume.
    AsStored,
}

/// One file, directory or special file of an open volume.
#[derive(Debug)]
pub(crate) struct Inode {
    pub(crate) ino: Ino,
    pub(crate) file_type: FileType,
    pub(crate) rwsem: RwLock<()>,
    pub(crate) tree: Mutex<Tree>,
    pub(crate) mapping: Arc<Mapping>,
    /// What a sealed file is checked against.
    pub(crate) seal: Option<Seal>,
    clusters: Mutex<Option<ClusterLayout>>,
    form: Mutex<Option<ClusterForm>>,
    size: AtomicU64,
    cookie: AtomicU64,
    listed_dirty: AtomicBool,
    freed: AtomicBool,
    hashes_right: AtomicBool,
    opens: AtomicU32,
    writers: AtomicU32,
    pub(crate) epochs: Epochs,
}

impl Inode {
    /// The in-memory inode of a checked block.
    pub(crate) fn new(fs: &Fs, ino: Ino, block: InodeBlock, dirty: bool) -> Result<Arc<Self>> {
        let file_type = block.file_type();
        let clusters = cluster_layout(&block)?;
        let inode = Self {
            ino,
            file_type,
            rwsem: RwLock::new(locks::INODE, ()),
            mapping: Mapping::new(&fs.cache, orders(fs, clusters, file_type)),
            seal: Seal::of(&block),
            clusters: Mutex::new(Rank::LEAF, clusters),
            form: Mutex::new(Rank::LEAF, None),
            size: AtomicU64::new(block.size()),
            cookie: AtomicU64::new(0),
            tree: Mutex::new(
                locks::TREE,
                Tree::new(ino, block, DirtyMark::new(&fs.dirty_nodes, dirty)),
            ),
            listed_dirty: AtomicBool::new(false),
            freed: AtomicBool::new(false),
            hashes_right: AtomicBool::new(false),
            opens: AtomicU32::new(0),
            writers: AtomicU32::new(0),
            epochs: Epochs::default(),
        };
        if dirty {
            inode.epochs.made.note(fs.epoch());
        }
        Ok(Arc::new(inode))
    }

    /// Size in bytes, as users see it.
    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// Changes the size that users see. The inode block follows when the bytes are on the volume.
    pub(crate) fn set_size(&self, size: u64) {
        self.size.store(size, Ordering::Release);
    }

    /// Compression clusters, if the file has them.
    pub(crate) fn clusters(&self) -> Option<ClusterLayout> {
        *self.clusters.lock()
    }

    /// The form that its clusters are written in, if not the volume's.
    pub(crate) fn form(&self) -> Option<ClusterForm> {
        *self.form.lock()
    }

    /// Decides the form of its clusters against the volume's, or no longer.
    pub(crate) fn set_form(&self, form: Option<ClusterForm>) {
        *self.form.lock() = form;
    }

    /// Takes over changed compression attributes. The file has no blocks and no cached bytes.
    pub(crate) fn reload_layout(&self, fs: &Fs, tree: &Tree) -> Result<()> {
        let clusters = cluster_layout(&tree.inode)?;
        self.mapping.truncate(0);
        self.mapping
            .set_orders(orders(fs, clusters, self.file_type));
        *self.clusters.lock() = clusters;
        Ok(())
    }

    /// Takes over another algorithm or level; the size of clusters stays, and with it what is cached.
    pub(crate) fn reload_params(&self, tree: &Tree) -> Result<()> {
        *self.clusters.lock() = cluster_layout(&tree.inode)?;
        Ok(())
    }

    /// Changes whenever the mapping of bytes to blocks changes.
    pub(crate) fn cookie(&self) -> u64 {
        self.cookie.load(Ordering::Acquire)
    }

    /// Makes answers about the mapping that were given before stale.
    pub(crate) fn bump_cookie(&self) {
        self.cookie.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn is_dir(&self) -> bool {
        self.file_type == FileType::Directory
    }

    /// Refuses what is not a directory.
    pub(crate) fn check_dir(&self) -> Result<()> {
        if self.is_dir() {
            Ok(())
        } else {
            Err(Error::NotADirectory)
        }
    }

    /// Notes that it stands in the list of dirty inodes; whether it stood there already.
    pub(crate) fn note_listed(&self) -> bool {
        self.listed_dirty.swap(true, Ordering::AcqRel)
    }

    /// Whether something of it changed since the last checkpoint.
    pub(crate) fn is_listed(&self) -> bool {
        self.listed_dirty.load(Ordering::Acquire)
    }

    /// Notes that it was taken from the list of dirty inodes.
    pub(crate) fn note_unlisted(&self) {
        self.listed_dirty.store(false, Ordering::Release);
    }

    /// Notes that every entry of the directory is where its hash says; the engine keeps it so.
    pub(crate) fn note_hashes_right(&self) {
        self.hashes_right.store(true, Ordering::Release);
    }

    /// Whether a name that its hash does not find is surely not in the directory.
    pub(crate) fn are_hashes_right(&self) -> bool {
        self.hashes_right.load(Ordering::Acquire)
    }

    pub(crate) fn add_open(&self) {
        self.opens.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether this was the last open handle.
    pub(crate) fn drop_open(&self) -> bool {
        self.opens.fetch_sub(1, Ordering::AcqRel) == 1
    }

    pub(crate) fn add_writer(&self) {
        self.writers.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether this was the last one that may write.
    pub(crate) fn drop_writer(&self) -> bool {
        self.writers.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Whether a handle or an operation may write it any moment.
    pub(crate) fn has_writers(&self) -> bool {
        self.writers.load(Ordering::Acquire) > 0
    }

    /// Blocks that its compressed clusters save and still hold.
    pub(crate) fn saved_blocks(&self) -> u64 {
        let tree = self.tree.lock();
        tree.inode.compress().map_or(0, |info| info.compr_blocks)
    }

    /// Notes that it is being freed; whether it was already. The last unlink and the last close may come together,
    /// and only one of them frees.
    fn note_freed(&self) -> bool {
        self.freed.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.opens.load(Ordering::Acquire) > 0
    }
}

/// The clusters of a compressed regular file.
fn cluster_layout(block: &InodeBlock) -> Result<Option<ClusterLayout>> {
    if !block.is_compressed() {
        return Ok(None);
    }
    let info = block.compress().expect("checked with the inode");
    let params = CodecParams::new(
        info.algorithm,
        info.level(),
        info.log_cluster_size,
        info.has_checksum(),
    )
    .map_err(|_| Error::Invalid("compression attributes of the file contradict"))?;
    Ok(Some(ClusterLayout {
        params,
        blocks: 1 << info.log_cluster_size,
    }))
}

/// A compressed file's folios are never smaller than a cluster (row S7); a directory's are single blocks.
fn orders(fs: &Fs, clusters: Option<ClusterLayout>, file_type: FileType) -> Orders {
    if file_type == FileType::Directory {
        return Orders { min: 0, max: 0 };
    }
    let min = clusters.map_or(0, |c| c.blocks.trailing_zeros() as u8);
    Orders {
        min,
        max: fs.options.max_order.min(runtime::MAX_ORDER).max(min),
    }
}
