//! The simulated device: what its log says is durable, which crash states follow, and its faults.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use blockdev::{Bio, BioVec, BlockDevice, DeviceOp};
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use testkit::faulty::{Failure, Fault, Lasting};
use testkit::sim::{
    CrashState, Enumerator, Event, Image, Keep, Lie, Log, Pick, Replay, SimDevice, State, Tear,
};

const BLOCK: u64 = 4096;

fn device() -> SimDevice {
    SimDevice::new(Image::new(1 << 20))
}

fn put(device: &SimDevice, block: u64, byte: u8) {
    let data = vec![byte; BLOCK as usize];
    device.write_at(block * BLOCK, &data).unwrap();
}

fn put_durably(device: &SimDevice, block: u64, byte: u8) {
    let data = vec![byte; BLOCK as usize];
    device.write_durable(block * BLOCK, &data).unwrap();
}

/// First bytes of the first blocks.
fn blocks(image: &Image, count: u64) -> Vec<u8> {
    let byte = |block: u64| {
        let mut byte = [0];
        image.read(block * BLOCK, &mut byte);
        byte[0]
    };
    (0..count).map(byte).collect()
}

fn at_end(log: &Log) -> Replay<'_> {
    let mut replay = Replay::new(log);
    replay.advance_to(log.events.len());
    replay
}

fn pick(write: usize, tear: Tear) -> CrashState {
    CrashState {
        picks: vec![Pick { write, tear }],
    }
}

#[test]
fn a_flush_makes_durable_what_was_written_before_it() {
    let device = device();
    put(&device, 0, 1);
    device.flush().unwrap();
    put(&device, 1, 2);
    let log = device.log().unwrap();
    let replay = at_end(&log);
    assert_eq!(replay.volatile(), [3]);
    assert_eq!(
        blocks(&replay.image(&CrashState::default()), 2),
        [1, 0],
        "the second write is not durable"
    );
    assert_eq!(blocks(&replay.image(&pick(3, Tear::Whole)), 2), [1, 2]);
}

#[test]
fn a_flush_that_has_not_returned_makes_nothing_durable() {
    let device = device();
    put(&device, 0, 1);
    device.flush().unwrap();
    let log = device.log().unwrap();
    assert!(matches!(log.events[1], Event::FlushBegin));
    let mut replay = Replay::new(&log);
    replay.advance_to(2);
    assert_eq!(replay.volatile(), [0]);
    replay.advance_to(3);
    assert!(replay.volatile().is_empty());
}

#[test]
fn a_durable_write_says_nothing_about_others() {
    let device = device();
    put(&device, 0, 1);
    put_durably(&device, 1, 2);
    let log = device.log().unwrap();
    let mut replay = Replay::new(&log);
    replay.advance_to(2);
    assert_eq!(replay.volatile(), [0, 1], "it is in flight");
    replay.advance_to(3);
    assert_eq!(replay.volatile(), [0]);
    assert_eq!(blocks(&replay.image(&CrashState::default()), 2), [0, 2]);
}

#[test]
fn a_volatile_write_stays_behind_a_later_durable_one() {
    let device = device();
    put(&device, 0, 1);
    put_durably(&device, 0, 2);
    let log = device.log().unwrap();
    let replay = at_end(&log);
    assert_eq!(blocks(&replay.image(&pick(0, Tear::Whole)), 1), [2]);
}

#[test]
fn few_writes_give_every_subset_and_torn_ones() {
    let device = device();
    for n in 0..3 {
        put(&device, n, n as u8 + 1);
    }
    let log = device.log().unwrap();
    let replay = at_end(&log);
    let states = Enumerator::default().states(&replay, 1);
    let images: Vec<_> = states
        .iter()
        .map(|state| blocks(&replay.image(state), 3))
        .collect();
    for subset in 0..8u8 {
        let expected: Vec<u8> = (0..3).map(|n| (subset >> n & 1) * (n + 1)).collect();
        assert!(images.contains(&expected), "{expected:?} is missing");
    }
    let is_torn = |pick: &Pick| pick.write == 2 && pick.tear != Tear::Whole;
    assert!(states.iter().any(|s| s.picks.iter().any(is_torn)));
}

#[test]
fn many_writes_give_the_telling_states_again_for_the_same_seed() {
    let device = device();
    for n in 0..12 {
        put(&device, n, 9);
    }
    let log = device.log().unwrap();
    let replay = at_end(&log);
    let states = Enumerator::default().states(&replay, 1);
    assert_eq!(states, Enumerator::default().states(&replay, 1));
    assert_ne!(states, Enumerator::default().states(&replay, 2));
    let counts: Vec<usize> = states
        .iter()
        .filter(|s| s.picks.iter().all(|p| p.tear == Tear::Whole))
        .map(|s| s.picks.len())
        .collect();
    assert!(counts.contains(&0) && counts.contains(&12));
    for n in 0..12 {
        let lacks = |s: &&CrashState| {
            s.picks.len() == 11
                && s.picks
                    .iter()
                    .all(|p| p.write != n && p.tear == Tear::Whole)
        };
        assert_eq!(states.iter().filter(lacks).count(), 1, "{n} alone missing");
        assert!(states.contains(&pick(n, Tear::Whole)), "{n} alone there");
    }
}

