//! Access times (kernel: `touch_atime`).
//!
//! A read changes the inode in memory only; the next checkpoint writes it. It never asks for one: where room or
//! memory for one more dirty inode is short, the time stays as it was.

use crate::fs::Fs;
use crate::inode::{Inode, InodeInfo, to_disk};
use crate::options::Atime;
use f2fs_format::InodeFlags;
use runtime::clock::Timestamp;
use std::sync::Arc;

/// After so many seconds a read counts even if nothing changed since the last.
const DAY: i64 = 24 * 60 * 60;

/// Notes that an open inode was read. The caller holds its lock, at least shared, and not OP.
pub(crate) fn note_access(fs: &Fs, inode: &Arc<Inode>) {
    if fs.options.atime == Atime::Noatime || fs.check_writable().is_err() {
        return;
    }
    let now = fs.now();
    if !is_due(fs.options.atime, &inode.info(), now) || !fs.has_room_for_inode() {
        return;
    }
    let _op = fs.start_op();
    inode.tree.lock().times_mut().set_atime(to_disk(now));
    fs.note_dirty(inode);
}

/// Whether a read now changes the access time (kernel: `relatime_need_update`).
fn is_due(rule: Atime, info: &InodeInfo, now: Timestamp) -> bool {
    let last = info.accessed;
    if info.flags.contains(InodeFlags::NOATIME) {
        return false;
    }
    match rule {
        Atime::Noatime => false,
        Atime::Strictatime => last != now,
        Atime::Relatime => {
            last <= info.modified
                || last <= info.changed
                || now.secs.saturating_sub(last.secs) >= DAY
        }
    }
}
