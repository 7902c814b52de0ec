//! The ioctls that FUSE can carry: flags (`lsattr`, `chattr`), project ids, FITRIM (`fstrim`), and those of F2FS
//! (`f2fs_io`) for compressed files, for files in pieces and for cleaning.
//!
//! The kernel has checked who may ask. FIEMAP is answered by the kernel itself, with EOPNOTSUPP.

use crate::attr::errno;
use f2fs::{
    CompressAlgorithm, FileType, GcOptions, InodeFlags, LeftAlone, Node, Recompress, Volume,
};
use fuser::Errno;

const FS_IOC_GETFLAGS: u32 = 0x8008_6601;
const FS_IOC_SETFLAGS: u32 = 0x4008_6602;
const FS_IOC_GETVERSION: u32 = 0x8008_7601;
const FS_IOC_FSGETXATTR: u32 = 0x801c_581f;
const FS_IOC_FSSETXATTR: u32 = 0x401c_5820;
const FS_IOC_GETFSLABEL: u32 = 0x8100_9431;
const FITRIM: u32 = 0xc018_5879;
const F2FS_IOC_WRITE_CHECKPOINT: u32 = 0xf507;
const F2FS_IOC_GARBAGE_COLLECT: u32 = 0x4004_f506;
const F2FS_IOC_DEFRAGMENT: u32 = 0xc010_f508;
const F2FS_IOC_GET_COMPRESS_BLOCKS: u32 = 0x8008_f511;
const F2FS_IOC_RELEASE_COMPRESS_BLOCKS: u32 = 0x8008_f512;
const F2FS_IOC_RESERVE_COMPRESS_BLOCKS: u32 = 0x8008_f513;
const F2FS_IOC_GET_COMPRESS_OPTION: u32 = 0x8002_f515;
const F2FS_IOC_SET_COMPRESS_OPTION: u32 = 0x4002_f516;
const F2FS_IOC_DECOMPRESS_FILE: u32 = 0xf517;
const F2FS_IOC_COMPRESS_FILE: u32 = 0xf518;
const F2FS_IOC_GET_FEATURES: u32 = 0x8004_f50c;
/// Ours; see docs/compression.md.
const F2FS_IOC_RECOMPRESS_FILE: u32 = runtime::ioctl::RECOMPRESS_NUMBER;

/// The bits of `fsx_xflags` and the inode flags behind them.
const XFLAGS: [(u32, InodeFlags); 6] = [
    (0x8, InodeFlags::IMMUTABLE),
    (0x10, InodeFlags::APPEND),
    (0x20, InodeFlags::SYNC),
    (0x40, InodeFlags::NOATIME),
    (0x80, InodeFlags::NODUMP),
    (0x200, InodeFlags::PROJINHERIT),
];

/// Bytes of a block.
const BLOCK_BYTES: u64 = 4096;
/// No file of the format is longer, in bytes.
const FILE_MAX: u64 = (923 + 2 * 1018 + 2 * 1018 * 1018 + 1018 * 1018 * 1018) * 4096;

/// Bytes of `struct fsxattr`.
const FSXATTR_LEN: usize = 28;

type Answer = Result<Vec<u8>, Errno>;

/// What the kernel does not check of those who ask F2FS's own ioctls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) is_root: bool,
    /// Whether the file was opened for writing.
    pub(crate) writes: bool,
    /// Whether others have it open for writing.
    pub(crate) has_other_writers: bool,
}

impl Caller {
    fn check(self, cmd: u32) -> Result<(), Errno> {
        match cmd {
            F2FS_IOC_WRITE_CHECKPOINT | F2FS_IOC_GARBAGE_COLLECT | F2FS_IOC_DEFRAGMENT | FITRIM
                if !self.is_root =>
            {
                Err(Errno::EPERM)
            }
            F2FS_IOC_RELEASE_COMPRESS_BLOCKS
            | F2FS_IOC_RESERVE_COMPRESS_BLOCKS
            | F2FS_IOC_SET_COMPRESS_OPTION
            | F2FS_IOC_DECOMPRESS_FILE
            | F2FS_IOC_COMPRESS_FILE
            | F2FS_IOC_RECOMPRESS_FILE
                if !self.writes =>
            {
                Err(Errno::EBADF)
            }
            F2FS_IOC_RELEASE_COMPRESS_BLOCKS | F2FS_IOC_SET_COMPRESS_OPTION
                if self.has_other_writers =>
            {
                Err(Errno::EBUSY)
            }
            _ => Ok(()),
        }
    }
}

