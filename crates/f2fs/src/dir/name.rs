//! A name, in the terms of the directory that holds it or is to hold it.

use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use f2fs_format::casefold::{Rules, fold};
use f2fs_format::dentry::Dentry;
use f2fs_format::hash::dentry_hash;
use f2fs_format::{Features, InodeFlags};

/// A name to look for or to add.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    name: &'a [u8],
    /// The hash under which a directory keeps it.
    pub(super) hash: u32,
    /// Where the directory ignores case: the folded form, if the name has one.
    folded: Option<Vec<u8>>,
    pub(super) ignores_case: bool,
}

impl<'a> Wanted<'a> {
    /// The name in `dir`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that a strict directory cannot hold.
    pub(super) fn new(fs: &Fs, dir: &Inode, name: &'a [u8]) -> Result<Self> {
        let rules = fold_rules(fs, dir)?;
        let folded = rules.and_then(|_| fold_entry(name));
        if rules == Some(Rules::Strict) && folded.is_none() && !is_dot(name) {
            return Err(Error::Invalid(
                "the directory ignores case and takes only names in the UTF-8 of Unicode 12.1",
            ));
        }
        Ok(Self {
            name,
            hash: dentry_hash(folded.as_deref().unwrap_or(name)),
            folded,
            ignores_case: rules.is_some(),
        })
    }

    /// Whether an entry has this name.
    pub(super) fn matches(&self, dentry: &Dentry<'_>) -> bool {
        dentry.name == self.name || self.folded.is_some() && fold_entry(dentry.name) == self.folded
    }
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
