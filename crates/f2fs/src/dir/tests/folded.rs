//! Names that ignore case: the engine and the kernel give every name the same hash, and refuse the same ones.

use super::{MIB, find, make, open, stored};
use crate::dir::name::folded_hash;
use crate::dir::{self, block};
use crate::inode::Inode;
use crate::ops::attr;
use blockdev::{Access, FileDevice, MemDevice};
use f2fs_format::casefold::fold;
use f2fs_format::dentry::{DentryViewMut, DirEntry};
use f2fs_format::{Features, FileType, InodeFlags};
use f2fs_offline::FormatOptions;
use runtime::rng::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use tempfile::NamedTempFile;
use testkit::{fsck, oracle, tools};

/// Names of one directory.
const PER_DIR: usize = 100;
const EINVAL: i32 = 22;
const EEXIST: i32 = 17;

/// Mounts a volume and makes a directory that ignores case.
const FOLDER: &str =
    "set -e\nmkdir /tmp/m\nmount -t f2fs /dev/ubda /tmp/m\nmkdir /tmp/m/f\nchattr +F /tmp/m/f\n";

/// Makes files of the names in `/dev/ubdb`, one in hexadecimal a line, a hundred in a directory, and prints what
/// went wrong.
const MAKE: &str = r"
import os
lines = open('/dev/ubdb', 'rb').read().split(b'\0')[0].split()
for n, line in enumerate(lines):
    folder = b'/tmp/m/f/%d' % (n // 100)
    if n % 100 == 0:
        os.mkdir(folder)
    try:
        os.close(os.open(folder + b'/' + bytes.fromhex(line.decode()), os.O_CREAT | os.O_EXCL))
    except OSError as error:
        print('FAILED', n, error.errno)
";

/// The lines that a Python program prints which begin with a word, without it. `/tmp/m/f` ignores case.
fn run(program: &str, word: &str, images: &[&NamedTempFile]) -> Option<Vec<String>> {
    let script = format!("{FOLDER}python3 - <<'PROGRAM'{program}PROGRAM\numount /tmp/m\n");
    let images: Vec<_> = images.iter().map(|image| image.path()).collect();
    let text = oracle::run(&script, &images)?;
    let lines = text.lines().filter_map(|line| line.strip_prefix(word));
    Some(lines.map(|line| line.trim().to_owned()).collect())
}

fn volume(strict_names: bool) -> NamedTempFile {
    let size = 1024 * MIB;
    let image = tools::blank(size);
    let mut format = FormatOptions::new(size);
    format.features |= Features::CASEFOLD;
    format.strict_names = strict_names;
    let device = FileDevice::open(image.path(), Access::ReadWrite, 0).unwrap();
    f2fs_offline::format(&device, &format).unwrap();
    image
}

/// What the kernel refused, by number.
fn make_in_linux(names: &[Vec<u8>], image: &NamedTempFile) -> Option<BTreeMap<usize, i32>> {
    let mut text = String::new();
    for name in names {
        for byte in name {
            write!(text, "{byte:02x}").unwrap();
        }
        text.push('\n');
    }
    let list = tools::blank((text.len() as u64 + 1).next_multiple_of(4096));
    list.as_file().write_all_at(text.as_bytes(), 0).unwrap();
    let lines = run(MAKE, "FAILED", &[image, &list])?;
    let numbers = lines.iter().map(|line| {
        let (n, errno) = line.split_once(' ').unwrap();
        (n.parse().unwrap(), errno.parse().unwrap())
    });
    Some(numbers.collect())
}

fn check(names: &[Vec<u8>], strict_names: bool) {
    let image = volume(strict_names);
    let Some(failed) = make_in_linux(names, &image) else {
        return;
    };
    fsck::assert_clean(image.path());
    let device = FileDevice::open(image.path(), Access::ReadWrite, 0).unwrap();
    let fs = open(Arc::new(device));
    for (n, names) in names.chunks(PER_DIR).enumerate() {
        let mut forms = BTreeSet::new();
        let mut expected = BTreeMap::new();
        for (k, name) in names.iter().enumerate() {
            let form = fold(name);
            let errno = match &form {
                None if strict_names => Some(EINVAL),
                form if !forms.insert(form.as_ref().unwrap_or(name).clone()) => Some(EEXIST),
                _ => None,
            };
            let said = failed.get(&(n * PER_DIR + k)).copied();
            assert_eq!(said, errno, "{name:02x?} folds to {form:02x?}");
            if errno.is_none() {
                expected.insert(name.clone(), folded_hash(name));
            }
        }
        let open = find(&fs, &format!("/f/{n}"));
        let found: BTreeMap<_, _> = stored(&fs, &open.inode).into_iter().collect();
        for (name, hash) in &expected {
            let form = fold(name);
            assert_eq!(found.get(name), Some(hash), "{name:02x?}: {form:02x?}");
        }
        assert_eq!(found.len(), expected.len());
    }
    fs.close().unwrap();
}

/// All code points but most of those in planes where none is assigned, as many in a name as surely fit when they
/// are folded.
fn all_code_points() -> Vec<Vec<u8>> {
    let is_taken = |c: &char| {
        let code = u32::from(*c);
        let is_used = code < 0x3_0000 || (0xE_0000..0xE_1100).contains(&code);
        *c != '/' && (is_used || code % 0x1_0000 > 0xFF00)
    };
    let all: Vec<char> = ('\u{1}'..=char::MAX).filter(is_taken).collect();
    let name = |group: &[char]| group.iter().flat_map(|&c| ['x', c]).collect::<String>();
    let names = all.chunks(15).map(|group| name(group).into_bytes());
    names.collect()
}

#[test]
fn every_code_point_folds_as_in_linux() {
    check(&all_code_points(), true);
}

/// Marks of many classes, ignorable and composed characters, some of each kind of folding, some unknown.
const HARD: &str = "aAzZ\u{301}\u{323}\u{345}\u{5b0}\u{5bf}\u{64b}\u{f71}\u{f74}\u{302a}\u{302e}\u{1d165}\u{1d16e}\
    \u{34f}\u{ad}\u{200d}\u{e0061}\u{ac00}\u{d4db}\u{1100}\u{130}\u{df}\u{1e9e}\u{fb03}\u{1f88}\u{3a3}\u{3c2}\
    \u{212b}\u{1e69}\u{344}\u{958}\u{fb4c}\u{2f800}\u{1f972}\u{378}\u{fffe}\u{10400}\u{1e900}\u{13a0}\u{ab70}\u{1c4}\
    \u{1abf}\u{2c2f}\u{2065}\u{180f}";

/// Bytes that are no text, or only in the right place.
const BYTES: [&[u8]; 8] = [
    b"\x80",
    b"\xbf\xbf",
    b"\xcc",
    b"\xe1\x80",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"\xf0\x9f\x98",
];

/// Strings of what is hard.
fn hard_names(count: usize, with_bytes: bool) -> Vec<Vec<u8>> {
    let hard: Vec<char> = HARD.chars().collect();
    let mut rng = Rng::seeded(12);
    let mut piece = || {
        if with_bytes && rng.below(12) == 0 {
            return BYTES[rng.below(8) as usize].to_vec();
        }
        let c = hard[rng.below(hard.len() as u64) as usize];
        c.to_string().into_bytes()
    };
    let lengths = [2, 8, 40, 200].into_iter().cycle();
    let names = lengths.take(count).enumerate().map(|(n, most)| {
        let mut name = Vec::new();
        for _ in 0..=n % most {
            let piece = piece();
            if name.len() + piece.len() <= 255 {
                name.extend(piece);
            }
        }
        name
    });
    names.collect()
}

#[test]
fn hard_names_are_treated_as_in_linux() {
    check(&hard_names(2000, false), true);
    let mut names = hard_names(2000, true);
    names.extend((250..=255).map(|len| vec![b'A'; len]));
    check(&names, true);
    // Text that folds to nothing, or to more than 254 bytes, is hashed as it is. But fsck.f2fs 1.15 hashes what it
    // folds to, and Linux takes all such names for the same one as long as it remembers one.
    names.retain(|name| fold(name).is_some() || name.contains(&0xFF));
    check(&names, false);
}

/// Some kernels hashed names with ignorable code points otherwise; all of them then find such names.
#[test]
fn an_entry_with_another_hash_is_found() {
    let size = 64 * MIB;
    let device = Arc::new(MemDevice::new(size));
    let mut format = FormatOptions::new(size);
    format.features |= Features::CASEFOLD;
    f2fs_offline::format(&*device, &format).unwrap();
    let fs = open(device);
    let root = find(&fs, "/");
    let open_dir = make(&fs, &root.inode, b"d", FileType::Directory);
    let dir = Arc::clone(&open_dir.inode);
    let none = InodeFlags::empty();
    attr::set_flags(&fs, &dir, InodeFlags::CASEFOLD, none).unwrap();
    let file = make(&fs, &dir, b"Hello", FileType::Fifo).inode.ino;
    let look = |name: &[u8]| dir::lookup(&fs, &dir, name).unwrap().map(|found| found.ino);
    assert_eq!(look(b"absent"), None);
    assert!(dir.are_hashes_right());

    let odd = DirEntry {
        hash: 5,
        ino: file,
        file_type: FileType::Fifo,
        name: b"Odd",
    };
    let (mut area, layout) = block::inline_area(&dir);
    let mut view = DentryViewMut::new(&mut area, layout).unwrap();
    let slot = view.view().room_for(1).unwrap();
    view.insert(slot, &odd);
    block::store_inline(&dir, &area);
    assert_eq!(
        look(b"ODD"),
        None,
        "the engine made all entries that it knows"
    );
    let again = Inode::new(&fs, dir.ino, dir.tree.lock().inode.clone(), true).unwrap();
    for (name, ino) in [
        (&b"oDD"[..], Some(file)),
        (b"hello", Some(file)),
        (b"no", None),
    ] {
        let found = dir::lookup(&fs, &again, name).unwrap();
        assert_eq!(found.map(|found| found.ino), ino);
        assert!(!again.are_hashes_right());
    }
}
