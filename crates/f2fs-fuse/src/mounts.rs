//! The system's list of mounts (`/proc/self/mountinfo`).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MountEntry {
    pub(crate) point: PathBuf,
    pub(crate) fs_type: String,
    pub(crate) source: PathBuf,
    /// Major and minor number of the file system.
    pub(crate) device: String,
}

impl MountEntry {
    /// Whether FUSE serves it under our name.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self.fs_type.as_str(), "fuse.f2fs" | "fuseblk.f2fs")
    }
}

/// The topmost mount at a path, which is absolute and need not answer.
pub(crate) fn at(point: &Path) -> std::io::Result<Option<MountEntry>> {
    let list = std::fs::read("/proc/self/mountinfo")?;
    let mut entries = list.split(|&b| b == b'\n').rev().filter_map(parse);
    Ok(entries.find(|entry| entry.point == point))
}

/// One line: `id parent dev root point options [fields] - type source options`.
fn parse(line: &[u8]) -> Option<MountEntry> {
    let mut fields = line.split(|&b| b == b' ');
    let device = String::from_utf8(fields.nth(2)?.to_vec()).ok()?;
    let point = unescape(fields.nth(1)?);
    let mut fields = fields.skip_while(|&field| field != b"-").skip(1);
    let fs_type = String::from_utf8(fields.next()?.to_vec()).ok()?;
    let source = unescape(fields.next()?);
    Some(MountEntry {
        point,
        fs_type,
        source,
        device,
    })
}

/// Spaces and the like stand as `\040`.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let octal = (first == b'\\').then(|| tail.get(..3)).flatten();
        let code = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = code.and_then(|code| u8::from_str_radix(code, 8).ok()) {
            bytes.push(byte);
            rest = &tail[3..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_optional_fields_and_escapes() {
        let line =
            br"36 35 98:0 / /mnt/a\040b rw,noatime shared:1 master:2 - fuseblk.f2fs /dev/loop0 rw";
        let entry = parse(line).unwrap();
        assert_eq!(entry.point, Path::new("/mnt/a b"));
        assert_eq!(entry.source, Path::new("/dev/loop0"));
        assert!(entry.is_ours() && entry.device == "98:0");
        assert_eq!(parse(b"36 35"), None);
    }
}
