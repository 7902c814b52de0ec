//! Quotas of a volume.

use super::bytes_of;
use super::node::Node;
use super::volume::Volume;
use crate::error::Result;
use crate::ops::attr;
use crate::ops::path::{self, Final};
use crate::quota::{QuotaScope, QuotaState};
use f2fs_format::{QuotaKind, QuotaLimits, QuotaRecord};
use std::path::Path;

impl Node {
    /// Gives the file, or the directory without what is in it, to a project.
    pub fn set_project(&self, project: u32) -> Result<()> {
        attr::set_project(&self.open.fs, &self.open.inode, project)
    }
}

impl Volume {
    /// Whether the volume counts what users, groups and projects use.
    pub fn quota_state(&self) -> QuotaState {
        self.fs.quota_state()
    }

    /// What all ids of a kind use and may use, ascending by id. Of a volume that is open for reading, or whose quota
    /// files are damaged, what the files say.
    pub fn quota_report(&self, kind: QuotaKind) -> Result<Vec<QuotaRecord>> {
        self.fs.quota_report(kind)
    }

    /// Sets the limits of an id. Of bytes, they are rounded up to whole KiB.
    pub fn set_quota(&self, kind: QuotaKind, id: u32, limits: &QuotaLimits) -> Result<()> {
        self.fs.set_quota(kind, id, *limits)
    }

    /// Gives a file, or a directory without what is in it, to a project; a symbolic link itself.
    pub fn set_project(&self, path: impl AsRef<Path>, project: u32) -> Result<()> {
        let open = path::resolve(&self.fs, bytes_of(path.as_ref()), Final::Keep)?;
        attr::set_project(&self.fs, &open.inode, project)
    }

    /// Lets the limits of users, groups and projects bind this thread until the scope is dropped. Without one, a
    /// thread works as the administrator: limits that are passed are only noted.
    pub fn enforce_quota(&self) -> QuotaScope {
        QuotaScope::enter()
    }
}
