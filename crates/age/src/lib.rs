//! Ageing: a nearly full volume is overwritten many times over, and every byte of it is checked.
//!
//! A seed decides all operations ([`plan`]) and all bytes ([`content`]), so they are never stored: whoever knows the
//! seed can check a volume, in this process or under the kernel. The same operations run on the engine ([`engine`]) and
//! on a mount of the kernel in a guest ([`folder`], [`peer`]). What is compared are counts of blocks, never times.
//!
//! | module | what |
//! |---|---|
//! | [`content`] | bytes from file, version and place |
//! | [`files`] | which files there are, and the version of each of their bytes |
//! | [`plan`] | the operations |
//! | [`drive`] | does them, samples, checks |
//! | [`engine`], [`folder`] | on what |
//! | [`peer`] | this program in the guest |
//! | [`report`], [`plot`] | tables and pictures |
#![forbid(unsafe_code)]

pub mod content;
pub mod drive;
pub mod engine;
pub mod files;
pub mod folder;
pub mod peer;
pub mod plan;
pub mod plot;
pub mod report;
pub mod sample;
