//! Tests of the codecs through the public interface.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

mod golden;
mod hostile;
mod round_trip;
mod support;
