//! System calls that neither the standard library nor rustix has.
//!
//! | module | what |
//! |---|---|
//! | `discard` | blocks of devices and mounts that are no longer needed |
//! | `f2fs` | what F2FS answers for files and directories of a mount |

mod discard;
mod f2fs;

pub use discard::{discard_blocks, trim};
pub use f2fs::{OnF2fs, RECOMPRESS_NUMBER};
