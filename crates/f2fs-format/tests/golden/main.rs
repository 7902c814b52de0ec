//! Goldens: blocks of volumes that mkfs.f2fs, sload.f2fs and the kernel made, read through the
//! crate.
//!
//! `make.sh` builds the images; [`walk`] reads everything it can reach from a superblock, and the
//! recorder keeps exactly the blocks it read, with the kernel's own listing of the tree. The test
//! walks the kept blocks again and compares with that listing.

#![expect(clippy::unwrap_used, reason = "a failing test may panic")]

mod agree;
mod corrupt;
mod expect;
mod files;
mod fixture;
mod fuzz;
mod quota;
mod round_trip;
mod store;
mod tree;
mod walk;

use store::{Listing, Store};

/// Every golden, by the name of its file.
pub(crate) const NAMES: [&str; 10] = [
    "mkfs-plain",
    "mkfs-full",
    "mkfs-sections",
    "mkfs-android",
    "mkfs-4tib",
    "mkfs-320gib",
    "sload-ro",
    "kernel-plain",
    "kernel-normal-sum",
    "kernel-full",
];

#[test]
fn all_goldens_read_as_listed() {
    for name in NAMES {
        let (mut store, listing) = Store::golden(name);
        let volume = walk::volume(&mut store);
        tree::compare(&volume, &listing, name);
        expect::facts(name, &volume);
    }
}

/// Copies the blocks that a walk of an image reads; called by `make.sh`.
#[test]
#[ignore = "makes a golden file from an image"]
fn record() {
    let var = |name| std::env::var(name).unwrap();
    let mut store = Store::image(&var("F2FS_GOLDEN_IMAGE"));
    let listing = Listing::parse(&std::fs::read_to_string(var("F2FS_GOLDEN_LISTING")).unwrap());
    let volume = walk::volume(&mut store);
    tree::compare(&volume, &listing, "image");
    store.save(&listing, &var("F2FS_GOLDEN_OUT"));
}
