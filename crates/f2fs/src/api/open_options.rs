//! How a file is opened.

use crate::fsync::SyncScope;
use crate::options::CompressDefaults;

/// Compression of a file that is made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum CompressChoice {
    /// As its directory and its name say.
    #[default]
    Inherit,
    /// None.
    Off,
    /// With these parameters.
    On(CompressDefaults),
}

/// Options of [`crate::Volume::open_with`], as in `std::fs::OpenOptions`.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "the flags of open(2)")]
pub struct OpenOptions {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) append: bool,
    pub(crate) truncate: bool,
    pub(crate) create: bool,
    pub(crate) create_new: bool,
    pub(crate) permissions: Option<u16>,
    pub(crate) owner: Option<(u32, u32)>,
    pub(crate) compress: CompressChoice,
    pub(crate) sync: Option<SyncScope>,
}

impl OpenOptions {
    /// Nothing is allowed until it is asked for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allow reading.
    #[must_use]
    pub fn read(mut self, on: bool) -> Self {
        self.read = on;
        self
    }

    /// Allow writing.
    #[must_use]
    pub fn write(mut self, on: bool) -> Self {
        self.write = on;
        self
    }

    /// Write at the end always.
    #[must_use]
    pub fn append(mut self, on: bool) -> Self {
        self.append = on;
        self
    }

    /// Empty the file; needs writing.
    #[must_use]
    pub fn truncate(mut self, on: bool) -> Self {
        self.truncate = on;
        self
    }

    /// Make the file if it is missing; needs writing.
    #[must_use]
    pub fn create(mut self, on: bool) -> Self {
        self.create = on;
        self
    }

    /// Make the file; it must be missing. Needs writing.
    #[must_use]
    pub fn create_new(mut self, on: bool) -> Self {
        self.create_new = on;
        self
    }

    /// Permission bits of a file that is made (default 0644).
    #[must_use]
    pub fn mode(mut self, permissions: u16) -> Self {
        self.permissions = Some(permissions);
        self
    }

    /// Owner and group of a file that is made (default 0, 0).
    #[must_use]
    pub fn owner(mut self, uid: u32, gid: u32) -> Self {
        self.owner = Some((uid, gid));
        self
    }

    /// Compression of a file that is made: `Some` with these parameters, `None` without, whatever its directory
    /// says.
    #[must_use]
    pub fn compress(mut self, compress: Option<CompressDefaults>) -> Self {
        self.compress = compress.map_or(CompressChoice::Off, CompressChoice::On);
        self
    }

    /// Every write is durable when it returns, with all attributes of the file (`O_SYNC`).
    #[must_use]
    pub fn sync(mut self, on: bool) -> Self {
        self.sync = on.then_some(SyncScope::All);
        self
    }

    /// Every write is durable when it returns, with what is needed to read it (`O_DSYNC`).
    #[must_use]
    pub fn data_sync(mut self, on: bool) -> Self {
        self.sync = on.then_some(SyncScope::Data);
        self
    }

    pub(crate) fn may_write(&self) -> bool {
        self.write || self.append
    }

    pub(crate) fn may_create(&self) -> bool {
        self.create || self.create_new
    }
}
