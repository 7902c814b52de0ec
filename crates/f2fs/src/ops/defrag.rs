//! Files written anew so that they lie in fewer pieces (kernel: `f2fs_defragment_range`).
//!
//! A file is looked at stretch by stretch; others read and write it in between. A stretch moves if it lies in more
//! runs than segments would hold it in, and if the log that takes its blocks would write it in fewer than it has. So
//! what was done once is not done again, and a volume whose free space is as torn as the file is left alone.

use super::file::check_regular;
use crate::data::defrag::{self, STRETCH, Stretch};
use crate::data::flush::flush_pages;
use crate::data::layout::{LayoutSummary, Walk};
use crate::data::{inline, policy};
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use f2fs_format::{Advise, InlineFlags, InodeFlags};
use std::ops::Range;
use std::sync::Arc;

/// Whether a file is written anew, or only looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defragment {
    /// Write what is fragmented.
    Write,
    /// Tell what would be written.
    Plan,
}

/// Why a file, or what is fragmented of it, stays where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftAlone {
    /// Its saved blocks were given back, so it takes no writes.
    Released,
    /// It is pinned to its blocks.
    Pinned,
    /// It is sealed by fs-verity.
    Sealed,
    /// It is immutable.
    Immutable,
    /// It is encrypted, and the key is not there.
    Encrypted,
    /// Its bytes are in its inode.
    Inline,
    /// The free space does not hold it in fewer runs.
    NoRoom,
}

impl LeftAlone {
    /// The reason in a few words.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Released => "its saved blocks were released",
            Self::Pinned => "pinned to its blocks",
            Self::Sealed => "sealed by fs-verity",
            Self::Immutable => "immutable",
            Self::Encrypted => "encrypted, and the key is not there",
            Self::Inline => "its bytes are in its inode",
            Self::NoRoom => "the free space does not hold it in fewer runs",
        }
    }
}

/// What was done with a file, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Defragmented {
    /// How it lay before.
    pub before: LayoutSummary,
    /// Runs on the device afterwards; for a plan, as expected.
    pub runs_after: u64,
    /// Blocks on the device that were written anew, or would be.
    pub moved_blocks: u64,
    /// Bytes of the file in them.
    pub moved_len: u64,
    /// Why something fragmented stays as it is. None if nothing does.
    pub left: Option<LeftAlone>,
}

/// Writes the fragmented parts of a range of bytes anew, or tells what that would do. Content, times and the form of
/// clusters stay.
///
/// # Errors
/// `Invalid` for what is no regular file; `ReadOnly` and the device's. The file is whole then.
pub(crate) fn defragment(
    fs: &Fs,
    inode: &Arc<Inode>,
    range: Range<u64>,
    how: Defragment,
) -> Result<Defragmented> {
    check_regular(inode)?;
    if how == Defragment::Write {
        fs.check_writable()?;
        flush_pages(fs, inode, 0..u64::MAX)?;
    }
    let before = summary(fs, inode)?;
    let mut done = Defragmented {
        before,
        runs_after: before.runs,
        ..Defragmented::default()
    };
    let clusters = inode.clusters().map_or(1, |c| c.blocks);
    let mut at = range.start / iomap::BLOCK_SIZE / clusters * clusters;
    let end = range.end.div_ceil(iomap::BLOCK_SIZE);
    let end = end.next_multiple_of(clusters);
    // The block on the device behind the file's last one before `at`, if that one stays where it is.
    let mut stays = {
        let _shared = inode.rwsem.read();
        let is_inline = inline::is_inline(&inode.tree.lock());
        if is_inline {
            None
        } else {
            defrag::end_before(fs, inode, at)?
        }
    };
    while at < end {
        let Some(step) = step(fs, inode, at..end, stays, how)? else {
            break;
        };
        match step {
            Step::Left(reason) => {
                done.left = Some(reason);
                break;
            }
            Step::Stays(stretch, reason) => {
                done.left = done.left.or(reason);
                stays = stretch.end_on_device();
                at = stretch.next;
            }
            Step::Moved(stretch, runs) => {
                done.moved_blocks += stretch.stored();
                done.moved_len += stretch.len_bytes();
                done.runs_after = (done.runs_after + runs).saturating_sub(stretch.runs());
                stays = None;
                at = stretch.next;
            }
        }
    }
    if how == Defragment::Write && done.moved_blocks > 0 {
        done.runs_after = summary(fs, inode)?.runs;
    }
    Ok(done)
}

/// What became of a stretch.
enum Step {
    /// Nothing of the file moves.
    Left(LeftAlone),
    /// It stays: it lies well enough, or cannot lie better.
    Stays(Stretch, Option<LeftAlone>),
    /// It moved, or would, into so many runs more than those it has.
    Moved(Stretch, u64),
}

