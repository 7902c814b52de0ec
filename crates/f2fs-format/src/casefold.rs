//! Names that ignore case: what they are compared and hashed as.
//!
//! The form is the kernel's `NFDICF` of Unicode 12.1: full case folding, canonical decomposition,
//! default-ignorable code points dropped, marks in canonical order. Code points that version 12.1
//! does not know stand for themselves. Names that are not UTF-8 have no such form; the volume's
//! [`Rules`] decide about them.
//!
//! # On disk
//! An entry holds the name as it was given; its hash is that of the folded name. The form of what
//! version 12.1 knows never changes, so tables of later versions serve.

mod tables;

use alloc::vec::Vec;
use core::str;

use unicase::UniCase;
use unicode_normalization::char::{canonical_combining_class, decompose_canonical};

use crate::super_block::SuperBlock;

/// `s_encoding` of UTF-8 12.1.
pub const ENCODING_UTF8_12_1: u16 = 1;
/// Bit of `s_encoding_flags`: names without a folded form are refused.
pub const ENCODING_STRICT: u16 = 1;
/// Longest folded form; with a longer one, a name counts as having none.
const FOLDED_LEN: usize = 254;

/// How directories of a volume treat names without a folded form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rules {
    /// They are compared and hashed byte by byte.
    Tolerant,
    /// They do not exist.
    Strict,
}

impl Rules {
    /// The volume's rules, if its encoding is one that this module knows.
    pub fn of(sb: &SuperBlock) -> Option<Self> {
        (sb.encoding == ENCODING_UTF8_12_1).then_some(if sb.encoding_flags & ENCODING_STRICT == 0 {
            Self::Tolerant
        } else {
            Self::Strict
        })
    }
}

/// The folded form of a name.
///
/// `None` if it is not UTF-8, or if nothing or too much is left of it.
pub fn fold(name: &[u8]) -> Option<Vec<u8>> {
    let folded = if name.is_ascii() {
        name.to_ascii_lowercase()
    } else {
        fold_text(name)?
    };
    (1..=FOLDED_LEN).contains(&folded.len()).then_some(folded)
}

fn fold_text(name: &[u8]) -> Option<Vec<u8>> {
    let mut form = Form::default();
    let mut rest = name;
    while let Some(&first) = rest.first() {
        // The kernel takes a continuation byte for a part of what is before it, however long that
        // is, and lets it pass. Only the first byte of a name must not be one.
        if is_continuation(first) && rest.len() < name.len() {
            form.push_stray(first);
            rest = &rest[1..];
            continue;
        }
        let text = text_at(rest)?;
        rest = &rest[text.len()..];
        text.chars().for_each(|c| form.push(c));
    }
    form.end_run();
    Some(form.out)
}

const fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// The longest UTF-8 text at the start of `bytes`, if there is any.
fn text_at(bytes: &[u8]) -> Option<&str> {
    let valid = match str::from_utf8(bytes) {
        Ok(text) => return Some(text),
        Err(error) => error.valid_up_to(),
    };
    str::from_utf8(&bytes[..valid])
        .ok()
        .filter(|text| !text.is_empty())
}

/// A folded name in the making.
#[derive(Default)]
struct Form {
    out: Vec<u8>,
    /// Marks since the last other character, to be put in order, and stray bytes among them.
    run: Vec<Piece>,
}

enum Piece {
    Mark { class: u8, mark: char },
    Stray(u8),
}

impl Form {
    fn push(&mut self, c: char) {
        if tables::is_ignorable(c) {
            self.end_run();
        } else if c.is_ascii() {
            self.push_base(c.to_ascii_lowercase());
        } else if tables::is_assigned(c) {
            let mut bytes = [0; 4];
            let folded = UniCase::unicode(&*c.encode_utf8(&mut bytes)).to_folded_case();
            folded
                .chars()
                .for_each(|c| decompose_canonical(c, |part| self.push_part(part)));
        } else {
            self.push_base(c);
        }
    }

    fn push_part(&mut self, c: char) {
        match canonical_combining_class(c) {
            0 => self.push_base(c),
            class => self.run.push(Piece::Mark { class, mark: c }),
        }
    }

    fn push_base(&mut self, c: char) {
        self.end_run();
        self.emit(c);
    }

    fn push_stray(&mut self, byte: u8) {
        if self.run.is_empty() {
            self.out.push(byte);
        } else {
            self.run.push(Piece::Stray(byte));
        }
    }

    /// Writes the marks of the run, one class after the other. The kernel goes over the run once to
    /// find the lowest class and once for each class, and emits stray bytes each time.
    fn end_run(&mut self) {
        let run = core::mem::take(&mut self.run);
        let mut classes: Vec<u8> = run.iter().filter_map(Piece::class).collect();
        classes.sort_unstable();
        classes.dedup();
        // No mark has class 0: that round is the first one.
        for wanted in core::iter::once(0).chain(classes) {
            for piece in &run {
                match *piece {
                    Piece::Mark { class, mark } if class == wanted => self.emit(mark),
                    Piece::Mark { .. } => {}
                    Piece::Stray(byte) => self.out.push(byte),
                }
            }
        }
    }

    fn emit(&mut self, c: char) {
        let mut bytes = [0; 4];
        self.out.extend(c.encode_utf8(&mut bytes).bytes());
    }
}

impl Piece {
    fn class(&self) -> Option<u8> {
        match *self {
            Self::Mark { class, .. } => Some(class),
            Self::Stray(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
