//! The explorer itself: it finds what it is made to find, and the same again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crash::check::{Window, check};
use crash::explore::{Limits, Place, explore};
use crash::judge::Judge;
use crash::op::{Layout, Op};
use crash::record::{Case, Recording, record};
use crash::recover::read_only;
use crash::report::Tally;
use crash::stamp::Texture;
use crash::workloads::bases::{Bases, Start};
use crash::workloads::{WORKLOADS, find};
use f2fs::FsyncMode;
use testkit::sim::{CrashState, Event, Lie, Replay};

const LIMITS: Limits = Limits {
    seed: 1,
    states: 250,
    double_every: 10,
    work_every: 10,
    fsck_every: 0,
    kernel_every: 0,
};

fn case_of(name: &str) -> Case {
    let (workload, number) = find(name).unwrap();
    let case = workload.case(&Bases::default(), number.unwrap()).unwrap();
    case.unwrap()
}

fn run(case: &Case) -> Tally {
    explore(case, &LIMITS, None, &Judge::new().unwrap()).unwrap()
}

/// A case of these operations on an empty volume.
fn case_with(operations: Vec<Op>) -> Case {
    Case {
        name: "test".into(),
        base: Bases::default().get(Start::Empty).unwrap(),
        mode: FsyncMode::Posix,
        threads: vec![operations],
        invariant: None,
        lies: Vec::new(),
    }
}

fn write(path: &str, pos: u64, len: usize) -> Op {
    Op::write(path, pos, len, Texture::Text)
}

#[test]
fn an_honest_device_loses_nothing() {
    for name in ["append/0", "append/1", "journal/0", "wal/0"] {
        let tally = run(&case_of(name));
        assert!(tally.is_clean(), "{:?}", tally.failures);
        assert!(tally.states > 100 && tally.recoveries > 10, "{tally:?}");
    }
}

#[test]
fn a_device_that_lies_about_flushes_is_caught() {
    for name in ["append/0", "journal/1", "wal/0"] {
        let mut case = case_of(name);
        case.lies = vec![Lie::Flush, Lie::DurableWrite];
        let tally = run(&case);
        assert!(!tally.is_clean(), "{name}: {tally:?}");
    }
}

#[test]
fn a_failure_is_found_again_by_its_place() {
    let mut case = case_of("append/0");
    case.lies = vec![Lie::Flush, Lie::DurableWrite];
    let failures = run(&case).failures;
    for failure in failures {
        let place = Place {
            point: failure.point,
            state: failure.state,
        };
        let again = explore(&case, &LIMITS, Some(place), &Judge::new().unwrap()).unwrap();
        assert_eq!(again.states, 1);
        assert_eq!(again.failures[0].what, failure.what);
    }
}

#[test]
fn the_same_case_gives_the_same_log() {
    for name in ["two/12345", "aged/3", "append/1", "append/2"] {
        let case = case_of(name);
        let logs = [record(&case).unwrap().log, record(&case).unwrap().log];
        let [a, b] = logs.map(|log| log.events.iter().map(text).collect::<Vec<_>>());
        assert!(a == b, "{name}");
    }
}

fn text(event: &Event) -> String {
    format!("{event:?}")
}

/// The tree after a power cut at a point that loses all it can.
fn cut(recording: &Recording, point: usize) -> crash::observe::Observed {
    let mut replay = Replay::new(&recording.log);
    replay.advance_to(point);
    read_only(&replay.image(&CrashState::default())).unwrap()
}

/// Says that everything was acknowledged, and shows the volume as it was before.
fn complaint(operations: Vec<Op>) -> String {
    let recording = record(&case_with(operations)).unwrap();
    let log = &recording.log;
    let end = Window::at(log, log.events.len());
    assert_eq!(
        check(&recording.world, &end, &cut(&recording, log.events.len())),
        Ok(())
    );
    check(&recording.world, &end, &cut(&recording, 0)).unwrap_err()
}

