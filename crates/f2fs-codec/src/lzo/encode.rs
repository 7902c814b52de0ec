//! The LZO encoder: greedy matching through a hash table of earlier positions.

use super::instructions::Instructions;
use super::scan::{common_prefix, common_suffix, word_at, zero_prefix};
use super::{FAR_DISTANCE_MAX, Version, ZERO_RUN_MAX};

const HASH_BITS: u32 = 13;
/// Matches are found by their first word.
const MATCH_LEN_MIN: usize = 4;
/// Zero runs from this length on use the zero-run instruction; shorter ones cost less as matches.
const ZERO_RUN_MIN: usize = 24;
/// After each 2^n bytes without a match the search takes steps longer by a byte.
const SKIP_SHIFT: usize = 5;
/// Longest step of the search, so that what follows a row of noise is still found.
const SKIP_MAX: usize = 32;

/// Encoder state: scratch memory only.
pub(crate) struct LzoEncoder {
    /// For the hash of a word: the low half of its latest position. As no match reaches farther
    /// back than 48 KiB that is enough; what it names must be compared in any case.
    table: Box<[u16; 1 << HASH_BITS]>,
}

/// What can be said more shortly than by literals.
enum Found {
    Zeros {
        len: usize,
    },
    Match {
        start: usize,
        distance: usize,
        len: usize,
    },
}

impl LzoEncoder {
    pub(crate) fn new() -> Self {
        let table = vec![0; 1 << HASH_BITS].into_boxed_slice();
        Self {
            table: table.try_into().expect("the lengths are equal"),
        }
    }

    /// Encodes `src` into `out` and returns the length of the stream, or `None` if `out` is too
    /// short for it.
    pub(crate) fn encode(&mut self, version: Version, src: &[u8], out: &mut [u8]) -> Option<usize> {
        self.table.fill(0);
        let mut stream = Instructions::start(out, version)?;
        let mut literals_from = 0;
        // The first instruction must be a literal row: its byte has an encoding of its own.
        let mut at = 1;
        while at + MATCH_LEN_MIN <= src.len() {
            match self.look(version, src, literals_from, at) {
                None => {
                    at += SKIP_MAX.min(1 + ((at - literals_from) >> SKIP_SHIFT));
                    continue;
                }
                Some(Found::Zeros { len }) => {
                    stream.literals(src, literals_from, at)?;
                    stream.zero_run(len)?;
                    at += len;
                }
                Some(Found::Match {
                    start,
                    distance,
                    len,
                }) => {
                    stream.literals(src, literals_from, start)?;
                    stream.copy(distance, len)?;
                    at = start + len;
                    self.remember(src, at - 2);
                }
            }
            literals_from = at;
        }
        stream.literals(src, literals_from, src.len())?;
        stream.finish()
    }

    /// Looks for a zero run or a match at `at` and remembers the position.
    #[inline]
    fn look(
        &mut self,
        version: Version,
        src: &[u8],
        literals_from: usize,
        at: usize,
    ) -> Option<Found> {
        let word = word_at(src, at);
        if version == Version::Rle && word == 0 {
            let len = zero_prefix(&src[at..src.len().min(at + ZERO_RUN_MAX)]);
            if len >= ZERO_RUN_MIN {
                return Some(Found::Zeros { len });
            }
        }
        let earlier = std::mem::replace(&mut self.table[hash(word)], at as u16);
        let distance = usize::from((at as u16).wrapping_sub(earlier));
        if distance == 0 || distance > distance_max(version) {
            return None;
        }
        let from = at.checked_sub(distance)?;
        if word_at(src, from) != word {
            return None;
        }
        let back = common_suffix(src, from, at, at - literals_from.max(1));
        let ahead = common_prefix(src, from + MATCH_LEN_MIN, at + MATCH_LEN_MIN);
        let len = allowed_len(version, distance, back + MATCH_LEN_MIN + ahead);
        Some(Found::Match {
            start: at - back,
            distance,
            len,
        })
    }

    #[inline]
    fn remember(&mut self, src: &[u8], at: usize) {
        if at + MATCH_LEN_MIN <= src.len() {
            self.table[hash(word_at(src, at))] = at as u16;
        }
    }
}

#[inline]
fn hash(word: u32) -> usize {
    // 2^32 divided by the golden ratio, as usual for multiplicative hashing.
    (word.wrapping_mul(0x9e37_79b1) >> (u32::BITS - HASH_BITS)) as usize
}

/// The longest distance of `version`: in LZO-RLE the largest one announces a zero run.
#[inline]
fn distance_max(version: Version) -> usize {
    match version {
        Version::Lzo1x => FAR_DISTANCE_MAX,
        Version::Rle => FAR_DISTANCE_MAX - 1,
    }
}

/// Shortens the match lengths whose encoding a decoder of LZO-RLE would take for a zero run: the
/// length byte and the low distance byte then look like the distance bits of one.
#[inline]
fn allowed_len(version: Version, distance: usize, len: usize) -> usize {
    let looks_like_zeros = distance & 0x803f == 0x803f && (261..=264).contains(&len);
    if version == Version::Rle && looks_like_zeros {
        260
    } else {
        len
    }
}
