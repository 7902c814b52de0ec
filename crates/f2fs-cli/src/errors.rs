//! Failures, their one-line messages and exit codes.
//!
//! A message names what it is about, says what went wrong and, where that is not plain, what to do.

use crate::text::shown;
use f2fs_format::CorruptKind;
use rustix::io::Errno;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::ExitCode;

/// Result of a command or a part of it.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// Exit codes; `f2fs --help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// An operation failed.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The volume cannot be used.
    Volume = 3,
    /// No space is left.
    NoSpace = 4,
}

/// Why a command ends early or without success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something to tell.
    Error {
        /// The exit code.
        code: Code,
        /// One line.
        message: String,
    },
    /// Everything was told when it happened.
    Told,
    /// Another process of this command told everything and ended with this code.
    Ended(u8),
    /// Nobody reads standard output any more, which is no failure.
    BrokenPipe,
}

impl Failure {
    /// A failure with its message.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self::Error {
            code,
            message: message.into(),
        }
    }

    /// A failed operation.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Code::Failed, message)
    }

    /// The end of another process of this command; without a code, a signal ended it.
    pub(crate) fn ended(code: Option<i32>) -> Self {
        match code.and_then(|code| u8::try_from(code).ok()) {
            Some(code) => Self::Ended(code),
            None => Self::failed("the background process was ended by a signal"),
        }
    }

    /// A wrong command line.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    /// About a path.
    pub(crate) fn at(path: &Path, message: impl std::fmt::Display) -> Self {
        Self::failed(format!("{}: {message}", shown(path)))
    }

    /// An error of the engine about a path on the volume.
    pub(crate) fn of_volume(path: &Path, error: &f2fs::Error) -> Self {
        let advice = advice(error).map_or(String::new(), |advice| format!("; {advice}"));
        Self::new(code_of(error), format!("{}: {error}{advice}", shown(path)))
    }

    /// Whether what follows would fail the same way, so that a command over many files stops.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Error { code, .. } => matches!(code, Code::NoSpace | Code::Volume),
            Self::Told | Self::Ended(_) => false,
            Self::BrokenPipe => true,
        }
    }

    /// Prints the message and gives the exit code.
    pub(crate) fn tell(self) -> ExitCode {
        match self {
            Self::Error { code, message } => {
                complain(format_args!("f2fs: {message}"));
                ExitCode::from(code as u8)
            }
            Self::Told => ExitCode::from(Code::Failed as u8),
            Self::Ended(code) => ExitCode::from(code),
            Self::BrokenPipe => ExitCode::SUCCESS,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Error { message, .. } => f.write_str(message),
            Self::Told | Self::Ended(_) => f.write_str("see above"),
            Self::BrokenPipe => f.write_str("standard output was closed"),
        }
    }
}

/// Errors of standard output: every other I/O error gets its path with [`At::at`].
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::BrokenPipe,
            ErrorKind::StorageFull => Self::new(Code::NoSpace, format!("standard output: {error}")),
            _ => Self::failed(format!("standard output: {error}")),
        }
    }
}

/// Adds to an error the path it is about.
pub(crate) trait At<T> {
    /// The failure with its path, code and advice.
    fn at(self, path: &Path) -> Result<T>;
}

impl<T> At<T> for f2fs::Result<T> {
    fn at(self, path: &Path) -> Result<T> {
        self.map_err(|error| Failure::of_volume(path, &error))
    }
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T> {
        self.map_err(|error| {
            let code = match error.kind() {
                ErrorKind::StorageFull => Code::NoSpace,
                _ => Code::Failed,
            };
            Failure::new(code, format!("{}: {}", shown(path), plain(&error)))
        })
    }
}

impl<T> At<T> for Result<T, Errno> {
    fn at(self, path: &Path) -> Result<T> {
        self.map_err(io::Error::from).at(path)
    }
}

/// The system's message without its number.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}

