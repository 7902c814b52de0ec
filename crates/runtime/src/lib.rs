//! The engine's kernel: memory, locks, time, randomness and threads.
//!
//! Everything above gets its nondeterminism here, so that tests can replace it.
//!
//! | module | what |
//! |---|---|
//! | [`pool`] | page-aligned buffers of 2^n pages from huge-page-backed chunks |
//! | [`range_lock`] | which bytes of a buffer are being read or written |
//! | [`sync`] | locks with a rank; a wrong order fails in debug builds |
//! | [`clock`], [`rng`] | time and randomness that tests can fix |
//! | [`workers`] | a fixed set of threads for pure work |
//! | [`ioctl`] | system calls without a safe wrapper elsewhere |
//!
//! Unsafe code is in [`pool`] and [`ioctl`] only.
#![deny(unsafe_code)]

pub mod clock;
pub mod ioctl;
pub mod pool;
pub mod range_lock;
pub mod rng;
pub mod sync;
pub mod workers;

/// Bytes of a page: the step of every buffer, folio and file index.
pub const PAGE_SIZE: usize = 4096;

/// Largest order of a buffer or folio: 2^9 pages, 2 MiB.
pub const MAX_ORDER: u8 = 9;
