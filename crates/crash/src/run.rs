//! A whole run: the cases of several workloads on several threads, then the kernel.

use crate::explore::{Limits, Place, explore};
use crate::judge::Judge;
use crate::record::run_together;
use crate::report::Tally;
use crate::workloads::bases::Bases;
use crate::workloads::{WORKLOADS, Workload};
use anyhow::Result;
use runtime::sync::{Mutex, Rank};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// How much a run tries.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Decides everything random.
    pub seed: u64,
    /// Crash states in all, about.
    pub states: u64,
    /// Crash states that the kernel recovers, at most.
    pub kernel: usize,
    /// Threads.
    pub threads: usize,
}

/// Of so many sequences of operations, one makes no sense, so that more are tried.
const SENSELESS: u64 = 5;

/// One case of a run.
#[derive(Clone, Copy, Debug)]
struct Job {
    workload: &'static Workload,
    number: u64,
    states: usize,
}

/// Runs all workloads, or one of them; the table's rows.
pub fn run(plan: &Plan, only: Option<&'static Workload>) -> Result<Vec<(String, Tally)>> {
    let mut jobs = Vec::new();
    for workload in WORKLOADS {
        match only {
            None => jobs.extend(jobs_of(workload, plan, plan.states * workload.share / 100)),
            Some(one) if one.name == workload.name => {
                jobs.extend(jobs_of(workload, plan, plan.states));
            }
            Some(_) => {}
        }
    }
    // Cases with many states first, so that no thread is left with one at the end.
    jobs.sort_by_key(|job| std::cmp::Reverse(job.states));
    let judge = Judge::new()?;
    let tallies = work(&jobs, plan, &judge);
    let mut tallies = tallies?;
    judge.ask_kernel(plan.kernel, |case, count| {
        let name = case.split('/').next().unwrap_or(case);
        if let Some(tally) = tallies.get_mut(name) {
            count(tally);
        }
    });
    let rows = WORKLOADS.iter().filter_map(|workload| {
        let tally = tallies.remove(workload.name)?;
        Some((workload.name.to_owned(), tally))
    });
    Ok(rows.collect())
}

/// Cases of a workload that together have about so many states.
fn jobs_of(workload: &'static Workload, plan: &Plan, states: u64) -> Vec<Job> {
    let each = workload.states as u64;
    let most = (states / each).max(1);
    let spare = most / SENSELESS;
    let numbers = if most + spare < workload.cases {
        most + spare
    } else {
        most
    };
    let numbers = workload.numbers(numbers, plan.seed);
    // Few cases get more states each.
    let each = (states / numbers.len() as u64).max(each);
    let job = |number| Job {
        workload,
        number,
        states: each as usize,
    };
    numbers.into_iter().map(job).collect()
}

fn limits(plan: &Plan, states: usize) -> Limits {
    Limits {
        seed: plan.seed,
        states,
        double_every: 6,
        work_every: 8,
        fsck_every: 8,
        // Three times as many as are asked, spread over all cases.
        kernel_every: plan.states / (plan.kernel as u64 * 3).max(1),
    }
}

fn work(jobs: &[Job], plan: &Plan, judge: &Judge) -> Result<BTreeMap<&'static str, Tally>> {
    let bases = Bases::default();
    let tallies = Mutex::new(Rank::new(1, "tallies"), BTreeMap::<_, Tally>::new());
    let next = AtomicUsize::new(0);
    let work_off = || -> Result<()> {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let Some(case) = job.workload.case(&bases, job.number)? else {
                continue;
            };
            let tally = explore(&case, &limits(plan, job.states), None, judge)?;
            *tallies.lock().entry(job.workload.name).or_default() += &tally;
        }
        Ok(())
    };
    run_together(plan.threads.max(1), |_| work_off())?;
    let tallies = tallies.lock().clone();
    Ok(tallies)
}

/// Tries one case again, or one state of it, with everything that may be done to a state.
pub fn again(plan: &Plan, workload: &Workload, number: u64, place: Option<Place>) -> Result<Tally> {
    let judge = Judge::new()?;
    let bases = Bases::default();
    let Some(case) = workload.case(&bases, number)? else {
        anyhow::bail!("case {number} of {} makes no sense", workload.name);
    };
    for ops in &case.threads {
        for (n, op) in ops.iter().enumerate() {
            println!("{:4} {op}", n + 1);
        }
    }
    let limits = limits(plan, plan.states as usize);
    let mut tally = explore(&case, &limits, place, &judge)?;
    judge.ask_kernel(plan.kernel, |_, count| count(&mut tally));
    Ok(tally)
}

/// Rate of a run, for its last line.
pub fn rate(rows: &[(String, Tally)], since: Instant) -> String {
    let states: u64 = rows.iter().map(|(_, tally)| tally.states).sum();
    let seconds = since.elapsed().as_secs_f64();
    format!(
        "{states} crash states in {seconds:.0} s, {:.0} a second",
        states as f64 / seconds
    )
}
