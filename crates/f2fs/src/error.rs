//! What can go wrong, in the words of the volume.

use blockdev::DeviceError;
use f2fs_codec::CodecError;
use f2fs_format::{Corrupt, Ino};

pub use crate::meta::inconsistent::Inconsistent;

/// Result of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Every error of the engine. `errno()` is the one place that maps it to the system's numbers.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bytes on the volume break a rule of the format.
    #[error("corrupt volume: {0}")]
    Corrupt(#[from] Corrupt),
    /// Two tables of the volume contradict one another.
    #[error("corrupt volume: {0}")]
    Inconsistent(#[from] Inconsistent),
    /// The file or device of the volume cannot be opened.
    #[error("{0}: {1}")]
    Open(String, OpenError),
    /// The volume cannot be made.
    #[error("cannot format: {0}")]
    Format(String),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A compressed cluster does not decode.
    #[error("inode {ino}, cluster {cluster} (block {block}): {source}")]
    Cluster {
        /// The file.
        ino: Ino,
        /// Cluster number in the file.
        cluster: u64,
        /// First data block of the cluster on the volume.
        block: u32,
        /// What the codec says.
        source: CodecError,
    },
    /// Bytes of a file sealed by fs-verity, or of what it is checked against, are not what they were when it was
    /// sealed.
    #[error("inode {ino}, block {block}: fs-verity: {reason}")]
    Verity {
        /// The file.
        ino: Ino,
        /// The block in the file; what it is checked against lies behind its end.
        block: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// No block, node or nid is left.
    #[error("no space left on the volume")]
    NoSpace,
    /// A user, group or project would have more than its limit.
    #[error("disk quota exceeded")]
    QuotaExceeded,
    /// A name in a directory of another project.
    #[error("the directory belongs to another project")]
    CrossesProjects,
    /// No such file or directory.
    #[error("no such file or directory")]
    NotFound,
    /// The name exists.
    #[error("already exists")]
    Exists,
    /// A path goes through something that is not a directory.
    #[error("not a directory")]
    NotADirectory,
    /// A directory where a file was needed.
    #[error("is a directory")]
    IsADirectory,
    /// A directory that still has entries.
    #[error("directory not empty")]
    NotEmpty,
    /// A name or argument that the volume cannot hold.
    #[error("invalid argument: {0}")]
    Invalid(&'static str),
    /// A name of more than 255 bytes.
    #[error("file name too long")]
    NameTooLong,
    /// A size beyond the format's limit.
    #[error("file too large")]
    TooLarge,
    /// Too many links to one file.
    #[error("too many links")]
    TooManyLinks,
    /// Too many symbolic links on the way.
    #[error("too many symbolic links")]
    SymlinkLoop,
    /// The operation is not allowed on this file.
    #[error("operation not permitted: {0}")]
    NotPermitted(&'static str),
    /// The operation is refused to everybody.
    #[error("permission denied: {0}")]
    AccessDenied(&'static str),
    /// The extended attributes of a file do not fit into the place for them.
    #[error("extended attributes too long")]
    AttributeTooLong,
    /// A name of an extended attribute of more than 255 bytes.
    #[error("name of an extended attribute too long")]
    AttributeNameTooLong,
    /// The file is not marked for compression.
    #[error("the file is not compressed")]
    NotCompressed,
    /// No such extended attribute.
    #[error("no such extended attribute")]
    NoAttribute,
    /// An encrypted file or directory without its key.
    #[error("encrypted, and the key is not there")]
    NoKey,
    /// Something the volume has and this engine does not do.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// The volume, or the way it was opened, does not allow writing.
    #[error("read-only: {0}")]
    ReadOnly(String),
    /// An earlier metadata error stopped all writing, or the volume was closed.
    #[error("the volume takes no more writes: {0}")]
    Shutdown(String),
    /// Memory or threads could not be had from the system.
    #[error("system resources: {0}")]
    Resources(String),
}

/// The system's reason why a file or device cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct OpenError {
    /// Kind of the system's error.
    pub kind: std::io::ErrorKind,
    errno: Option<i32>,
    message: String,
}

impl From<std::io::Error> for OpenError {
    fn from(error: std::io::Error) -> Self {
        Self {
            kind: error.kind(),
            errno: error.raw_os_error(),
            message: error.to_string(),
        }
    }
}

impl Error {
    /// The system's error number.
    pub fn errno(&self) -> i32 {
        use rustix::io::Errno;
        let errno = match self {
            Self::Open(_, error) => return error.errno.unwrap_or(Errno::BUSY.raw_os_error()),
            Self::Corrupt(_) | Self::Inconsistent(_) => Errno::UCLEAN,
            Self::Device(_) | Self::Cluster { .. } | Self::Verity { .. } => Errno::IO,
            Self::NoSpace => Errno::NOSPC,
            Self::QuotaExceeded => Errno::DQUOT,
            Self::CrossesProjects => Errno::XDEV,
            Self::NotFound => Errno::NOENT,
            Self::Exists => Errno::EXIST,
            Self::NotADirectory => Errno::NOTDIR,
            Self::IsADirectory => Errno::ISDIR,
            Self::NotEmpty => Errno::NOTEMPTY,
            Self::Invalid(_) | Self::Format(_) => Errno::INVAL,
            Self::NameTooLong => Errno::NAMETOOLONG,
            Self::TooLarge => Errno::FBIG,
            Self::TooManyLinks => Errno::MLINK,
            Self::SymlinkLoop => Errno::LOOP,
            Self::NotPermitted(_) => Errno::PERM,
            Self::AccessDenied(_) => Errno::ACCESS,
            Self::AttributeTooLong => Errno::TOOBIG,
            Self::AttributeNameTooLong => Errno::RANGE,
            Self::NoAttribute | Self::NotCompressed => Errno::NODATA,
            Self::NoKey => Errno::NOKEY,
            Self::Unsupported(_) => Errno::OPNOTSUPP,
            Self::ReadOnly(_) | Self::Shutdown(_) => Errno::ROFS,
            Self::Resources(_) => Errno::NOMEM,
        };
        errno.raw_os_error()
    }
}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        use std::io::ErrorKind;
        let kind = std::io::Error::from_raw_os_error(error.errno()).kind();
        let kind = if kind == ErrorKind::Other {
            ErrorKind::InvalidData
        } else {
            kind
        };
        Self::new(kind, error)
    }
}
