//! Cuts of random work on volumes of several kinds.
//!
//! `KERNEL_CUTS_IMAGES` is the count of crash images of each kind, `KERNEL_CUTS_SEED` the first seed.

use crate::crash::{Cut, draw, replay};
use crate::judge::{BATCH, Case, Verdict, assert_agreed, judge};
use crate::pool::Rng;
use crate::record::{Setup, record};
use crate::workload::{Taste, Workload};

const MIB: u64 = 1 << 20;
/// Crash images of each kind of volume.
const IMAGES: u64 = 21;
/// Of them, how many come from one workload.
const OF_ONE: usize = 3 * BATCH;
/// Operations of one workload.
const OPERATIONS: usize = 150;

pub(crate) const TASTE: Taste = Taste {
    casefold: false,
    owners: false,
    chains: false,
};
pub(crate) const PLAIN: Setup = Setup {
    size: 128 * MIB,
    features: &["-O", "extra_attr,inode_checksum,inode_crtime"],
    options: "fsync_mode=posix",
    lasting: "",
};

pub(crate) fn variable(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |text| text.parse().unwrap())
}

fn cuts(name: &str, setup: &Setup, taste: Taste) {
    let first = variable("KERNEL_CUTS_SEED", 1);
    let images = variable("KERNEL_CUTS_IMAGES", IMAGES);
    let mut verdicts = Vec::new();
    for seed in first..first + images.div_ceil(OF_ONE as u64) {
        let Some(part) = cuts_of_seed(name, seed, setup, taste) else {
            return;
        };
        verdicts.extend(part);
    }
    assert_agreed(name, &verdicts);
}

fn cuts_of_seed(name: &str, seed: u64, setup: &Setup, taste: Taste) -> Option<Vec<Verdict>> {
    let commands = Workload::new(seed, taste).generate(OPERATIONS);
    let recording = record(setup, &commands)?;
    let cuts = draw(&recording.entries, OF_ONE, &mut Rng::new(seed));
    let mut verdicts = Vec::new();
    let mut cases = Vec::new();
    replay(&recording, &cuts, |cut, mark, disk| {
        let Cut { upto, lost, .. } = cut;
        let name = format!("{name} seed {seed} mark {mark} upto {upto} lost {lost}");
        cases.push(Case { name, disk });
        if cases.len() == BATCH {
            verdicts.extend(judge(&std::mem::take(&mut cases), setup.lasting));
        }
    });
    verdicts.extend(judge(&cases, setup.lasting));
    Some(verdicts)
}

#[test]
fn posix() {
    cuts("posix", &PLAIN, TASTE);
}

#[test]
fn strict() {
    let setup = Setup {
        options: "fsync_mode=strict",
        ..PLAIN
    };
    cuts("strict", &setup, TASTE);
}

/// The kernel does not flush, so what an fsync wrote may be lost, in parts too.
#[test]
fn no_barrier() {
    let setup = Setup {
        features: &[],
        options: "fsync_mode=nobarrier",
        ..PLAIN
    };
    cuts("no barrier", &setup, TASTE);
}

#[test]
fn compressed() {
    let setup = Setup {
        features: &["-O", "extra_attr,inode_checksum,compression"],
        options: "compress_algorithm=lz4,compress_extension=zz,compress_chksum",
        ..PLAIN
    };
    cuts("compressed", &setup, TASTE);
}

#[test]
fn compressed_by_zstd() {
    let setup = Setup {
        features: &["-O", "extra_attr,compression,flexible_inline_xattr"],
        options: "compress_algorithm=zstd:3,compress_extension=zz,compress_log_size=3,flush_merge",
        ..PLAIN
    };
    cuts("compressed by zstd", &setup, TASTE);
}

#[test]
fn quotas() {
    let setup = Setup {
        features: &["-O", "extra_attr,quota,project_quota"],
        options: "",
        lasting: "usrquota,grpquota,prjquota",
        ..PLAIN
    };
    let taste = Taste {
        owners: true,
        chains: true,
        ..TASTE
    };
    cuts("quotas", &setup, taste);
}

#[test]
fn casefolded() {
    let setup = Setup {
        features: &["-O", "extra_attr,casefold,project_quota", "-C", "utf8"],
        ..PLAIN
    };
    let taste = Taste {
        casefold: true,
        owners: true,
        ..TASTE
    };
    cuts("casefolded", &setup, taste);
}

#[test]
fn nothing_inline() {
    let setup = Setup {
        options: "noinline_xattr,noinline_data,noinline_dentry,checkpoint_merge",
        features: &[],
        ..PLAIN
    };
    cuts("nothing inline", &setup, TASTE);
}

#[test]
fn in_order() {
    let setup = Setup {
        options: "mode=lfs,fsync_mode=strict,nodiscard",
        ..PLAIN
    };
    cuts("in order", &setup, TASTE);
}

#[test]
fn long_chains() {
    let taste = Taste {
        chains: true,
        ..TASTE
    };
    cuts("long chains", &PLAIN, taste);
}

#[test]
fn long_chains_on_four_logs() {
    let setup = Setup {
        features: &["-O", "extra_attr,flexible_inline_xattr"],
        options: "active_logs=4,inline_xattr_size=60,fsync_mode=strict",
        ..PLAIN
    };
    let taste = Taste {
        chains: true,
        ..TASTE
    };
    cuts("long chains on four logs", &setup, taste);
}
