//! The LZO decoder, for streams with and without zero runs.

use super::{
    FIRST_LITERALS_BASE, MIDDLE_DISTANCE_MAX, VERSION_MARK, VERSIONED_LEN_MIN, ZERO_RUN_BASE,
    ZERO_RUN_DISTANCE_BITS,
};
use crate::error::CorruptReason;

/// Literal rows and matches up to this length are copied as one piece where there is room.
const PIECE: usize = 16;
/// `state` after a literal row that was an instruction of its own.
const STATE_LONG_LITERALS: usize = 4;
/// Length of the match in the end mark.
const END_MATCH_LEN: usize = 3;
/// The distance of the end mark.
const END_DISTANCE: usize = MIDDLE_DISTANCE_MAX;

/// Decodes the whole of `stream` into `out` and returns how many bytes it holds.
///
/// # Errors
/// The stream is cut off, goes on after its end mark, refers to bytes before its start or holds
/// more than `out` has room for.
pub(crate) fn decode(stream: &[u8], out: &mut [u8]) -> Result<usize, CorruptReason> {
    let mut decoder = Decoder {
        input: Input {
            bytes: stream,
            at: 0,
        },
        output: Output { bytes: out, at: 0 },
        state: 0,
        has_zero_runs: false,
    };
    decoder.version()?;
    decoder.first_literals()?;
    while decoder.instruction()? == Step::Next {}
    if decoder.input.at < stream.len() {
        return Err(CorruptReason::TrailingBytes);
    }
    Ok(decoder.output.at)
}

struct Decoder<'a> {
    input: Input<'a>,
    output: Output<'a>,
    /// Literals copied by the last instruction: 0..=3 or `STATE_LONG_LITERALS`.
    state: usize,
    has_zero_runs: bool,
}

#[derive(PartialEq, Eq)]
enum Step {
    Next,
    End,
}

impl Decoder<'_> {
    fn version(&mut self) -> Result<(), CorruptReason> {
        let stream = self.input.bytes;
        if stream.len() >= VERSIONED_LEN_MIN && stream[0] == VERSION_MARK {
            self.input.byte()?;
            self.has_zero_runs = self.input.byte()? != 0;
        }
        Ok(())
    }

    fn first_literals(&mut self) -> Result<(), CorruptReason> {
        let first = self.input.peek()?;
        if first > FIRST_LITERALS_BASE {
            self.input.at += 1;
            let count = first - FIRST_LITERALS_BASE;
            self.output.literals(&mut self.input, count)?;
            self.state = count.min(STATE_LONG_LITERALS);
        }
        Ok(())
    }

    #[inline]
    fn instruction(&mut self) -> Result<Step, CorruptReason> {
        let opcode = self.input.byte()?;
        let (distance, len, literals) = match opcode {
            64.. => {
                let distance = (self.input.byte()? << 3) + ((opcode >> 2) & 7) + 1;
                (distance, (opcode >> 5) + 1, opcode & 3)
            }
            32..64 => {
                let len = self.input.length(opcode, 31)? + 2;
                let bits = self.input.word()?;
                ((bits >> 2) + 1, len, bits & 3)
            }
            16..32 => {
                if self.has_zero_runs && self.at_zero_run(opcode) {
                    return self.zero_run(opcode);
                }
                let len = self.input.length(opcode, 7)? + 2;
                let bits = self.input.word()?;
                let distance = MIDDLE_DISTANCE_MAX + ((opcode & 8) << 11) + (bits >> 2);
                if distance == END_DISTANCE {
                    return end(len);
                }
                (distance, len, bits & 3)
            }
            _ if self.state == 0 => {
                let count = self.input.length(opcode, 15)? + 3;
                self.output.literals(&mut self.input, count)?;
                self.state = STATE_LONG_LITERALS;
                return Ok(Step::Next);
            }
            _ => {
                let offset = (self.input.byte()? << 2) + (opcode >> 2);
                let (nearest, len) = if self.state == STATE_LONG_LITERALS {
                    (2049, 3)
                } else {
                    (1, 2)
                };
                (nearest + offset, len, opcode & 3)
            }
        };
        self.output.copy(distance, len)?;
        self.trailing_literals(literals)
    }

    /// Says whether the bytes after `opcode` are the distance bits of a zero run.
    #[inline]
    fn at_zero_run(&self, opcode: usize) -> bool {
        let bits = self
            .input
            .bytes
            .get(self.input.at..)
            .and_then(|rest| rest.first_chunk());
        let bits = bits.map_or(0, |bytes| u16::from_le_bytes(*bytes));
        opcode & 8 != 0 && bits & ZERO_RUN_DISTANCE_BITS == ZERO_RUN_DISTANCE_BITS
    }

    fn zero_run(&mut self, opcode: usize) -> Result<Step, CorruptReason> {
        let literals = self.input.word()? & 3;
        let len = ((self.input.byte()? << 3) | (opcode & 7)) + ZERO_RUN_BASE;
        self.output.zeros(len)?;
        self.trailing_literals(literals)
    }

    #[inline]
    fn trailing_literals(&mut self, count: usize) -> Result<Step, CorruptReason> {
        self.state = count;
        if count > 0 {
            self.output.literals(&mut self.input, count)?;
        }
        Ok(Step::Next)
    }
}

