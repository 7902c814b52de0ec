//! The engine, the real kernel and `fsck.f2fs` take turns on the same volumes.
//!
//! Each side writes what the other has to read. Three witnesses must agree after every turn: what the kernel sees, what
//! the engine sees, and for the content of files a model in memory that neither has touched. `fsck.f2fs` judges the
//! volume in between.
//!
//! | module | what |
//! |---|---|
//! | `guest` | one start of the kernel: commands in, manifests out |
//! | `manifest` | every attribute of every file, as either side sees it |
//! | `ops` | operations that both sides and the model can do |
//! | `pool` | the bytes that files are made of |
//! | `rounds` | algorithms x cluster sizes, several turns |
//! | `features` | volumes of every combination of features |
//! | `kernel_made`, `engine_made`, `tools_made` | things that only one side makes |
//! | `casefold` | directories that ignore case |
//! | `encrypted` | encrypted folders without their key |
//! | `parity` | the same outcome and the same errors on both sides |
//! | `attributes` | owners, hints, flags, far times, the room for extended attributes |
//! | `verity` | files that the kernel sealed |
//! | `aged` | nearly full volumes without a clean segment |
//! | `space` | blocks that compression saves, files in the other form |
//! | `scattered` | files in pieces that the engine gathers |
//! | `cuts` | what a guest that was killed leaves |
//! | `fsynced` | what an engine that was killed had fsynced |

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod aged;
mod attributes;
mod casefold;
mod cleaned;
mod cuts;
mod encrypted;
mod engine_made;
mod features;
mod fsynced;
mod guest;
mod kernel_made;
mod manifest;
mod ops;
mod parity;
mod pool;
mod rounds;
mod scattered;
mod space;
mod tools_made;
mod verity;
