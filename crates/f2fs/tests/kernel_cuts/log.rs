//! The log of device mapper's `log-writes`: every write of a device, in the order in which it became durable.
//!
//! One sector of head (magic, version, count of entries, size of a sector), then the entries: a sector of their own
//! each (first sector, count of sectors, flags, length of a mark's text), and behind it what was written. What was not
//! yet flushed stands before the flush that made it durable.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

const MAGIC: u64 = 0x006a_7366_7773_6872;
const VERSION: u64 = 1;
const FLUSH: u64 = 1;
const FUA: u64 = 1 << 1;
const DISCARD: u64 = 1 << 2;
const MARK: u64 = 1 << 3;
/// Sectors of the device are counted in these, as its log was made.
const SECTOR: u64 = 512;

/// What one entry did.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Bytes, at a position.
    Write(u64, Vec<u8>),
    /// A range that was given up.
    Discard(u64, u64),
    /// Nothing but what its flags say.
    Nothing,
    /// A word of who wrote.
    Mark(String),
}

/// One entry.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) action: Action,
    /// Everything before it is durable.
    pub(crate) is_flush: bool,
    /// It was durable when it ended.
    pub(crate) is_fua: bool,
}

/// All entries of a log device.
pub(crate) fn read(path: &Path) -> Vec<Entry> {
    let log = File::open(path).unwrap();
    let [magic, version, count, sector] = words(&log, 0);
    assert_eq!(
        (magic, version, sector & 0xFFFF_FFFF),
        (MAGIC, VERSION, SECTOR)
    );
    let mut at = SECTOR;
    (0..count).map(|_| entry(&log, &mut at)).collect()
}

fn entry(log: &File, at: &mut u64) -> Entry {
    let [sector, count, flags, text] = words(log, *at);
    let text = bytes(log, *at + 32, text);
    *at += SECTOR;
    let (pos, len) = (sector * SECTOR, count * SECTOR);
    let action = if flags & MARK != 0 {
        Action::Mark(String::from_utf8(text).unwrap())
    } else if flags & DISCARD != 0 {
        Action::Discard(pos, len)
    } else if len == 0 {
        Action::Nothing
    } else {
        let data = bytes(log, *at, len);
        *at += len;
        Action::Write(pos, data)
    };
    Entry {
        action,
        is_flush: flags & FLUSH != 0,
        is_fua: flags & FUA != 0,
    }
}

fn words(log: &File, at: u64) -> [u64; 4] {
    let raw = bytes(log, at, 32);
    std::array::from_fn(|n| u64::from_le_bytes(raw[8 * n..][..8].try_into().unwrap()))
}

fn bytes(log: &File, at: u64, len: u64) -> Vec<u8> {
    let mut out = vec![0; usize::try_from(len).unwrap()];
    log.read_exact_at(&mut out, at).unwrap();
    out
}
