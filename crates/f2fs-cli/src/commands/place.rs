//! Where things go: the rules of `cp` for sources and a destination, and owners as arguments.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What a source contributes to a destination that is a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source<'a> {
    /// An entry of this name.
    Named(&'a OsStr),
    /// Its contents: the path ends in `.` or `..`, or is the root.
    Contents,
}

impl<'a> Source<'a> {
    /// Of a path as it was given.
    pub(crate) fn of(path: &'a Path) -> Self {
        let bytes = path.as_os_str().as_bytes();
        let end = bytes
            .iter()
            .rposition(|&b| b != b'/')
            .map_or(0, |at| at + 1);
        let start = bytes[..end]
            .iter()
            .rposition(|&b| b == b'/')
            .map_or(0, |at| at + 1);
        match &bytes[start..end] {
            b"" | b"." | b".." => Self::Contents,
            name => Self::Named(OsStr::from_bytes(name)),
        }
    }
}

/// Whether the path ends with a slash, so that it means a directory.
pub(crate) fn has_trailing_slash(path: &Path) -> bool {
    path.as_os_str().as_bytes().ends_with(b"/")
}

/// Reads `UID:GID`, or `UID` for both.
pub(crate) fn parse_owner(text: &str) -> Result<(u32, u32), String> {
    let bad = || "use UID:GID in numbers, for example 0:0".to_owned();
    let (uid, gid) = text.split_once(':').unwrap_or((text, text));
    Ok((
        uid.parse().map_err(|_| bad())?,
        gid.parse().map_err(|_| bad())?,
    ))
}

/// Reads permission bits in octal.
pub(crate) fn parse_mode(text: &str) -> Result<u16, String> {
    match u16::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o7777 => Ok(mode),
        _ => Err("use octal digits up to 7777, for example 755".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_named_by_their_last_part() {
        let named = |path| Source::of(Path::new(path));
        assert_eq!(named("a/b"), Source::Named(OsStr::new("b")));
        assert_eq!(named("a/b//"), Source::Named(OsStr::new("b")));
        assert_eq!(named("/x"), Source::Named(OsStr::new("x")));
        for contents in ["/", "", ".", "..", "a/.", "a/./", "a/.."] {
            assert_eq!(named(contents), Source::Contents, "{contents}");
        }
    }

    #[test]
    fn owners_and_modes() {
        assert_eq!(parse_owner("1000:100"), Ok((1000, 100)));
        assert_eq!(parse_owner("5"), Ok((5, 5)));
        assert!(parse_owner("root").is_err());
        assert_eq!(parse_mode("4755"), Ok(0o4755));
        assert!(parse_mode("888").is_err() && parse_mode("17777").is_err());
    }
}
