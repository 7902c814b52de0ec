//! Attributes and errors of the engine in FUSE's words.

use f2fs::{Metadata, Timestamp};
use fuser::{Errno, FileAttr, FileType, Generation, INodeNo};
use std::time::{Duration, SystemTime};

/// Bytes of a unit of `st_blocks`.
const SECTOR: u64 = 512;
/// Sectors of `st_blocks` in a block.
const SECTORS_PER_BLOCK: u64 = 8;

/// The node id of an inode: the kernel calls the root 1, whatever number it has on the volume.
pub(crate) fn node_id(ino: u32) -> INodeNo {
    if ino == ROOT_INO {
        INodeNo::ROOT
    } else {
        INodeNo(ino.into())
    }
}

/// The root directory's inode number on every F2FS volume.
pub(crate) const ROOT_INO: u32 = 3;

/// What `stat` shows.
pub(crate) fn file_attr(meta: &Metadata) -> FileAttr {
    FileAttr {
        ino: INodeNo(meta.ino().into()),
        size: meta.len(),
        blocks: meta.blocks() * SECTORS_PER_BLOCK + inline_sectors(meta),
        atime: system_time(meta.accessed()),
        mtime: system_time(meta.modified()),
        ctime: system_time(meta.changed()),
        crtime: system_time(meta.created().unwrap_or(meta.changed())),
        kind: file_type(meta.file_type()),
        perm: meta.mode() & 0o7777,
        nlink: meta.links(),
        uid: meta.uid(),
        gid: meta.gid(),
        rdev: meta
            .device()
            .map_or(0, |(major, minor)| encode_device(major, minor)),
        blksize: 4096,
        flags: 0,
    }
}

/// Sectors that stand for content in the inode block, as in Linux: a file without any would count as one hole
/// (`tar --sparse`).
fn inline_sectors(meta: &Metadata) -> u64 {
    if meta.is_inline() {
        meta.len().div_ceil(SECTOR)
    } else {
        0
    }
}

/// The generation that tells inodes of one number apart.
pub(crate) fn generation(meta: &Metadata) -> Generation {
    Generation(meta.generation().into())
}

/// A type in FUSE's words.
pub(crate) fn file_type(file_type: f2fs::FileType) -> FileType {
    match file_type {
        f2fs::FileType::Regular => FileType::RegularFile,
        f2fs::FileType::Directory => FileType::Directory,
        f2fs::FileType::Symlink => FileType::Symlink,
        f2fs::FileType::CharDevice => FileType::CharDevice,
        f2fs::FileType::BlockDevice => FileType::BlockDevice,
        f2fs::FileType::Fifo => FileType::NamedPipe,
        f2fs::FileType::Socket => FileType::Socket,
    }
}

/// A device number as the FUSE protocol carries it (the kernel's `new_encode_dev`).
fn encode_device(major: u32, minor: u32) -> u32 {
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

/// The inverse of [`encode_device`]: major and minor.
pub(crate) fn decode_device(rdev: u32) -> (u32, u32) {
    (
        (rdev >> 8) & 0xfff,
        (rdev & 0xff) | ((rdev >> 12) & 0xf_ff00),
    )
}

fn system_time(time: Timestamp) -> SystemTime {
    let nanos = Duration::new(0, time.nanos);
    let secs = Duration::from_secs(time.secs.unsigned_abs());
    let base = if time.secs < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(secs)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(secs)
    };
    // A volume may hold seconds that the system cannot count.
    base.and_then(|t| t.checked_add(nanos))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A time of the system as the volume keeps it.
pub(crate) fn timestamp(time: SystemTime) -> Timestamp {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => Timestamp {
            secs: after.as_secs().cast_signed(),
            nanos: after.subsec_nanos(),
        },
        Err(error) => {
            let before = error.duration();
            let borrow = u32::from(before.subsec_nanos() > 0);
            Timestamp {
                // As far back as the volume can count.
                secs: 0i64
                    .checked_sub_unsigned(before.as_secs())
                    .map_or(i64::MIN, |secs| secs.saturating_sub(i64::from(borrow))),
                nanos: borrow * 1_000_000_000 - before.subsec_nanos(),
            }
        }
    }
}

/// The number of an error. Users see only that, so what a number does not tell goes to the log.
pub(crate) fn errno(error: &f2fs::Error) -> Errno {
    use f2fs::Error;
    match error {
        Error::Corrupt(_) | Error::Inconsistent(_) | Error::Cluster { .. } | Error::Device(_) => {
            tracing::error!(%error, "an operation failed");
        }
        Error::Resources(_) => tracing::warn!(%error, "an operation failed"),
        _ => {}
    }
    Errno::from_i32(error.errno())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_come_back() {
        for (major, minor) in [(1, 3), (300, 70_000), (0, 0), (4095, 0xf_ffff)] {
            assert_eq!(decode_device(encode_device(major, minor)), (major, minor));
        }
    }

    #[test]
    fn times_come_back_before_and_after_1970() {
        let near = [
            (0, 0),
            (1, 999_999_999),
            (-1, 1),
            (-2, 0),
            (-5, 500_000_000),
        ];
        let far = [(i64::MIN, 0), (i64::MAX, 0), (-1 << 40, 5), (1 << 40, 5)];
        for (secs, nanos) in near.into_iter().chain(far) {
            let time = Timestamp { secs, nanos };
            assert_eq!(timestamp(system_time(time)), time);
        }
    }
}
