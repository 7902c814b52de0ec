//! Makes an empty volume.
//!
//! | module | what |
//! |---|---|
//! | [`options`] | what the caller wants |
//! | [`plan`] | where everything goes: pure numbers |
//! | `overprovision` | how much space is kept back for cleaning: pure numbers |
//! | `layout`, `root`, `quota` | the blocks of the fresh volume: pure bytes |
//! | `erase` | takes away what an older volume left |
//! | `write` | brings them to the device in an order that survives a crash |
//!
//! # Invariants
//! The same options, with a uuid, a seed and a time given, make the same bytes.

mod erase;
mod error;
mod layout;
pub mod options;
mod overprovision;
pub mod plan;
mod quota;
mod root;
mod write;

pub use error::FormatError;
pub use options::{FormatOptions, RootCompression};
pub use plan::FormatPlan;
pub use write::{FormatSummary, format};
