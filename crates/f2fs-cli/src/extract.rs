//! Writes trees of a volume to the host (`f2fs get`).
//!
//! The volume is not trusted: nothing is made outside the target directory ([`crate::beneath`]),
//! names that lead elsewhere are refused, symbolic links are made last, and set-id bits, devices
//! and attributes of the system are kept back unless they are asked for.
//!
//! | module | what |
//! |---|---|
//! | this | walks the tree and makes what it finds |
//! | `copy` | the bytes of one file |
//! | `finish` | attributes, symbolic links, and directories at the end |
//!
//! # Invariants
//! A file is there whole or not at all, except where unreadable parts are allowed. A problem with
//! one file is told and the others go on; a full disk ends the work. Directories are entered once,
//! so a cycle ends.

mod copy;
mod finish;

use crate::beneath::{Dir, is_safe_name};
use crate::errors::{At, Failure, Result};
use crate::import::REQUEST;
use crate::progress::Progress;
use crate::text::escaped;
use f2fs::{FileType, Metadata, ReadDir, Volume};
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Directories inside one another; each keeps one open.
const DEPTH_MAX: usize = 500;

/// What is kept back and what is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Set-id bits, devices and the attributes of the system are left out.
    Untrusted,
    /// Everything is made as it is on the volume.
    All,
}

/// What to do with a part of a file that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// The file is not made.
    Refuse,
    /// The part becomes a hole, and is told.
    Skip,
}

/// Writes to one directory of the host.
#[derive(Debug)]
pub(crate) struct Extractor<'a> {
    volume: &'a Volume,
    trust: Trust,
    unreadable: Unreadable,
    is_root: bool,
    root: Dir,
    /// The root's path, for messages only.
    root_path: PathBuf,
    progress: &'a mut Progress,
    /// Files with several names, by inode number, and their first name below the root.
    links: HashMap<u32, PathBuf>,
    symlinks: Vec<Place>,
    dirs: Vec<Place>,
    entered: HashSet<u32>,
    withheld: Withheld,
    buffer: Vec<u8>,
}

/// What was left out because the volume is not trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Withheld {
    devices: u64,
    set_id_bits: u64,
    xattrs: u64,
}

/// Where something is on the volume, and where it is made.
#[derive(Clone, Debug)]
struct Place {
    /// On the volume.
    source: PathBuf,
    /// Below the root; empty for the root itself.
    relative: PathBuf,
}

impl Place {
    fn name(&self) -> &OsStr {
        self.relative.file_name().unwrap_or(OsStr::new("."))
    }

    fn parent(&self) -> &Path {
        self.relative.parent().unwrap_or(Path::new(""))
    }
}

/// A directory being filled.
#[derive(Debug)]
struct Frame {
    dir: Dir,
    place: Place,
    entries: ReadDir,
}

impl<'a> Extractor<'a> {
    /// Into the directory `root_path`.
    pub(crate) fn new(
        volume: &'a Volume,
        root_path: &Path,
        (trust, unreadable): (Trust, Unreadable),
        progress: &'a mut Progress,
    ) -> Result<Self> {
        Ok(Self {
            volume,
            trust,
            unreadable,
            is_root: rustix::process::geteuid().is_root(),
            root: Dir::open(root_path).at(root_path)?,
            root_path: root_path.to_path_buf(),
            progress,
            links: HashMap::new(),
            symlinks: Vec::new(),
            dirs: Vec::new(),
            entered: HashSet::new(),
            withheld: Withheld::default(),
            buffer: vec![0; REQUEST as usize],
        })
    }

    /// Makes the file or tree `source` under the name `name`.
    ///
    /// # Errors
    /// Only those that end the work; others are told and counted in the progress.
    pub(crate) fn get(&mut self, source: &Path, name: &OsStr) -> Result<()> {
        self.entered.clear();
        let root = self.root.again().at(&self.root_path)?;
        let place = Place {
            source: source.to_path_buf(),
            relative: name.into(),
        };
        let first = self.entry(&root, place)?;
        self.walk(first)
    }

