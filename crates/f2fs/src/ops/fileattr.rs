//! The flag word of `FS_IOC_GETFLAGS` and `FS_IOC_SETFLAGS` (kernel: `f2fs_fileattr_get`, `f2fs_fileattr_set`).
//!
//! Most of its bits are those of `i_flags`; some stand for states that F2FS keeps elsewhere and that only show.

use super::attr::{set_compression, set_flags};
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::{Inode, InodeInfo};
use f2fs_format::{Advise, Features, InlineFlags, InodeFlags};
use std::sync::Arc;

const ENCRYPT: u32 = 0x800;
const VERITY: u32 = 0x10_0000;
const NOCOW: u32 = 0x80_0000;
const INLINE_DATA: u32 = 0x1000_0000;
/// States that show and that nobody sets.
const STATES: u32 = ENCRYPT | VERITY | NOCOW | INLINE_DATA | InodeFlags::INDEX.bits();
/// Marks of compression, which have rules of their own.
const COMPRESSION: InodeFlags = InodeFlags::COMPR.union(InodeFlags::NOCOMP);
/// Flags that users set.
const SETTABLE: InodeFlags = super::attr::PLAIN_FLAGS.union(COMPRESSION);

/// The word of an inode.
pub(crate) fn word_of(info: &InodeInfo) -> u32 {
    let inline = InlineFlags::INLINE_DATA | InlineFlags::INLINE_DENTRY;
    let states = [
        (info.advise.contains(Advise::ENCRYPT), ENCRYPT),
        (info.advise.contains(Advise::VERITY), VERITY),
        (info.inline.intersects(inline), INLINE_DATA),
        (info.inline.contains(InlineFlags::PIN_FILE), NOCOW),
    ];
    let shown = info.flags & (SETTABLE | InodeFlags::INDEX);
    let states = states.into_iter().filter(|(is_on, _)| *is_on);
    states.fold(shown.bits(), |word, (_, bit)| word | bit)
}

/// Gives an inode the flags of a whole word. Bits of states are passed over. Whether the caller may set and clear
/// `i` and `a` is the caller's to check.
pub(crate) fn set_word(fs: &Fs, inode: &Arc<Inode>, word: u32) -> Result<()> {
    if word & !(SETTABLE.bits() | STATES) != 0 {
        return Err(Error::Unsupported(format!(
            "the file flags {:#x}",
            word & !(SETTABLE.bits() | STATES)
        )));
    }
    let new = InodeFlags::from_bits_retain(word) & SETTABLE;
    let old = inode.info().flags & SETTABLE;
    check_compression(fs, new)?;
    if (new ^ old).contains(InodeFlags::COMPR) {
        let on = new.contains(InodeFlags::COMPR);
        set_compression(fs, inode, on.then_some(fs.options.compress))?;
    }
    let simple = SETTABLE - InodeFlags::COMPR;
    set_flags(fs, inode, new & simple, simple - new)
}

fn check_compression(fs: &Fs, new: InodeFlags) -> Result<()> {
    if new.intersects(COMPRESSION) && !fs.meta.sb.features.contains(Features::COMPRESSION) {
        let what = "compression on a volume made without it";
        return Err(Error::Unsupported(what.to_owned()));
    }
    if new.contains(COMPRESSION) {
        return Err(Error::Invalid("compressed and never compressed at once"));
    }
    Ok(())
}
