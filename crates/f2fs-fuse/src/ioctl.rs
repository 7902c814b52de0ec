//! The ioctls that FUSE can carry: flags (`lsattr`, `chattr`), project ids, and those of F2FS for compressed files
//! (`f2fs_io`). The kernel has checked who may ask. FIEMAP is answered by the kernel itself, with EOPNOTSUPP.

use f2fs::{InodeFlags, Node, Toggle, Volume};
use fuser::Errno;

const FS_IOC_GETFLAGS: u32 = 0x8008_6601;
const FS_IOC_SETFLAGS: u32 = 0x4008_6602;
const FS_IOC_GETVERSION: u32 = 0x8008_7601;
const FS_IOC_FSGETXATTR: u32 = 0x801c_581f;
const FS_IOC_FSSETXATTR: u32 = 0x401c_5820;
const FS_IOC_GETFSLABEL: u32 = 0x8100_9431;
const F2FS_IOC_WRITE_CHECKPOINT: u32 = 0xf507;
const F2FS_IOC_GET_FEATURES: u32 = 0x8004_f50c;

/// Flags beyond those of the inode that `lsattr` shows.
const FS_ENCRYPT_FL: u32 = 0x800;
const FS_VERITY_FL: u32 = 0x0010_0000;
const FS_INLINE_DATA_FL: u32 = 0x1000_0000;

/// Flags of the inode that users may set.
const SETTABLE: InodeFlags = InodeFlags::COMPR
    .union(InodeFlags::SYNC)
    .union(InodeFlags::IMMUTABLE)
    .union(InodeFlags::APPEND)
    .union(InodeFlags::NODUMP)
    .union(InodeFlags::NOATIME)
    .union(InodeFlags::NOCOMP)
    .union(InodeFlags::DIRSYNC)
    .union(InodeFlags::PROJINHERIT)
    .union(InodeFlags::CASEFOLD);

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

/// Runs one ioctl; its answer's bytes.
pub(crate) fn run(volume: &Volume, node: &Node, cmd: u32, input: &[u8], out_size: usize) -> Answer {
    let answer = match cmd {
        FS_IOC_GETFLAGS => Ok(u64::from(shown_flags(node)).to_le_bytes().to_vec()),
        FS_IOC_SETFLAGS => set_shown_flags(node, word(input, 0)?, volume),
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
        F2FS_IOC_WRITE_CHECKPOINT => volume.sync().map(|()| Vec::new()).map_err(number),
        _ => Err(Errno::ENOTTY),
    }?;
    // FS_IOC_GETFLAGS is declared with a long but used with an int.
    Ok(answer[..answer.len().min(out_size)].to_vec())
}

#[expect(clippy::needless_pass_by_value, reason = "used in map_err")]
fn number(error: f2fs::Error) -> Errno {
    crate::attr::errno(&error)
}

/// A 32-bit word of the caller's bytes.
fn word(input: &[u8], at: usize) -> Result<u32, Errno> {
    let bytes = input.get(at..at + 4).ok_or(Errno::EINVAL)?;
    bytes
        .try_into()
        .map(u32::from_le_bytes)
        .map_err(|_| Errno::EINVAL)
}

fn shown_flags(node: &Node) -> u32 {
    let meta = node.metadata();
    let more = [
        (meta.is_encrypted(), FS_ENCRYPT_FL),
        (meta.is_verity(), FS_VERITY_FL),
        (meta.is_inline(), FS_INLINE_DATA_FL),
    ];
    let own = meta.flags() & (SETTABLE | InodeFlags::INDEX);
    more.into_iter()
        .filter(|(on, _)| *on)
        .fold(own.bits(), |flags, (_, flag)| flags | flag)
}

fn set_shown_flags(node: &Node, flags: u32, volume: &Volume) -> Answer {
    let readable = SETTABLE.bits()
        | InodeFlags::INDEX.bits()
        | FS_ENCRYPT_FL
        | FS_VERITY_FL
        | FS_INLINE_DATA_FL;
    if flags & !readable != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let wanted = InodeFlags::from_bits_truncate(flags) & SETTABLE;
    change_flags(node, wanted, SETTABLE, volume)
}

/// Brings the flags in `which` to `wanted`.
fn change_flags(node: &Node, wanted: InodeFlags, which: InodeFlags, volume: &Volume) -> Answer {
    let compression = InodeFlags::COMPR | InodeFlags::NOCOMP;
    if wanted.contains(compression) {
        return Err(Errno::EINVAL);
    }
    let now = node.metadata().flags() & which;
    let (set, clear) = (wanted - now, now - wanted);
    // What takes a mark away comes before what needs it gone.
    if clear.contains(InodeFlags::NOCOMP) {
        node.set_nocompress(Toggle::Off).map_err(number)?;
    }
    if clear.contains(InodeFlags::COMPR) {
        node.set_compression(None).map_err(number)?;
    }
    if set.contains(InodeFlags::COMPR) {
        node.set_compression(Some(volume.compress_defaults()))
            .map_err(number)?;
    }
    if set.contains(InodeFlags::NOCOMP) {
        node.set_nocompress(Toggle::On).map_err(number)?;
    }
    let (set, clear) = (set - compression, clear - compression);
    if !(set | clear).is_empty() {
        node.set_flags(set, clear).map_err(number)?;
    }
    Ok(Vec::new())
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
        return Err(Errno::EOPNOTSUPP);
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
    if !(set | clear).is_empty() {
        node.set_flags(set, clear).map_err(number)?;
    }
    Ok(Vec::new())
}

/// The volume's name in the 256 bytes that users expect.
fn label(volume: &Volume) -> Vec<u8> {
    let mut bytes = volume.info().super_block.volume_name.clone().into_bytes();
    bytes.truncate(255);
    bytes.resize(256, 0);
    bytes
}
