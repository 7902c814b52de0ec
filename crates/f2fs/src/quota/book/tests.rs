use super::*;
use f2fs_format::{BLOCK_SIZE, QuotaKind};
use runtime::clock::StepClock;

const WEEK: u64 = 7 * 24 * 3600;
const KIB: u64 = 1024;

struct Set {
    book: Book,
    space: Space,
    clock: StepClock,
}

impl Set {
    fn new() -> Self {
        Self {
            book: Book::new(Ino::new(4), QuotaFile::new(QuotaKind::User)),
            space: Space::empty(100, 10),
            clock: StepClock::starting_at(1000),
        }
    }

    fn with(limits: QuotaLimits) -> Self {
        let mut set = Self::new();
        let terms = Terms {
            enforce: false,
            clock: &set.clock,
            space: &set.space,
        };
        set.book.set_limits(7, limits, &terms).unwrap();
        set
    }

    fn charge(&mut self, id: u32, blocks: u64, inodes: u64, enforce: bool) -> Result<()> {
        let terms = Terms {
            enforce,
            clock: &self.clock,
            space: &self.space,
        };
        self.book.charge(id, Usage { blocks, inodes }, &terms)
    }

    fn free(&self) -> u64 {
        self.space.snapshot().free_blocks()
    }

    fn of(&self, id: u32) -> QuotaRecord {
        self.book.entries[&id].record
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "results come straight from calls"
)]
fn is_refused(result: Result<()>) -> bool {
    matches!(result, Err(Error::QuotaExceeded))
}

#[test]
fn a_hard_limit_is_reached_and_not_passed() {
    let mut set = Set::with(QuotaLimits {
        space_hard: 12 * KIB,
        inode_hard: 2,
        ..QuotaLimits::default()
    });
    set.charge(7, 3, 0, true).unwrap();
    assert!(is_refused(set.charge(7, 1, 0, true)));
    set.charge(7, 0, 2, true).unwrap();
    assert!(is_refused(set.charge(7, 0, 1, true)));
    // A charge of both leaves neither.
    set.book.release(7, Usage::blocks(3));
    assert!(is_refused(set.charge(7, 1, 1, true)));
    assert_eq!((set.of(7).space, set.of(7).inodes), (0, 2));
    set.charge(8, 1000, 1000, true).unwrap();
    // The administrator passes it.
    set.charge(7, 9, 9, false).unwrap();
    assert_eq!(
        (set.of(7).space, set.of(7).inodes),
        (9 * BLOCK_SIZE as u64, 11)
    );
}

#[test]
fn a_soft_limit_becomes_hard_after_the_grace_time() {
    let mut set = Set::with(QuotaLimits {
        space_soft: 4 * KIB,
        inode_soft: 1,
        ..QuotaLimits::default()
    });
    set.charge(7, 1, 1, true).unwrap();
    assert_eq!((set.of(7).space_time, set.of(7).inode_time), (0, 0));
    set.charge(7, 1, 1, true).unwrap();
    let record = set.of(7);
    assert_eq!(record.space_time.saturating_sub(WEEK) / 10, 100);
    assert!(record.inode_time > record.space_time);
    set.charge(7, 1, 1, true).unwrap();
    assert_eq!(set.of(7).space_time, record.space_time);
    set.clock = StepClock::starting_at(record.inode_time);
    assert!(is_refused(set.charge(7, 1, 0, true)));
    assert!(is_refused(set.charge(7, 0, 1, true)));
    set.charge(7, 1, 1, false).unwrap();
    // Below it the time is forgotten.
    let three = Usage {
        blocks: 3,
        inodes: 3,
    };
    set.book.release(7, three);
    assert_eq!((set.of(7).space_time, set.of(7).inode_time), (0, 0));
    set.charge(7, 1, 0, true).unwrap();
}

#[test]
fn new_limits_start_or_end_the_grace_time() {
    let mut set = Set::new();
    set.charge(7, 2, 2, true).unwrap();
    let mut limit = |soft| {
        let limits = QuotaLimits {
            space_soft: soft,
            ..QuotaLimits::default()
        };
        let terms = Terms {
            enforce: true,
            clock: &set.clock,
            space: &set.space,
        };
        set.book.set_limits(7, limits, &terms).unwrap();
        set.book.entries[&7].record
    };
    assert!(limit(4 * KIB).space_time > WEEK);
    assert_eq!(limit(8 * KIB).space_time, 0);
    assert!(limit(1).space_time > WEEK);
    assert_eq!(limit(1).limits.space_soft, KIB);
    assert_eq!(limit(0).space_time, 0);
}

#[test]
fn room_for_new_records_is_set_aside_until_they_are_written() {
    let mut set = Set::new();
    set.charge(7, 1, 1, true).unwrap();
    set.charge(8, 1, 1, true).unwrap();
    set.book.release(
        8,
        Usage {
            blocks: 1,
            inodes: 1,
        },
    );
    assert_eq!(set.free(), 100 - u64::from(promise(2)));
    let pieces = set.book.settle(&set.space).unwrap();
    assert_eq!(
        pieces.iter().map(|(at, _)| at.clone()).collect::<Vec<_>>(),
        [0..4096, 4096..6144]
    );
    assert_eq!(set.free(), 100);
    // What came to nothing has no record.
    assert_eq!(
        (set.book.file.contains(7), set.book.file.contains(8)),
        (true, false)
    );
    assert!(set.book.settle(&set.space).unwrap().is_empty());
    set.charge(7, 1, 0, true).unwrap();
    assert_eq!(set.free(), 100);
    assert_eq!(set.book.settle(&set.space).unwrap().len(), 1);
    assert_eq!(set.book.file.find(7), Some(set.of(7)));
}

#[test]
fn a_full_volume_takes_no_new_id() {
    let mut set = Set::new();
    set.space = Space::empty(promise(1).into(), 10);
    set.charge(1, 1, 1, true).unwrap();
    assert!(matches!(set.charge(2, 1, 1, true), Err(Error::NoSpace)));
    set.charge(1, 1, 1, true).unwrap();
}

#[test]
fn use_never_falls_below_zero() {
    let mut set = Set::new();
    set.charge(7, 1, 1, true).unwrap();
    set.book.release(
        7,
        Usage {
            blocks: 9,
            inodes: 9,
        },
    );
    assert_eq!((set.of(7).space, set.of(7).inodes), (0, 0));
    set.book.release(9, Usage::INODE);
    assert!(set.book.records().is_empty());
}
