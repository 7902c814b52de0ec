//! Attributes; symbolic links and directories at the end.

use super::{Extractor, Place, Trust, Withheld};
use crate::beneath::Dir;
use crate::errors::{At, Result, plain};
use crate::text::{escaped, shown};
use f2fs::Metadata;
use rustix::fs::{FileType, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;

/// Permission bits that give nobody another's rights.
const HARMLESS: u16 = 0o1777;
const PERMISSIONS: u16 = 0o7777;

impl Extractor<'_> {
    /// Makes a device, pipe or socket with all that belongs to it.
    pub(super) fn node(&mut self, dir: &Dir, place: &Place, found: &Metadata) -> Result<()> {
        let name = place.name();
        let file_type = FileType::from_raw_mode(found.mode().into());
        let (major, minor) = found.device().unwrap_or((0, 0));
        let mode = self.mode_of(found);
        let result = dir.clear(name).and_then(|()| {
            dir.make_node(name, file_type, rustix::fs::makedev(major, minor))?;
            if self.is_root {
                dir.set_owner(name, found.uid(), found.gid())?;
            }
            dir.set_mode(name, mode)?;
            dir.set_times(name, &times(found))
        });
        result.at(&self.local(place))?;
        self.xattrs_by_name(dir, place)
    }

    fn mode_of(&mut self, found: &Metadata) -> Mode {
        let kept = if self.trust == Trust::All {
            PERMISSIONS
        } else {
            HARMLESS
        };
        if found.mode() & PERMISSIONS & !kept != 0 {
            self.withheld.set_id_bits += 1;
        }
        Mode::from_raw_mode((found.mode() & kept).into())
    }

    /// Sets owner (as root), extended attributes, mode and times of an open file or directory, in
    /// the order in which none undoes another.
    pub(super) fn finish_open(
        &mut self,
        fd: impl AsFd,
        place: &Place,
        found: &Metadata,
    ) -> Result<()> {
        let fd = fd.as_fd();
        let local = self.local(place);
        if self.is_root {
            if found.uid() == u32::MAX || found.gid() == u32::MAX {
                // The system's word for "leave it as it is": nobody's number.
                return Err(Errno::INVAL).at(&local);
            }
            let (uid, gid) = (Uid::from_raw(found.uid()), Gid::from_raw(found.gid()));
            rustix::fs::fchown(fd, Some(uid), Some(gid)).at(&local)?;
        }
        for (name, value) in self.xattrs(place)? {
            let set = rustix::fs::fsetxattr(fd, &name, &value, XattrFlags::empty());
            self.check_xattr(place, &name, set);
        }
        rustix::fs::fchmod(fd, self.mode_of(found)).at(&local)?;
        rustix::fs::futimens(fd, &times(found)).at(&local)
    }

    /// The extended attributes to restore.
    fn xattrs(&mut self, place: &Place) -> Result<Vec<(OsString, Vec<u8>)>> {
        let source = &place.source;
        let mut xattrs = Vec::new();
        for name in self.volume.list_xattrs(source).at(source)? {
            let text = name.to_string_lossy().into_owned();
            let is_harmless = text.starts_with("user.") || text.starts_with("system.posix_acl_");
            if is_harmless || self.trust == Trust::All {
                let value = self.volume.get_xattr(source, &text).at(source)?;
                xattrs.push((name, value));
            } else {
                self.withheld.xattrs += 1;
            }
        }
        Ok(xattrs)
    }

    /// Restores the extended attributes of what is not opened.
    fn xattrs_by_name(&mut self, dir: &Dir, place: &Place) -> Result<()> {
        for (xattr, value) in self.xattrs(place)? {
            let path = dir.proc_path(place.name());
            let set = rustix::fs::lsetxattr(path, &xattr, &value, XattrFlags::empty());
            self.check_xattr(place, &xattr, set);
        }
        Ok(())
    }

    /// A host that does not take an attribute is told of, and no failure.
    fn check_xattr(&self, place: &Place, name: &OsStr, set: rustix::io::Result<()>) {
        if let Err(errno) = set {
            let (path, error) = (shown(&self.local(place)), plain(&errno.into()));
            let name = escaped(name);
            self.progress.note(&format!(
                "{path}: extended attribute {name} not set: {error}"
            ));
        }
    }

    /// Makes the symbolic links, then gives the directories their attributes, the deepest first.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(crate) fn finish(&mut self) -> Result<()> {
        for place in std::mem::take(&mut self.symlinks) {
            let made = self.symlink(&place);
            self.settle(made)?;
        }
        for place in std::mem::take(&mut self.dirs).into_iter().rev() {
            let finished = self.finish_dir(&place);
            self.settle(finished)?;
        }
        self.tell_withheld();
        Ok(())
    }

    fn settle(&mut self, result: Result<()>) -> Result<()> {
        match result {
            Err(failure) if !failure.is_final() => self.progress.problem(&failure),
            result => result?,
        }
        Ok(())
    }

    fn symlink(&mut self, place: &Place) -> Result<()> {
        let (source, local) = (&place.source, self.local(place));
        let found = self.volume.symlink_metadata(source).at(source)?;
        let dir = self.root.descend(place.parent()).at(&local)?;
        if self.link_known(&dir, place, &found)? {
            return Ok(());
        }
        let name = place.name();
        let target = self.volume.read_link(source).at(source)?;
        dir.clear(name)
            .and_then(|()| dir.symlink(&target, name))
            .at(&local)?;
        if self.is_root {
            dir.set_owner(name, found.uid(), found.gid()).at(&local)?;
        }
        self.xattrs_by_name(&dir, place)?;
        dir.set_times(name, &times(&found)).at(&local)?;
        self.remember(&found, place.clone());
        Ok(())
    }

    fn finish_dir(&mut self, place: &Place) -> Result<()> {
        let found = self.volume.metadata(&place.source).at(&place.source)?;
        let dir = self.root.descend(&place.relative).at(&self.local(place))?;
        self.finish_open(dir.fd(), place, &found)
    }

    fn tell_withheld(&self) {
        let Withheld {
            devices,
            set_id_bits,
            xattrs,
        } = self.withheld;
        if self.withheld != Withheld::default() {
            self.progress.note(&format!(
                "left out without --all: {devices} devices, set-id bits of {set_id_bits} files, \
                 {xattrs} extended attributes of the system"
            ));
        }
    }
}

fn times(found: &Metadata) -> Timestamps {
    let spec = |time: f2fs::Timestamp| Timespec {
        tv_sec: time.secs,
        tv_nsec: time.nanos.min(999_999_999).into(),
    };
    Timestamps {
        last_access: spec(found.accessed()),
        last_modification: spec(found.modified()),
    }
}
