//! Simulated devices, models and helpers for tests.
#![forbid(unsafe_code)]

pub mod faulty;
pub mod fsck;
pub mod manifest;
pub mod mount;
pub mod oracle;
pub mod sim;
pub mod system;
pub mod tools;
