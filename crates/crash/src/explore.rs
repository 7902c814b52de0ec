//! All power cuts of a recorded workload: which are tried, and what is asked of each.

use crate::check::{Window, check};
use crate::judge::{Judge, Sampled};
use crate::observe::Observed;
use crate::record::{Case, Recording, record};
use crate::recover::{self, recovered};
use crate::report::{Failure, Tally, Wrong};
use anyhow::{Context, Result};
use runtime::rng::Rng;
use std::collections::HashSet;
use testkit::sim::{CrashState, Enumerator, Event, Image, Replay};

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Decides everything random.
    pub seed: u64,
    /// Most crash states of a case.
    pub states: usize,
    /// Of so many states whose recovery writes, the recovery of one is cut, too.
    pub double_every: u64,
    /// Of so many states, one goes on after recovery.
    pub work_every: u64,
    /// Of those, one of so many goes through `fsck.f2fs`.
    pub fsck_every: u64,
    /// Of so many states, one goes to the kernel.
    pub kernel_every: u64,
}

/// States that hold fsynced data beside the checkpoint go to the kernel so many times as often as others.
const RECOVERIES: u64 = 8;

/// A crash state to try.
#[derive(Clone, Debug)]
struct Candidate {
    point: usize,
    /// Its number among the states of the point.
    number: usize,
    state: CrashState,
}

/// Where one state of a case is.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Point of the log.
    pub point: usize,
    /// Number among the states of the point.
    pub state: usize,
}

/// Runs a case and tries its power cuts; only the one at a place, if there is one.
pub fn explore(case: &Case, limits: &Limits, only: Option<Place>, judge: &Judge) -> Result<Tally> {
    let recording = record(case).with_context(|| format!("workload {}", case.name))?;
    let mut tally = Tally {
        cases: 1,
        operations: recording.operations,
        ..Tally::default()
    };
    let candidates = match only {
        None => {
            let (points, candidates) = candidates(&recording, limits.seed);
            tally.points = points;
            chosen(candidates, limits)
        }
        Some(place) => vec![one(&recording, limits.seed, place)?],
    };
    let mut explorer = Explorer {
        case,
        recording: &recording,
        limits,
        is_replay: only.is_some(),
        judge,
        tally,
        rng: Rng::seeded(limits.seed ^ seed_of(&case.name)),
    };
    explorer.run(&candidates);
    Ok(explorer.tally)
}

/// Different cases choose different states.
fn seed_of(name: &str) -> u64 {
    name.bytes()
        .fold(0x5EED, |seed, byte| seed.rotate_left(7) ^ u64::from(byte))
}

/// The points at which something new may be found, counted, and the states there, each once for as long as no
/// further operation is acknowledged.
fn candidates(recording: &Recording, seed: u64) -> (u64, Vec<Candidate>) {
    let log = &recording.log;
    let mut replay = Replay::new(log);
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let mut points = 0;
    for (n, event) in log.events.iter().enumerate() {
        let point = n + 1;
        replay.advance_to(point);
        match event {
            Event::Mark(mark) if mark & 1 == 1 => seen.clear(),
            // The operation that begins only adds to what is allowed.
            Event::Mark(_) | Event::FlushBegin => continue,
            _ => {}
        }
        points += 1;
        let states = Enumerator::default().states(&replay, seed);
        for (number, state) in states.into_iter().enumerate() {
            if seen.insert(replay.key(&state)) {
                let candidate = Candidate {
                    point,
                    number,
                    state,
                };
                found.push(candidate);
            }
        }
    }
    (points, found)
}

/// As many as are wanted, in the order of the log.
fn chosen(mut candidates: Vec<Candidate>, limits: &Limits) -> Vec<Candidate> {
    let mut rng = Rng::seeded(limits.seed ^ 0xC405E);
    while candidates.len() > limits.states {
        let n = rng.below(candidates.len() as u64) as usize;
        candidates.swap_remove(n);
    }
    candidates.sort_by_key(|candidate| (candidate.point, candidate.number));
    candidates
}

fn one(recording: &Recording, seed: u64, place: Place) -> Result<Candidate> {
    let Place { point, state } = place;
    let log = &recording.log;
    anyhow::ensure!(
        point <= log.events.len(),
        "the log has {} points",
        log.events.len()
    );
    let mut replay = Replay::new(log);
    replay.advance_to(point);
    let mut states = Enumerator::default().states(&replay, seed);
    anyhow::ensure!(
        state < states.len(),
        "the point has {} states",
        states.len()
    );
    Ok(Candidate {
        point,
        number: state,
        state: states.swap_remove(state),
    })
}

