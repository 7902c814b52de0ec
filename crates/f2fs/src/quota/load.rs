//! Reading the quota files.

use super::book::Book;
use super::{Books, QuotaState};
use crate::data::DataOps;
use crate::error::{Error, Inconsistent, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use f2fs_format::checkpoint::CpFlags;
use f2fs_format::{Features, FileType, InlineFlags, Ino, QuotaFile, QuotaKind};
use pagecache::Readahead;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Largest file that is believed: room for more than three million ids.
const FILE_MAX: u64 = 256 << 20;

impl Fs {
    /// Starts to keep count, if the volume does. Files that are damaged are left alone and marked so.
    ///
    /// # Errors
    /// The device's.
    pub(crate) fn start_quota(&self) -> Result<()> {
        if !self.has_quota_files() {
            return Ok(());
        }
        if self.is_quota_distrusted() {
            tracing::warn!("the quota files are out of date; run 'fsck.f2fs -a' to count again");
            self.meta.quota_damaged.store(true, Ordering::Relaxed);
            return Ok(());
        }
        match self.read_books() {
            Ok(books) => self.quota.start(books),
            Err(error) if is_damage(&error) => {
                tracing::warn!(%error, "the quota files are damaged; run 'fsck.f2fs -a' to count again");
                self.meta.quota_damaged.store(true, Ordering::Relaxed);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Whether the volume counts what its owners use.
    pub(crate) fn quota_state(&self) -> QuotaState {
        if !self.has_quota_files() {
            QuotaState::Off
        } else if self.meta.quota_damaged.load(Ordering::Relaxed) || self.is_quota_distrusted() {
            QuotaState::Damaged
        } else {
            QuotaState::On
        }
    }

    fn has_quota_files(&self) -> bool {
        let sb = &self.meta.sb;
        sb.features.contains(Features::QUOTA_INO) && sb.qf_ino.iter().any(Option::is_some)
    }

    fn is_quota_distrusted(&self) -> bool {
        let flags = self.meta.checkpoint_info().flags;
        flags.contains(CpFlags::QUOTA_NEED_FSCK)
    }

    /// All quota files of the volume.
    pub(super) fn read_books(&self) -> Result<Books> {
        let mut books = Books::default();
        for kind in QuotaKind::ALL {
            if let Some(ino) = self.quota_ino(kind) {
                let file = QuotaFile::parse(self.read_quota_file(ino)?, kind)?;
                books.0[kind.index()] = Some(Book::new(ino, file));
            }
        }
        Ok(books)
    }

    fn quota_ino(&self, kind: QuotaKind) -> Option<Ino> {
        let sb = &self.meta.sb;
        let has_projects = sb.features.contains(Features::PRJQUOTA);
        sb.qf_ino[kind.index()].filter(|_| kind != QuotaKind::Project || has_projects)
    }

    fn read_quota_file(&self, ino: Ino) -> Result<Vec<u8>> {
        let inode = self.inodes.get(self, ino)?;
        self.check_quota_inode(&inode)?;
        let mut bytes = vec![0; inode.size() as usize];
        let mut ahead = Readahead::new(self.options.readahead_bytes / iomap::BLOCK_SIZE);
        iomap::buffered_read(&DataOps::new(self, &inode), 0, &mut bytes, &mut ahead)?;
        Ok(bytes)
    }

    /// A quota file is a plain file with all its blocks.
    fn check_quota_inode(&self, inode: &Arc<Inode>) -> Result<()> {
        let tree = inode.tree.lock();
        let is_plain = inode.file_type == FileType::Regular
            && !tree.inode.is_compressed()
            && !tree.inode.inline().contains(InlineFlags::INLINE_DATA);
        let blocks = inode.size().div_ceil(iomap::BLOCK_SIZE);
        let limit = tree
            .inode
            .blocks()
            .min(self.meta.space.snapshot().user_blocks);
        if is_plain && blocks < limit && inode.size() <= FILE_MAX {
            Ok(())
        } else {
            Err(Inconsistent::QuotaInode { ino: inode.ino }.into())
        }
    }
}

/// Whether an error is about the bytes of the volume.
pub(super) fn is_damage(error: &Error) -> bool {
    matches!(
        error,
        Error::Corrupt(_) | Error::Inconsistent(_) | Error::Invalid(_)
    )
}
