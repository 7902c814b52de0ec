//! The kernel killed with SIGKILL at random moments of random work, on a plain device.

use crate::disk::Disk;
use crate::guest::{Guest, scratch};
use crate::judge::{Case, assert_agreed, judge};
use crate::pool::Rng;
use crate::random::{PLAIN, TASTE, variable};
use crate::record::Setup;
use crate::workload::{Taste, Workload};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;
use testkit::{oracle, tools};

/// Kernels killed.
const KILLS: u64 = 7;
/// Operations that a kernel does not get done before.
const OPERATIONS: usize = 4000;
/// Seconds that a guest lives at most.
const LIMIT: u32 = 60;
/// Within so many milliseconds of work it dies.
const LIFE_MAX: u64 = 1500;

fn killed(seed: u64, setup: &Setup, taste: Taste) -> Option<Case> {
    let image = tools::mkfs(setup.features, setup.size);
    let mut guest = Guest::new();
    guest.mount(image.path(), setup.options).then("alive");
    let work = Workload::new(seed, taste).generate(OPERATIONS);
    // No log is there to be marked.
    for command in work.lines().filter(|line| !line.starts_with("may mark")) {
        guest.then(command);
    }
    let life = Duration::from_millis(Rng::new(seed).below(LIFE_MAX));
    let scratch = scratch();
    oracle::run_and_kill(
        &guest.script("sync"),
        &guest.devices(&scratch),
        LIMIT,
        |work| {
            wait_for(&work.join("alive"));
            sleep(life);
        },
    )?;
    Some(Case {
        name: format!("kill seed {seed} after {life:?}"),
        disk: Disk::of_image(image.path()),
    })
}

fn wait_for(path: &Path) {
    for _ in 0..3000 {
        if path.exists() {
            return;
        }
        sleep(Duration::from_millis(10));
    }
    panic!("the guest does not start");
}

#[test]
fn a_killed_kernels_work() {
    let first = variable("KERNEL_CUTS_SEED", 1);
    let mut cases = Vec::new();
    for seed in first..first + variable("KERNEL_CUTS_KILLS", KILLS) {
        let taste = Taste {
            chains: seed % 2 == 0,
            ..TASTE
        };
        let Some(case) = killed(seed, &PLAIN, taste) else {
            return;
        };
        cases.push(case);
    }
    assert_agreed("kills", &judge(&cases, ""));
}
