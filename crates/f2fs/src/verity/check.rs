//! Data against the Merkle tree, on the way into a folio.
//!
//! The submitter looks up the hashes first: that may read the device and wait. Then the data is read, and checked by
//! workers, which wait for nothing. A page that does not match fails alone.

use super::Verity;
use super::tree::HashBlock;
use crate::data::DataOps;
use crate::error::Result;
use crate::fs::Fs;
use crate::inode::Inode;
use blockdev::{Bio, DeviceError};
use f2fs_format::BLOCK_SIZE;
use pagecache::{FolioError, RangeRead};
use runtime::workers::WorkerPool;
use std::ops::Range;
use std::sync::Arc;

const BLOCK: u64 = BLOCK_SIZE as u64;
/// Pages of one job: enough to be worth a switch of threads, few enough to keep all of them busy.
const JOB_PAGES: usize = 64;
/// As many pages are checked at once, without another thread.
const AT_ONCE: usize = 4;

/// What the data of some pages must match.
#[derive(Debug)]
pub(crate) struct Check {
    verity: Arc<Verity>,
    /// Number of the first of `leaves`.
    first_leaf: u64,
    /// The leaves of the tree with the hashes, or why one is not to be had.
    leaves: Vec<Result<HashBlock>>,
}

impl Verity {
    /// Looks up what pages of the file must match.
    pub(crate) fn check_of(self: &Arc<Self>, fs: &Fs, inode: &Inode, pages: Range<u64>) -> Check {
        let mut leaves = Vec::new();
        let per_leaf = self.shape.log_block + self.shape.log_arity;
        let (start, end) = (pages.start * BLOCK, (pages.end * BLOCK).min(self.size));
        let first_leaf = start >> per_leaf;
        if self.shape.levels() > 0 && start < end {
            let indices = first_leaf..=(end - 1) >> per_leaf;
            leaves.extend(indices.map(|index| self.hash_block(fs, inode, 0, index)));
        }
        Check {
            verity: Arc::clone(self),
            first_leaf,
            leaves,
        }
    }
}

impl Check {
    /// Checks a range whose bytes are there, on a worker if it is long, and ends it.
    pub(crate) fn start(self, workers: &WorkerPool, range: RangeRead) {
        if range.blocks().len() <= AT_ONCE {
            self.finish(range);
        } else {
            workers.spawn(move || self.finish(range));
        }
    }

    /// Checks a range whose bytes are there and ends it: pages that match are valid, others have failed.
    pub(crate) fn finish(&self, mut range: RangeRead) {
        let mut results = self.pages(&range).into_iter().peekable();
        while let Some(result) = results.next() {
            let mut count = 1;
            while result.is_ok() && results.next_if(Result::is_ok).is_some() {
                count += 1;
            }
            let result = result.map_err(|error| Arc::new(error) as FolioError);
            if count == range.blocks().len() {
                return range.complete(result);
            }
            range.split_front(count).complete(result);
        }
    }

    fn pages(&self, range: &RangeRead) -> Vec<Result<()>> {
        let blocks = range.blocks();
        let bytes = range
            .folio()
            .read(blocks.start * BLOCK_SIZE..blocks.end * BLOCK_SIZE);
        let pages = bytes.chunks_exact(BLOCK_SIZE);
        pages
            .zip(range.first_page()..)
            .map(|(bytes, page)| self.page(page, bytes))
            .collect()
    }

    fn page(&self, page: u64, bytes: &[u8]) -> Result<()> {
        let blocks = bytes.chunks_exact(self.verity.shape.block_len());
        for (n, block) in blocks.enumerate() {
            let pos = page * BLOCK + (n << self.verity.shape.log_block) as u64;
            if !self.matches(pos, block)? {
                let error = self.verity.error(page, "the data has the wrong hash");
                tracing::warn!(%error, "sealed file");
                return Err(error);
            }
        }
        Ok(())
    }

    /// Whether the data at byte `pos` is right. What lies behind the end of the file is zero.
    fn matches(&self, pos: u64, block: &[u8]) -> Result<bool> {
        let verity = &self.verity;
        if pos >= verity.size {
            return Ok(block.iter().all(|&byte| byte == 0));
        }
        let index = pos >> verity.shape.log_block;
        if verity.shape.levels() == 0 {
            return Ok(verity.hash.matches(block, verity.descriptor.root()));
        }
        let leaf = (index >> verity.shape.log_arity) - self.first_leaf;
        match &self.leaves[leaf as usize] {
            Ok(leaf) => Ok(verity.hash.matches(block, verity.hash_in(leaf, index))),
            Err(error) => Err(error.clone()),
        }
    }
}

/// Starts reading a range of a sealed file that lies in one run on the device.
pub(crate) fn read_checked(
    ops: &DataOps<'_>,
    verity: &Arc<Verity>,
    device_pos: u64,
    range: RangeRead,
) {
    let parts: Vec<_> = split(range)
        .into_iter()
        .map(|part| {
            let pages = part.first_page()..part.first_page() + part.blocks().len() as u64;
            (verity.check_of(ops.fs, ops.inode, pages), part)
        })
        .collect();
    let targets = parts.iter().map(|(_, part)| part.target()).collect();
    let codecs = Arc::clone(&ops.fs.codecs);
    let done = move |result: Result<(), DeviceError>| {
        for (check, part) in parts {
            match &result {
                Ok(()) => check.start(&codecs.workers, part),
                Err(error) => part.complete(Err(Arc::new(error.clone()))),
            }
        }
    };
    ops.fs
        .meta
        .device
        .submit(Bio::read(device_pos, targets, done));
}

/// Cuts a range into the parts of the jobs.
fn split(mut range: RangeRead) -> Vec<RangeRead> {
    let mut parts = Vec::new();
    while range.blocks().len() > JOB_PAGES {
        parts.push(range.split_front(JOB_PAGES));
    }
    parts.push(range);
    parts
}
