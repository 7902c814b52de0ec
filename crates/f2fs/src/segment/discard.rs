//! Free blocks that the device can be told about.
//!
//! # Invariants
//! Only blocks of held segments are discarded, so none of them can be written meanwhile; and of those only what can be
//! written: what is valid, what the last checkpoint on the device knows, and what was written since stays untouched.
//!
//! Held segments are still room: they are counted as such ([`Table::free_count`]), and a log that finds nothing waits
//! until they are back ([`Segments::calm`]). So discarding never makes a volume look full.
//!
//! # Locking
//! [`DISCARD`](crate::locks::DISCARD) is held by a batch from when it holds its first segment until it has let go of
//! the last, over the transfers.

use super::entry::{Class, SEGMENT_BLOCKS};
use super::table::Table;
use super::{BlockRun, Segments};
use crate::error::Result;
use f2fs_format::{BlockAddr, SegmentNo};
use runtime::sync::MutexGuard;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Segments that a batch holds at most: 64 MiB.
const BATCH_SEGMENTS: u32 = 32;
/// A batch holds at most one of so many free segments.
const FREE_SHARE: u32 = 4;
/// Segments that one batch looks at, at most.
const LOOK_MAX: u32 = 1 << 20;
/// How long discarding makes way for a log that waits.
const YIELD: Duration = Duration::from_millis(1);

/// Which segments are discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// All that have free blocks.
    All,
    /// Those of which a checkpoint freed blocks since they were last discarded.
    Freed,
    /// Those of them that are free as a whole.
    FreedWhole,
}

/// What is discarded.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) which: Which,
    /// Addresses of blocks.
    pub(crate) range: Range<u32>,
    /// Runs of fewer blocks are left alone. A whole segment is never too short.
    pub(crate) min_blocks: u16,
    /// Whether it is only counted.
    pub(crate) is_dry: bool,
}

/// What came of a batch.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Discarded {
    /// Blocks that the device was told about.
    pub(crate) blocks: u64,
    /// In so many transfers.
    pub(crate) runs: u64,
    /// Where the next batch goes on; `None` if this was the last.
    pub(crate) next: Option<SegmentNo>,
}

/// Segments that are held; they are let go when it is dropped.
struct Batch<'a> {
    segments: &'a Segments,
    held: Vec<SegmentNo>,
    _alone: MutexGuard<'a, ()>,
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.segments.table.lock().take_back(&self.held);
    }
}

impl Segments {
    /// Discards a part of `target`, from a segment on.
    ///
    /// # Errors
    /// The device's, or that the volume is stopped; the volume goes on as it was.
    pub(crate) fn discard_batch(&self, target: &Target, from: SegmentNo) -> Result<Discarded> {
        while self.waiting.load(Ordering::Acquire) > 0 {
            std::thread::sleep(YIELD);
        }
        let mut batch = Batch {
            segments: self,
            held: Vec::new(),
            _alone: self.discards.lock(),
        };
        let next = self.table.lock().lend(target, from, &mut batch.held);
        let runs = self.free_runs(target, &batch.held);
        let mut done = Discarded {
            next,
            ..Discarded::default()
        };
        for run in runs {
            if !target.is_dry {
                self.device.discard(run.start, run.count)?;
            }
            done.blocks += u64::from(run.count);
            done.runs += 1;
        }
        Ok(done)
    }

    /// The runs of `target` in held segments, joined where segments meet.
    fn free_runs(&self, target: &Target, held: &[SegmentNo]) -> Vec<BlockRun> {
        let mut runs: Vec<BlockRun> = Vec::new();
        for &segno in held {
            let base = self.geometry.segment_start(segno).get();
            for run in self.writable_runs(segno) {
                let start = (base + u32::from(run.start)).max(target.range.start);
                let end = (base + u32::from(run.end)).min(target.range.end);
                if start < end {
                    let (start, count) = (BlockAddr::new(start), end - start);
                    super::alloc::append(&mut runs, BlockRun { start, count });
                }
            }
        }
        let min = u32::from(target.min_blocks.min(SEGMENT_BLOCKS));
        runs.retain(|run| run.count >= min);
        runs
    }

    /// Waits until nothing is held for discarding, and keeps it so as long as the guard lives.
    pub(super) fn calm(&self) -> MutexGuard<'_, ()> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let alone = self.discards.lock();
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        alone
    }
}

/// Room in segments that are held for a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lent {
    free: u32,
    holes: [u64; 2],
}

