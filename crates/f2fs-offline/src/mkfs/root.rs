//! The root directory: an inode with one dentry block, as the kernel insists on; inline dentries it
//! refuses here.

use super::{FormatError, FormatOptions, RootCompression};
use f2fs_format::dentry::{DentryViewMut, DirEntry, FileType, Layout};
use f2fs_format::inode::{CompressInfo, InodeBlock, NewInode, Timespec};
use f2fs_format::super_block::SuperBlock;
use f2fs_format::{BLOCK_SIZE, Block, BlockAddr, Nid};

/// `rwxr-xr-x`.
const PERMISSIONS: u16 = 0o755;
/// The inode itself and the dentry block.
const BLOCKS: u64 = 2;
/// `.` and the entry that a parent would have.
const LINKS: u32 = 2;
/// There is no checkpoint before the first one, so no real version; Linux stores this too.
const CP_VERSION: u64 = 1;

/// Where the two blocks of the directory go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub inode: BlockAddr,
    pub dentries: BlockAddr,
}

/// The inode block.
///
/// # Errors
/// If the inode does not keep the rules that a mount checks; a mistake of this formatter.
pub(super) fn inode(
    super_block: &SuperBlock,
    options: &FormatOptions,
    time: u64,
    place: Place,
) -> Result<Box<Block>, FormatError> {
    let (uid, gid) = options.root_owner;
    let new = NewInode {
        uid,
        gid,
        links: LINKS,
        now: Timespec {
            sec: time.cast_signed(),
            nsec: 0,
        },
        compress: options.compress.map(compress_info),
        ..NewInode::bare(Nid::ROOT, FileType::Directory.mode_bits() | PERMISSIONS)
    };
    let mut inode = InodeBlock::new(&new, super_block);
    inode.set_size(BLOCK_SIZE as u64);
    inode.set_blocks(BLOCKS);
    inode.set_slot(0, place.dentries.get());
    let mut footer = inode.footer();
    footer.cp_ver = CP_VERSION;
    footer.next_blkaddr = place.inode.get() + 1;
    inode.set_footer(&footer);
    inode.update_checksum(super_block);
    Ok(InodeBlock::parse(inode.into_block(), Nid::ROOT, super_block)?.into_block())
}

/// What `chattr +c` would store, were these the mount options.
fn compress_info(compress: RootCompression) -> CompressInfo {
    CompressInfo {
        algorithm: compress.algorithm,
        log_cluster_size: compress.log_cluster_size,
        flag: CompressInfo::flag_of(compress.level, compress.checksum),
        compr_blocks: 0,
    }
}

/// The dentry block: the directory is its own parent.
pub(super) fn dentries() -> Box<Block> {
    let mut block = Box::new([0; BLOCK_SIZE]);
    let mut view =
        DentryViewMut::new(&mut block[..], Layout::BLOCK).expect("a block holds a block");
    for (slot, name) in [&b"."[..], b".."].into_iter().enumerate() {
        // Dots have no place in the hash order; their hash is 0.
        view.insert(
            slot,
            &DirEntry {
                hash: 0,
                ino: Nid::ROOT,
                file_type: FileType::Directory,
                name,
            },
        );
    }
    block
}