/// Runs one ioctl with the caller's bytes; as many bytes of its answer as the caller takes.
pub(crate) fn run(
    volume: &Volume,
    node: &Node,
    caller: Caller,
    cmd: u32,
    (input, out_size): (&[u8], usize),
) -> Answer {
    caller.check(cmd)?;
    let answer = match cmd {
        FS_IOC_GETFLAGS => Ok(u64::from(node.metadata().flag_word())
            .to_le_bytes()
            .to_vec()),
        FS_IOC_SETFLAGS => done(node.set_flag_word(word(input, 0)?)),
        FS_IOC_GETVERSION => Ok(u64::from(node.metadata().generation())
            .to_le_bytes()
            .to_vec()),
        FS_IOC_FSGETXATTR => Ok(fsxattr(node)),
        FS_IOC_FSSETXATTR => set_fsxattr(node, input),
        FS_IOC_GETFSLABEL => Ok(label(volume)),
        F2FS_IOC_GET_FEATURES => {
            let features = volume.info().super_block.features.bits();
            Ok(features.to_le_bytes().to_vec())
        }
        FITRIM => fitrim(volume, input),
        F2FS_IOC_WRITE_CHECKPOINT => done(volume.sync()),
        F2FS_IOC_GARBAGE_COLLECT => collect(volume),
        F2FS_IOC_DEFRAGMENT => defragment(node, input),
        F2FS_IOC_GET_COMPRESS_BLOCKS => count(node.saved_blocks()),
        F2FS_IOC_RELEASE_COMPRESS_BLOCKS => count(node.release_saved()),
        F2FS_IOC_RESERVE_COMPRESS_BLOCKS => count(node.reserve_saved()),
        F2FS_IOC_GET_COMPRESS_OPTION => match node.compress_option() {
            Ok((algorithm, log_size)) => Ok(vec![algorithm as u8, log_size]),
            Err(error) => Err(errno(&error)),
        },
        F2FS_IOC_SET_COMPRESS_OPTION => set_compress_option(node, input),
        F2FS_IOC_DECOMPRESS_FILE => done(node.decompress()),
        F2FS_IOC_COMPRESS_FILE => done(node.compress()),
        F2FS_IOC_RECOMPRESS_FILE => recompress(node, input),
        _ => Err(Errno::ENOTTY),
    }?;
    // FS_IOC_GETFLAGS is declared with a long but used with an int.
    Ok(answer[..answer.len().min(out_size)].to_vec())
}

/// Cleans one section. Whoever asks for more asks until nothing is left.
fn collect(volume: &Volume) -> Answer {
    match volume.gc_section(GcOptions::default()) {
        Ok(true) => Ok(Vec::new()),
        Ok(false) => Err(Errno::ENODATA),
        Err(error) => Err(errno(&error)),
    }
}

/// The answer of an ioctl that gives nothing back.
fn done(result: f2fs::Result<()>) -> Answer {
    match result {
        Ok(()) => Ok(Vec::new()),
        Err(error) => Err(errno(&error)),
    }
}

/// The answer of an ioctl that gives a number of blocks.
fn count(result: f2fs::Result<u64>) -> Answer {
    match result {
        Ok(count) => Ok(count.to_le_bytes().to_vec()),
        Err(error) => Err(errno(&error)),
    }
}

/// `struct f2fs_comp_option`: algorithm, logarithm of the cluster size.
fn set_compress_option(node: &Node, input: &[u8]) -> Answer {
    let &[algorithm, log_size, ..] = input else {
        return Err(Errno::EINVAL);
    };
    let algorithm = CompressAlgorithm::from_raw(algorithm).ok_or(Errno::EINVAL)?;
    done(node.set_compress_option(algorithm, log_size))
}

