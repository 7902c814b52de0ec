//! Tests of the built command: one module a subject.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod clusters;
mod commands;
mod common;
mod demo;
mod full;
mod hostile;
mod images;
mod layout;
mod mounted;
mod round_trip;
mod trim;
