//! Answers in FUSE's words, and how long the kernel may keep them.

use crate::attr::{file_attr, generation};
use f2fs::{Metadata, Node, Space};
use fuser::{
    Errno, FileAttr, FileHandle, FopenFlags, Generation, ReplyAttr, ReplyCreate, ReplyEmpty,
    ReplyEntry, ReplyXattr,
};
use std::time::Duration;

/// What an operation answers.
pub(crate) type Answer<T> = Result<T, Errno>;

/// How long the kernel may keep what it was told: nothing changes behind its back.
pub(crate) const TTL: Duration = Duration::from_hours(24);

/// How long attributes may be kept. A compressed file that gives back what it saves does so when nobody uses it.
pub(crate) fn attr_ttl(meta: &Metadata, space: Space) -> Duration {
    if space == Space::Release && meta.is_file() && meta.compression().is_some() {
        Duration::ZERO
    } else {
        TTL
    }
}

/// What goes with an inode in most answers.
pub(crate) struct Told {
    pub(crate) attr: FileAttr,
    pub(crate) attr_ttl: Duration,
    pub(crate) generation: Generation,
    /// How long the name may be kept. The kernel knows one spelling of it; in a directory that ignores case another
    /// may take it away.
    pub(crate) name_ttl: Duration,
}

impl Told {
    pub(crate) fn of(meta: &Metadata, parent: &Node, space: Space) -> Self {
        Self {
            attr: file_attr(meta),
            attr_ttl: attr_ttl(meta, space),
            generation: generation(meta),
            name_ttl: name_ttl(parent),
        }
    }
}

pub(crate) fn name_ttl(parent: &Node) -> Duration {
    if parent.ignores_case() {
        Duration::ZERO
    } else {
        TTL
    }
}

/// Answers with a list or a value of an attribute, or with its size alone.
pub(crate) fn answer_sized(reply: ReplyXattr, size: u32, value: Answer<Vec<u8>>) {
    match value {
        Err(error) => reply.error(error),
        Ok(value) if size == 0 => reply.size(value.len() as u32),
        Ok(value) if value.len() > size as usize => reply.error(Errno::ERANGE),
        Ok(value) => reply.data(&value),
    }
}

pub(crate) fn answer_empty(reply: ReplyEmpty, result: Answer<()>) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

pub(crate) fn answer_entry(reply: ReplyEntry, result: Answer<Told>) {
    match result {
        Ok(told) => {
            reply.entry_with_ttls(&told.attr_ttl, &told.name_ttl, &told.attr, told.generation);
        }
        Err(error) => reply.error(error),
    }
}

pub(crate) fn answer_attr(reply: ReplyAttr, space: Space, result: Answer<Metadata>) {
    match result {
        Ok(meta) => reply.attr(&attr_ttl(&meta, space), &file_attr(&meta)),
        Err(error) => reply.error(error),
    }
}

pub(crate) fn answer_created(
    reply: ReplyCreate,
    flags: FopenFlags,
    result: Answer<(Told, FileHandle)>,
) {
    match result {
        Ok((told, fh)) => reply.created(&told.name_ttl, &told.attr, told.generation, fh, flags),
        Err(error) => reply.error(error),
    }
}