impl Table {
    /// Holds the next segments of a target from `from` on; where to go on.
    fn lend(
        &mut self,
        target: &Target,
        from: SegmentNo,
        held: &mut Vec<SegmentNo>,
    ) -> Option<SegmentNo> {
        let most = (self.count(Class::Free) / FREE_SHARE).clamp(1, BATCH_SEGMENTS);
        let end = self.geometry.main_segments();
        let main = self.geometry.segment_start(SegmentNo::new(0)).get();
        let first = target.range.start.saturating_sub(main) / u32::from(SEGMENT_BLOCKS);
        let past = target
            .range
            .end
            .saturating_sub(main)
            .div_ceil(u32::from(SEGMENT_BLOCKS));
        let (mut at, end) = (from.get().max(first), end.min(past));
        for _ in 0..LOOK_MAX {
            let found = match target.which {
                Which::All => Some(at),
                Which::Freed | Which::FreedWhole => self.undiscarded.next_from(at),
            };
            let segno = found.filter(|&segno| segno < end).map(SegmentNo::new)?;
            if held.len() as u32 >= most {
                return Some(segno);
            }
            at = segno.get() + 1;
            if self.lend_one(target, segno) {
                held.push(segno);
            }
        }
        Some(SegmentNo::new(at))
    }

    /// Holds a segment if something in it is to be discarded and no log needs it now.
    fn lend_one(&mut self, target: &Target, segno: SegmentNo) -> bool {
        let segment = self.get(segno);
        let (class, kind, holes) = (segment.class(), segment.kind, segment.holes());
        let is_wanted = match target.which {
            Which::FreedWhole => class == Class::Free,
            Which::Freed | Which::All => {
                matches!(class, Class::Free | Class::Partial | Class::Prefree)
            }
        };
        if class == Class::Full && !target.is_dry {
            self.undiscarded.remove(segno.get());
        }
        if !is_wanted || !self.hold(segno) {
            return false;
        }
        self.lent.free += u32::from(class == Class::Free);
        self.lent.holes[usize::from(kind.is_node())] += holes;
        let start = self.geometry.segment_start(segno).get();
        let is_whole =
            target.range.start <= start && start + u32::from(SEGMENT_BLOCKS) <= target.range.end;
        if is_whole && !target.is_dry {
            self.undiscarded.remove(segno.get());
        }
        true
    }

    fn take_back(&mut self, held: &[SegmentNo]) {
        for &segno in held {
            self.let_go(segno);
        }
        self.lent = Lent::default();
    }

    /// Free segments, those that are lent included.
    pub(super) fn free_count(&self) -> u32 {
        self.count(Class::Free) + self.lent.free
    }

