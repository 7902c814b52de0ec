//! Directories: names to inodes.
//!
//! Entries are in the inode block (inline) or in blocks that are read and written like file data. Blocks form
//! hash levels: a name lives in the one bucket of some level that its hash picks.
//!
//! | module | what |
//! |---|---|
//! | [`block`] | one area of entries, wherever it is |
//! | [`lookup`] | finding a name, listing |
//! | [`insert`] | adding, changing, removing an entry |
//!
//! # Locking
//! The caller holds the directory's lock: shared to look, exclusive to change; for changes OP too.

mod block;
mod insert;
mod lookup;

pub(crate) use insert::{init_dots, insert, remove, replace, set_parent, spill};
pub(crate) use lookup::{Found, Listed, is_empty, list, lookup};

use crate::error::{Error, Result};
use crate::inode::Inode;
use f2fs_format::InodeFlags;
use f2fs_format::dentry::NAME_LEN;

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

/// Refuses to change directories whose names this engine cannot hash.
pub(crate) fn check_writable(dir: &Inode) -> Result<()> {
    use f2fs_format::Advise;
    let tree = dir.tree.lock();
    if tree.inode.flags().contains(InodeFlags::CASEFOLD) {
        return Err(Error::Unsupported(
            "changing a case-insensitive directory".to_owned(),
        ));
    }
    if tree.inode.advise().contains(Advise::ENCRYPT) {
        return Err(Error::Unsupported(
            "changing an encrypted directory".to_owned(),
        ));
    }
    Ok(())
}
