//! Operations: the entry points below the public API. Only these take inode locks and make room.
//!
//! | module | what |
//! |---|---|
//! | [`path`] | from a path to an inode |
//! | [`namei`] | create, link, unlink, rename |
//! | [`exchange`] | two names change places |
//! | [`tmpfile`] | files without a name |
//! | [`file`] | read, write, truncate |
//! | [`fallocate`] | reserve, punch, zero, cut out, insert ranges |
//! | [`attr`] | mode, owner, times, flags, attributes |
//! | [`privileges`] | set-id bits and capabilities that end |
//! | [`fileattr`] | the system's word of flags |
//! | [`access_time`] | when reading changes it |
//! | [`extents`] | where the bytes of files lie |
//! | [`compress`] | what compression saved; files in the other form |
//! | [`defrag`] | files in fewer pieces |
//! | [`map`] | what the segments hold, for a picture |
//! | [`handle`] | an inode that stays while it is open |

pub(crate) mod access_time;
pub(crate) mod attr;
pub(crate) mod compress;
pub(crate) mod defrag;
pub(crate) mod exchange;
pub(crate) mod extents;
pub(crate) mod fallocate;
pub(crate) mod file;
pub(crate) mod fileattr;
pub(crate) mod handle;
pub(crate) mod map;
pub(crate) mod namei;
pub(crate) mod path;
pub(crate) mod privileges;
pub(crate) mod recompress;
pub(crate) mod tmpfile;

#[cfg(test)]
mod tests;
