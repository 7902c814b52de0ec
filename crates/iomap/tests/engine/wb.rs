//! Writeback: batches, one call a dirty run, errors told once a cursor, folios that end in every case.

use crate::mock::{Config, Mock, MockError, MockWriteback, Mode, pattern};
use blockdev::{Bio, BioVec};
use iomap::{BLOCK_SIZE, IoendBatch, WritebackOps, writeback_batch};
use pagecache::{ErrSeqCursor, PageIndex, WritebackFolio};
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

const ALL: Range<PageIndex> = 0..PageIndex::MAX;

/// Dirties single blocks.
fn dirty(mock: &Mock, blocks: &[u64]) {
    for block in blocks {
        assert_eq!(
            mock.write(block * BLOCK_SIZE, &[*block as u8 + 1; 4096]),
            Ok(4096)
        );
    }
}

#[test]
fn each_dirty_run_is_one_call_in_file_order() {
    let mock = Mock::new(Config::default());
    assert_eq!(mock.write(0, &vec![1; 64 * 4096]), Ok(64 * 4096));
    mock.flush().unwrap();
    dirty(&mock, &[40, 3, 4, 5, 9, 63, 0]);
    let mut ops = MockWriteback::new(&mock);
    assert_eq!(
        writeback_batch(&mock.mapping, ALL, 1000, &mut ops),
        Ok(Some(64))
    );
    assert_eq!(ops.calls, vec![0..1, 3..6, 9..10, 40..41, 63..64]);
    assert_eq!(ops.submits, 1);
    assert!(!mock.mapping.is_dirty());
    assert_eq!(
        writeback_batch(&mock.mapping, 64..1000, 1000, &mut ops),
        Ok(None)
    );
}

#[test]
fn batches_are_bounded_and_go_on_where_they_ended() {
    let mock = Mock::new(Config {
        order_max: 2,
        ..Config::default()
    });
    assert_eq!(mock.write(0, &vec![1; 64 * 4096]), Ok(64 * 4096));
    let mut next = 0;
    let mut batches = 0;
    loop {
        let mut ops = MockWriteback::new(&mock);
        let Some(n) = writeback_batch(&mock.mapping, next..1000, 16, &mut ops).unwrap() else {
            break;
        };
        assert_eq!(ops.calls.len(), 4);
        assert_eq!(n, next + 16);
        next = n;
        batches += 1;
    }
    assert_eq!(batches, 4);
}

/// A range that begins or ends inside a folio takes the folio.
#[test]
fn a_range_takes_the_folios_that_reach_into_it() {
    for range in [0..1, 5..6, 15..17, 7..1000] {
        let mock = Mock::new(Config {
            order_max: 4,
            ..Config::default()
        });
        assert_eq!(mock.write(0, &vec![1; 16 * 4096]), Ok(16 * 4096));
        mock.flush_range(range, 64).unwrap();
        assert!(!mock.mapping.is_dirty());
    }
    let mock = Mock::new(Config {
        order_max: 4,
        ..Config::default()
    });
    assert_eq!(mock.write(0, &vec![1; 48 * 4096]), Ok(48 * 4096));
    mock.flush_range(20..21, 64).unwrap();
    assert!(mock.mapping.next_dirty(16, 32).is_none());
    assert!(mock.mapping.next_dirty(0, 16).is_some() && mock.mapping.next_dirty(32, 48).is_some());
}

/// A dirty block of a cluster writes the cluster, once; clean clusters are left alone.
#[test]
fn a_dirty_cluster_is_written_once() {
    let mock = Mock::new(Config {
        cluster_order: 2,
        ..Config::default()
    });
    assert_eq!(mock.write(0, &pattern(1, 64 * 4096)), Ok(64 * 4096));
    mock.flush().unwrap();
    mock.device.take_log();
    dirty(&mock, &[0, 2, 3, 21]);
    mock.flush().unwrap();
    let written: u64 = mock.device.take_log().iter().map(|t| t.len).sum();
    assert_eq!(written, 2 * 4 * BLOCK_SIZE);
}

/// The error reaches each cursor once, the other parts are written, nothing stays dirty or in writeback.
#[test]
fn a_failed_write_is_told_once_a_cursor() {
    let mock = Mock::new(Config {
        order_max: 0,
        ..Config::default()
    });
    let old = pattern(1, 8 * 4096);
    assert_eq!(mock.write(0, &old), Ok(8 * 4096));
    mock.flush().unwrap();
    let mut cursors = [
        mock.mapping.errors().cursor(),
        mock.mapping.errors().cursor(),
    ];
    let new = pattern(2, 8 * 4096);
    for n in [1_usize, 3, 5] {
        assert_eq!(
            mock.write(n as u64 * BLOCK_SIZE, &new[n * 4096..][..4096]),
            Ok(4096)
        );
    }
    // They go to one run on the device, where the second one cannot be written: the bio fails as a whole.
    mock.device.break_blocks(1009..1010);
    assert!(mock.flush().is_err());
    for cursor in &mut cursors {
        assert!(mock.mapping.errors().check(cursor).is_err());
        assert!(mock.mapping.errors().check(cursor).is_ok());
    }
    assert!(
        mock.mapping
            .errors()
            .check(&mut mock.mapping.errors().cursor())
            .is_ok()
    );
    assert_eq!(mock.cache.dirty_blocks(), 0);
    mock.mapping.wait_writeback();
    mock.device.repair();
    // Every folio ended its writeback.
    mock.drop_cache();
    assert!(
        mock.read(0, 8 * 4096).unwrap() == old,
        "what failed is on the volume as it was"
    );
}