#[test]
fn torn_writes_keep_whole_sectors_or_blocks() {
    let device = device();
    device.write_at(0, &[7; 3 * 4096]).unwrap();
    let log = device.log().unwrap();
    let replay = at_end(&log);
    let sectors = |tear| {
        let image = replay.image(&pick(0, tear));
        let mut bytes = [0; 3 * 4096];
        image.read(0, &mut bytes);
        let sectors: Vec<u32> = bytes
            .chunks(512)
            .map(|s| s.iter().map(|&b| u32::from(b)).sum())
            .collect();
        assert!(sectors.iter().all(|&sum| sum == 0 || sum == 512 * 7));
        sectors.iter().map(|&sum| sum != 0).collect::<Vec<_>>()
    };
    let prefix = sectors(Tear::Sectors(Keep::Prefix(5)));
    assert_eq!(prefix, (0..24).map(|n| n < 5).collect::<Vec<_>>());
    let suffix = sectors(Tear::Blocks(Keep::Suffix(1)));
    assert_eq!(suffix, (0..24).map(|n| n >= 16).collect::<Vec<_>>());
    let random = sectors(Tear::Sectors(Keep::Random(3)));
    assert!(random.contains(&true) && random.contains(&false));
    assert_eq!(random, sectors(Tear::Sectors(Keep::Random(3))));
    assert_ne!(random, sectors(Tear::Sectors(Keep::Random(4))));
}

#[test]
fn keys_tell_images_apart_and_know_equal_ones() {
    let device = device();
    put(&device, 0, 1);
    device.flush().unwrap();
    let log = device.log().unwrap();
    let mut replay = Replay::new(&log);
    replay.advance_to(1);
    let (none, all) = (
        replay.key(&CrashState::default()),
        replay.key(&pick(0, Tear::Whole)),
    );
    let torn = replay.key(&pick(0, Tear::Sectors(Keep::Prefix(1))));
    assert!(none != all && all != torn && none != torn);
    replay.advance_to(3);
    assert_eq!(
        replay.key(&CrashState::default()),
        all,
        "durable now, the same bytes"
    );
}

/// Submits a write whose completion counts.
fn submit(device: &SimDevice, block: u64, byte: u8, done: &Arc<AtomicUsize>) {
    let done = Arc::clone(done);
    let data = vec![BioVec::Owned(vec![byte; BLOCK as usize])];
    device.submit(Bio::write(block * BLOCK, data, move |result| {
        result.unwrap();
        done.fetch_add(1, Ordering::Relaxed);
    }));
}

#[test]
fn held_writes_are_not_covered_by_a_flush_and_complete_on_release() {
    let device = device();
    let done = Arc::new(AtomicUsize::new(0));
    device.hold();
    submit(&device, 0, 1, &done);
    submit(&device, 0, 2, &done);
    put(&device, 1, 3);
    device.flush().unwrap();
    assert_eq!((done.load(Ordering::Relaxed), device.held()), (0, 2));
    let log = device.log().unwrap();
    let replay = at_end(&log);
    assert_eq!(replay.volatile(), [0, 1]);
    let states = Enumerator::default().states(&replay, 1);
    let firsts: Vec<u8> = states
        .iter()
        .map(|s| blocks(&replay.image(s), 1)[0])
        .collect();
    assert!(firsts.contains(&0) && firsts.contains(&2));
    let both = |s: &&CrashState| s.picks.len() == 2 && blocks(&replay.image(s), 1) == [1];
    assert!(
        states.iter().any(|s| both(&s)),
        "they were in flight together"
    );
    device.release(5);
    assert_eq!((done.load(Ordering::Relaxed), device.held()), (2, 0));
    device.flush().unwrap();
    assert!(at_end(&device.log().unwrap()).volatile().is_empty());
}

#[test]
fn writes_one_after_the_other_are_not_swapped() {
    let device = device();
    put(&device, 0, 1);
    put(&device, 0, 2);
    let log = device.log().unwrap();
    let replay = at_end(&log);
    let states = Enumerator::default().states(&replay, 1);
    let whole = |s: &&CrashState| s.picks.iter().all(|p| p.tear == Tear::Whole);
    let both: Vec<_> = states
        .iter()
        .filter(|s| whole(s) && s.picks.len() == 2)
        .collect();
    assert!(both.iter().all(|s| blocks(&replay.image(s), 1) == [2]));
}