    /// Writable blocks in the holes of segments of data, or of nodes, those that are lent included.
    pub(super) fn hole_blocks(&self, of_nodes: bool) -> u64 {
        let index = usize::from(of_nodes);
        self.holes[index] + self.lent.holes[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::CheckpointReason::Sync;
    use crate::device::Device;
    use crate::error::Error;
    use crate::meta::tests::fresh;
    use crate::meta::{Metadata, OpenMode};
    use blockdev::{Bio, BlockDevice, DeviceError, MemDevice};
    use f2fs_format::{CursegType, SummaryEntry};
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::sync::{Arc, Mutex};

    /// A device whose discards say that they have begun, and wait until they may end.
    #[derive(Debug)]
    struct Gated {
        inner: Arc<MemDevice>,
        begun: Sender<(u64, u64)>,
        gate: Mutex<Receiver<()>>,
    }

    impl BlockDevice for Gated {
        fn size_bytes(&self) -> u64 {
            self.inner.size_bytes()
        }

        fn is_read_only(&self) -> bool {
            false
        }

        fn submit(&self, bio: Bio) {
            self.inner.submit(bio);
        }

        fn read_at(&self, pos: u64, buf: &mut [u8]) -> Result<(), DeviceError> {
            self.inner.read_at(pos, buf)
        }

        fn write_at(&self, pos: u64, data: &[u8]) -> Result<(), DeviceError> {
            self.inner.write_at(pos, data)
        }

        fn flush(&self) -> Result<(), DeviceError> {
            Ok(())
        }

        fn discard(&self, pos: u64, len: u64) -> Result<(), DeviceError> {
            self.begun.send((pos, len)).unwrap();
            // Open for good once the other end is gone.
            let _ = self.gate.lock().unwrap().recv();
            self.inner.discard(pos, len)
        }
    }

    struct Lab {
        meta: Metadata,
        begun: Receiver<(u64, u64)>,
        gate: Sender<()>,
    }

    fn lab() -> Lab {
        let (begun, told) = channel();
        let (gate, opened) = channel();
        let device = Gated {
            inner: fresh(&[]),
            begun,
            gate: Mutex::new(opened),
        };
        let device = Arc::new(Device::new(Arc::new(device)));
        Lab {
            meta: Metadata::open(device, OpenMode::ReadWrite).unwrap(),
            begun: told,
            gate,
        }
    }

    fn target(which: Which) -> Target {
        Target {
            which,
            range: 0..u32::MAX,
            min_blocks: 1,
            is_dry: false,
        }
    }

    fn take(meta: &Metadata, count: usize) -> Result<Vec<BlockRun>, Error> {
        let owner = SummaryEntry {
            nid: 9,
            version: 0,
            ofs_in_node: 0,
        };
        meta.segments
            .allocate(CursegType::WarmData, &vec![owner; count])
    }

    fn free(meta: &Metadata, runs: &[BlockRun]) {
        for run in runs {
            for n in 0..run.count {
                let addr = BlockAddr::new(run.start.get() + n);
                meta.segments.invalidate(addr).unwrap();
            }
        }
    }

    #[test]
    fn held_segments_are_still_room_and_a_log_waits_for_them() {
        let Lab { meta, begun, gate } = lab();
        // Leaves what data may still open, and no more.
        while meta.segments.has_room(512, 0) {
            take(&meta, 512).unwrap();
        }
        let (counts, room) = (meta.segments.counts(), meta.segments.room());
        let rest = (counts.free as usize + 1) * 512;
        std::thread::scope(|scope| {
            let discarding = scope.spawn(|| {
                let (mut from, mut blocks) = (Some(SegmentNo::new(0)), 0);
                while let Some(segno) = from {
                    let done = meta.segments.discard_batch(&target(Which::All), segno);
                    let done = done.unwrap();
                    (from, blocks) = (done.next, blocks + done.blocks);
                }
                blocks
            });
            begun.recv().unwrap();
            let held = meta.segments.table.lock().lent;
            assert!(
                held.free > 0 && held.free <= counts.free.div_ceil(FREE_SHARE),
                "{held:?}"
            );
            assert_eq!(meta.segments.counts().free, counts.free);
            let now = meta.segments.room();
            assert_eq!((now.data, now.nodes), (room.data, room.nodes));
            assert!(!meta.segments.has_room(512, 0));
            assert_eq!(meta.segments.free_segment_count(), counts.free);
            // Nodes may have everything that is left, so the last of them need what is held.
            let filling = scope.spawn(|| {
                let mut taken = 0;
                while taken < rest {
                    match meta
                        .segments
                        .allocate_node(CursegType::WarmNode, f2fs_format::Nid::new(9))
                    {
                        Ok(_) => taken += 1,
                        Err(Error::NoSpace) => break,
                        Err(error) => panic!("{error}"),
                    }
                }
                taken
            });
            while meta.segments.waiting.load(Ordering::Acquire) == 0 {
                assert!(!filling.is_finished(), "it found something else");
                std::thread::yield_now();
            }
            drop(gate);
            let taken = filling.join().unwrap();
            assert!(taken >= counts.free as usize * 512, "{taken} of {rest}");
            assert!(discarding.join().unwrap() > 0);
        });
        assert_eq!(meta.segments.counts().free, 0);
    }

    /// Whether a byte of the device is in one of the runs.
    fn is_in(runs: &[BlockRun], pos: u64) -> bool {
        runs.iter().any(|run| {
            let first = run.start.byte_pos();
            (first..first + u64::from(run.count) * 4096).contains(&pos)
        })
    }

    #[test]
    fn only_what_a_checkpoint_freed_is_discarded_once() {
        let Lab { meta, begun, gate } = lab();
        drop(gate);
        let discard = |which| {
            let from = SegmentNo::new(0);
            meta.segments.discard_batch(&target(which), from).unwrap()
        };
        let kept = take(&meta, 700).unwrap();
        let gone = take(&meta, 3000).unwrap();
        meta.space.reserve_blocks(700).unwrap();
        meta.write_checkpoint(Sync).unwrap();
        free(&meta, &gone);
        assert_eq!(
            discard(Which::Freed).blocks,
            0,
            "the last checkpoint knows them"
        );
        let mut from = Some(SegmentNo::new(0));
        while let Some(segno) = from {
            let all = target(Which::All);
            from = meta.segments.discard_batch(&all, segno).unwrap().next;
        }
        let is_gone = |pos: u64| is_in(&gone, pos);
        while let Ok((pos, len)) = begun.try_recv() {
            assert!(
                (pos..pos + len).step_by(4096).all(|pos| !is_gone(pos)),
                "of what the last checkpoint knows nothing is discarded"
            );
        }
        meta.write_checkpoint(Sync).unwrap();
        let whole = discard(Which::FreedWhole);
        assert_eq!(whole.blocks % 512, 0);
        assert!(whole.blocks >= 4 * 512 && whole.runs < 3, "{whole:?}");
        let rest = discard(Which::Freed);
        assert!(rest.blocks > 0 && rest.blocks < 2 * 512, "{rest:?}");
        assert_eq!(discard(Which::Freed).blocks, 0, "once");
        let is_kept = |pos: u64| is_in(&kept, pos);
        drop(meta);
        for (pos, len) in begun {
            assert!((pos..pos + len).step_by(4096).all(|pos| !is_kept(pos)));
        }
    }
}
