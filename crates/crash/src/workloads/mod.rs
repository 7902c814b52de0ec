//! What is run before the power is cut.
//!
//! | module | what |
//! |---|---|
//! | [`bases`] | volumes that workloads start from |
//! | [`ace`] | all short sequences of operations, each followed by making something durable or nothing |
//! | [`database`] | a database with a rollback journal or a write-ahead log |
//! | [`logs`] | logs that grow, large overwrites, files in pieces, large directories, an aged volume, threads |

pub mod ace;
pub mod bases;
pub mod database;
pub mod logs;

use crate::record::Case;
use ace::{Ace, Choice, Kind};
use anyhow::{Result, bail};
use bases::Bases;
use f2fs::FsyncMode;
use runtime::rng::Rng;

/// A family of cases.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Its name.
    pub name: &'static str,
    /// What it shows.
    pub what: &'static str,
    /// Cases it has.
    pub cases: u64,
    /// Most crash states of one case in a short run.
    pub states: usize,
    /// Of a hundred crash states of a run, so many are of this workload.
    pub share: u64,
    make: Make,
}

#[derive(Clone, Copy, Debug)]
enum Make {
    Ace(Ace),
    Other(fn(&Bases, u64) -> Result<Case>),
}

const fn ace(length: u32, mode: FsyncMode, kinds: &'static [Kind]) -> Make {
    Make::Ace(Ace {
        length,
        mode,
        kinds,
        choice: Choice::All,
    })
}

const fn names(length: u32, mode: FsyncMode) -> Make {
    Make::Ace(Ace {
        length,
        mode,
        kinds: &[Kind::Plain],
        choice: Choice::Names,
    })
}

const POSIX: FsyncMode = FsyncMode::Posix;
const STRICT: FsyncMode = FsyncMode::Strict;

/// All of them.
pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "one",
        what: "every operation alone, on plain, large, small and compressed files",
        cases: ace::cases(1, &Kind::ALL, Choice::All),
        states: 40,
        share: 14,
        make: ace(1, POSIX, &Kind::ALL),
    },
    Workload {
        name: "two",
        what: "every two operations in a row",
        cases: ace::cases(2, &Kind::ALL, Choice::All),
        states: 40,
        share: 13,
        make: ace(2, POSIX, &Kind::ALL),
    },
    Workload {
        name: "three",
        what: "three operations in a row",
        cases: ace::cases(3, &Kind::ALL, Choice::All),
        states: 40,
        share: 8,
        make: ace(3, POSIX, &Kind::ALL),
    },
    Workload {
        name: "strict",
        what: "two operations in a row, fsync in strict mode",
        cases: ace::cases(2, &Kind::ALL, Choice::All),
        states: 40,
        share: 8,
        make: ace(2, STRICT, &Kind::ALL),
    },
    Workload {
        name: "mkfs",
        what: "two operations in a row on a volume of mkfs.f2fs with quotas",
        cases: ace::cases(2, &[Kind::Mkfs], Choice::All),
        states: 40,
        share: 7,
        make: ace(2, POSIX, &[Kind::Mkfs]),
    },
    Workload {
        name: "names",
        what: "all pairs of operations on names, then an fsync",
        cases: ace::cases(2, &[Kind::Plain], Choice::Names),
        states: 8,
        share: 18,
        make: names(2, POSIX),
    },
    Workload {
        name: "strict-names",
        what: "two operations on names, then an fsync in strict mode",
        cases: ace::cases(2, &[Kind::Plain], Choice::Names),
        states: 8,
        share: 10,
        make: names(2, STRICT),
    },
    Workload {
        name: "names3",
        what: "three operations on names, then an fsync",
        cases: ace::cases(3, &[Kind::Plain], Choice::Names),
        states: 20,
        share: 3,
        make: names(3, POSIX),
    },
    Workload {
        name: "journal",
        what: "a database with a rollback journal that is deleted, truncated or zeroed",
        cases: database::JOURNALS,
        states: 400,
        share: 6,
        make: Make::Other(database::journal),
    },
    Workload {
        name: "wal",
        what: "a database with a write-ahead log and its checkpoints",
        cases: database::LOGS,
        states: 400,
        share: 4,
        make: Make::Other(database::wal),
    },
    Workload {
        name: "append",
        what: "logs that grow, an fsync after each record",
        cases: logs::APPENDS,
        states: 400,
        share: 4,
        make: Make::Other(logs::append),
    },
    Workload {
        name: "overwrite",
        what: "large overwrites with fsync",
        cases: logs::OVERWRITES,
        states: 100,
        share: 2,
        make: Make::Other(logs::overwrite),
    },
    Workload {
        name: "gather",
        what: "files in pieces that are written anew where they lie together",
        cases: logs::GATHERS,
        states: 150,
        share: 2,
        make: Make::Other(logs::gather),
    },
    Workload {
        name: "directory",
        what: "thousands of names with an fsync now and then",
        cases: logs::DIRECTORIES,
        states: 60,
        share: 1,
        make: Make::Other(logs::directory),
    },
    Workload {
        name: "aged",
        what: "a small full volume whose blocks have been used many times",
        cases: logs::AGED,
        states: 300,
        share: 5,
        make: Make::Other(logs::aged),
    },
    Workload {
        name: "cleaning",
        what: "the cleaner and discards between operations, on that volume and on compressed files",
        cases: logs::CLEANINGS,
        states: 300,
        share: 6,
        make: Make::Other(logs::cleaning),
    },
    Workload {
        name: "threads",
        what: "several threads that fsync their own files",
        cases: logs::THREADS,
        states: 150,
        share: 2,
        make: Make::Other(logs::threads),
    },
];

impl Workload {
    /// The case of a number; `None` if the sequence of that number makes no sense.
    pub fn case(&self, bases: &Bases, number: u64) -> Result<Option<Case>> {
        let mut case = match self.make {
            Make::Ace(ace) => match ace.case(bases, number)? {
                Some(case) => case,
                None => return Ok(None),
            },
            Make::Other(make) => make(bases, number)?,
        };
        case.name = format!("{}/{number}", self.name);
        Ok(Some(case))
    }

    /// Numbers of cases, spread over all of them: about `most`, or all.
    pub fn numbers(&self, most: u64, seed: u64) -> Vec<u64> {
        if most >= self.cases {
            return (0..self.cases).collect();
        }
        let mut rng = Rng::seeded(seed ^ self.cases);
        let stride = self.cases / most;
        let mut number = |n: u64| n * stride + rng.below(stride);
        (0..most).map(&mut number).collect()
    }
}

/// The workload and the case that a name such as `two/17` means; no case stands for all.
pub fn find(name: &str) -> Result<(&'static Workload, Option<u64>)> {
    let (name, number) = match name.split_once('/') {
        Some((name, number)) => (name, Some(number.parse()?)),
        None => (name, None),
    };
    match WORKLOADS.iter().find(|workload| workload.name == name) {
        Some(workload) if number.is_none_or(|n| n < workload.cases) => Ok((workload, number)),
        Some(workload) => bail!("{name} has {} cases", workload.cases),
        None => bail!("no workload {name}; --list names them"),
    }
}