#[test]
fn faults_hit_the_transfer_they_name() {
    let device = device();
    device.add_fault(Fault {
        op: DeviceOp::Write,
        index: 1,
        lasting: Lasting::Once,
        failure: Failure::Io,
    });
    device.add_fault(Fault {
        op: DeviceOp::Flush,
        index: 1,
        lasting: Lasting::FromThenOn,
        failure: Failure::Io,
    });
    let writes: Vec<bool> = (0..3)
        .map(|_| device.write_at(0, &[0; 512]).is_ok())
        .collect();
    let flushes: Vec<bool> = (0..3).map(|_| device.flush().is_ok()).collect();
    assert_eq!(writes, [true, false, true]);
    assert_eq!(flushes, [true, false, false]);
    assert_eq!((device.fired(), device.count(DeviceOp::Write)), (3, 3));
    let log = device.log().unwrap();
    let logged = log
        .events
        .iter()
        .filter(|e| matches!(e, Event::Write { .. }));
    assert_eq!(logged.count(), 2, "what failed is not in the log");
}

#[test]
fn the_device_can_refuse_writes_be_full_or_be_away() {
    let device = device();
    let write = |state| {
        device.set_state(state);
        device.write_at(0, &[0; 512]).map_err(|error| error.kind)
    };
    assert_eq!(write(State::Good), Ok(()));
    assert_eq!(write(State::ReadOnly), Err(ErrorKind::ReadOnlyFilesystem));
    assert_eq!(write(State::Full), Err(ErrorKind::StorageFull));
    device.read_at(0, &mut [0; 512]).unwrap();
    assert_eq!(write(State::Away), Err(ErrorKind::Other));
    assert!(device.read_at(0, &mut [0; 512]).is_err());
    assert!(device.flush().is_err());
}

#[test]
fn transfers_behind_the_end_fail() {
    let device = device();
    let error = device.write_at((1 << 20) - 1, &[0; 2]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnexpectedEof);
    assert!(device.read_at(u64::MAX, &mut [0; 2]).is_err());
}

#[test]
fn lies_leave_volatile_what_was_promised() {
    let device = device();
    device.tell(Lie::Flush);
    device.tell(Lie::DurableWrite);
    put(&device, 0, 1);
    device.flush().unwrap();
    put_durably(&device, 1, 2);
    let log = device.log().unwrap();
    let replay = at_end(&log);
    assert_eq!(replay.volatile().len(), 2);
    assert_eq!(blocks(&replay.image(&CrashState::default()), 2), [0, 0]);
}

#[test]
fn discarded_ranges_are_spoiled_at_once_or_after_the_cut() {
    let device = device();
    put(&device, 0, 1);
    put(&device, 1, 1);
    device.flush().unwrap();
    device.discard(0, 2 * BLOCK).unwrap();
    let log = device.log().unwrap();
    let replay = at_end(&log);
    assert_eq!(blocks(&replay.image(&CrashState::default()), 2), [1, 1]);
    let seen = |image: &Image| {
        let mut bytes = vec![0; 2 * BLOCK as usize];
        image.read(0, &mut bytes);
        let kept = |half: &[u8]| half.iter().all(|&byte| byte == 1);
        (kept(&bytes[..4096]), kept(&bytes[4096..]))
    };
    assert_eq!(seen(&replay.image(&pick(4, Tear::Whole))), (false, false));
    let half = Tear::Blocks(Keep::Suffix(1));
    assert_eq!(seen(&replay.image(&pick(4, half))), (true, false));
    assert_eq!(seen(&device.image()), (false, false));
}

#[test]
fn marks_stand_where_they_were_made() {
    let device = device();
    device.mark(4);
    put(&device, 0, 1);
    device.mark(5);
    let log = device.log().unwrap();
    assert_eq!(device.log_len(), 3);
    assert!(matches!(log.events[0], Event::Mark(4)));
    assert!(matches!(log.events[2], Event::Mark(5)));
}

#[test]
fn an_unlogged_device_only_stores() {
    let device = SimDevice::unlogged(Image::new(1 << 20));
    put_durably(&device, 0, 1);
    device.flush().unwrap();
    assert!(device.log().is_none());
    assert_eq!(blocks(&device.image(), 1), [1]);
}

#[test]
fn a_torn_write_leaves_its_first_half() {
    let device = device();
    for (index, failure) in [(0, Failure::Torn), (1, Failure::Full)] {
        device.add_fault(Fault {
            op: DeviceOp::Write,
            index,
            lasting: Lasting::Once,
            failure,
        });
    }
    assert!(device.write_at(0, &[7; 4096]).is_err());
    let full = device.write_durable(8192, &[7; 4096]).unwrap_err();
    assert_eq!(full.kind, ErrorKind::StorageFull);
    let mut left = [1; 12288];
    device.read_at(0, &mut left).unwrap();
    assert!(left[..2048].iter().all(|&b| b == 7) && left[2048..].iter().all(|&b| b == 0));
}
