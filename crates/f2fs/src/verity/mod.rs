//! Files sealed by fs-verity: every byte is checked before a reader sees it (kernel: `fs/verity`, `fs/f2fs/verity.c`).
//!
//! A sealed file never changes again. Behind its end, from the next multiple of 64 KiB on, lie a Merkle tree and a
//! descriptor with the hash of the tree's root. Data is checked when a folio is filled: a block is uptodate only after
//! it matched, so what was checked lives exactly as long as the bytes. Compressed files are checked decompressed,
//! holes as the zeros they read as.
//!
//! Signatures are not checked: the descriptor tells what the file should be, and whoever wants to know whether that
//! is the right file compares [`Verity::measurement`] with what they trust.
//!
//! | module | what |
//! |---|---|
//! | [`hash`] | algorithms, and hashing with a salt |
//! | [`descriptor`] | what the descriptor says, where it lies |
//! | [`shape`] | where the levels of a tree lie |
//! | [`load`] | from an inode to its descriptor; blocks behind the end of a file |
//! | [`tree`] | hash blocks, checked from the root down, and the few that are kept |
//! | [`check`] | data against the tree |
//!
//! # Locking
//! Looking up hash blocks reads the device and takes TREE; it happens before data is read, under the folio's lock.
//! Checking data takes nothing. What is kept is a leaf.

mod check;
mod descriptor;
mod hash;
mod load;
mod shape;
mod tree;

pub(crate) use check::{Check, read_checked};
pub use hash::{VerityDigest, VerityHash};

use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use descriptor::Descriptor;
use f2fs_format::{Advise, FileType, Ino, InodeBlock};
use hash::Salted;
use runtime::sync::{Mutex, Rank};
use shape::Shape;
use std::sync::Arc;
use tree::Kept;

/// What a sealed file is checked against.
#[derive(Debug)]
pub(crate) struct Verity {
    ino: Ino,
    size: u64,
    descriptor: Descriptor,
    hash: Salted,
    shape: Shape,
    kept: Mutex<Kept>,
}

impl Verity {
    fn new(ino: Ino, size: u64, descriptor: Descriptor, shape: Shape) -> Self {
        Self {
            ino,
            size,
            hash: Salted::new(descriptor.hash, descriptor.salt()),
            kept: Mutex::new(Rank::LEAF, Kept::new(shape.levels())),
            descriptor,
            shape,
        }
    }

    /// What `FS_IOC_MEASURE_VERITY` tells: it stands for the whole content.
    pub(crate) fn measurement(&self) -> VerityDigest {
        self.descriptor.measurement()
    }

    fn error(&self, block: u64, reason: &'static str) -> Error {
        Error::Verity {
            ino: self.ino,
            block,
            reason,
        }
    }
}

/// The place of an inode for what it is checked against: only a sealed file has one.
#[derive(Debug)]
pub(crate) struct Seal(Mutex<Option<Arc<Verity>>>);

impl Seal {
    /// The empty place, if the inode is sealed.
    pub(crate) fn of(inode: &InodeBlock) -> Option<Self> {
        let is_file = inode.file_type() == FileType::Regular;
        let is_sealed = is_file && inode.advise().contains(Advise::VERITY);
        is_sealed.then(|| Self(Mutex::new(Rank::LEAF, None)))
    }

    /// Gives the memory back: nobody has the file open any more.
    pub(crate) fn clear(&self) {
        let verity = self.0.lock().take();
        drop(verity);
    }
}

/// What the inode is checked against; None if it is not sealed. Reads the descriptor the first time.
pub(crate) fn of(fs: &Fs, inode: &Inode) -> Result<Option<Arc<Verity>>> {
    let Some(Seal(place)) = &inode.seal else {
        return Ok(None);
    };
    if let Some(verity) = &*place.lock() {
        return Ok(Some(Arc::clone(verity)));
    }
    let verity = Arc::new(load::load(fs, inode)?);
    // Another thread may have been faster; then its hash blocks are kept.
    Ok(Some(Arc::clone(place.lock().get_or_insert(verity))))
}