/// Looks at the first stretch of some blocks, and writes it anew if that helps.
fn step(
    fs: &Fs,
    inode: &Arc<Inode>,
    blocks: Range<u64>,
    stays: Option<u32>,
    how: Defragment,
) -> Result<Option<Step>> {
    if how == Defragment::Write {
        fs.check_writable()?;
        fs.balance()?;
        match fs.check_room(STRETCH.min(inode.info().blocks)) {
            Err(Error::NoSpace) => return Ok(Some(Step::Left(LeftAlone::NoRoom))),
            made => made?,
        }
    }
    let _alone = inode.rwsem.write();
    // Anything may have happened to the file since the last stretch.
    if let Some(reason) = left_alone(inode) {
        return Ok(Some(Step::Left(reason)));
    }
    if how == Defragment::Write {
        flush_pages(fs, inode, 0..u64::MAX)?;
    }
    let Some(stretch) = defrag::next_stretch(fs, inode, blocks.start, blocks.end)? else {
        return Ok(None);
    };
    if !stretch.is_fragmented() {
        return Ok(Some(Step::Stays(stretch, None)));
    }
    let log = policy::data_log(&inode.tree.lock().inode);
    let outlook = fs.meta.segments.outlook(log, stretch.stored());
    let Some(runs) = outlook.map(|runs| runs + stretch.cuts(stays)) else {
        return Ok(Some(Step::Stays(stretch, Some(LeftAlone::NoRoom))));
    };
    if runs >= stretch.runs() {
        return Ok(Some(Step::Stays(stretch, Some(LeftAlone::NoRoom))));
    }
    if how == Defragment::Write {
        defrag::rewrite(fs, inode, &stretch)?;
    }
    Ok(Some(Step::Moved(stretch, runs)))
}

fn left_alone(inode: &Inode) -> Option<LeftAlone> {
    let tree = inode.tree.lock();
    let (advise, inline) = (tree.inode.advise(), tree.inode.inline());
    if inline::is_inline(&tree) {
        Some(LeftAlone::Inline)
    } else if tree.inode.flags().contains(InodeFlags::IMMUTABLE) {
        Some(LeftAlone::Immutable)
    } else if advise.contains(Advise::VERITY) {
        Some(LeftAlone::Sealed)
    } else if inline.contains(InlineFlags::PIN_FILE) {
        Some(LeftAlone::Pinned)
    } else if tree.is_released() {
        Some(LeftAlone::Released)
    } else if advise.contains(Advise::ENCRYPT) {
        Some(LeftAlone::Encrypted)
    } else {
        None
    }
}

/// How a whole file lies.
fn summary(fs: &Fs, inode: &Arc<Inode>) -> Result<LayoutSummary> {
    let mut walk = Walk::default();
    let mut summary = LayoutSummary::default();
    loop {
        let _shared = inode.rwsem.read();
        match walk.next(fs, inode)? {
            Some(extent) => summary.add(&extent),
            None => return Ok(summary),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FormatOptions, OpenOptions, Volume, VolumeOptions};
    use blockdev::MemDevice;
    use f2fs_format::Nid;

    #[test]
    fn files_that_must_not_move_say_why() {
        let device = Arc::new(MemDevice::new(64 << 20));
        let format = FormatOptions::new(64 << 20);
        let volume = Volume::create_on(device, &format, &VolumeOptions::default()).unwrap();
        let options = OpenOptions::new().write(true).create(true);
        let file = volume.open_with("/f", &options).unwrap();
        file.write_all_at(0, &[1; 10_000]).unwrap();
        let fs = volume.fs();
        let inode = fs.inodes.peek(Nid::new(file.metadata().ino())).unwrap();
        assert_eq!(left_alone(&inode), None);
        let told = |reason| {
            let done = file.defragment(0..u64::MAX).unwrap();
            assert_eq!((done.left, done.moved_blocks), (Some(reason), 0));
        };
        let set = |inline: InlineFlags, advise: Advise| {
            let mut tree = inode.tree.lock();
            tree.inode_mut().set_inline(inline);
            tree.inode_mut().set_advise(advise);
        };
        let (inline, advise) = {
            let tree = inode.tree.lock();
            (tree.inode.inline(), tree.inode.advise())
        };
        set(inline | InlineFlags::PIN_FILE, advise);
        told(LeftAlone::Pinned);
        set(inline, advise | Advise::VERITY);
        told(LeftAlone::Sealed);
        set(inline, advise | Advise::ENCRYPT);
        told(LeftAlone::Encrypted);
        set(inline, advise);
        assert_eq!(file.defragment(0..u64::MAX).unwrap().left, None);
    }
}
