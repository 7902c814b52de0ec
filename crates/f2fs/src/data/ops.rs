//! What the buffered I/O engine calls for an open inode.
//!
//! # Locking
//! `begin` takes OP (unless the caller holds it) and TREE, and gives both back before it returns.

use crate::data::{cluster_read, extent, inline};
use crate::error::Error;
use crate::fs::{Fs, OpGuard};
use crate::inode::Inode;
use crate::options::Fill;
use crate::reads::ReadScope;
use crate::stats;
use crate::verity;
use blockdev::{Bio, DeviceError};
use iomap::{Intent, Iomap, IomapKind, IomapOps, ReadBatch, ReadOps, WriteOps};
use pagecache::{FolioError, LockedFolio, Mapping, RangeRead};
use std::ops::Range;
use std::sync::Arc;

/// One inode, as the engine sees it.
#[derive(Debug)]
pub(crate) struct DataOps<'a> {
    pub(crate) fs: &'a Fs,
    pub(crate) inode: &'a Arc<Inode>,
    /// The caller's OP lock, if it holds it: then no block moves.
    pub(crate) op: Option<&'a OpGuard<'a>>,
    /// Otherwise blocks that were looked up stay as they are while this lives, even if they move.
    _reads: Option<ReadScope>,
}

impl<'a> DataOps<'a> {
    /// For a caller that does not hold OP.
    pub(crate) fn new(fs: &'a Fs, inode: &'a Arc<Inode>) -> Self {
        Self {
            fs,
            inode,
            op: None,
            _reads: Some(fs.meta.device.reads().begin()),
        }
    }

    /// For a caller that holds OP.
    pub(crate) fn with_op(fs: &'a Fs, inode: &'a Arc<Inode>, op: &'a OpGuard<'a>) -> Self {
        Self {
            fs,
            inode,
            op: Some(op),
            _reads: None,
        }
    }

    /// One cluster at a time, for the ablation of large folios.
    fn limit(&self, range: Range<u64>) -> Range<u64> {
        match (self.fs.options.fill, self.inode.clusters()) {
            (Fill::Cluster, Some(clusters)) => {
                let bytes = clusters.blocks * iomap::BLOCK_SIZE;
                range.start..range.end.min((range.start / bytes + 1) * bytes)
            }
            _ => range,
        }
    }
}

impl DataOps<'_> {
    /// Counts the compressed clusters that a write covers whole, so that it need not read them (row S9).
    fn count_replaced(&self, iomap: &Iomap, range: &Range<u64>) {
        if iomap.kind == IomapKind::Compressed {
            let first = range.start.div_ceil(iomap.unit);
            let end = range.end.min(iomap.end()) / iomap.unit;
            stats::add(
                &self.fs.counters.clusters_not_read,
                end.saturating_sub(first),
            );
        }
    }
}

impl IomapOps for DataOps<'_> {
    type Error = Error;

    fn begin(&self, range: Range<u64>, intent: Intent) -> Result<Iomap, Error> {
        let range = self.limit(range);
        let _op = (intent == Intent::Write && self.op.is_none()).then(|| self.fs.start_op());
        let mut tree = self.inode.tree.lock();
        if inline::is_inline(&tree) {
            return Ok(inline::begin(self, &tree, &range, intent));
        }
        let blocks = range.start / iomap::BLOCK_SIZE..range.end.div_ceil(iomap::BLOCK_SIZE);
        let iomap = extent::map_blocks(self, &mut tree, blocks, intent)?;
        drop(tree);
        if intent == Intent::Write {
            self.fs.note_dirty(self.inode);
            self.count_replaced(&iomap, &range);
        }
        tracing::trace!(ino = %self.inode.ino, ?intent, ?iomap, "iomap begin");
        Ok(iomap)
    }

    fn iomap_valid(&self, iomap: &Iomap) -> bool {
        iomap.cookie == self.inode.cookie()
    }

    fn size(&self) -> u64 {
        self.inode.size()
    }

    fn read_error(&self, error: FolioError) -> Error {
        if let Some(error) = error.downcast_ref::<Error>() {
            return error.clone();
        }
        match error.downcast_ref::<DeviceError>() {
            Some(error) => Error::Device(error.clone()),
            None => Error::Resources(error.to_string()),
        }
    }

    fn memory_error(&self, error: std::io::Error) -> Error {
        Error::Resources(format!("page cache: {error}"))
    }
}

impl ReadOps for DataOps<'_> {
    fn mapping(&self) -> &Arc<Mapping> {
        &self.inode.mapping
    }

    fn read_folio_range(
        &self,
        iomap: &Iomap,
        range: RangeRead,
        batch: &mut ReadBatch<'_>,
    ) -> Result<(), Error> {
        let pos = range.first_page() * iomap::BLOCK_SIZE;
        match iomap.kind {
            IomapKind::Mapped(_) => {
                let device_pos = iomap
                    .device_pos(pos)
                    .expect("a mapped extent has a position");
                match verity::of(self.fs, self.inode)? {
                    Some(verity) => verity::read_checked(self, &verity, device_pos, range),
                    None => batch.push(device_pos, range),
                }
                Ok(())
            }
            IomapKind::Compressed => cluster_read::read_clusters(self, range),
            IomapKind::Inline => {
                inline::read(self.inode, range);
                Ok(())
            }
            IomapKind::Hole | IomapKind::Delalloc => unreachable!("the engine fills zeros itself"),
        }
    }

    /// Zeros of a sealed file are checked as all its bytes are.
    fn read_zeros(&self, range: RangeRead) -> Result<(), Error> {
        range.target().fill(0);
        match verity::of(self.fs, self.inode)? {
            Some(verity) => {
                let pages = range.first_page()..range.first_page() + range.blocks().len() as u64;
                let check = verity.check_of(self.fs, self.inode, pages);
                check.start(&self.fs.codecs.workers, range);
            }
            None => range.complete(Ok(())),
        }
        Ok(())
    }

    fn submit(&self, bio: Bio) {
        self.fs.meta.device.submit(bio);
    }
}

impl WriteOps for DataOps<'_> {
    fn put_folio(&self, folio: LockedFolio, written: Range<u64>) {
        if !written.is_empty() && written.end > self.inode.size() {
            self.inode.set_size(written.end);
        }
        drop(folio);
    }

    fn get_folio(&self, iomap: &Iomap, range: Range<u64>) -> Result<LockedFolio, Error> {
        let range = self.limit(range);
        let unit = iomap
            .unit
            .max(iomap::BLOCK_SIZE << self.inode.mapping.orders().min);
        let start = range.start / unit * unit / iomap::BLOCK_SIZE;
        let end = range.end.next_multiple_of(unit) / iomap::BLOCK_SIZE;
        self.inode
            .mapping
            .grab(start..end)
            .map_err(|e| self.memory_error(e))
            .inspect(|folio| {
                tracing::trace!(ino = %self.inode.ino, ?range, order = folio.order(), "get folio");
            })
    }
}
