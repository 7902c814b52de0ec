//! Volumes that may be made to harm ([`crate::VolumeOptions::untrusted`]).
//!
//! Damage is refused on every volume: sizes, addresses, lengths and links from disk never make anything panic, loop or
//! allocate without bound. What is valid and still dangerous is taken away here:
//!
//! | on the volume | what is shown |
//! |---|---|
//! | anything | the volume is read-only, whatever else the options say |
//! | set-user-id and set-group-id bits | not there |
//! | device nodes | nodes of device 0:0, which nothing can be opened through; pipes and sockets as they are |
//! | `security.*` and `trusted.*` attributes, file capabilities among them | not there |
//! | a directory with several names, or above itself | the name by which it was reached first; others are refused |
//!
//! The last line makes the directories a tree: a walk that takes each name once comes to an end after as many steps as
//! the volume has entries. Without it a few directories that name each other twice are a walk of 2^n steps.

use crate::dir::Found;
use crate::error::{Inconsistent, Result};
use f2fs_format::xattr::{INDEX_SECURITY, INDEX_TRUSTED};
use f2fs_format::{Ino, InodeBlock};
use runtime::sync::{Mutex, Rank};
use std::collections::HashMap;

/// Set-user-id and set-group-id bits of a mode.
const SET_ID: u16 = 0o6000;

/// Takes from an inode in memory what gives rights. Nothing of it is ever written back.
pub(crate) fn defuse(inode: &mut InodeBlock) {
    inode.set_mode(inode.mode() & !SET_ID);
    if inode.file_type().is_device() {
        inode.set_device(0, 0);
    }
}

/// Whether attributes with this name index are hidden.
pub(crate) fn is_hidden(index: u8) -> bool {
    matches!(index, INDEX_SECURITY | INDEX_TRUSTED)
}

/// Where each directory was reached first: the directory that names it, and which entry there.
#[derive(Debug)]
pub(crate) struct Places(Mutex<HashMap<Ino, (Ino, u64)>>);

impl Default for Places {
    fn default() -> Self {
        Self(Mutex::new(Rank::LEAF, HashMap::new()))
    }
}

impl Places {
    /// Refuses to reach a directory by a second name. The volume does not change, so no name becomes a better one.
    pub(crate) fn check(&self, parent: Ino, entry: &Found) -> Result<()> {
        let here = (parent, entry.position());
        let ino = entry.ino;
        let mut places = self.0.lock();
        if ino != Ino::ROOT && *places.entry(ino).or_insert(here) == here {
            return Ok(());
        }
        Err(Inconsistent::DirNames { ino }.into())
    }
}
