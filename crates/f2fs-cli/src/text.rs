//! Text for people and scripts: names, modes, times, JSON.

use f2fs::{FileType, InodeFlags, Timestamp};
use serde::Serialize;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Standard output, buffered.
pub(crate) fn out() -> io::BufWriter<io::StdoutLock<'static>> {
    io::BufWriter::new(io::stdout().lock())
}

/// Prints a value as indented JSON and a newline.
pub(crate) fn print_json(value: &impl Serialize) -> io::Result<()> {
    let mut out = out();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    out.flush()
}

/// A name with control characters, backslashes and bytes that are not UTF-8 escaped as in C.
pub(crate) fn escaped(name: &OsStr) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            push_escaped(&mut text, c);
        }
        push_octal(&mut text, chunk.invalid());
    }
    text
}

fn push_escaped(text: &mut String, c: char) {
    match c {
        '\n' => text.push_str("\\n"),
        '\t' => text.push_str("\\t"),
        '\r' => text.push_str("\\r"),
        '\\' => text.push_str("\\\\"),
        // The marks of bidirectional text make a name look like another.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            push_octal(text, c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        c if c.is_control() => push_octal(text, c.encode_utf8(&mut [0; 4]).as_bytes()),
        c => text.push(c),
    }
}

fn push_octal(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(text, "\\{byte:03o}");
    }
}

/// A path, escaped, for messages.
pub(crate) fn shown(path: &Path) -> String {
    escaped(path.as_os_str())
}

/// A name for JSON: lossy text, and the bytes in hexadecimal if the text lost something.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct JsonName {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_hex: Option<String>,
}

impl JsonName {
    /// Of a name or path.
    pub(crate) fn new(name: &OsStr) -> Self {
        let name_hex = name.to_str().is_none().then(|| hex(name.as_bytes()));
        Self {
            name: name.to_string_lossy().into_owned(),
            name_hex,
        }
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// The type as one word.
pub(crate) fn type_name(file_type: FileType) -> &'static str {
    match file_type {
        FileType::Regular => "file",
        FileType::Directory => "directory",
        FileType::CharDevice => "character device",
        FileType::BlockDevice => "block device",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
        FileType::Symlink => "symlink",
    }
}

/// Type and permissions as `ls -l` shows them.
pub(crate) fn mode_string(file_type: FileType, mode: u16) -> String {
    let mut text = String::with_capacity(10);
    text.push(match file_type {
        FileType::Regular => '-',
        FileType::Directory => 'd',
        FileType::CharDevice => 'c',
        FileType::BlockDevice => 'b',
        FileType::Fifo => 'p',
        FileType::Socket => 's',
        FileType::Symlink => 'l',
    });
    for (shift, special, mark) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (mode & special != 0, bits & 1 != 0) {
            (false, false) => '-',
            (false, true) => 'x',
            (true, false) => mark.to_ascii_uppercase(),
            (true, true) => mark,
        });
    }
    text
}

/// Letters of `chattr` and their flags.
pub(crate) const FLAG_LETTERS: [(char, InodeFlags); 10] = [
    ('S', InodeFlags::SYNC),
    ('D', InodeFlags::DIRSYNC),
    ('i', InodeFlags::IMMUTABLE),
    ('a', InodeFlags::APPEND),
    ('d', InodeFlags::NODUMP),
    ('A', InodeFlags::NOATIME),
    ('c', InodeFlags::COMPR),
    ('m', InodeFlags::NOCOMP),
    ('P', InodeFlags::PROJINHERIT),
    ('F', InodeFlags::CASEFOLD),
];

/// The letters of the flags that are set.
pub(crate) fn flag_string(flags: InodeFlags) -> String {
    FLAG_LETTERS
        .iter()
        .filter(|(_, flag)| flags.contains(*flag))
        .map(|(letter, _)| letter)
        .collect()
}

/// A time in UTC, to the second: `2024-02-29 12:34:56`.
pub(crate) fn utc(time: Timestamp) -> String {
    let days = time.secs.div_euclid(86400);
    let second = time.secs.rem_euclid(86400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar.
fn civil(days: i64) -> (i128, i64, i64) {
    // Years are counted from 1 March of year 0, so that the leap day is the last of its year.
    let days = i128::from(days) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097) as i64;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = i128::from(year_of_era) + era * 400 + i128::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_one_safe_line() {
        let name = OsStr::from_bytes(b"a\nb\x1b[31m\\\xff\xc3\xa9 c");
        assert_eq!(escaped(name), "a\\nb\\033[31m\\\\\\377\u{e9} c");
        assert_eq!(escaped(OsStr::new("x\u{202e}y")), "x\\342\\200\\256y");
    }

    #[test]
    fn modes() {
        assert_eq!(mode_string(FileType::Regular, 0o100_644), "-rw-r--r--");
        assert_eq!(mode_string(FileType::Directory, 0o041_777), "drwxrwxrwt");
        assert_eq!(mode_string(FileType::Regular, 0o106_710), "-rws--s---");
        assert_eq!(mode_string(FileType::Regular, 0o104_600), "-rwS------");
    }

    #[test]
    fn times() {
        let at = |secs| utc(Timestamp { secs, nanos: 0 });
        assert_eq!(at(0), "1970-01-01 00:00:00");
        assert_eq!(at(-1), "1969-12-31 23:59:59");
        assert_eq!(at(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(at(4_107_542_399), "2100-02-28 23:59:59");
        assert_eq!(at(1_709_210_096), "2024-02-29 12:34:56");
        let _ = (at(i64::MAX), at(i64::MIN));
    }
}