/// `struct f2fs_defragment`: start and length in bytes; the answer has the bytes that were written anew. EAGAIN says,
/// as in the kernel, that the free space does not hold them any better.
fn defragment(node: &Node, input: &[u8]) -> Answer {
    const BLOCK: u64 = 4096;
    let (start, len) = (long(input, 0)?, long(input, 8)?);
    let end = start.checked_add(len).ok_or(Errno::EINVAL)?;
    let is_whole = start.is_multiple_of(BLOCK) && len.is_multiple_of(BLOCK);
    if node.file_type() != FileType::Regular || !is_whole || end > FILE_MAX {
        return Err(Errno::EINVAL);
    }
    let done = node.defragment(start..end).map_err(|error| errno(&error))?;
    let nothing_moved = done.moved_len == 0;
    match done.left {
        Some(LeftAlone::NoRoom) if nothing_moved => Err(Errno::EAGAIN),
        Some(LeftAlone::Released | LeftAlone::Pinned) => Err(Errno::EINVAL),
        Some(LeftAlone::Sealed | LeftAlone::Immutable) => Err(Errno::EPERM),
        Some(LeftAlone::Encrypted) => Err(errno(&f2fs::Error::NoKey)),
        Some(LeftAlone::Inline | LeftAlone::NoRoom) | None => {
            Ok([start.to_le_bytes(), done.moved_len.to_le_bytes()].concat())
        }
    }
}

/// Algorithm, logarithm of the cluster size or 0, level, and a zero.
fn recompress(node: &Node, input: &[u8]) -> Answer {
    let &[algorithm, log_size, level, 0] = input else {
        return Err(Errno::EINVAL);
    };
    done(node.recompress(Recompress {
        algorithm: CompressAlgorithm::from_raw(algorithm).ok_or(Errno::EINVAL)?,
        level,
        log_cluster_size: (log_size > 0).then_some(log_size),
    }))
}

/// A 32-bit word of the caller's bytes.
fn word(input: &[u8], at: usize) -> Result<u32, Errno> {
    let bytes = input.get(at..at + 4).ok_or(Errno::EINVAL)?;
    bytes
        .try_into()
        .map(u32::from_le_bytes)
        .map_err(|_| Errno::EINVAL)
}

/// `struct fstrim_range`: first byte, bytes, bytes of the shortest run. The second comes back as what was discarded.
fn fitrim(volume: &Volume, input: &[u8]) -> Answer {
    let (start, len, min_len) = (long(input, 0)?, long(input, 8)?, long(input, 16)?);
    let size = volume.info().super_block.block_count * BLOCK_BYTES;
    if start >= size || len < BLOCK_BYTES {
        return Err(Errno::EINVAL);
    }
    let end = start.saturating_add(len);
    let report = volume.trim(start..end, min_len).map_err(|e| errno(&e))?;
    let answer = [start, report.bytes, min_len];
    Ok(answer.into_iter().flat_map(u64::to_le_bytes).collect())
}

/// A 64-bit word of the caller's bytes.
fn long(input: &[u8], at: usize) -> Result<u64, Errno> {
    let (low, high) = (word(input, at)?, word(input, at + 4)?);
    Ok(u64::from(high) << 32 | u64::from(low))
}

/// `struct fsxattr`: flags, extent size hint, extents, project id, copy-on-write hint, padding.
fn fsxattr(node: &Node) -> Vec<u8> {
    let meta = node.metadata();
    let flags = XFLAGS
        .iter()
        .filter(|(_, flag)| meta.flags().contains(*flag))
        .fold(0, |all, (bit, _)| all | bit);
    let mut bytes = vec![0; FSXATTR_LEN];
    bytes[..4].copy_from_slice(&u32::to_le_bytes(flags));
    bytes[12..16].copy_from_slice(&meta.project().unwrap_or(0).to_le_bytes());
    bytes
}

