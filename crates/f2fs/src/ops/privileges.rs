//! Privileges of a file that end when its owner or its content changes (kernel: `ATTR_KILL_SUID`, `ATTR_KILL_SGID`,
//! `security_inode_killpriv`).
//!
//! A change of owner takes them always, by itself. Whether a write or a truncation takes them depends on who writes,
//! which only the caller knows: Linux takes the capability from everybody, the set-id bits from whoever lacks
//! `CAP_FSETID`.

use super::attr::change;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use crate::node::Tree;
use crate::xattr::{self, SetXattr};
use f2fs_format::xattr::INDEX_SECURITY;
use std::sync::Arc;

const S_ISUID: u16 = 0o4000;
const S_ISGID: u16 = 0o2000;
const S_IXGRP: u16 = 0o0010;
const CAPABILITY: (u8, &[u8]) = (INDEX_SECURITY, b"capability");

/// Which privileges end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privileges {
    /// The capability: a write or truncation by anybody.
    Capability,
    /// The set-id bits too: a write or truncation by an unprivileged user.
    All,
}

/// Takes privileges from a file, if it has any. Directories keep theirs.
pub(crate) fn kill_privileges(fs: &Fs, inode: &Arc<Inode>, what: Privileges) -> Result<()> {
    let needs_it = !inode.is_dir() && has_any(fs, &mut inode.tree.lock(), what)?;
    if needs_it {
        change(fs, inode, |tree| kill(fs, tree, what))?;
    }
    Ok(())
}

fn has_any(fs: &Fs, tree: &mut Tree, what: Privileges) -> Result<bool> {
    let mode = tree.inode.mode();
    if what == Privileges::All && without_set_id(mode) != mode {
        return Ok(true);
    }
    // A write asks each time; most files have no attributes at all.
    if xattr::is_none(tree) {
        return Ok(false);
    }
    let entries = xattr::load(fs, tree)?;
    Ok(entries
        .iter()
        .any(|entry| (entry.index, &entry.name[..]) == CAPABILITY))
}

/// Takes privileges within an operation.
pub(super) fn kill(fs: &Fs, tree: &mut Tree, what: Privileges) -> Result<()> {
    match xattr::change(fs, tree, CAPABILITY, None, SetXattr::Any) {
        Ok(()) | Err(Error::NoAttribute) => {}
        Err(error) => return Err(error),
    }
    let mode = tree.inode.mode();
    if what == Privileges::All && without_set_id(mode) != mode {
        tree.inode_mut().set_mode(without_set_id(mode));
    }
    Ok(())
}

/// A mode without its set-id bits. Where the group may not execute, its bit says something else and stays.
fn without_set_id(mode: u16) -> u16 {
    let group = if mode & S_IXGRP == 0 { 0 } else { S_ISGID };
    mode & !(S_ISUID | group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_bit_stays_without_execution() {
        assert_eq!(without_set_id(0o106_755), 0o100_755);
        assert_eq!(without_set_id(0o106_745), 0o102_745);
        assert_eq!(without_set_id(0o101_644), 0o101_644);
    }
}
