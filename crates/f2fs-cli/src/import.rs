//! Writes trees of the host into a volume, as `cp -a` does (`f2fs put`).
//!
//! # Invariants
//! A file is there whole or not at all: what could not be copied to its end is removed again. A
//! problem with one file is told and the others go on; a full volume ends the work.

use crate::errors::{At, Failure, Result};
use crate::local::{self, DataRuns};
use crate::progress::Progress;
use f2fs::{CompressDefaults, File, OpenOptions, Owner, SetAttr, SetXattr, Special, Volume};
use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Bytes of one request; requests do not cross its multiples.
pub(crate) const REQUEST: u64 = 1 << 20;

/// Compression of new files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// As the directory, the name and the volume say.
    Inherit,
    /// None.
    Off,
    /// With these parameters.
    On(CompressDefaults),
}

/// How files are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImportOptions {
    /// Compression of the files made.
    pub(crate) compress: Choice,
    /// Owner of everything, instead of the owners that the files have.
    pub(crate) owner: Option<(u32, u32)>,
    /// Device and inode number of the image, which is not put into itself.
    pub(crate) image: Option<(u64, u64)>,
}

/// Writes into one volume.
#[derive(Debug)]
pub(crate) struct Importer<'a> {
    volume: &'a Volume,
    options: ImportOptions,
    progress: &'a mut Progress,
    /// Files with several names, by device and inode number, and their first name on the volume.
    links: HashMap<(u64, u64), PathBuf>,
    buffer: Vec<u8>,
}

impl<'a> Importer<'a> {
    /// Into `volume`.
    pub(crate) fn new(
        volume: &'a Volume,
        options: ImportOptions,
        progress: &'a mut Progress,
    ) -> Self {
        Self {
            volume,
            options,
            progress,
            links: HashMap::new(),
            buffer: vec![0; REQUEST as usize],
        }
    }

    /// Writes the file or tree `local` as `dest`.
    ///
    /// # Errors
    /// Only those that end the work; others are told and counted in the progress.
    pub(crate) fn put(&mut self, local: &Path, dest: &Path) -> Result<()> {
        self.progress.at(local);
        match self.make(local, dest) {
            Err(failure) if !failure.is_final() => {
                self.progress.problem(&failure);
                Ok(())
            }
            result => result,
        }
    }

    fn make(&mut self, local: &Path, dest: &Path) -> Result<()> {
        let found = local.symlink_metadata().at(local)?;
        let id = (found.dev(), found.ino());
        if self.options.image == Some(id) {
            self.progress
                .note("the image itself is not put into the volume");
            return Ok(());
        }
        if found.is_dir() {
            return self.directory(local, &found, dest);
        }
        if let Some(first) = self.links.get(&id) {
            self.clear_place(dest)?;
            return self.volume.hard_link(first, dest).at(dest);
        }
        if found.is_file() {
            self.file(local, &found, dest)?;
        } else {
            self.special(local, &found, dest)?;
        }
        if found.nlink() > 1 {
            self.links.insert(id, dest.to_path_buf());
        }
        self.attributes(local, &found, dest)
    }

    fn owner_of(&self, found: &Metadata) -> (u32, u32) {
        self.options.owner.unwrap_or((found.uid(), found.gid()))
    }

    /// Owner while it is made: nobody else may use it before its own permissions are set.
    fn private(&self, found: &Metadata, permissions: u16) -> Owner {
        let (uid, gid) = self.owner_of(found);
        Owner {
            permissions,
            uid,
            gid,
        }
    }

    fn directory(&mut self, local: &Path, found: &Metadata, dest: &Path) -> Result<()> {
        match self.volume.symlink_metadata(dest) {
            Ok(there) if there.is_dir() => {}
            Ok(_) => {
                return Err(Failure::at(
                    dest,
                    "is there and not a directory; remove it first",
                ));
            }
            Err(f2fs::Error::NotFound) => {
                self.volume
                    .create_dir(dest, self.private(found, 0o700))
                    .at(dest)?;
            }
            Err(error) => return Err(error).at(dest),
        }
        let children = self.children(local, dest);
        // Last, because what is made below changes the times; also if the work ends here.
        let attributes = self.attributes(local, found, dest);
        children.and(attributes)
    }

    fn children(&mut self, local: &Path, dest: &Path) -> Result<()> {
        let mut names = Vec::new();
        for entry in local.read_dir().at(local)? {
            names.push(entry.at(local)?.file_name());
        }
        names.sort_unstable();
        for name in names {
            self.put(&local.join(&name), &dest.join(&name))?;
        }
        Ok(())
    }

