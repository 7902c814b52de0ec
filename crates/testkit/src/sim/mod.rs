//! A simulated device that remembers what was written, and the states a power cut can leave it in.
//!
//! | module | what |
//! |---|---|
//! | [`image`] | content of a device, cheap to copy |
//! | [`device`] | [`SimDevice`]: the device, its log, its faults |
//! | [`log`] | what happened, and [`Replay`]: what is durable at a point of it |
//! | [`crash`] | [`CrashState`]: which of the rest is there too, whole or torn; [`Enumerator`] |
//!
//! # Invariants
//! A write is in the log from the moment it was submitted, since it may reach the medium from then on.
//! It is durable for certain after a flush that began when it had completed, or, if it was a durable
//! write, when it completed. Whatever else is between the two may be there, be missing or be torn.

pub mod crash;
pub mod device;
pub mod image;
pub mod log;

pub use crash::{CrashState, Enumerator, Keep, Pick, Tear};
pub use device::{Lie, SimDevice, State};
pub use image::Image;
pub use log::{Event, Log, Replay};
