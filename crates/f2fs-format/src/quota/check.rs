//! Reading a quota file whole, so that nothing about it is in doubt later.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

use super::raw::{self, Header, LEAF_RECORDS, LeafHead, REFS, VERSION};
use super::{DEPTH, QUOTA_BLOCK_SIZE, QuotaFile, QuotaKind, ROOT};
use crate::bytes::truncated;
use crate::error::{CorruptKind, Result, ensure};

/// What a block is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    None,
    Tree,
    Leaf,
    Free,
}

/// The walk over a file.
struct Walk<'a> {
    bytes: &'a [u8],
    uses: Vec<Use>,
    records: BTreeMap<u32, usize>,
}

pub(super) fn parse(mut bytes: Vec<u8>, kind: QuotaKind) -> Result<QuotaFile> {
    let header: Header =
        raw::get(&bytes, 0).ok_or_else(|| truncated("quota file", 32, bytes.len()))?;
    let (value, version) = (header.magic.get(), header.version.get());
    ensure(value == kind.magic(), CorruptKind::QuotaMagic { value })?;
    let value = version;
    ensure(value == VERSION, CorruptKind::QuotaVersion { value })?;
    let (blocks, len) = (header.info.blocks.get(), bytes.len());
    let fits = blocks > ROOT && raw::block_start(blocks) <= len;
    ensure(fits, CorruptKind::QuotaBlocks { blocks, len })?;
    bytes.truncate(raw::block_start(blocks));

    let mut walk = Walk {
        bytes: &bytes,
        uses: vec![Use::None; blocks as usize],
        records: BTreeMap::new(),
    };
    walk.claim(ROOT, Use::Tree)?;
    walk.tree(ROOT, 0, 0)?;
    walk.free_blocks(header.info.free_block.get())?;
    walk.free_entries(header.info.free_entry.get())?;
    let records = walk.records;
    Ok(QuotaFile {
        kind,
        info: header.info,
        bytes,
        records,
        dirty: BTreeSet::new(),
    })
}

impl Walk<'_> {
    /// Looks at a block of the tree and everything below it. Each is claimed, so none is met twice,
    /// and the levels are few: the recursion is bounded.
    fn tree(&mut self, block: u32, level: u32, prefix: u32) -> Result<()> {
        for index in 0..REFS {
            let value = raw::reference(self.bytes, block, index).unwrap_or(0);
            if value == 0 {
                continue;
            }
            let id = prefix << 8 | index;
            if level + 1 == DEPTH {
                self.leaf(value, id)?;
            } else {
                self.claim(value, Use::Tree)?;
                self.tree(value, level + 1, id)?;
            }
        }
        Ok(())
    }

    /// Finds the record of an id in the leaf that its reference names.
    fn leaf(&mut self, block: u32, id: u32) -> Result<()> {
        if self.use_of(block)? != Use::Leaf {
            self.claim(block, Use::Leaf)?;
            self.check_count(block)?;
        }
        let mut places = (0..LEAF_RECORDS).map(|index| raw::record_start(block, index));
        let holds = |&at: &usize| {
            !raw::is_unused(self.bytes, at)
                && raw::record_at(self.bytes, at).is_some_and(|r| r.id == id)
        };
        let at = places
            .find(holds)
            .ok_or(CorruptKind::QuotaMissing { id, block })?;
        self.records.insert(id, at);
        Ok(())
    }

    fn check_count(&self, block: u32) -> Result<()> {
        let count = self.head(block).entries.get();
        let used = (0..LEAF_RECORDS)
            .filter(|&index| !raw::is_unused(self.bytes, raw::record_start(block, index)))
            .count();
        ensure(
            usize::from(count) == used,
            CorruptKind::QuotaCount { block, count, used },
        )
    }

    /// Follows the chain of blocks of no use.
    fn free_blocks(&mut self, first: u32) -> Result<()> {
        let mut next = first;
        while next != 0 {
            self.claim(next, Use::Free)?;
            next = self.head(next).next_free.get();
        }
        Ok(())
    }

    /// Follows the chain of leaves with room.
    fn free_entries(&self, first: u32) -> Result<()> {
        let mut met = BTreeSet::new();
        let mut next = first;
        while next != 0 {
            let is_leaf = self.use_of(next)? == Use::Leaf;
            let head = self.head(next);
            let has_room = usize::from(head.entries.get()) < LEAF_RECORDS;
            let holds = is_leaf && has_room && met.insert(next);
            ensure(holds, CorruptKind::QuotaFreeEntry { block: next })?;
            next = head.next_free.get();
        }
        Ok(())
    }

    /// Gives a block its one use.
    fn claim(&mut self, block: u32, for_what: Use) -> Result<()> {
        let is_new = self.use_of(block)? == Use::None;
        ensure(is_new, CorruptKind::QuotaShared { block })?;
        self.uses[block as usize] = for_what;
        Ok(())
    }

    /// The use of a block that something names.
    fn use_of(&self, block: u32) -> Result<Use> {
        let known = self.uses.get(block as usize).filter(|_| block >= ROOT);
        known
            .copied()
            .ok_or_else(|| CorruptKind::QuotaReference { block }.into())
    }

    fn head(&self, block: u32) -> LeafHead {
        raw::get(self.bytes, raw::block_start(block)).unwrap_or_default()
    }
}

const _: () = assert!(QUOTA_BLOCK_SIZE == REFS as usize * 4);
