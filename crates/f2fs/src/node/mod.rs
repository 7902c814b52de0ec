//! The nodes of a file: its inode block, direct and indirect nodes, attribute node.
//!
//! | module | what |
//! |---|---|
//! | [`adopt`] | one inode takes over the slots and nodes of another |
//! | [`tree`] | all cached nodes of one inode; address slots by file block |
//! | [`missing`] | what filling holes would take |
//! | [`truncate`] | freeing slots and nodes behind a file block |
//! | [`dirty`] | which nodes differ from the volume's, counted |
//! | [`writer`] | dirty nodes to new places, at a checkpoint or an fsync |

mod adopt;
pub(crate) mod dirty;
mod missing;
pub(crate) mod tree;
pub(crate) mod truncate;
pub(crate) mod writer;

pub(crate) use tree::{Missing, Span, Tree};
pub(crate) use truncate::Emptied;
pub(crate) use writer::{ChainMark, NodeWriter};
