//! The command of the crash explorer; see the library.

use anyhow::{Result, ensure};
use clap::Parser;
use crash::explore::Place;
use crash::report::{Tally, table};
use crash::run::{Plan, again, rate, run};
use crash::workloads::{WORKLOADS, find};
use std::process::ExitCode;
use std::time::Instant;

/// Crash states of a short run, about.
const SHORT: u64 = 50_000;
/// Crash states of a full run, about.
const FULL: u64 = 240_000;

/// Cuts the power at every write of many workloads and looks at what is left.
#[derive(Debug, Parser)]
struct Args {
    /// Decides everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One workload, or one case of it, for example two/17
    #[arg(long)]
    workload: Option<String>,
    /// As much as a release needs
    #[arg(long)]
    full: bool,
    /// Crash states in all, about
    #[arg(long)]
    states: Option<u64>,
    /// Crash states that the kernel recovers
    #[arg(long)]
    kernel: Option<usize>,
    /// Threads; one for each processor if not given
    #[arg(long)]
    threads: Option<usize>,
    /// Tell what the workloads are
    #[arg(long)]
    list: bool,
    /// Only this point of the log of a case
    #[arg(long, requires_all = ["workload", "state"])]
    point: Option<usize>,
    /// Only this state of the point
    #[arg(long, requires = "point")]
    state: Option<usize>,
}

impl Args {
    fn plan(&self) -> Plan {
        let (states, kernel) = if self.full { (FULL, 560) } else { (SHORT, 42) };
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Plan {
            seed: self.seed,
            states: self.states.unwrap_or(states),
            kernel: self.kernel.unwrap_or(kernel),
            threads: self.threads.unwrap_or(processors),
        }
    }
}

fn main() -> ExitCode {
    match try_main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crash: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn try_main() -> Result<()> {
    let args = Args::parse();
    if args.list {
        for workload in WORKLOADS {
            println!(
                "{:10} {:>9} cases: {}",
                workload.name, workload.cases, workload.what
            );
        }
        return Ok(());
    }
    let start = Instant::now();
    let plan = args.plan();
    let (workload, number) = match &args.workload {
        Some(name) => {
            let (workload, number) = find(name)?;
            (Some(workload), number)
        }
        None => (None, None),
    };
    let rows = match (workload, number) {
        (Some(workload), Some(number)) => {
            let place = args.point.zip(args.state);
            let place = place.map(|(point, state)| Place { point, state });
            let tally = again(&plan, workload, number, place)?;
            vec![(format!("{}/{number}", workload.name), tally)]
        }
        (only, _) => run(&plan, only)?,
    };
    finish(&rows, start)
}

fn finish(rows: &[(String, Tally)], start: Instant) -> Result<()> {
    for failure in rows.iter().flat_map(|(_, tally)| &tally.failures) {
        println!("{failure}\n");
    }
    println!("{}\n\n{}", table(rows), rate(rows, start));
    ensure!(
        rows.iter().all(|(_, tally)| tally.is_clean()),
        "the volume loses what it promised"
    );
    Ok(())
}
