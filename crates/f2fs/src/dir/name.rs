//! A name, in the terms of the directory that holds it or is to hold it.

use super::nokey::NoKeyName;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use f2fs_format::casefold::{Rules, fold};
use f2fs_format::dentry::{Dentry, NAME_LEN};
use f2fs_format::hash::dentry_hash;
use f2fs_format::{Advise, Features, InodeFlags};

/// A name to look for or to add.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    name: &'a [u8],
    /// The hash under which a directory keeps it.
    pub(super) hash: u32,
    how: How,
    pub(super) ignores_case: bool,
}

/// How a name is compared with those that are stored.
#[derive(Debug)]
enum How {
    Exact,
    /// With what is left when case is folded.
    Folded(Vec<u8>),
    /// As far as the encrypted names tell.
    NoKey(NoKeyName),
    /// No encrypted name is like that.
    Never,
}

impl<'a> Wanted<'a> {
    /// The name in `dir`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that a strict directory cannot hold.
    pub(super) fn new(fs: &Fs, dir: &Inode, name: &'a [u8]) -> Result<Self> {
        let rules = fold_rules(fs, dir)?;
        let how = if is_dot(name) {
            How::Exact
        } else if is_encrypted(dir) {
            NoKeyName::parse(name).map_or(How::Never, How::NoKey)
        } else {
            match rules.map(|rules| (rules, fold(name))) {
                Some((_, Some(folded))) => How::Folded(folded),
                Some((Rules::Strict, None)) => return Err(Error::Invalid(NO_TEXT)),
                _ => How::Exact,
            }
        };
        let hash = match &how {
            How::Folded(folded) => dentry_hash(folded),
            How::NoKey(no_key) => no_key.hash,
            How::Exact | How::Never => dentry_hash(name),
        };
        Ok(Self {
            name,
            hash,
            how,
            ignores_case: rules.is_some(),
        })
    }

    /// A name as an inode of `dir` keeps it, encrypted where the names of the directory are. `kept_hash` is what the
    /// inode keeps behind an encrypted name that ignores case, since nobody can compute it without the key.
    pub(super) fn stored(fs: &Fs, dir: &Inode, name: &'a [u8], kept_hash: u32) -> Result<Self> {
        if !is_encrypted(dir) {
            super::check_name(name)?;
            return Self::new(fs, dir, name);
        }
        if name.is_empty() || name.len() > NAME_LEN {
            return Err(Error::Invalid("an encrypted name of impossible length"));
        }
        let hash = if fold_rules(fs, dir)?.is_some() {
            kept_hash
        } else {
            dentry_hash(name)
        };
        Ok(Self {
            name,
            hash,
            how: How::Exact,
            ignores_case: false,
        })
    }

    /// Whether an entry has this name.
    pub(super) fn matches(&self, dentry: &Dentry<'_>) -> bool {
        match &self.how {
            How::Exact => dentry.name == self.name,
            How::Folded(folded) => {
                dentry.name == self.name
                    || fold_entry(dentry.name).is_some_and(|form| form == *folded)
            }
            How::NoKey(no_key) => !dentry.is_dot() && no_key.matches(dentry.name),
            How::Never => false,
        }
    }
}

const NO_TEXT: &str =
    "a directory that ignores case takes only names in UTF-8 of at most 254 bytes";

/// Whether the names of a directory are encrypted. The engine never has the key.
pub(super) fn is_encrypted(dir: &Inode) -> bool {
    dir.tree.lock().inode.advise().contains(Advise::ENCRYPT)
}

/// The hash that an entry of a directory that ignores case is to have.
pub(super) fn folded_hash(name: &[u8]) -> u32 {
    dentry_hash(fold_entry(name).as_deref().unwrap_or(name))
}

/// `.` and `..` are what they are everywhere.
fn fold_entry(name: &[u8]) -> Option<Vec<u8>> {
    if is_dot(name) { None } else { fold(name) }
}

fn is_dot(name: &[u8]) -> bool {
    matches!(name, b"." | b"..")
}

/// How a directory that ignores case treats odd names; `None` where case counts.
fn fold_rules(fs: &Fs, dir: &Inode) -> Result<Option<Rules>> {
    let flags = dir.tree.lock().inode.flags();
    if !flags.contains(InodeFlags::CASEFOLD) {
        return Ok(None);
    }
    volume_rules(fs).map(Some)
}

/// The rules of a volume whose directories may ignore case.
pub(super) fn volume_rules(fs: &Fs) -> Result<Rules> {
    let sb = &fs.meta.sb;
    if !sb.features.contains(Features::CASEFOLD) {
        let what = "ignoring case on a volume made without it";
        return Err(Error::Unsupported(what.to_owned()));
    }
    Rules::of(sb).ok_or_else(|| {
        let encoding = sb.encoding;
        Error::Unsupported(format!("ignoring case in encoding {encoding}"))
    })
}
