//! Where the blocks of the file are.

use iomap::{BLOCK_SIZE, Intent, Iomap, IomapKind};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Where one file block is. None of these: a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Space is reserved for it.
    Reserved,
    /// In this device block.
    At(u64),
    /// In this device block, encoded with its cluster.
    Packed(u64),
}

/// The file's places. All blocks of a cluster have the same kind of place.
pub(crate) struct Table {
    places: BTreeMap<u64, Place>,
    next_free: u64,
    /// Reserved by the last `begin` for writing.
    fresh: BTreeSet<u64>,
    /// The first byte it was asked for.
    asked: u64,
    pub(crate) cookie: u64,
    /// Blocks of a cluster.
    pub(crate) cluster: u64,
    pub(crate) inline: Option<Vec<u8>>,
}

impl Table {
    pub(crate) fn new(cluster: u64) -> Self {
        Self {
            places: BTreeMap::new(),
            next_free: 1000,
            fresh: BTreeSet::new(),
            asked: 0,
            cookie: 0,
            cluster,
            inline: None,
        }
    }

    pub(crate) fn get(&self, block: u64) -> Option<Place> {
        self.places.get(&block).copied()
    }

    /// Device blocks in one run that nothing uses.
    pub(crate) fn allocate(&mut self, count: u64) -> u64 {
        self.next_free += count;
        self.next_free - count
    }

    /// Leaves a gap, so that what is allocated next does not continue the last run.
    pub(crate) fn skip_device_block(&mut self) {
        self.next_free += 1;
    }

    /// Puts a block somewhere; the device block it leaves, if any.
    pub(crate) fn set(&mut self, block: u64, place: Place) -> Option<u64> {
        self.cookie += 1;
        device_block(self.places.insert(block, place)?)
    }

    /// Makes holes; the device blocks that become free.
    pub(crate) fn remove(&mut self, blocks: Range<u64>) -> Vec<u64> {
        self.cookie += 1;
        let gone: Vec<_> = self.places.range(blocks).map(|(&b, &p)| (b, p)).collect();
        for (block, _) in &gone {
            self.places.remove(block);
        }
        gone.into_iter()
            .filter_map(|(_, p)| device_block(p))
            .collect()
    }

    pub(crate) fn look_up(&mut self, range: Range<u64>, intent: Intent) -> Iomap {
        if self.inline.is_some() {
            let (kind, unit, cookie) = (IomapKind::Inline, BLOCK_SIZE, self.cookie);
            return Iomap {
                pos: 0,
                len: BLOCK_SIZE,
                kind,
                unit,
                cookie,
            };
        }
        let cluster = self.cluster;
        let start = range.start / BLOCK_SIZE / cluster * cluster;
        let end = range.end.div_ceil(BLOCK_SIZE).next_multiple_of(cluster);
        let packed = matches!(self.get(start), Some(Place::Packed(_)));
        // A plain cluster is read by blocks, but written back, and so kept, as a cluster.
        let reading = matches!(intent, Intent::Read | Intent::Report) && !packed;
        let unit = if reading { 1 } else { cluster };
        let first = range.start / BLOCK_SIZE / unit * unit;
        let mut last = first + 1;
        while last < end && self.continues(first, last) {
            last += 1;
        }
        let reserves = intent == Intent::Write && self.get(first).is_none();
        if reserves {
            self.asked = range.start;
            self.fresh = (first..last).collect();
            self.places
                .extend((first..last).map(|b| (b, Place::Reserved)));
        }
        let kind = match self.get(first) {
            None => IomapKind::Hole,
            Some(Place::Reserved) => IomapKind::Delalloc,
            Some(Place::At(block)) => IomapKind::Mapped(block * BLOCK_SIZE),
            Some(Place::Packed(_)) => IomapKind::Compressed,
        };
        let (pos, len) = (first * BLOCK_SIZE, (last - first) * BLOCK_SIZE);
        Iomap {
            pos,
            len,
            kind,
            unit: unit * BLOCK_SIZE,
            cookie: self.cookie,
        }
    }

    /// Whether block `next` belongs to the extent that starts at `first`. Extents end where units do, since plain
    /// clusters of one file need not lie next to each other.
    fn continues(&self, first: u64, next: u64) -> bool {
        match (self.get(first), self.get(next)) {
            (None, None)
            | (Some(Place::Reserved), Some(Place::Reserved))
            | (Some(Place::Packed(_)), Some(Place::Packed(_))) => true,
            (Some(Place::At(a)), Some(Place::At(b))) => a + (next - first) == b,
            _ => false,
        }
    }

    /// Gives back what the last `begin` reserved and the write did not use.
    pub(crate) fn settle(&mut self, iomap: &Iomap, used: u64) {
        let fresh = std::mem::take(&mut self.fresh);
        let used_end = match used {
            0 => 0,
            _ => (self.asked + used).next_multiple_of(iomap.unit) / BLOCK_SIZE,
        };
        for block in fresh.into_iter().filter(|&b| b >= used_end) {
            if self.get(block) == Some(Place::Reserved) {
                self.places.remove(&block);
            }
        }
    }
}

fn device_block(place: Place) -> Option<u64> {
    match place {
        Place::At(block) | Place::Packed(block) => Some(block),
        Place::Reserved => None,
    }
}