struct Explorer<'a> {
    case: &'a Case,
    recording: &'a Recording,
    limits: &'a Limits,
    is_replay: bool,
    judge: &'a Judge,
    tally: Tally,
    rng: Rng,
}

impl Explorer<'_> {
    fn run(&mut self, candidates: &[Candidate]) {
        let log = &self.recording.log;
        let mut replay = Replay::new(log);
        let mut window = Window::default();
        for candidate in candidates {
            for event in &log.events[replay.point()..candidate.point] {
                window.note(event);
            }
            replay.advance_to(candidate.point);
            let image = replay.image(&candidate.state);
            self.tally.states += 1;
            if let Err((wrong, what)) = self.try_state(&image, &window, candidate) {
                let what = format!("{}\n{what}", candidate.state);
                let failure = self.failure(candidate, wrong, what);
                self.tally.fail(failure);
            }
        }
    }

    fn failure(&self, candidate: &Candidate, wrong: Wrong, what: String) -> Failure {
        Failure {
            case: self.case.name.clone(),
            seed: self.limits.seed,
            point: candidate.point,
            state: candidate.number,
            wrong,
            what,
        }
    }

    /// Whether something that is done to one state in so many is done to this one.
    fn is_turn(&mut self, every: u64) -> bool {
        let is_turn = every != 0 && self.rng.below(every) == 0;
        is_turn || self.is_replay && every != 0
    }

    fn try_state(
        &mut self,
        image: &Image,
        window: &Window,
        candidate: &Candidate,
    ) -> Result<(), (Wrong, String)> {
        let shown = recover::read_only(image).map_err(|e| (Wrong::Unopenable, e))?;
        self.check_tree(window, &shown)
            .map_err(|e| (Wrong::Lost, e))?;
        let is_working = self.is_turn(self.limits.work_every);
        let found = recovered(image, self.case.mode, is_working);
        let found = found.map_err(|e| (Wrong::Unopenable, e))?;
        recover::same(
            &shown,
            &found.tree,
            "opened read-only",
            "opened for writing",
        )
        .map_err(|e| (Wrong::Disagreement, e))?;
        if is_working && self.is_turn(self.limits.fsck_every) {
            self.tally.fsck += 1;
            self.judge
                .fsck(&found.after)
                .map_err(|e| (Wrong::Disagreement, e))?;
        }
        self.tally.recoveries += u64::from(found.has_written);
        if found.has_written && self.is_turn(self.limits.double_every) {
            self.cut_recovery(image, &shown, candidate)?;
        }
        let favour = if found.has_written { RECOVERIES } else { 1 };
        if self.is_turn(self.limits.kernel_every / favour) {
            let place = self.failure(candidate, Wrong::Disagreement, candidate.state.to_string());
            self.judge.add(Sampled {
                image: image.clone(),
                manifest: shown.manifest(),
                place,
            });
        }
        Ok(())
    }

    fn check_tree(&self, window: &Window, tree: &Observed) -> Result<(), String> {
        check(&self.recording.world, window, tree)?;
        match &self.case.invariant {
            Some(invariant) => invariant(tree, window),
            None => Ok(()),
        }
    }

    /// Cuts the recovery at its own writes: whatever is left recovers to the same.
    fn cut_recovery(
        &mut self,
        image: &Image,
        expected: &Observed,
        candidate: &Candidate,
    ) -> Result<(), (Wrong, String)> {
        let seed = self.limits.seed ^ (candidate.point as u64) << 16 ^ candidate.number as u64;
        let cuts =
            recover::cuts(image, self.case.mode, seed).map_err(|e| (Wrong::Unopenable, e))?;
        for (name, cut) in cuts {
            self.tally.doubles += 1;
            let inside = |what: String| format!("recovery cut {name}\n{what}");
            let found = recover::read_only(&cut);
            let found = found.map_err(|e| (Wrong::Unopenable, inside(e)))?;
            recover::same(expected, &found, "recovered at once", "after the cut")
                .map_err(|e| (Wrong::Disagreement, inside(e)))?;
            let found = recovered(&cut, self.case.mode, false)
                .map_err(|e| (Wrong::Unopenable, inside(e)))?;
            recover::same(
                expected,
                &found.tree,
                "recovered at once",
                "recovered again",
            )
            .map_err(|e| (Wrong::Disagreement, inside(e)))?;
        }
        Ok(())
    }
}
