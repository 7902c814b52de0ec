//! Operations: the entry points below the public API. Only these take inode locks and make room.
//!
//! | module | what |
//! |---|---|
//! | [`path`] | from a path to an inode |
//! | [`namei`] | create, link, unlink, rename |
//! | [`file`] | read, write, truncate |
//! | [`fallocate`] | reserve, punch, zero, cut out, insert ranges |
//! | [`attr`] | mode, owner, times, flags, attributes |
//! | [`compress`] | what compression saved; files in the other form |
//! | [`handle`] | an inode that stays while it is open |

pub(crate) mod attr;
pub(crate) mod compress;
pub(crate) mod fallocate;
pub(crate) mod file;
pub(crate) mod handle;
pub(crate) mod namei;
pub(crate) mod path;