fn code_of(error: &f2fs::Error) -> Code {
    match error {
        f2fs::Error::NoSpace => Code::NoSpace,
        f2fs::Error::Device(device) if device.kind == ErrorKind::StorageFull => Code::NoSpace,
        f2fs::Error::ReadOnly(_) | f2fs::Error::Shutdown(_) => Code::Volume,
        _ => Code::Failed,
    }
}

/// What to do about an error inside a volume.
fn advice(error: &f2fs::Error) -> Option<&'static str> {
    use f2fs::Error;
    Some(match error {
        Error::NoSpace => "remove files, or make a larger volume with 'f2fs mkfs --size'",
        Error::Device(device) if device.kind == ErrorKind::StorageFull => {
            "the disk that holds the image is full: free some of it"
        }
        Error::Cluster { .. } => "'f2fs get --salvage' reads what can still be read",
        Error::Corrupt(_) | Error::Inconsistent(_) => "check the image with fsck.f2fs",
        Error::Unsupported(what) if what.starts_with("compression on") => {
            "make it with 'f2fs mkfs', which allows compression"
        }
        _ => return None,
    })
}

/// Why an image cannot be opened, with what to do.
pub(crate) fn cannot_open(image: &Path, error: &f2fs::Error) -> Failure {
    use f2fs::Error;
    let image = shown(image);
    let message = match error {
        Error::Open(_, open) => match open.kind {
            ErrorKind::NotFound => {
                format!("{image}: no such image; make one with: f2fs mkfs {image} --size 1G")
            }
            ErrorKind::WouldBlock | ErrorKind::ResourceBusy => {
                format!("{image}: in use by another process; wait for it or end it, then try again")
            }
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                format!("{image}: {open}; ask for permission, or copy the image")
            }
            _ => format!("{image}: cannot be opened: {open}"),
        },
        Error::Corrupt(corrupt)
            if matches!(
                corrupt.kind,
                CorruptKind::SbMagic { .. } | CorruptKind::Truncated { .. }
            ) =>
        {
            format!("{image}: not an F2FS volume; make one with: f2fs mkfs {image}")
        }
        Error::Device(device) if device.kind == ErrorKind::UnexpectedEof && device.pos == 0 => {
            format!(
                "{image}: not an F2FS volume, it is too small; make one with: f2fs mkfs {image}"
            )
        }
        Error::Device(device) if device.kind == ErrorKind::UnexpectedEof => {
            format!("{image}: cut short: {error}; get the whole image")
        }
        Error::Corrupt(_) | Error::Inconsistent(_) => {
            format!("{image}: {error}; check it with fsck.f2fs")
        }
        _ => format!("{image}: cannot be opened: {error}"),
    };
    Failure::new(Code::Volume, message)
}

/// Says something on standard error. That nobody can hear it must not stop the work.
pub(crate) fn complain(message: std::fmt::Arguments<'_>) {
    use std::io::Write;
    let _ = writeln!(io::stderr(), "{message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T: std::fmt::Debug>(result: Result<T>) -> (Code, String) {
        match result.unwrap_err() {
            Failure::Error { code, message } => (code, message),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn messages_name_the_path_and_the_cure() {
        let (code, text) = message(Err::<(), _>(f2fs::Error::NoSpace).at(Path::new("/a\nb")));
        assert_eq!(code, Code::NoSpace);
        assert!(text.starts_with("/a\\nb: no space left") && text.contains("larger volume"));
        let (code, text) = message(Err::<(), _>(Errno::ACCESS).at(Path::new("x")));
        assert_eq!(
            (code, text.as_str()),
            (Code::Failed, "x: permission denied")
        );
    }

    #[test]
    fn a_closed_pipe_is_success() {
        let failure = Failure::from(io::Error::from(ErrorKind::BrokenPipe));
        assert_eq!(failure.tell(), ExitCode::SUCCESS);
    }
}
