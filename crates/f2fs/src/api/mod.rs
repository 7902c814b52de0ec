//! The public API: volumes, files and directories that read like `std`.

mod compress;
pub(crate) mod entry;
pub(crate) mod estimate;
pub(crate) mod file;
pub(crate) mod layout;
pub(crate) mod metadata;
pub(crate) mod node;
pub(crate) mod open_options;
mod quota;
pub(crate) mod report;
mod space;
pub(crate) mod volume;

use std::path::Path;

/// The bytes of a path on the volume.
pub(crate) fn bytes_of(path: &Path) -> &[u8] {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes()
}
