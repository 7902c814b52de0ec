//! What the volume should hold, now and at every moment before: names, sizes, bytes, attributes.
//!
//! Neighbours: [`crate::record`] applies the operations of a workload here and to the volume; [`crate::check`]
//! compares what a power cut left with it.
//!
//! # Invariants
//! A file is known by its inode number and generation, not by its name, so files that change names or make room
//! for others are told apart. An operation takes effect at its own moment; until it is acknowledged, both the
//! state before and after it may be found.

use crate::op::{Data, Durable, Layout, Op};
use crate::stamp::stamped;
use crate::timeline::{Moment, Timeline};
use anyhow::{Context, Result, bail, ensure};
use f2fs::{Fallocate, FileType, FsyncMode};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Bytes of a block.
pub const BLOCK: u64 = 4096;
/// Index of the root directory.
pub const ROOT: usize = 0;

/// Index of a file in [`World::files`].
pub type FileId = usize;
/// Inode number and generation.
pub type Identity = (u32, u32);
/// A name: the directory's index and the name in it.
pub type Name = (FileId, String);
/// Content of a block; `None` is all zeros.
pub type Block = Option<Arc<[u8]>>;

/// What an inode says beside its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits.
    pub permissions: u16,
    /// Extended attributes.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// A size, and whether bytes that were written made the file grow to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Bytes.
    pub bytes: u64,
    /// Whether sizes between the last one and this may be found, since bytes reach the volume one after the other.
    pub grew: bool,
}

/// One file, directory or symbolic link through its life.
#[derive(Clone, Debug)]
pub struct History {
    /// Inode number and generation, once the volume has told.
    pub identity: Option<Identity>,
    /// Type.
    pub kind: FileType,
    /// What a symbolic link names.
    pub target: String,
    /// Names; none before it is made and after it is gone.
    pub names: Timeline<BTreeSet<Name>>,
    /// Attributes.
    pub attributes: Timeline<Arc<Attributes>>,
    /// Size of a regular file.
    pub size: Timeline<Size>,
    /// Blocks that were ever written.
    pub blocks: HashMap<u64, Timeline<Block>>,
    /// Moments of the operations that made its content durable.
    pub durable_data: Vec<Moment>,
    /// The same for its attributes.
    pub durable_attributes: Vec<Moment>,
    /// The same for its names.
    pub durable_names: Vec<Moment>,
}

/// Everything, and what happened to it.
#[derive(Clone, Debug)]
pub struct World {
    /// All that ever existed; the root directory is the first.
    pub files: Vec<History>,
    /// Moments of the operations that made everything durable.
    pub durable_all: Vec<Moment>,
    entries: HashMap<FileId, BTreeMap<String, FileId>>,
    now: Moment,
    /// When anything was last made durable.
    last_sync: Moment,
    mode: FsyncMode,
}

impl World {
    /// An empty root directory.
    pub fn new(root: Identity, permissions: u16) -> Self {
        let mut world = Self {
            files: Vec::new(),
            durable_all: Vec::new(),
            entries: HashMap::new(),
            now: 0,
            last_sync: 0,
            mode: FsyncMode::Posix,
        };
        let id = world.add(FileType::Directory, permissions, "", BTreeSet::new());
        world.files[id].identity = Some(root);
        world
    }

    /// What an fsync promises from now on.
    pub fn set_mode(&mut self, mode: FsyncMode) {
        self.mode = mode;
    }

    /// Forgets everything before now, which is durable: moments start again.
    #[must_use]
    pub fn settled(&self) -> Self {
        let mut world = self.clone();
        world.durable_all = vec![0];
        world.now = 0;
        world.last_sync = 0;
        world.files.iter_mut().for_each(History::settle);
        for file in &mut world.files[1..] {
            if file.names.last().is_none_or(BTreeSet::is_empty) {
                // Gone for good; its number may come back for another file.
                file.identity = None;
            }
        }
        world
    }

