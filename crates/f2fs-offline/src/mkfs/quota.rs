//! The quota files of a new volume: one record each, of the owner of the root directory.

use super::{FormatError, FormatOptions, FormatPlan};
use f2fs_format::dentry::FileType;
use f2fs_format::inode::{InodeBlock, NewInode, Timespec};
use f2fs_format::super_block::SuperBlock;
use f2fs_format::{
    BLOCK_SIZE, Block, BlockAddr, CursegType, Ino, InodeFlags, Nid, QuotaFile, QuotaKind,
    QuotaRecord, SummaryEntry,
};

/// Blocks of a file with one record.
pub(super) const DATA_BLOCKS: u16 = 2;
/// `rw-------`.
const PERMISSIONS: u16 = 0o600;
/// There is no checkpoint before the first one, so no real version; Linux stores this too.
const CP_VERSION: u64 = 1;

/// A quota file and its places.
#[derive(Clone, Copy, Debug)]
pub(super) struct QuotaInode {
    pub kind: QuotaKind,
    pub ino: Ino,
    /// Its inode block.
    pub node: BlockAddr,
    data: BlockAddr,
}

/// The quota files that are asked for: inodes behind the root's, blocks behind the root's.
pub(super) fn inodes(plan: &FormatPlan, options: &FormatOptions) -> Vec<QuotaInode> {
    let kinds = QuotaKind::ALL
        .into_iter()
        .filter(|kind| options.quota.contains(kind));
    let after = |log, blocks| {
        let start = plan.log_block(log);
        start
            .checked_add(blocks)
            .expect("a log starts a segment of its own")
    };
    (0..)
        .zip(kinds)
        .map(|(n, kind)| QuotaInode {
            kind,
            ino: Ino::new(Nid::ROOT.get() + 1 + n),
            node: after(CursegType::HotNode, 1 + n),
            data: after(CursegType::HotData, 1 + n * u32::from(DATA_BLOCKS)),
        })
        .collect()
}

impl QuotaInode {
    /// Its inode and data blocks, and where they go.
    ///
    /// # Errors
    /// If the inode does not keep the rules that a mount checks; a mistake of this formatter.
    pub(super) fn blocks(
        &self,
        super_block: &SuperBlock,
        options: &FormatOptions,
        time: u64,
    ) -> Result<Vec<(BlockAddr, Box<Block>)>, FormatError> {
        let file = self.file(options);
        let mut blocks = vec![(self.node, self.inode(super_block, options, time, &file)?)];
        for (addr, bytes) in self.data_addrs().zip(file.bytes().chunks(BLOCK_SIZE)) {
            let mut block = Box::new([0; BLOCK_SIZE]);
            block[..bytes.len()].copy_from_slice(bytes);
            blocks.push((addr, block));
        }
        Ok(blocks)
    }

    /// The summary entries of its data blocks.
    pub(super) fn summaries(&self) -> impl Iterator<Item = SummaryEntry> + use<> {
        let nid = self.ino.get();
        (0..DATA_BLOCKS).map(move |ofs_in_node| SummaryEntry {
            nid,
            version: 0,
            ofs_in_node,
        })
    }

    fn data_addrs(&self) -> impl Iterator<Item = BlockAddr> {
        (0..u32::from(DATA_BLOCKS)).filter_map(|n| self.data.checked_add(n))
    }

    /// The root directory is all there is: an inode and its dentry block.
    fn file(&self, options: &FormatOptions) -> QuotaFile {
        let (uid, gid) = options.root_owner;
        let mut file = QuotaFile::new(self.kind);
        file.put(&QuotaRecord {
            id: [uid, gid, 0][self.kind.index()],
            space: BLOCK_SIZE as u64,
            inodes: 1,
            ..QuotaRecord::default()
        });
        file
    }

    fn inode(
        &self,
        super_block: &SuperBlock,
        options: &FormatOptions,
        time: u64,
        file: &QuotaFile,
    ) -> Result<Box<Block>, FormatError> {
        let (uid, gid) = options.root_owner;
        let new = NewInode {
            uid,
            gid,
            links: 1,
            now: Timespec {
                sec: time.cast_signed(),
                nsec: 0,
            },
            flags: InodeFlags::IMMUTABLE,
            ..NewInode::bare(self.ino, FileType::Regular.mode_bits() | PERMISSIONS)
        };
        let mut inode = InodeBlock::new(&new, super_block);
        inode.set_size(file.bytes().len() as u64);
        inode.set_blocks(1 + u64::from(DATA_BLOCKS));
        for (slot, addr) in self.data_addrs().enumerate() {
            inode.set_slot(slot, addr.get());
        }
        let mut footer = inode.footer();
        footer.cp_ver = CP_VERSION;
        footer.next_blkaddr = self.node.get() + 1;
        inode.set_footer(&footer);
        inode.update_checksum(super_block);
        Ok(InodeBlock::parse(inode.into_block(), self.ino, super_block)?.into_block())
    }
}
