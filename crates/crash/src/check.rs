//! What a power cut left against what is allowed.
//!
//! For each file, and for each thing about it on its own (names, attributes, size, every block), the value found
//! must be one that it had since that was last made durable, up to the newest operation that has begun.

use crate::observe::{Observed, Seen};
use crate::stamp::describe;
use crate::timeline::Moment;
use crate::world::{BLOCK, Block, FileId, History, Identity, Name, World};
use f2fs::FileType;
use std::collections::{BTreeSet, HashMap};

/// The moments that matter at a point of the log.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// The newest operation that has begun.
    pub begun: Moment,
    /// Those that were acknowledged, by moment.
    pub acknowledged: BTreeSet<Moment>,
}

impl Window {
    /// The newest of `durable` that was acknowledged.
    fn last(&self, durable: &[Moment]) -> Moment {
        let mut newest = durable.iter().rev();
        let last = newest.find(|&at| *at == 0 || self.acknowledged.contains(at));
        last.copied().unwrap_or(0)
    }
}

/// Compares a whole tree; the first thing that is wrong.
pub fn check(world: &World, window: &Window, observed: &Observed) -> Result<(), String> {
    let known: HashMap<Identity, FileId> = world
        .files
        .iter()
        .enumerate()
        .filter_map(|(id, file)| file.identity.map(|identity| (identity, id)))
        .collect();
    for (identity, seen) in &observed.files {
        if !known.contains_key(identity) {
            return Err(format!(
                "{} is inode {} of generation {:#x}, which was never made",
                seen.paths.join(" "),
                identity.0,
                identity.1
            ));
        }
    }
    let all = window.last(&world.durable_all);
    for (id, file) in world.files.iter().enumerate() {
        let Some(seen) = file.identity.and_then(|key| observed.files.get(&key)) else {
            let from = all.max(window.last(&file.durable_names));
            if id != 0 && !may_be_missing(file, from, window.begun) {
                return Err(format!(
                    "file {id} is gone; it had {}",
                    names_text(file, window)
                ));
            }
            continue;
        };
        let found = check_file(file, seen, &known, window, all);
        found.map_err(|what| format!("file {id}, now {}: {what}", seen.paths.join(" ")))?;
    }
    Ok(())
}

fn may_be_missing(file: &History, from: Moment, to: Moment) -> bool {
    file.names.is_unset_at(from) || file.names.between(from, to).any(BTreeSet::is_empty)
}

fn names_text(file: &History, window: &Window) -> String {
    let names: Vec<String> = file
        .names
        .between(0, window.begun)
        .map(|names| format!("{names:?}"))
        .collect();
    format!("names (newest first) {}", names.join(", then "))
}

fn check_file(
    file: &History,
    seen: &Seen,
    known: &HashMap<Identity, FileId>,
    window: &Window,
    all: Moment,
) -> Result<(), String> {
    if seen.kind != file.kind || seen.target != file.target {
        return Err(format!("is a {:?} to {:?}", seen.kind, seen.target));
    }
    let to = window.begun;
    let names: BTreeSet<Name> = seen
        .names
        .iter()
        .map(|(dir, name)| (known[dir], name.clone()))
        .collect();
    let from = all.max(window.last(&file.durable_names));
    if !names.is_empty() && !file.names.between(from, to).any(|had| *had == names) {
        return Err(format!(
            "names {names:?}; since it was durable it had {}",
            names_text(file, window)
        ));
    }
    let from = all.max(window.last(&file.durable_attributes));
    let mut attributes = file.attributes.between(from, to);
    if !attributes.any(|a| a.permissions == seen.permissions && a.xattrs == seen.xattrs) {
        let had: Vec<String> = file
            .attributes
            .between(from, to)
            .map(|a| format!("{:o} {:?}", a.permissions, a.xattrs.keys()))
            .collect();
        let found = format!("{:o} {:?}", seen.permissions, seen.xattrs.keys());
        return Err(format!(
            "attributes {found}; since they were durable {}",
            had.join(", ")
        ));
    }
    if file.kind != FileType::Regular {
        return Ok(());
    }
    let from = all.max(window.last(&file.durable_data));
    check_size(file, seen.size, from, to)?;
    check_blocks(file, &seen.content, from, to)
}

fn check_size(file: &History, size: u64, from: Moment, to: Moment) -> Result<(), String> {
    // Newest first, so the one before follows.
    let mut sizes = file.size.between(from, to).peekable();
    let mut had = Vec::new();
    while let Some(now) = sizes.next() {
        let before = sizes.peek().map_or(now.bytes, |before| before.bytes);
        if now.bytes == size || now.grew && (before..now.bytes).contains(&size) {
            return Ok(());
        }
        had.push(now.bytes);
    }
    Err(format!(
        "{size} bytes; since they were durable it had {had:?}"
    ))
}

fn check_blocks(file: &History, content: &[u8], from: Moment, to: Moment) -> Result<(), String> {
    for (index, bytes) in content.chunks(BLOCK as usize).enumerate() {
        let is_right = |block: &Block| match block {
            None => bytes.iter().all(|&byte| byte == 0),
            Some(block) => block[..bytes.len()] == *bytes,
        };
        let Some(timeline) = file.blocks.get(&(index as u64)) else {
            if is_right(&None) {
                continue;
            }
            return Err(format!(
                "block {index} was never written; it is {}",
                describe(bytes)
            ));
        };
        if !timeline.between(from, to).any(is_right) {
            return Err(wrong_block(
                timeline.between(0, Moment::MAX),
                index,
                bytes,
                from,
            ));
        }
    }
    Ok(())
}

fn wrong_block<'a>(
    ever: impl Iterator<Item = &'a Block>,
    index: usize,
    bytes: &[u8],
    from: Moment,
) -> String {
    let blocks: Vec<&[u8]> = ever.map(|block| block.as_deref().unwrap_or(&[])).collect();
    let is_old = blocks.iter().any(|b| {
        b.get(..bytes.len()).is_some_and(|b| b == bytes) || b.is_empty() && is_zero(bytes)
    });
    let what = if is_old { "old" } else { "garbage" };
    let had: Vec<String> = blocks.iter().map(|block| describe(block)).collect();
    format!(
        "block {index} is {what}: {}; durable since moment {from}; it had {}",
        describe(bytes),
        had.join(", ")
    )
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}