    /// The moment now.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// The file that has a path.
    pub fn find(&self, path: &str) -> Option<FileId> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        parts.try_fold(ROOT, |dir, name| self.entries.get(&dir)?.get(name).copied())
    }

    fn get(&self, path: &str) -> Result<FileId> {
        self.find(path)
            .with_context(|| format!("{path} does not exist"))
    }

    /// The directory and the name that a path ends with.
    fn parent<'a>(&self, path: &'a str) -> Result<(FileId, &'a str)> {
        let (dir, name) = path.rsplit_once('/').context("a path has a slash")?;
        Ok((self.get(dir)?, name))
    }

    fn add(
        &mut self,
        kind: FileType,
        permissions: u16,
        target: &str,
        names: BTreeSet<Name>,
    ) -> FileId {
        let mut file = History {
            identity: None,
            kind,
            target: target.to_owned(),
            names: Timeline::default(),
            attributes: Timeline::default(),
            size: Timeline::default(),
            blocks: HashMap::new(),
            durable_data: Vec::new(),
            durable_attributes: Vec::new(),
            durable_names: Vec::new(),
        };
        file.names.set(self.now, names);
        let xattrs = BTreeMap::new();
        let attributes = Attributes {
            permissions,
            xattrs,
        };
        file.attributes.set(self.now, Arc::new(attributes));
        let size = Size {
            bytes: 0,
            grew: false,
        };
        file.size.set(self.now, size);
        self.files.push(file);
        let id = self.files.len() - 1;
        if kind == FileType::Directory {
            self.entries.insert(id, BTreeMap::new());
        }
        id
    }

    /// Begins an operation: from this moment on its effect may be found. Returns what it made, if anything.
    pub fn apply(&mut self, op: &Op) -> Result<Option<FileId>> {
        self.now += 1;
        match op {
            Op::Create(path, Layout::Plain | Layout::Compressed(_)) => {
                return self.make(path, FileType::Regular, 0o644, "").map(Some);
            }
            Op::Mkdir(path) => return self.make(path, FileType::Directory, 0o755, "").map(Some),
            Op::Symlink(target, path) => {
                return self.make(path, FileType::Symlink, 0o777, target).map(Some);
            }
            Op::Write(path, pos, data) => self.write(path, *pos, data)?,
            Op::Truncate(path, size) => self.truncate(path, *size)?,
            Op::Allocate(path, how, start, len) => self.allocate(path, *how, *start, *len)?,
            // Where bytes lie is nothing that a user sees.
            Op::Defragment(path) => {
                self.get(path)?;
            }
            Op::Rename(from, to) => self.rename(from, to)?,
            Op::Link(from, to) => {
                let id = self.get(from)?;
                ensure!(self.files[id].kind != FileType::Directory, "a directory");
                self.add_name(id, to)?;
            }
            Op::Unlink(path) => {
                ensure!(self.kind(path)? != FileType::Directory, "a directory");
                self.remove_name(path)?;
            }
            Op::Rmdir(path) => self.rmdir(path)?,
            Op::Chmod(path, permissions) => {
                self.change(path, |a| {
                    a.permissions = *permissions;
                    true
                })?;
            }
            Op::SetXattr(path, name, len) => {
                let value = self.xattr_value(*len);
                self.change(path, |a| {
                    a.xattrs.insert(name.clone(), value);
                    true
                })?;
            }
            Op::RemoveXattr(path, name) => {
                self.change(path, |a| a.xattrs.remove(name).is_some())?;
            }
            // Nobody sees it.
            Op::Clean | Op::Discard => {}
            Op::Sync(durable) => self.make_durable(durable)?,
        }
        Ok(None)
    }

    fn kind(&self, path: &str) -> Result<FileType> {
        Ok(self.files[self.get(path)?].kind)
    }

    /// The value that the operation of this moment sets.
    pub fn xattr_value(&self, len: usize) -> Vec<u8> {
        let text = format!("value {} ", self.now);
        text.bytes().cycle().take(len).collect()
    }

    /// The bytes that the operation of this moment writes.
    pub fn bytes_of(&self, path: &str, pos: u64, data: &Data) -> Result<Vec<u8>> {
        Ok(match data {
            Data::Stamp(len, texture) => {
                stamped(self.get(path)? as u32, self.now, pos, *len, *texture)
            }
            Data::Bytes(bytes) => bytes.to_vec(),
        })
    }

    fn make(
        &mut self,
        path: &str,
        kind: FileType,
        permissions: u16,
        target: &str,
    ) -> Result<FileId> {
        let (dir, name) = self.parent(path)?;
        ensure!(self.find(path).is_none(), "{path} exists");
        let names = BTreeSet::from([(dir, name.to_owned())]);
        let id = self.add(kind, permissions, target, names);
        self.enter(dir, name, id)?;
        Ok(id)
    }

    fn enter(&mut self, dir: FileId, name: &str, id: FileId) -> Result<()> {
        let entries = self.entries.get_mut(&dir).context("not a directory")?;
        entries.insert(name.to_owned(), id);
        Ok(())
    }

    fn names_of(&self, id: FileId) -> BTreeSet<Name> {
        self.files[id].names.last().cloned().unwrap_or_default()
    }

    fn add_name(&mut self, id: FileId, path: &str) -> Result<()> {
        let (dir, name) = self.parent(path)?;
        ensure!(self.find(path).is_none(), "{path} exists");
        let mut names = self.names_of(id);
        names.insert((dir, name.to_owned()));
        self.files[id].names.set(self.now, names);
        self.enter(dir, name, id)
    }

    fn remove_name(&mut self, path: &str) -> Result<FileId> {
        let (dir, name) = self.parent(path)?;
        let entries = self.entries.get_mut(&dir).context("not a directory")?;
        let id = entries.remove(name).context("no such name")?;
        let mut names = self.names_of(id);
        names.remove(&(dir, name.to_owned()));
        self.files[id].names.set(self.now, names);
        Ok(id)
    }

    fn rmdir(&mut self, path: &str) -> Result<()> {
        let id = self.get(path)?;
        let entries = self.entries.get(&id).context("not a directory")?;
        ensure!(entries.is_empty(), "{path} is not empty");
        self.remove_name(path)?;
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        let moved = self.get(from)?;
        let (_, _) = self.parent(to)?;
        let is_below = to.starts_with(&format!("{from}/"));
        ensure!(from != to && !is_below, "a directory into itself");
        if let Some(victim) = self.find(to) {
            ensure!(victim != moved, "two names of one file");
            let is_dir = |id: FileId| self.files[id].kind == FileType::Directory;
            ensure!(is_dir(victim) == is_dir(moved), "of different kinds");
            if is_dir(victim) {
                self.rmdir(to)?;
            } else {
                self.remove_name(to)?;
            }
        }
        self.remove_name(from)?;
        self.add_name(moved, to)
    }

    fn change(&mut self, path: &str, edit: impl FnOnce(&mut Attributes) -> bool) -> Result<()> {
        let id = self.get(path)?;
        let now = self.now;
        let timeline = &mut self.files[id].attributes;
        let mut attributes = Attributes::clone(timeline.last().context("no attributes")?);
        ensure!(edit(&mut attributes), "nothing to change");
        timeline.set(now, Arc::new(attributes));
        Ok(())
    }

    fn regular(&mut self, path: &str) -> Result<&mut History> {
        let id = self.get(path)?;
        let file = &mut self.files[id];
        ensure!(file.kind == FileType::Regular, "{path} is no regular file");
        Ok(file)
    }

    fn write(&mut self, path: &str, pos: u64, data: &Data) -> Result<()> {
        let bytes = self.bytes_of(path, pos, data)?;
        let now = self.now;
        let file = self.regular(path)?;
        file.edit(now, pos, bytes.len() as u64, |at, block| {
            block.copy_from_slice(&bytes[at..at + block.len()]);
        });
        file.grow(now, pos + bytes.len() as u64);
        Ok(())
    }

    fn truncate(&mut self, path: &str, size: u64) -> Result<()> {
        let now = self.now;
        let file = self.regular(path)?;
        let old = file.len();
        if size < old {
            file.zero(now, size, old - size);
        }
        let size = Size {
            bytes: size,
            grew: false,
        };
        file.size.set(now, size);
        Ok(())
    }

    fn allocate(&mut self, path: &str, how: Fallocate, start: u64, len: u64) -> Result<()> {
        let now = self.now;
        let file = self.regular(path)?;
        let end = start + len;
        match how {
            Fallocate::AllocateKeepSize => {}
            Fallocate::Allocate => file.grow(now, end),
            Fallocate::ZeroRange => {
                file.zero(now, start, len);
                file.grow(now, end);
            }
            Fallocate::PunchHole | Fallocate::ZeroRangeKeepSize => file.zero(now, start, len),
            Fallocate::CollapseRange | Fallocate::InsertRange => bail!("moves what is behind"),
        }
        Ok(())
    }

    fn make_durable(&mut self, durable: &Durable) -> Result<()> {
        let (now, last_sync) = (self.now, self.last_sync);
        match durable {
            Durable::Volume => self.durable_all.push(now),
            Durable::Directory(path) => {
                let id = self.get(path)?;
                self.files[id].durable_names.push(now);
                self.files[id].durable_attributes.push(now);
                self.make_names_durable(&BTreeSet::from([id]));
            }
            Durable::File(path) => {
                let file = self.regular(path)?;
                file.durable_data.push(now);
                file.durable_attributes.push(now);
                file.durable_names.push(now);
                let is_new = file.names.is_unset_at(last_sync);
                if self.mode == FsyncMode::Strict && is_new {
                    // The first fsync of a new file is for all names of its directory.
                    let dirs = self.directories_of(path)?;
                    self.make_names_durable(&dirs);
                }
            }
            Durable::Data(path) => {
                let file = self.regular(path)?;
                file.durable_data.push(now);
                file.durable_names.push(now);
            }
        }
        self.last_sync = now;
        Ok(())
    }

    fn directories_of(&self, path: &str) -> Result<BTreeSet<FileId>> {
        let names = self.names_of(self.get(path)?);
        Ok(names.into_iter().map(|(dir, _)| dir).collect())
    }

    /// The names of all files that came into some directories, or left them.
    fn make_names_durable(&mut self, dirs: &BTreeSet<FileId>) {
        let (now, all) = (self.now, self.durable_all.last().copied().unwrap_or(0));
        for file in &mut self.files {
            let from = file.durable_names.last().map_or(all, |&at| at.max(all));
            let inside = |names: &BTreeSet<Name>| -> BTreeSet<Name> {
                let inside = names.iter().filter(|(dir, _)| dirs.contains(dir));
                inside.cloned().collect()
            };
            let mut had: BTreeSet<_> = file.names.between(from, now).map(inside).collect();
            if file.names.is_unset_at(from) {
                had.insert(BTreeSet::new());
            }
            if had.len() > 1 {
                file.durable_names.push(now);
            }
        }
    }
}