/// Refuses one block and keeps nothing.
struct Refusing(u64);

impl WritebackOps for Refusing {
    type Error = MockError;
    fn writeback_range(
        &mut self,
        folio: &Arc<WritebackFolio>,
        blocks: Range<usize>,
    ) -> Result<(), MockError> {
        let first = folio.pages().start + blocks.start as u64;
        if first == self.0 {
            Err(MockError(format!("block {first}")))
        } else {
            Ok(())
        }
    }
    fn submit(&mut self) -> Result<(), MockError> {
        Err(MockError("submit".to_owned()))
    }
}

/// The first error counts; the batch goes on, submits, and its folios end.
#[test]
fn a_refused_range_does_not_stop_the_batch() {
    let mock = Mock::new(Config {
        order_max: 0,
        ..Config::default()
    });
    dirty(&mock, &[1, 2, 3]);
    let mut cursor = mock.mapping.errors().cursor();
    let error = writeback_batch(&mock.mapping, ALL, 1000, &mut Refusing(2)).unwrap_err();
    assert_eq!(error, MockError("block 2".to_owned()));
    let told = mock.mapping.errors().check(&mut cursor).unwrap_err();
    assert_eq!(told.to_string(), "block 2");
    mock.mapping.wait_writeback();
    assert!(!mock.mapping.is_dirty());
}

/// Puts everything back.
struct Redirtying(Vec<Arc<WritebackFolio>>);

impl WritebackOps for Redirtying {
    type Error = MockError;
    fn writeback_range(
        &mut self,
        folio: &Arc<WritebackFolio>,
        _: Range<usize>,
    ) -> Result<(), MockError> {
        self.0.push(Arc::clone(folio));
        Ok(())
    }
    fn submit(&mut self) -> Result<(), MockError> {
        self.0.drain(..).for_each(|f| f.redirty());
        Err(MockError("later".to_owned()))
    }
}

#[test]
fn redirtied_blocks_are_dirty_again_exactly() {
    let mock = Mock::new(Config::default());
    assert_eq!(mock.write(0, &vec![1; 64 * 4096]), Ok(64 * 4096));
    mock.flush().unwrap();
    dirty(&mock, &[3, 4, 9]);
    let mut ops = Redirtying(Vec::new());
    assert!(writeback_batch(&mock.mapping, ALL, 1000, &mut ops).is_err());
    assert_eq!(mock.cache.dirty_blocks(), 3);
    let mut ops = MockWriteback::new(&mock);
    writeback_batch(&mock.mapping, ALL, 1000, &mut ops).unwrap();
    assert_eq!(ops.calls, vec![3..5, 9..10]);
    mock.check_accounts();
}

/// fsync beside a flusher: whoever finds nothing dirty waits for what is in flight, then sees its error.
#[test]
fn a_second_sync_waits_and_sees_the_error_of_the_first() {
    let mock = Mock::new(Config {
        mode: Mode::Held,
        ..Config::default()
    });
    dirty(&mock, &[0, 1, 2]);
    mock.device.break_blocks(1000..2000);
    std::thread::scope(|scope| {
        let _guard = mock.device.release_at_the_end();
        let first = scope.spawn(|| mock.flush());
        mock.device.wait_held(1);
        assert!(!mock.mapping.is_dirty());
        let second = scope.spawn(|| {
            let mut cursor = ErrSeqCursor::default();
            mock.flush().unwrap();
            mock.mapping.errors().check(&mut cursor)
        });
        std::thread::sleep(std::time::Duration::from_millis(10));
        assert!(!second.is_finished());
        while !first.is_finished() {
            mock.device.release_all();
            std::thread::yield_now();
        }
        assert!(first.join().unwrap().is_err());
        assert!(second.join().unwrap().is_err());
    });
}

/// What is gathered for one device position merges, whatever folio it is from; parts know their failures.
#[test]
fn ioend_merges_what_is_contiguous() {
    let seen = RefCell::new(Vec::new());
    let submit = |bio: Bio| {
        seen.borrow_mut().push((bio.pos(), bio.len()));
        if bio.pos() == 0 {
            bio.complete(Ok(()));
        } else {
            drop(bio);
        }
    };
    let mut batch = IoendBatch::new(&submit);
    for (part, pos) in [0, 4096, 8192, 40_960, 45_056].into_iter().enumerate() {
        batch.push(pos, BioVec::Owned(vec![0; 4096]), part as u32);
    }
    let failed = batch.wait();
    assert_eq!(seen.into_inner(), vec![(0, 12_288), (40_960, 8192)]);
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].0, 3..5);
}

#[test]
fn ioend_bounds_its_bios() {
    let longest = RefCell::new(0);
    let submit = |bio: Bio| {
        let mut longest = longest.borrow_mut();
        *longest = bio.len().max(*longest);
        bio.complete(Ok(()));
    };
    let mut batch = IoendBatch::new(&submit);
    for n in 0..64 {
        batch.push(n << 18, BioVec::Owned(vec![0; 1 << 18]), n as u32);
    }
    assert!(batch.wait().is_empty());
    assert_eq!(longest.into_inner(), 4 << 20);
}
