//! When an fsync needs a checkpoint (kernel: `need_do_checkpoint`).

use crate::dir;
use crate::error::Result;
use crate::fs::{FIRST_EPOCH, Fs};
use crate::inode::Inode;
use crate::node::Tree;
use crate::options::FsyncMode;
use f2fs_format::{Advise, FileType};

/// Why roll-forward would not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Only regular files are found by it.
    NotRegular,
    /// This open volume has made no checkpoint yet.
    NewVolume,
    /// The file has several names, or its inode does not tell which one is its only one.
    Links,
    /// Something of the file changed that its direct nodes do not tell, or it is new and compressed.
    Unfit,
    /// Recovery would find no room, or there is none for the nodes.
    Room,
    /// The chain has become long.
    LongChain,
    /// The directory is new itself.
    NewParent,
    /// Attributes of the directory changed, which the file may have inherited.
    ParentXattrs,
    /// The name belonged to another file, which still exists.
    Name,
}

/// The first reason there is. `is_unnamed`: the last checkpoint does not have the file, so its name is to be recovered.
///
/// Beyond the kernel's rules is [`Reason::Name`], which the kernel keeps only as part of its strict mode. Compressed
/// files need a checkpoint only where their compressed clusters changed ([`Tree::note_unfit`]): a chain that leaves the
/// form of all clusters as it was, the kernel recovers too.
pub(super) fn reason(
    fs: &Fs,
    inode: &Inode,
    tree: &Tree,
    is_unnamed: bool,
) -> Result<Option<Reason>> {
    let block = &tree.inode;
    if inode.file_type != FileType::Regular {
        return Ok(Some(Reason::NotRegular));
    }
    if fs.epoch() == FIRST_EPOCH {
        return Ok(Some(Reason::NewVolume));
    }
    if block.links() != 1 || block.advise().contains(Advise::LOST_PINO) {
        return Ok(Some(Reason::Links));
    }
    // The kernel's recovery makes a new inode without its attributes of compression, refuses it, and gives up.
    if tree.is_unfit(fs) || (is_unnamed && block.is_compressed()) {
        return Ok(Some(Reason::Unfit));
    }
    if !fs.meta.space.has_room_for_roll_forward() {
        return Ok(Some(Reason::Room));
    }
    if fs.fsyncs.is_long() {
        return Ok(Some(Reason::LongChain));
    }
    // A directory that is not in memory did not change.
    let Some(parent) = fs.inodes.peek(block.pino()) else {
        return Ok(None);
    };
    by_parent(fs, &parent, block.name(), is_unnamed)
}

fn by_parent(fs: &Fs, parent: &Inode, name: &[u8], is_unnamed: bool) -> Result<Option<Reason>> {
    let now = fs.epoch();
    if parent.epochs.made.is(now) {
        return Ok(Some(Reason::NewParent));
    }
    if parent.epochs.xattrs.is(now) {
        return Ok(Some(Reason::ParentXattrs));
    }
    let is_strict = fs.options.fsync_mode == FsyncMode::Strict;
    if is_unnamed
        && (is_strict && parent.epochs.names.is(now)
            || fs
                .vacated
                .contains(parent.ino, dir::hash_of(fs, parent, name)?))
    {
        return Ok(Some(Reason::Name));
    }
    Ok(None)
}
