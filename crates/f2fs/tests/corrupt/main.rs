//! Bad input: broken images and failing devices. Each known class of damage has an image made by
//! hand here; the engine answers with a typed error, writes nothing that makes the volume worse,
//! and goes on reading what is whole.
//!
//! | module | what |
//! |---|---|
//! | `image`, `base` | the volume that is broken, and where its structures lie |
//! | `volume` | superblocks, checkpoints, tables: the volume is refused |
//! | `chain` | what an fsync leaves behind the last checkpoint, forged |
//! | `cleaning` | summaries and tables that only the cleaner looks at |
//! | `files` | inodes, nodes, entries, attributes, clusters: one file is refused |
//! | `untrusted` | volumes that are valid and made to harm |
//! | `input` | names, paths, full and read-only volumes |
//! | `random` | two thousand random mutations |
//! | `device` | a device that fails at every single transfer |

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod base;
mod chain;
mod cleaning;
#[path = "../common/mod.rs"]
mod common;
mod device;
mod files;
mod image;
mod input;
mod random;
mod untrusted;
mod volume;