#[test]
fn what_was_durable_must_be_there() {
    let made = || vec![Op::Create("/a".into(), Layout::Plain), write("/a", 0, 9000)];
    let mut operations = made();
    operations.push(Op::fsync("/a"));
    assert!(complaint(operations).contains("is gone"));
}

/// A world in which a file had two contents, and what a reader saw after the first was durable.
fn two_contents(later: &[Op]) -> (Recording, crash::observe::Observed) {
    let mut operations = vec![
        Op::Create("/a".into(), Layout::Plain),
        write("/a", 0, 9000),
        Op::SYNC,
    ];
    operations.extend(later.iter().cloned());
    let recording = record(&case_with(operations)).unwrap();
    let is_first = |event: &&Event| matches!(event, Event::Mark(mark) if mark & 1 == 1);
    let acknowledged = recording.log.events.iter().enumerate();
    let third = acknowledged.filter(|(_, event)| is_first(event)).nth(2);
    let seen = cut(&recording, third.unwrap().0);
    (recording, seen)
}

fn verdict(recording: &Recording, seen: &crash::observe::Observed) -> Result<(), String> {
    let end = Window::at(&recording.log, recording.log.events.len());
    check(&recording.world, &end, seen)
}

#[test]
fn old_bytes_sizes_names_and_attributes_are_found() {
    let changes = [
        (write("/a", 4096, 100), "block 1 is old"),
        (write("/a", 9000, 10), "bytes; since"),
        (Op::Truncate("/a".into(), 10), "bytes; since"),
        (Op::Rename("/a".into(), "/b".into()), "names"),
        (Op::Chmod("/a".into(), 0o600), "attributes"),
        (Op::SetXattr("/a".into(), "user.x".into(), 5), "attributes"),
    ];
    for (change, expected) in changes {
        let (recording, seen) = two_contents(&[change.clone(), Op::SYNC]);
        let found = verdict(&recording, &seen).unwrap_err();
        assert!(found.contains(expected), "{change}: {found}");
    }
    let (recording, seen) = two_contents(&[Op::Unlink("/a".into()), Op::SYNC]);
    assert!(verdict(&recording, &seen).unwrap_err().contains("names"));
}

#[test]
fn garbage_is_found() {
    let (recording, seen) = two_contents(&[]);
    assert_eq!(verdict(&recording, &seen), Ok(()));
    let change = |change: fn(&mut crash::observe::Seen)| {
        let mut seen = seen.clone();
        let file = seen.files.values_mut().find(|file| file.size == 9000);
        change(file.unwrap());
        verdict(&recording, &seen).unwrap_err()
    };
    let found = change(|file| file.content[5000..5512].fill(7));
    assert!(found.contains("block 1 is garbage"), "{found}");
    let found = change(|file| file.content.copy_within(0..4096, 4096));
    assert!(found.contains("block 1 is garbage"), "{found}");
    assert!(change(|file| file.size = 8999).contains("bytes"));
    assert!(change(|file| file.names[0].1 = "c".into()).contains("names"));
    let mut seen = seen.clone();
    let (key, file) = seen.files.pop_last().unwrap();
    seen.files.insert((key.0, key.1 + 1), file);
    assert!(
        verdict(&recording, &seen)
            .unwrap_err()
            .contains("never made")
    );
}

#[test]
fn every_workload_has_a_case_that_is_clean() {
    for workload in WORKLOADS
        .iter()
        .filter(|workload| workload.name != "directory")
    {
        if workload.name == "mkfs" && !testkit::tools::is_there("mkfs.f2fs") {
            continue;
        }
        let bases = Bases::default();
        let numbers = workload.numbers(60, 9).into_iter();
        let mut cases = numbers.filter_map(|number| workload.case(&bases, number).unwrap());
        let limits = Limits {
            states: 40,
            ..LIMITS
        };
        let case = cases.next().unwrap();
        let tally = explore(&case, &limits, None, &Judge::new().unwrap()).unwrap();
        assert!(tally.is_clean(), "{:?}", tally.failures);
        assert!(tally.states > 5, "{}: {tally:?}", case.name);
    }
}
