//! Writing back: every cluster or block goes to a fresh place; its slot changes once it is there.

use crate::mock::{Mock, MockError, Place};
use blockdev::BioVec;
use iomap::{BLOCK_SIZE, IoendBatch, WritebackOps};
use pagecache::WritebackFolio;
use runtime::PAGE_SIZE;
use std::ops::Range;
use std::sync::Arc;

pub(crate) struct MockWriteback<'a> {
    mock: &'a Mock,
    parts: Vec<(Arc<WritebackFolio>, Range<usize>)>,
    /// File blocks of each call.
    pub(crate) calls: Vec<Range<u64>>,
    pub(crate) submits: usize,
}

impl<'a> MockWriteback<'a> {
    pub(crate) fn new(mock: &'a Mock) -> Self {
        Self {
            mock,
            parts: Vec::new(),
            calls: Vec::new(),
            submits: 0,
        }
    }

    /// Writes one part to a run of device blocks; clusters with an odd number are encoded.
    fn start(&self, batch: &mut IoendBatch<'_>, part: u32) -> u64 {
        let (folio, blocks) = &self.parts[part as usize];
        let start = self.mock.table().allocate(blocks.len() as u64);
        let bytes = folio.read(blocks.start * PAGE_SIZE..blocks.end * PAGE_SIZE);
        let piece = if self.is_packed(folio, blocks) {
            BioVec::Owned(bytes.iter().map(|b| !b).collect())
        } else {
            BioVec::From(bytes)
        };
        batch.push(start * BLOCK_SIZE, piece, part);
        start
    }

    fn is_packed(&self, folio: &WritebackFolio, blocks: &Range<usize>) -> bool {
        let cluster = self.mock.table().cluster;
        cluster > 1 && (folio.pages().start + blocks.start as u64) / cluster % 2 == 1
    }
}

impl WritebackOps for MockWriteback<'_> {
    type Error = MockError;

    fn writeback_range(
        &mut self,
        folio: &Arc<WritebackFolio>,
        blocks: Range<usize>,
    ) -> Result<(), MockError> {
        let base = folio.pages().start;
        self.calls
            .push(base + blocks.start as u64..base + blocks.end as u64);
        let cluster = self.mock.table().cluster as usize;
        let mut at = blocks.start / cluster * cluster;
        while at < blocks.end {
            let part = if cluster == 1 {
                at..blocks.end
            } else {
                at..at + cluster
            };
            at = part.end;
            assert!(
                folio.is_uptodate(part.clone()),
                "no cluster is left half uptodate"
            );
            let last = self.parts.last();
            if last.is_none_or(|(f, p)| !Arc::ptr_eq(f, folio) || *p != part) {
                self.parts.push((Arc::clone(folio), part));
            }
        }
        Ok(())
    }

    fn submit(&mut self) -> Result<(), MockError> {
        self.submits += 1;
        if self.mock.table().inline.is_some() {
            if let Some((folio, _)) = self.parts.pop() {
                let size = iomap::IomapOps::size(self.mock) as usize;
                self.mock.table().inline = Some(folio.read(0..size).to_vec());
            }
            return Ok(());
        }
        let submit = |bio| self.mock.device.submit(bio);
        let mut batch = IoendBatch::new(&submit);
        let starts: Vec<u64> = (0..self.parts.len() as u32)
            .map(|part| self.start(&mut batch, part))
            .collect();
        let failed = batch.wait();
        let is_failed = |n: usize| failed.iter().any(|(parts, _)| parts.contains(&(n as u32)));
        let mut freed = Vec::new();
        for (n, (folio, blocks)) in self.parts.iter().enumerate() {
            if is_failed(n) {
                continue;
            }
            let packed = self.is_packed(folio, blocks);
            for (m, block) in blocks.clone().enumerate() {
                let device_block = starts[n] + m as u64;
                let place = if packed {
                    Place::Packed(device_block)
                } else {
                    Place::At(device_block)
                };
                let file_block = folio.pages().start + block as u64;
                freed.extend(self.mock.table().set(file_block, place));
            }
        }
        self.mock.poison(&freed);
        self.parts.clear();
        match failed.into_iter().next() {
            Some((_, error)) => Err(MockError(error.to_string())),
            None => Ok(()),
        }
    }
}
