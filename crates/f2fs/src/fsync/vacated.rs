//! Names that a file left since the last checkpoint, while the file itself lives on under another name.
//!
//! Roll-forward gives a new file its name and takes the name from whoever has it in the last checkpoint. If that is a
//! file that was only moved, it would be lost: neither its old name nor its new one would be there (xfstests
//! generic/342). So a new file of such a name is made durable by a checkpoint.

use f2fs_format::Ino;
use runtime::sync::{Mutex, Rank};
use std::collections::HashSet;

/// The names, by directory and hash. Two names of one hash only cost a checkpoint.
#[derive(Debug)]
pub(crate) struct VacatedNames(Mutex<HashSet<(Ino, u32)>>);

impl Default for VacatedNames {
    fn default() -> Self {
        Self(Mutex::new(Rank::LEAF, HashSet::new()))
    }
}

impl VacatedNames {
    /// A file that lives on leaves a name.
    pub(crate) fn add(&self, dir: Ino, hash: u32) {
        self.0.lock().insert((dir, hash));
    }

    /// Whether a name was left.
    pub(super) fn contains(&self, dir: Ino, hash: u32) -> bool {
        self.0.lock().contains(&(dir, hash))
    }

    /// A checkpoint knows all names as they are.
    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }
}
