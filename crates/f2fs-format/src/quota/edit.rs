//! Changing and adding records. The places of new blocks are those that Linux would choose.

use zerocopy::IntoBytes;
use zerocopy::little_endian::U32;

use super::raw::{self, Header, LEAF_RECORDS, LeafHead, VERSION};
use super::{DEPTH, QUOTA_BLOCK_SIZE, QuotaFile, QuotaRecord, ROOT};
use crate::BLOCK_SIZE;

impl QuotaFile {
    /// Stores a record, in its place or in a new one.
    pub fn put(&mut self, record: &QuotaRecord) {
        let at = match self.records.get(&record.id) {
            Some(&at) => at,
            None => self.add(record.id),
        };
        let mut raw = raw::encode(record);
        if let Some(old) = raw::get(&self.bytes, at) {
            raw.keep_pad(&old);
        }
        self.write(at, raw.as_bytes());
    }

    /// Header and root of an empty file.
    pub(super) fn start(&mut self) {
        self.bytes.resize(raw::block_start(ROOT + 1), 0);
        self.info.blocks = (ROOT + 1).into();
        self.dirty.insert(0);
        self.write_info();
    }

    /// A place for the record of an id, which the tree leads to.
    fn add(&mut self, id: u32) -> usize {
        let mut block = ROOT;
        for level in 0..DEPTH - 1 {
            let index = raw::index_of(id, level);
            block = match raw::reference(&self.bytes, block, index).unwrap_or(0) {
                0 => {
                    let new = self.take_block();
                    self.link(block, index, new);
                    new
                }
                next => next,
            };
        }
        let (leaf, at) = self.take_place();
        self.link(block, raw::index_of(id, DEPTH - 1), leaf);
        self.records.insert(id, at);
        at
    }

    /// A block of zeros: one of no use, or one more at the end.
    pub(super) fn take_block(&mut self) -> u32 {
        let block = match self.info.free_block.get() {
            0 => {
                let block = self.info.blocks.get();
                self.info.blocks = (block + 1).into();
                self.bytes.resize(raw::block_start(block + 1), 0);
                block
            }
            block => {
                self.info.free_block = self.head(block).next_free;
                block
            }
        };
        self.write(raw::block_start(block), &[0; QUOTA_BLOCK_SIZE]);
        self.write_info();
        block
    }

    /// An unused place for a record in a leaf with room.
    fn take_place(&mut self) -> (u32, usize) {
        let leaf = match self.info.free_entry.get() {
            0 => {
                let leaf = self.take_block();
                self.info.free_entry = leaf.into();
                self.write_info();
                leaf
            }
            leaf => leaf,
        };
        let mut head = self.head(leaf);
        let entries = head.entries.get() + 1;
        head.entries = entries.into();
        if usize::from(entries) == LEAF_RECORDS {
            self.unchain_first(&mut head);
        }
        self.write(raw::block_start(leaf), head.as_bytes());
        let at = (0..LEAF_RECORDS)
            .map(|index| raw::record_start(leaf, index))
            .find(|&at| raw::is_unused(&self.bytes, at))
            .expect("a leaf whose count says so has room");
        (leaf, at)
    }

    /// Takes the first leaf off the chain of leaves with room.
    fn unchain_first(&mut self, head: &mut LeafHead) {
        let next = head.next_free.get();
        if next != 0 {
            let mut second = self.head(next);
            second.prev_free = 0.into();
            self.write(raw::block_start(next), second.as_bytes());
        }
        (head.next_free, head.prev_free) = (0.into(), 0.into());
        self.info.free_entry = next.into();
        self.write_info();
    }

    fn link(&mut self, block: u32, index: u32, to: u32) {
        self.write(raw::reference_start(block, index), U32::new(to).as_bytes());
    }

    fn head(&self, block: u32) -> LeafHead {
        raw::get(&self.bytes, raw::block_start(block)).expect("the block is in the file")
    }

    pub(super) fn write_info(&mut self) {
        let header = Header {
            magic: self.kind.magic().into(),
            version: VERSION.into(),
            info: self.info,
        };
        self.write(0, header.as_bytes());
    }

    /// Changes bytes; no structure lies in two blocks.
    fn write(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self.dirty.insert(at / BLOCK_SIZE);
    }
}
