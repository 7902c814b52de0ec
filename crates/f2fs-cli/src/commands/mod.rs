//! The commands, one file each.

pub(crate) mod cat;
pub(crate) mod chattr;
pub(crate) mod clusters;
pub(crate) mod defrag;
pub(crate) mod demo;
pub(crate) mod df;
pub(crate) mod gc;
pub(crate) mod get;
pub(crate) mod info;
pub(crate) mod ln;
pub(crate) mod ls;
pub(crate) mod map;
pub(crate) mod mkdir;
pub(crate) mod mkfs;
pub(crate) mod mount;
pub(crate) mod mv;
pub(crate) mod put;
pub(crate) mod rm;
pub(crate) mod setquota;
pub(crate) mod stat;
pub(crate) mod trim;
pub(crate) mod truncate;
pub(crate) mod umount;
pub(crate) mod write;

mod describe;
mod place;
