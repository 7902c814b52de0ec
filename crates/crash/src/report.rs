//! What was found, counted.

use std::fmt::{self, Display, Formatter};
use std::ops::AddAssign;

/// What is wrong with a crash state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Something that was made durable is lost, or something is there that never was.
    Lost,
    /// The volume does not open, or does not work afterwards.
    Unopenable,
    /// Two openings, `fsck.f2fs` or the kernel see something else.
    Disagreement,
}

/// One crash state that is wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Case.
    pub case: String,
    /// Seed of the run.
    pub seed: u64,
    /// Point of the log.
    pub point: usize,
    /// Number of the state at that point.
    pub state: usize,
    /// What kind of thing is wrong.
    pub wrong: Wrong,
    /// The state, and what is wrong.
    pub what: String,
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            case,
            seed,
            point,
            state,
            wrong,
            what,
        } = self;
        writeln!(
            f,
            "{wrong:?}: {case}, seed {seed}, log point {point}, state {state}"
        )?;
        writeln!(f, "  {}", what.replace('\n', "\n  "))?;
        write!(
            f,
            "  again: cargo xtask crash --seed {seed} --workload {case} --point {point} --state {state}"
        )
    }
}

/// Counts of a workload.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Cases that were run.
    pub cases: u64,
    /// Operations in them.
    pub operations: u64,
    /// Points of their logs at which the device could have been cut off.
    pub points: u64,
    /// Crash states that were opened and compared.
    pub states: u64,
    /// Those of them whose opening wrote something, since there was something to recover.
    pub recoveries: u64,
    /// Crash states of recoveries.
    pub doubles: u64,
    /// Volumes that `fsck.f2fs` looked at.
    pub fsck: u64,
    /// Crash states that the kernel recovered.
    pub kernel: u64,
    /// States with something wrong: [`Wrong::Lost`], [`Wrong::Unopenable`], [`Wrong::Disagreement`].
    pub wrong: [u64; 3],
    /// The first of them.
    pub failures: Vec<Failure>,
}

/// Failures that are kept to be shown.
const SHOWN: usize = 5;

impl Tally {
    /// Counts a failure.
    pub fn fail(&mut self, failure: Failure) {
        self.wrong[failure.wrong as usize] += 1;
        if self.failures.len() < SHOWN {
            self.failures.push(failure);
        }
    }

    /// Whether nothing was wrong.
    pub fn is_clean(&self) -> bool {
        self.wrong == [0; 3]
    }
}

impl AddAssign<&Self> for Tally {
    fn add_assign(&mut self, other: &Self) {
        self.cases += other.cases;
        self.operations += other.operations;
        self.points += other.points;
        self.states += other.states;
        self.recoveries += other.recoveries;
        self.doubles += other.doubles;
        self.fsck += other.fsck;
        self.kernel += other.kernel;
        for (sum, count) in self.wrong.iter_mut().zip(other.wrong) {
            *sum += count;
        }
        let room = SHOWN.saturating_sub(self.failures.len());
        self.failures
            .extend(other.failures.iter().take(room).cloned());
    }
}

/// The table of a run: a line for each workload and one for all.
pub fn table(rows: &[(String, Tally)]) -> String {
    let mut all = Tally::default();
    let mut lines = vec![
        "| workload | cases | operations | log points | crash states | with fsynced data | double crashes \
         | fsck.f2fs | kernel | lost or garbage | unopenable | disagreements |"
            .to_owned(),
        "|---|---|---|---|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    for (name, tally) in rows {
        all += tally;
        lines.push(row(name, tally));
    }
    lines.push(row("all", &all));
    lines.join("\n")
}

fn row(name: &str, tally: &Tally) -> String {
    let [lost, unopenable, disagreements] = tally.wrong;
    let Tally {
        cases,
        operations,
        points,
        states,
        recoveries,
        doubles,
        fsck,
        kernel,
        ..
    } = tally;
    format!(
        "| {name} | {cases} | {operations} | {points} | {states} | {recoveries} | {doubles} \
         | {fsck} | {kernel} | {lost} | {unopenable} | {disagreements} |"
    )
}
