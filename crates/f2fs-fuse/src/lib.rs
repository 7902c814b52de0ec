//! An F2FS volume as a mounted file system.
//!
//! The kernel's FUSE asks, [`fuser`] parses, a thread of the session answers from the engine ([`f2fs`]). Permissions
//! are the kernel's to check (`default_permissions`), names and attributes stay in its caches for as long as it
//! likes: everything that changes them comes through it.
//!
//! | module | what |
//! |---|---|
//! | [`options`] | what stands behind `-o` |
//! | `session` | mounts, serves, ends in a checkpoint |
//! | `fuseblk` | root's mounts: sync(2) reaches the volume and umount(2) waits for it |
//! | `umount` | ends a mount from outside |
//! | `dispatch` | the operations of FUSE, each a few lines |
//! | `filesystem` | what they work with, and what takes more |
//! | `nodes`, `files` | what the kernel knows and holds open |
//! | `answer`, `attr` | answers, attributes and errors in FUSE's words |
//! | `words` | numbers of system calls in the engine's |
//! | `listing` | directories in FUSE's words |
//! | `ioctl` | the ioctls of `chattr` and `f2fs_io` |
//! | `lockin` | what an untrusted volume's process gives up |
//! | `commit` | a checkpoint every so often |
//!
//! # Locking
//! The tables of nodes and files are sharded maps; nothing is dropped, and no operation runs, while a shard is
//! locked. All other locks are the engine's.
#![forbid(unsafe_code)]

mod answer;
mod attr;
mod commit;
mod dispatch;
mod files;
mod filesystem;
mod fuseblk;
mod ioctl;
mod listing;
mod lockin;
mod mounts;
mod nodes;
pub mod options;
mod session;
mod umount;
mod words;

pub use options::{MountOptions, OptionError};
pub use session::{MountError, Mounted, mount};
pub use umount::{Umount, UmountError, take_away_dead, umount};