fn set_fsxattr(node: &Node, input: &[u8]) -> Answer {
    let (flags, project) = (word(input, 0)?, word(input, 12)?);
    let known = XFLAGS.iter().fold(0, |all, (bit, _)| all | bit);
    if flags & !known != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    if project != node.metadata().project().unwrap_or(0) {
        done(node.set_project(project))?;
    }
    let which = XFLAGS
        .iter()
        .fold(InodeFlags::empty(), |all, (_, flag)| all | *flag);
    let wanted = XFLAGS
        .iter()
        .filter(|(bit, _)| flags & bit != 0)
        .fold(InodeFlags::empty(), |all, (_, flag)| all | *flag);
    let now = node.metadata().flags() & which;
    let (set, clear) = (wanted - now, now - wanted);
    if (set | clear).is_empty() {
        return Ok(Vec::new());
    }
    done(node.set_flags(set, clear))
}

/// The volume's name in the 256 bytes that users expect.
fn label(volume: &Volume) -> Vec<u8> {
    let mut bytes = volume.info().super_block.volume_name.clone().into_bytes();
    bytes.truncate(255);
    bytes.resize(256, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use f2fs::{FormatOptions, OpenOptions, VolumeOptions};

    const ROOT: Caller = Caller {
        is_root: true,
        writes: true,
        has_other_writers: false,
    };

    /// Two files that take turns, 4 KiB at a time.
    fn torn() -> (tempfile::NamedTempFile, Volume) {
        let image = tempfile::NamedTempFile::new().unwrap();
        let format = FormatOptions::new(128 << 20);
        let volume = Volume::create(image.path(), &format, &VolumeOptions::default()).unwrap();
        let options = OpenOptions::new().write(true).create(true);
        let files = ["/a", "/b"].map(|path| volume.open_with(path, &options).unwrap());
        for at in 0..50 {
            for file in &files {
                file.write_all_at(at * 4096, &[at as u8; 4096]).unwrap();
                file.sync_data().unwrap();
            }
        }
        drop(files);
        (image, volume)
    }

    fn runs(volume: &Volume) -> u64 {
        let mut summary = f2fs::LayoutSummary::default();
        for extent in volume.open_file("/a").unwrap().layout() {
            summary.add(&extent.unwrap());
        }
        summary.runs
    }

    #[test]
    fn defragmenting_answers_what_moved() {
        let (_image, volume) = torn();
        let root = volume.root().unwrap();
        let node = root.lookup(b"a").unwrap();
        let ask = |node: &Node, caller: Caller, start: u64, len: u64| {
            let input = [start.to_le_bytes(), len.to_le_bytes()].concat();
            run(&volume, node, caller, F2FS_IOC_DEFRAGMENT, (&input, 16))
        };
        let user = Caller {
            is_root: false,
            ..ROOT
        };
        let before = runs(&volume);
        assert!(before > 20, "{before}");
        assert_eq!(ask(&node, user, 0, 4096), Err(Errno::EPERM));
        for (start, len) in [(1, 4096), (0, 100), (0, 1 << 62), (u64::MAX - 4095, 4096)] {
            assert_eq!(ask(&node, ROOT, start, len), Err(Errno::EINVAL), "{start}");
        }
        assert_eq!(ask(&root, ROOT, 0, 4096), Err(Errno::EINVAL));
        let short = run(&volume, &node, ROOT, F2FS_IOC_DEFRAGMENT, (&[0; 8], 16));
        assert_eq!(short, Err(Errno::EINVAL));
        assert_eq!(runs(&volume), before);

        let answer = |start: u64, len: u64| Ok([start.to_le_bytes(), len.to_le_bytes()].concat());
        assert_eq!(ask(&node, ROOT, 0, 1 << 30), answer(0, 50 * 4096));
        assert!(runs(&volume) <= 2);
        assert_eq!(ask(&node, ROOT, 4096, 1 << 30), answer(4096, 0));
        let mut bytes = [0; 4096];
        let file = volume.open_file("/a").unwrap();
        for at in 0..50 {
            file.read_at(at * 4096, &mut bytes).unwrap();
            assert_eq!(bytes, [at as u8; 4096]);
        }
        node.set_flags(InodeFlags::IMMUTABLE, InodeFlags::empty())
            .unwrap();
        assert_eq!(ask(&node, ROOT, 0, 1 << 30), Err(Errno::EPERM));
    }
}