    /// Fills the root with what is in the directory `source`.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(crate) fn get_contents(&mut self, source: &Path) -> Result<()> {
        self.entered.clear();
        let dir = self.root.again().at(&self.root_path)?;
        let entries = self.volume.read_dir(source).at(source)?;
        self.entered
            .insert(self.volume.metadata(source).at(source)?.ino());
        let place = Place {
            source: source.to_path_buf(),
            relative: PathBuf::new(),
        };
        self.dirs.push(place.clone());
        self.walk(Some(Frame {
            dir,
            place,
            entries,
        }))
    }

    fn walk(&mut self, first: Option<Frame>) -> Result<()> {
        let mut stack: Vec<Frame> = first.into_iter().collect();
        while let Some(frame) = stack.last_mut() {
            let entry = match frame.entries.next() {
                None => {
                    stack.pop();
                    continue;
                }
                Some(Err(error)) => {
                    let failure = Failure::of_volume(&frame.place.source, &error);
                    self.progress.problem(&failure);
                    continue;
                }
                Some(Ok(entry)) => entry,
            };
            let name = entry.file_name();
            if !is_safe_name(name) {
                let text = format!(
                    "refused the name '{}', which leads elsewhere",
                    escaped(name)
                );
                self.progress
                    .problem(&Failure::at(&frame.place.source, text));
                continue;
            }
            let place = Place {
                source: frame.place.source.join(name),
                relative: frame.place.relative.join(name),
            };
            let below = self.entry(&frame.dir, place)?;
            match below {
                Some(below) if stack.len() >= DEPTH_MAX => {
                    let text = "nested too deep; what is in it is left out";
                    self.progress
                        .problem(&Failure::at(&below.place.source, text));
                }
                below => stack.extend(below),
            }
        }
        Ok(())
    }

    /// Makes one entry in `dir`; a directory is to be filled by the caller.
    fn entry(&mut self, dir: &Dir, place: Place) -> Result<Option<Frame>> {
        self.progress.at(&place.source);
        match self.make(dir, place) {
            Err(failure) if !failure.is_final() => {
                self.progress.problem(&failure);
                Ok(None)
            }
            result => result,
        }
    }

    fn make(&mut self, dir: &Dir, place: Place) -> Result<Option<Frame>> {
        let found = self
            .volume
            .symlink_metadata(&place.source)
            .at(&place.source)?;
        match found.file_type() {
            FileType::Directory => return self.directory(dir, place, &found).map(Some),
            FileType::Symlink => self.symlinks.push(place),
            _ if self.link_known(dir, &place, &found)? => {}
            FileType::Regular => {
                self.file(dir, &place, &found)?;
                self.remember(&found, place);
            }
            FileType::CharDevice | FileType::BlockDevice if self.trust == Trust::Untrusted => {
                self.withheld.devices += 1;
            }
            _ => {
                self.node(dir, &place, &found)?;
                self.remember(&found, place);
            }
        }
        Ok(None)
    }

    /// The path on the host, for messages.
    fn local(&self, place: &Place) -> PathBuf {
        self.root_path.join(&place.relative)
    }

    fn directory(&mut self, dir: &Dir, place: Place, found: &Metadata) -> Result<Frame> {
        if !self.entered.insert(found.ino()) {
            let text = "this directory has a second name, which is damage; left out";
            return Err(Failure::at(&place.source, text));
        }
        let entries = self.volume.read_dir(&place.source).at(&place.source)?;
        let child = dir.make_child(place.name()).at(&self.local(&place))?;
        self.dirs.push(place.clone());
        Ok(Frame {
            dir: child,
            place,
            entries,
        })
    }

    /// Links to a file that was made before under another name. Whether it was.
    fn link_known(&self, dir: &Dir, place: &Place, found: &Metadata) -> Result<bool> {
        let Some(original) = self.links.get(&found.ino()) else {
            return Ok(false);
        };
        let linked = dir.clear(place.name());
        let linked = linked.and_then(|()| dir.link(&self.root, original, place.name()));
        linked.at(&self.local(place))?;
        Ok(true)
    }

    fn remember(&mut self, found: &Metadata, place: Place) {
        if found.links() > 1 {
            self.links.insert(found.ino(), place.relative);
        }
    }
}