impl History {
    /// Size now.
    fn len(&self) -> u64 {
        self.size.last().map_or(0, |size| size.bytes)
    }

    fn grow(&mut self, now: Moment, end: u64) {
        if end > self.len() {
            let size = Size {
                bytes: end,
                grew: true,
            };
            self.size.set(now, size);
        }
    }

    /// Calls `edit` for each piece of a range within a block: offset in the range, bytes to change.
    fn edit(&mut self, now: Moment, pos: u64, len: u64, mut edit: impl FnMut(usize, &mut [u8])) {
        let end = pos + len;
        let mut at = pos;
        while at < end {
            let index = at / BLOCK;
            let stop = end.min((index + 1) * BLOCK);
            let timeline = self.blocks.entry(index).or_insert_with(|| {
                let mut timeline = Timeline::default();
                timeline.set(0, None);
                timeline
            });
            let mut block = match timeline.last() {
                Some(Some(block)) => block.to_vec(),
                _ => vec![0; BLOCK as usize],
            };
            let inside = (at % BLOCK) as usize..(at % BLOCK + stop - at) as usize;
            edit((at - pos) as usize, &mut block[inside]);
            let is_zero = block.iter().all(|&byte| byte == 0);
            timeline.set(now, (!is_zero).then(|| block.into()));
            at = stop;
        }
    }

    /// Zeros a range of blocks that were ever written.
    fn zero(&mut self, now: Moment, pos: u64, len: u64) {
        let blocks: Vec<u64> = self.blocks.keys().copied().collect();
        for index in blocks {
            let start = pos.max(index * BLOCK);
            let end = (pos + len).min((index + 1) * BLOCK);
            if start < end {
                self.edit(now, start, end - start, |_, bytes| bytes.fill(0));
            }
        }
    }

    /// Keeps only what is true now.
    fn settle(&mut self) {
        fn keep<T: Clone>(timeline: &mut Timeline<T>) {
            if let Some(last) = timeline.last().cloned() {
                *timeline = Timeline::default();
                timeline.set(0, last);
            }
        }
        keep(&mut self.names);
        keep(&mut self.attributes);
        keep(&mut self.size);
        self.blocks.values_mut().for_each(keep);
        self.durable_data.clear();
        self.durable_attributes.clear();
        self.durable_names.clear();
    }
}