    /// Removes what has the name of a new file, unless it is a directory.
    fn clear_place(&self, dest: &Path) -> Result<()> {
        match self.volume.symlink_metadata(dest) {
            Err(f2fs::Error::NotFound) => Ok(()),
            Err(error) => Err(error).at(dest),
            Ok(there) if there.is_dir() => {
                Err(Failure::at(dest, "is a directory there; remove it first"))
            }
            Ok(_) => self.volume.remove_file(dest).at(dest),
        }
    }

    fn file(&mut self, local: &Path, found: &Metadata, dest: &Path) -> Result<()> {
        let source = local::open(local, found).at(local)?;
        self.clear_place(dest)?;
        let (uid, gid) = self.owner_of(found);
        let mut options = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .owner(uid, gid);
        match self.options.compress {
            Choice::Inherit => {}
            Choice::Off => options = options.compress(None),
            Choice::On(parameters) => options = options.compress(Some(parameters)),
        }
        let file = self.volume.open_with(dest, &options).at(dest)?;
        let copied = self.copy(&source, found.len(), &file, local, dest);
        drop(file);
        if let Err(failure) = copied {
            self.volume.remove_file(dest).at(dest)?;
            return Err(failure);
        }
        Ok(())
    }

    fn copy(
        &mut self,
        source: &std::fs::File,
        len: u64,
        file: &File,
        local: &Path,
        dest: &Path,
    ) -> Result<()> {
        let mut pos = 0;
        for run in DataRuns::new(source, len) {
            let run = run.at(local)?;
            pos = run.start;
            while pos < run.end {
                let end = run.end.min((pos / REQUEST + 1) * REQUEST);
                let chunk = &mut self.buffer[..(end - pos) as usize];
                if local::read_full(source, chunk, pos).at(local)? < chunk.len() {
                    return Err(Failure::at(
                        local,
                        "became shorter while it was read; put it again",
                    ));
                }
                file.write_all_at(pos, chunk).at(dest)?;
                self.progress.add(end - pos);
                pos = end;
            }
        }
        // A hole at the end.
        if pos < len {
            file.set_len(len).at(dest)
        } else {
            Ok(())
        }
    }

    fn special(&self, local: &Path, found: &Metadata, dest: &Path) -> Result<()> {
        self.clear_place(dest)?;
        let file_type = found.file_type();
        if file_type.is_symlink() {
            let target = local.read_link().at(local)?;
            return self
                .volume
                .symlink(target, dest, self.private(found, 0o777))
                .at(dest);
        }
        let (major, minor) = (
            rustix::fs::major(found.rdev()),
            rustix::fs::minor(found.rdev()),
        );
        let special = if file_type.is_char_device() {
            Special::CharDevice(major, minor)
        } else if file_type.is_block_device() {
            Special::BlockDevice(major, minor)
        } else if file_type.is_fifo() {
            Special::Fifo
        } else {
            Special::Socket
        };
        self.volume
            .mknod(dest, special, self.private(found, 0o600))
            .at(dest)
    }

    /// Owner (a new one takes capabilities), extended attributes, then mode (which an access list changes) and times.
    fn attributes(&mut self, local: &Path, found: &Metadata, dest: &Path) -> Result<()> {
        let (uid, gid) = self.owner_of(found);
        let owner = SetAttr {
            uid: Some(uid),
            gid: Some(gid),
            ..SetAttr::default()
        };
        self.volume.set_attr(dest, &owner).at(dest)?;
        match local::xattrs(local).at(local) {
            Ok(xattrs) => xattrs.iter().for_each(|xattr| self.xattr(xattr, dest)),
            Err(failure) => self.progress.problem(&failure),
        }
        let rest = local::attributes(found);
        self.volume.set_attr(dest, &rest).at(dest)
    }

    /// An attribute that the volume does not take is a problem of its own: the file is kept.
    fn xattr(&mut self, xattr: &local::Xattr, dest: &Path) {
        let name = xattr.name.to_string_lossy();
        let set = self
            .volume
            .set_xattr(dest, &name, &xattr.value, SetXattr::Any);
        if let Err(error) = set {
            let failure = Failure::at(dest, format_args!("extended attribute {name}: {error}"));
            self.progress.problem(&failure);
        }
    }
}

/// Bytes of the regular files in some trees, as far as they can be read.
pub(crate) fn total_bytes(locals: &[PathBuf]) -> u64 {
    let mut stack = locals.to_vec();
    let mut total = 0u64;
    while let Some(path) = stack.pop() {
        let Ok(found) = path.symlink_metadata() else {
            continue;
        };
        if found.is_file() {
            total = total.saturating_add(found.len().min(found.blocks().saturating_mul(512)));
        } else if found.is_dir()
            && let Ok(entries) = path.read_dir()
        {
            stack.extend(entries.flatten().map(|entry| entry.path()));
        }
    }
    total
}
