//! The formatter against devices, f2fs-tools and the real kernel.

#![expect(
    clippy::unwrap_used,
    reason = "an integration test is nothing but tests"
)]

mod common;
mod device;
mod kernel;
mod like_linux;
