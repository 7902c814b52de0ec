//! What may be found on the volume, path by path: what was acknowledged as durable, and whatever came after it.

use crate::read;
use f2fs::{Error, Result, Volume};
use std::collections::BTreeMap;
use std::sync::Arc;

const BLOCK: usize = 4096;

/// One state of a file or directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) data: Vec<u8>,
    pub(crate) xattrs: BTreeMap<String, Vec<u8>>,
    pub(crate) is_dir: bool,
}

/// What a path names; `None` is nothing.
pub(crate) type State = Option<Arc<Seen>>;

#[derive(Clone, Debug)]
struct Path {
    /// What a crash may leave: the durable state, and all later ones.
    may_be: Vec<State>,
    /// What the volume shows now, if nothing is in doubt.
    now: State,
    /// An operation failed and what it left could not be read.
    in_doubt: bool,
}

/// All paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    paths: BTreeMap<String, Path>,
    /// Renames since the last checkpoint: one of the names is there.
    moves: Vec<(String, String)>,
}

impl Model {
    /// The state of a path now.
    pub(crate) fn now(&self, path: &str) -> State {
        self.paths.get(path).and_then(|p| p.now.clone())
    }

    /// All paths.
    pub(crate) fn names(&self) -> Vec<String> {
        self.paths.keys().cloned().collect()
    }

    /// An operation took the path to a state, or tried to.
    pub(crate) fn step(&mut self, volume: &Volume, path: &str, new: State, done: bool) {
        self.moves.retain(|(a, b)| a != path && b != path);
        let entry = self.paths.entry(path.to_owned()).or_insert_with(|| Path {
            may_be: vec![None],
            now: None,
            in_doubt: false,
        });
        add(&mut entry.may_be, new.clone());
        entry.now = new;
        if !done {
            // Its caller looks too.
            match look(volume, path) {
                Ok(seen) => {
                    add(&mut entry.may_be, seen.clone());
                    entry.now = seen;
                }
                Err(_) => entry.in_doubt = true,
            }
        }
    }

    /// Whether a path names something whatever happens.
    pub(crate) fn is_durable(&self, path: &str) -> bool {
        let entry = self.paths.get(path);
        entry.is_some_and(|entry| !entry.may_be.contains(&None))
    }

    /// A rename of something durable went well.
    pub(crate) fn moved(&mut self, from: &str, to: &str) {
        self.moves.push((from.to_owned(), to.to_owned()));
    }

    /// The path is durable as it is.
    pub(crate) fn synced(&mut self, path: &str) {
        if let Some(entry) = self.paths.get_mut(path)
            && !entry.in_doubt
        {
            entry.may_be = vec![entry.now.clone()];
        }
    }

    /// Everything is durable as it is.
    pub(crate) fn all_synced(&mut self) {
        self.moves.clear();
        for path in self.names() {
            self.synced(&path);
        }
    }

    /// Adds the paths of another thread.
    pub(crate) fn merge(&mut self, other: Self) {
        self.paths.extend(other.paths);
        self.moves.extend(other.moves);
    }

    /// What an open volume shows that is not what its operations left. A read that fails once goes well when it is
    /// tried again; if the device fails for ever, a path that cannot be read is passed over.
    pub(crate) fn differences_now(&self, volume: &Volume, is_sticky: bool) -> Vec<String> {
        let mut wrong = Vec::new();
        for (path, entry) in self.paths.iter().filter(|(_, e)| !e.in_doubt) {
            let first = look(volume, path);
            let is_hit = matches!(first, Err(Error::Device(_)));
            match if is_hit { look(volume, path) } else { first } {
                Ok(seen) if seen == entry.now => {}
                Ok(seen) => wrong.push(format!("{path} is {}", short(&seen))),
                Err(Error::Device(_)) if is_sticky => {}
                Err(error) => wrong.push(format!("{path}: {error}")),
            }
        }
        wrong
    }

    /// What a volume shows after a crash that it must not.
    pub(crate) fn differences(&self, volume: &Volume) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut there = BTreeMap::new();
        for (path, entry) in &self.paths {
            match look(volume, path) {
                Ok(seen) => {
                    there.insert(path.as_str(), seen.is_some());
                    if let Some(why) = judge(&seen, &entry.may_be) {
                        let of = entry.may_be.len();
                        wrong.push(format!("{path} is {}: {why}, {of} states", short(&seen)));
                    }
                }
                Err(error) => wrong.push(format!("{path}: {error}")),
            }
        }
        for (from, to) in &self.moves {
            if there.get(from.as_str()) == Some(&false) && there.get(to.as_str()) == Some(&false) {
                wrong.push(format!("neither {from} nor {to} is there"));
            }
        }
        wrong
    }
}

fn add(states: &mut Vec<State>, state: State) {
    if !states.contains(&state) {
        states.push(state);
    }
}

fn short(state: &State) -> String {
    match state.as_deref() {
        None => "nothing".to_owned(),
        Some(seen) => format!("{} bytes, {} xattrs", seen.data.len(), seen.xattrs.len()),
    }
}

/// What a path names on a volume.
pub(crate) fn look(volume: &Volume, path: &str) -> Result<State> {
    let meta = match volume.symlink_metadata(path) {
        Err(Error::NotFound) => return Ok(None),
        other => other?,
    };
    let mut seen = Seen {
        is_dir: meta.is_dir(),
        ..Seen::default()
    };
    if !seen.is_dir {
        seen.data = read(volume, path)?;
    }
    for name in volume.list_xattrs(path)? {
        let name = name.to_string_lossy().into_owned();
        let value = volume.get_xattr(path, &name)?;
        seen.xattrs.insert(name, value);
    }
    Ok(Some(Arc::new(seen)))
}

/// Why a state is none that a crash may leave: block by block it is one of them.
fn judge(found: &State, may_be: &[State]) -> Option<&'static str> {
    let Some(found) = found else {
        return (!may_be.contains(&None)).then_some("lost");
    };
    let states: Vec<&Seen> = may_be.iter().flatten().map(AsRef::as_ref).collect();
    if !states.iter().any(|s| s.is_dir == found.is_dir) {
        return Some("should not be there");
    }
    let sizes = || states.iter().map(|s| s.data.len());
    let len = found.data.len();
    let is_between = sizes().min() <= Some(len) && Some(len) <= sizes().max();
    if !is_between {
        return Some("size");
    }
    for (index, block) in found.data.chunks(BLOCK).enumerate() {
        if !states.iter().any(|s| holds(s, index, block)) {
            return Some("bytes");
        }
    }
    let of = |seen: &Seen| seen.xattrs.keys().cloned().collect::<Vec<_>>();
    let names = states.iter().flat_map(|s| of(s)).chain(of(found));
    names
        .into_iter()
        .any(|name| {
            !states
                .iter()
                .any(|s| s.xattrs.get(&name) == found.xattrs.get(&name))
        })
        .then_some("xattrs")
}

/// Whether a state has this block, with zeros behind its end.
fn holds(state: &Seen, index: usize, block: &[u8]) -> bool {
    let at = (index * BLOCK).min(state.data.len());
    let here = &state.data[at..(at + block.len()).min(state.data.len())];
    block.starts_with(here) && block[here.len()..].iter().all(|&b| b == 0)
}
