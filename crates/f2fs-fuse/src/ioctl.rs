//! The ioctls that FUSE can carry: flags (`lsattr`, `chattr`), project ids, and those of F2FS for compressed files
//! (`f2fs_io`). The kernel has checked who may ask. FIEMAP is answered by the kernel itself, with EOPNOTSUPP.

use crate::attr::errno;
use f2fs::{CompressAlgorithm, InodeFlags, Node, Recompress, Volume};
use fuser::Errno;

const FS_IOC_GETFLAGS: u32 = 0x8008_6601;
const FS_IOC_SETFLAGS: u32 = 0x4008_6602;
const FS_IOC_GETVERSION: u32 = 0x8008_7601;
const FS_IOC_FSGETXATTR: u32 = 0x801c_581f;
const FS_IOC_FSSETXATTR: u32 = 0x401c_5820;
const FS_IOC_GETFSLABEL: u32 = 0x8100_9431;
const F2FS_IOC_WRITE_CHECKPOINT: u32 = 0xf507;
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
            F2FS_IOC_WRITE_CHECKPOINT if !self.is_root => Err(Errno::EPERM),
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
        F2FS_IOC_WRITE_CHECKPOINT => done(volume.sync()),
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