fn end(len: usize) -> Result<Step, CorruptReason> {
    if len == END_MATCH_LEN {
        Ok(Step::End)
    } else {
        Err(CorruptReason::EndMark)
    }
}

/// The stream and how far it is read.
struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Input<'_> {
    #[inline]
    fn peek(&self) -> Result<usize, CorruptReason> {
        self.bytes
            .get(self.at)
            .map(|byte| usize::from(*byte))
            .ok_or(CorruptReason::Truncated)
    }

    #[inline]
    fn byte(&mut self) -> Result<usize, CorruptReason> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    fn word(&mut self) -> Result<usize, CorruptReason> {
        let bytes = self.bytes[self.at..]
            .first_chunk()
            .ok_or(CorruptReason::Truncated)?;
        self.at += 2;
        Ok(usize::from(u16::from_le_bytes(*bytes)))
    }

    /// Reads a length operand: the low bits of `opcode` if they are not zero, else `mask` plus what
    /// the next bytes add.
    #[inline]
    fn length(&mut self, opcode: usize, mask: usize) -> Result<usize, CorruptReason> {
        let low = opcode & mask;
        if low != 0 {
            return Ok(low);
        }
        let mut length = mask;
        loop {
            let byte = self.byte()?;
            if byte != 0 {
                return Ok(length + byte);
            }
            // Cannot overflow: each step takes a byte of a slice.
            length += 255;
        }
    }
}

/// The decoded bytes and how many there are.
struct Output<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl Output<'_> {
    /// Moves `count` literals from `input` to the output.
    #[inline]
    fn literals(&mut self, input: &mut Input<'_>, count: usize) -> Result<(), CorruptReason> {
        let from = &input.bytes[input.at..];
        let room = &mut self.bytes[self.at..];
        match (from.first_chunk::<PIECE>(), room.first_chunk_mut::<PIECE>()) {
            (Some(from), Some(room)) if count <= PIECE => *room = *from,
            _ => {
                let from = from.get(..count).ok_or(CorruptReason::Truncated)?;
                room.get_mut(..count)
                    .ok_or(CorruptReason::Overrun)?
                    .copy_from_slice(from);
            }
        }
        input.at += count;
        self.at += count;
        Ok(())
    }

    /// Repeats `len` bytes of the output that lie `distance` before its end.
    #[inline]
    fn copy(&mut self, distance: usize, len: usize) -> Result<(), CorruptReason> {
        let from = self
            .at
            .checked_sub(distance)
            .ok_or(CorruptReason::Lookbehind)?;
        let window = &mut self.bytes[from..];
        if len <= PIECE && distance >= PIECE / 2 && window.len() >= distance + PIECE {
            // Half a piece at a time, for a match may overlap what it writes.
            copy_half(window, 0, distance);
            copy_half(window, PIECE / 2, distance);
        } else {
            let window = window
                .get_mut(..distance + len)
                .ok_or(CorruptReason::Overrun)?;
            repeat(window, distance);
        }
        self.at += len;
        Ok(())
    }

    fn zeros(&mut self, len: usize) -> Result<(), CorruptReason> {
        let room = self.bytes[self.at..]
            .get_mut(..len)
            .ok_or(CorruptReason::Overrun)?;
        room.fill(0);
        self.at += len;
        Ok(())
    }
}

#[inline]
fn copy_half(window: &mut [u8], from: usize, distance: usize) {
    const HALF: usize = PIECE / 2;
    let half: [u8; HALF] = *window[from..]
        .first_chunk()
        .expect("the caller checked the length");
    window[from + distance..][..HALF].copy_from_slice(&half);
}

/// Fills `window` by repeating its first `period` bytes.
fn repeat(window: &mut [u8], period: usize) {
    if period == 1 {
        let byte = window[0];
        window.fill(byte);
        return;
    }
    let mut filled = period;
    while filled < window.len() {
        let count = filled.min(window.len() - filled);
        window.copy_within(..count, filled);
        filled += count;
    }
}
