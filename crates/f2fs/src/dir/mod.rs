//! Directories: names to inodes.
//!
//! Entries are in the inode block (inline) or in blocks that are read and written like file data. Blocks form
//! hash levels: a name lives in the one bucket of some level that its hash picks.
//!
//! | module | what |
//! |---|---|
//! | [`block`] | one area of entries, wherever it is |
//! | [`name`] | a name in the terms of its directory: hash, case |
//! | [`nokey`] | names of encrypted directories without their key |
//! | [`lookup`], [`list`](mod@list) | finding a name, listing |
//! | [`insert`](mod@insert) | adding, changing, removing an entry |
//! | [`spill`] | from the inode block to blocks |
//!
//! # Locking
//! The caller holds the directory's lock: shared to look, exclusive to change; for changes OP too.

mod block;
mod insert;
mod list;
mod lookup;
mod name;
mod nokey;
mod spill;
#[cfg(test)]
mod tests;

pub(crate) use insert::{init_dots, insert, insert_stored, remove, replace, set_parent};
pub(crate) use list::{Listed, list};
pub(crate) use lookup::{Found, hash_of, is_empty, lookup, lookup_stored};
pub(crate) use nokey::{link_len, of_link};
pub(crate) use spill::spill;

use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use f2fs_format::dentry::NAME_LEN;
use std::sync::Arc;

/// Refuses names that no directory may hold.
pub(crate) fn check_name(name: &[u8]) -> Result<()> {
    if name.is_empty() || name == b"." || name == b".." {
        return Err(Error::Invalid("a file cannot have this name"));
    }
    if name.len() > NAME_LEN {
        return Err(Error::NameTooLong);
    }
    if name.contains(&b'/') || name.contains(&0) {
        return Err(Error::Invalid("a name holds neither '/' nor NUL"));
    }
    Ok(())
}

/// Refuses to turn a directory into one that ignores case, or back, if its names would be hashed wrong then.
pub(crate) fn check_case_change(fs: &Fs, dir: &Arc<Inode>) -> Result<()> {
    name::volume_rules(fs)?;
    if is_empty(fs, dir)? {
        Ok(())
    } else {
        Err(Error::NotEmpty)
    }
}
