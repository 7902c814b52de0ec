//! One run of a workload: the operations it may use, each told to the model.

use crate::disk::Disk;
use crate::model::{Model, Seen, State};
use crate::{packed, read};
use f2fs::{Error, Fallocate, File, OpenOptions, Owner, Result, SetAttr, SetXattr, Volume};
use std::ops::Range;
use std::sync::Arc;
use testkit::faulty::FaultyDevice;

/// An open file and its name.
pub(crate) struct Handle {
    pub(crate) file: File,
    pub(crate) path: String,
}

/// A moment when something was acknowledged after a fault: what a power cut leaves then, and what must be on it.
pub(crate) struct Acknowledged {
    pub(crate) disk: Arc<Disk>,
    pub(crate) model: Model,
}

/// A volume under work.
pub(crate) struct Run {
    pub(crate) volume: Arc<Volume>,
    pub(crate) disk: Arc<Disk>,
    pub(crate) device: Arc<FaultyDevice>,
    pub(crate) model: Model,
    pub(crate) errors: Vec<Error>,
    pub(crate) acknowledged: Option<Acknowledged>,
}

impl Run {
    /// For another thread, which tells of its own paths.
    pub(crate) fn part(&self) -> Self {
        Self {
            volume: Arc::clone(&self.volume),
            disk: Arc::clone(&self.disk),
            device: Arc::clone(&self.device),
            model: Model::default(),
            errors: Vec::new(),
            acknowledged: None,
        }
    }

    /// Takes back what a thread did.
    pub(crate) fn join(&mut self, part: Self) {
        self.model.merge(part.model);
        self.errors.extend(part.errors);
    }

    fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.errors.push(error)).ok()
    }

    fn step(&mut self, path: &str, new: State, result: Result<()>) -> bool {
        let done = result.is_ok();
        self.note(result);
        self.model.step(&self.volume, path, new, done);
        done
    }

    /// Changes what the model has of a path.
    fn change(&mut self, path: &str, result: Result<()>, f: impl FnOnce(&mut Seen)) -> bool {
        let mut new = self.model.now(path).as_deref().cloned().unwrap_or_default();
        f(&mut new);
        self.step(path, Some(Arc::new(new)), result)
    }

    /// Makes an empty file; compressed if its name says so.
    pub(crate) fn create(&mut self, path: &str) -> Option<Handle> {
        let compress = path.contains("packed").then(packed);
        let options = OpenOptions::new().read(true).write(true).create_new(true);
        let made = self.volume.open_with(path, &options.compress(compress));
        let (file, result) = match made {
            Ok(file) => (Some(file), Ok(())),
            Err(error) => (None, Err(error)),
        };
        self.step(path, Some(Arc::default()), result);
        let path = path.to_owned();
        file.map(|file| Handle { file, path })
    }

    /// Opens a file that is there.
    pub(crate) fn open(&mut self, path: &str) -> Option<Handle> {
        let options = OpenOptions::new().read(true).write(true);
        let file = self.volume.open_with(path, &options);
        let path = path.to_owned();
        self.note(file).map(|file| Handle { file, path })
    }

    /// A new file with content.
    pub(crate) fn make(&mut self, path: &str, data: &[u8]) -> Option<Handle> {
        let handle = self.create(path)?;
        self.write(&handle, 0, data);
        Some(handle)
    }

    pub(crate) fn write(&mut self, handle: &Handle, pos: usize, data: &[u8]) -> bool {
        let result = handle.file.write_all_at(pos as u64, data);
        self.change(&handle.path, result, |seen| {
            let bytes = &mut seen.data;
            bytes.resize(bytes.len().max(pos + data.len()), 0);
            bytes[pos..pos + data.len()].copy_from_slice(data);
        })
    }

    pub(crate) fn set_len(&mut self, handle: &Handle, len: usize) {
        let result = handle.file.set_len(len as u64);
        self.change(&handle.path, result, |seen| seen.data.resize(len, 0));
    }

    /// Writes the pieces of a file anew where they lie together. Its content stays, whatever happens.
    pub(crate) fn defragment(&mut self, handle: &Handle) {
        let result = handle.file.defragment(0..u64::MAX);
        self.note(result);
        self.read(&handle.path);
    }

    pub(crate) fn fallocate(&mut self, handle: &Handle, what: Fallocate, range: Range<usize>) {
        let (start, end) = (range.start as u64, range.end as u64);
        let result = handle.file.fallocate(what, start..end);
        self.change(&handle.path, result, |seen| {
            let data = &mut seen.data;
            match what {
                Fallocate::Allocate => data.resize(data.len().max(range.end), 0),
                Fallocate::PunchHole => {
                    let len = data.len();
                    data[range.start.min(len)..range.end.min(len)].fill(0);
                }
                Fallocate::ZeroRange => {
                    data.resize(data.len().max(range.end), 0);
                    data[range].fill(0);
                }
                Fallocate::CollapseRange => drop(data.drain(range)),
                Fallocate::InsertRange => {
                    let zeros = vec![0; range.len()];
                    data.splice(range.start..range.start, zeros);
                }
                Fallocate::AllocateKeepSize | Fallocate::ZeroRangeKeepSize => {}
            }
        });
    }

    /// fsync; whether it went well.
    pub(crate) fn fsync(&mut self, handle: &Handle) -> bool {
        let result = handle.file.sync_all();
        self.synced(handle, result)
    }

    /// fdatasync; whether it went well.
    pub(crate) fn fdatasync(&mut self, handle: &Handle) -> bool {
        let result = handle.file.sync_data();
        self.synced(handle, result)
    }

    fn synced(&mut self, handle: &Handle, result: Result<()>) -> bool {
        let done = self.note(result).is_some();
        if done {
            self.model.synced(&handle.path);
            self.acknowledge();
        }
        done
    }

    /// A checkpoint; whether it went well.
    pub(crate) fn sync(&mut self) -> bool {
        let result = self.volume.sync();
        let done = self.note(result).is_some();
        if done {
            self.model.all_synced();
            self.acknowledge();
        }
        done
    }

    fn acknowledge(&mut self) {
        if self.device.fired() > 0 {
            self.acknowledged = Some(Acknowledged {
                disk: self.disk.cut(),
                model: self.model.clone(),
            });
        }
    }

    pub(crate) fn mkdir(&mut self, path: &str) {
        let result = self.volume.create_dir(path, Owner::root(0o755));
        self.change(path, result, |seen| seen.is_dir = true);
    }

    pub(crate) fn unlink(&mut self, path: &str) {
        let result = self.volume.remove_file(path);
        self.step(path, None, result);
    }

    pub(crate) fn rmdir(&mut self, path: &str) {
        let result = self.volume.remove_dir(path);
        self.step(path, None, result);
    }

    /// Moves a file.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        let (moved, is_durable) = (self.model.now(from), self.model.is_durable(from));
        let result = self.volume.rename(from, to);
        let done = result.is_ok();
        self.step(to, moved, result.clone());
        self.model.step(&self.volume, from, None, done);
        if done && is_durable {
            self.model.moved(from, to);
        }
    }

    /// A second name. Files with several names are not changed any more.
    pub(crate) fn link(&mut self, from: &str, to: &str) {
        let seen = self.model.now(from);
        let result = self.volume.hard_link(from, to);
        self.step(to, seen, result);
    }

    pub(crate) fn set_xattr(&mut self, path: &str, name: &str, value: &[u8]) {
        let result = self.volume.set_xattr(path, name, value, SetXattr::Any);
        self.change(path, result, |seen| {
            seen.xattrs.insert(name.to_owned(), value.to_vec());
        });
    }

    pub(crate) fn remove_xattr(&mut self, path: &str, name: &str) {
        if !self
            .model
            .now(path)
            .is_some_and(|s| s.xattrs.contains_key(name))
        {
            return; // Setting it failed.
        }
        let result = self.volume.remove_xattr(path, name);
        self.change(path, result, |seen| drop(seen.xattrs.remove(name)));
    }

    pub(crate) fn set_attr(&mut self, path: &str, set: &SetAttr) {
        let result = self.volume.set_attr(path, set);
        self.note(result);
    }

    /// Lists a directory.
    pub(crate) fn list(&mut self, path: &str) {
        let entries = self.volume.read_dir(path);
        let names = entries.and_then(Iterator::collect::<Result<Vec<_>>>);
        self.note(names);
    }

    /// Reads a file. What is not what was written is no error of the device.
    pub(crate) fn read(&mut self, path: &str) {
        let found = read(&self.volume, path);
        if let Some(found) = self.note(found)
            && let Some(seen) = self.model.now(path)
        {
            assert!(found == seen.data, "{path} reads as something else");
        }
    }
}
