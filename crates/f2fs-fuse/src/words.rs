//! Numbers of system calls in the engine's words.

use crate::answer::Answer;
use crate::attr::timestamp;
use f2fs::{Fallocate, NewNode, OpenOptions, Privileges, RenameMode, SetXattr};
use fuser::{Errno, RenameFlags, Request, TimeOrNow};
use std::ffi::OsStr;
use std::time::SystemTime;

const XATTR_CREATE: i32 = 1;
const XATTR_REPLACE: i32 = 2;

/// What a change of content takes from a file: the capability always, the set-id bits if the kernel says so.
pub(crate) fn killed(by_user: bool) -> Privileges {
    if by_user {
        Privileges::All
    } else {
        Privileges::Capability
    }
}

pub(crate) fn new_node(
    req: &Request,
    file_type: f2fs::FileType,
    mode: u32,
    umask: u32,
) -> NewNode<'static> {
    NewNode {
        file_type,
        permissions: (mode & 0o7777) as u16,
        umask: (umask & 0o777) as u16,
        uid: req.uid(),
        gid: req.gid(),
        device: None,
        target: b"",
    }
}

/// Attribute names are text; no attribute of a volume has another name.
pub(crate) fn attribute(name: &OsStr) -> Answer<&str> {
    name.to_str().ok_or(Errno::EOPNOTSUPP)
}

pub(crate) fn time_of(time: TimeOrNow) -> f2fs::Timestamp {
    timestamp(match time {
        TimeOrNow::SpecificTime(time) => time,
        TimeOrNow::Now => SystemTime::now(),
    })
}

/// The kernel's flags of fallocate(2): keep size 1, punch 2, collapse 8, zero 16, insert 32.
pub(crate) fn fallocate_mode(mode: i32) -> Option<Fallocate> {
    Some(match mode {
        0 => Fallocate::Allocate,
        1 => Fallocate::AllocateKeepSize,
        3 => Fallocate::PunchHole,
        8 => Fallocate::CollapseRange,
        16 => Fallocate::ZeroRange,
        17 => Fallocate::ZeroRangeKeepSize,
        32 => Fallocate::InsertRange,
        _ => return None,
    })
}

pub(crate) fn rename_mode(req: &Request, flags: RenameFlags) -> Answer<RenameMode> {
    let no_replace = flags.contains(RenameFlags::RENAME_NOREPLACE);
    let exchange = flags.contains(RenameFlags::RENAME_EXCHANGE);
    let whiteout = flags.contains(RenameFlags::RENAME_WHITEOUT);
    match (exchange, whiteout, no_replace) {
        (true, false, false) => Ok(RenameMode::Exchange),
        (true, _, _) => Err(Errno::EINVAL),
        (false, true, no_replace) => Ok(RenameMode::Whiteout {
            no_replace,
            uid: req.uid(),
            gid: req.gid(),
        }),
        (false, false, true) => Ok(RenameMode::NoReplace),
        (false, false, false) => Ok(RenameMode::Replace),
    }
}

/// Flags of setxattr(2).
pub(crate) fn set_xattr_mode(flags: i32) -> Answer<SetXattr> {
    match flags & (XATTR_CREATE | XATTR_REPLACE) {
        0 => Ok(SetXattr::Any),
        XATTR_CREATE => Ok(SetXattr::Create),
        XATTR_REPLACE => Ok(SetXattr::Replace),
        _ => Err(Errno::EINVAL),
    }
}

/// Whether flags of open(2) ask for writing.
pub(crate) fn asks_for_writing(flags: i32) -> bool {
    const O_ACCMODE: i32 = 0o3;
    flags & O_ACCMODE != 0
}

/// How a file is opened. With `O_SYNC` and `O_DSYNC` the engine makes each write durable: the kernel asks for it with
/// an fsync, too, which finds nothing to do then, but not with `direct_io`, nor after `copy_file_range`.
pub(crate) fn open_options(flags: i32) -> OpenOptions {
    const O_DSYNC: i32 = 0o10_000;
    const O_SYNC: i32 = 0o4_010_000;
    let options = OpenOptions::new().read(true).write(asks_for_writing(flags));
    if flags & O_SYNC == O_SYNC {
        options.sync(true)
    } else {
        options.data_sync(flags & O_DSYNC != 0)
    }
}

/// Whether flags of open(2) let a file only grow.
pub(crate) fn appends(flags: i32) -> bool {
    const O_TRUNC: i32 = 0o1000;
    const O_APPEND: i32 = 0o2000;
    flags & O_APPEND != 0 && flags & O_TRUNC == 0
}
