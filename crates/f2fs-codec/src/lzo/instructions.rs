//! Writes the instructions of an LZO stream into a bounded buffer.
//!
//! Every method returns `None` as soon as the buffer is full; the stream is then worthless.

use super::{
    END_MARK, FIRST_LITERALS_BASE, MIDDLE_DISTANCE_MAX, SHORT_DISTANCE_MAX, SHORT_LEN_MAX,
    VERSION_MARK, VERSION_RLE, Version, ZERO_RUN_BASE, ZERO_RUN_DISTANCE_BITS,
};

/// Largest literal count that fits into the first byte of a stream.
const FIRST_LITERALS_MAX: usize = 255 - FIRST_LITERALS_BASE;
/// Longest literal row that an earlier instruction can announce.
const TRAILING_LITERALS_MAX: usize = 3;
/// Literal rows up to this length are copied as one piece of this length where there is room.
const PIECE: usize = 16;

/// The stream written so far.
pub(super) struct Instructions<'a> {
    out: &'a mut [u8],
    at: usize,
    /// The byte whose two low bits announce the literals that follow; `None` before the first
    /// instruction.
    literal_bits_at: Option<usize>,
}

impl<'a> Instructions<'a> {
    /// Starts a stream of `version` in `out`.
    pub(super) fn start(out: &'a mut [u8], version: Version) -> Option<Self> {
        let mut stream = Self {
            out,
            at: 0,
            literal_bits_at: None,
        };
        if version == Version::Rle {
            stream.put([VERSION_MARK, VERSION_RLE])?;
        }
        Some(stream)
    }

    /// Appends the literals `src[from..to]`. Not twice without an instruction in between.
    #[inline]
    pub(super) fn literals(&mut self, src: &[u8], from: usize, to: usize) -> Option<()> {
        let count = to - from;
        match self.literal_bits_at {
            _ if count == 0 => return Some(()),
            None if count <= FIRST_LITERALS_MAX => {
                self.put([(FIRST_LITERALS_BASE + count) as u8])?;
            }
            Some(at) if count <= TRAILING_LITERALS_MAX => self.out[at] |= count as u8,
            _ => self.opcode(0, 15, count - 3)?,
        }
        let piece = src[from..].first_chunk::<PIECE>();
        let room = self.out.get_mut(self.at..)?;
        match (piece, room.first_chunk_mut::<PIECE>()) {
            (Some(piece), Some(room)) if count <= PIECE => *room = *piece,
            _ => room.get_mut(..count)?.copy_from_slice(&src[from..to]),
        }
        self.at += count;
        Some(())
    }

    /// Appends a match of at least 3 bytes. `distance` is at least 1 and at most
    /// `FAR_DISTANCE_MAX`.
    #[inline]
    pub(super) fn copy(&mut self, distance: usize, len: usize) -> Option<()> {
        if distance <= SHORT_DISTANCE_MAX && len <= SHORT_LEN_MAX {
            let offset = distance - 1;
            let opcode = ((len - 1) << 5) | ((offset & 7) << 2);
            self.literal_bits_at = Some(self.at);
            self.put([opcode as u8, (offset >> 3) as u8])
        } else if distance <= MIDDLE_DISTANCE_MAX {
            self.sized(32, 31, len - 2, (distance - 1) << 2)
        } else {
            let offset = distance - MIDDLE_DISTANCE_MAX;
            let opcode = 16 | ((offset >> 11) & 8) as u8;
            self.sized(opcode, 7, len - 2, (offset & 0x3fff) << 2)
        }
    }

    /// Appends a run of `ZERO_RUN_BASE..=ZERO_RUN_MAX` zero bytes; only in an LZO-RLE stream, and
    /// not as its first instruction.
    #[inline]
    pub(super) fn zero_run(&mut self, len: usize) -> Option<()> {
        let operand = len - ZERO_RUN_BASE;
        let [low, high] = ZERO_RUN_DISTANCE_BITS.to_le_bytes();
        self.literal_bits_at = Some(self.at + 1);
        self.put([0x18 | (operand & 7) as u8, low, high, (operand >> 3) as u8])
    }

    /// Appends the end mark and returns the length of the stream.
    pub(super) fn finish(mut self) -> Option<usize> {
        self.put(END_MARK)?;
        Some(self.at)
    }

    /// Writes a match instruction of `opcode`, a length operand in the bits of `mask` and the
    /// distance bits.
    #[inline]
    fn sized(
        &mut self,
        opcode: u8,
        mask: usize,
        operand: usize,
        distance_bits: usize,
    ) -> Option<()> {
        let [low, high] = (distance_bits as u16).to_le_bytes();
        if operand <= mask {
            self.literal_bits_at = Some(self.at + 1);
            self.put([opcode | operand as u8, low, high])
        } else {
            self.opcode(opcode, mask, operand)?;
            self.literal_bits_at = Some(self.at);
            self.put([low, high])
        }
    }

    /// Writes an opcode whose low bits (`mask`) hold the length operand, which is at least 1 and
    /// goes on in further bytes if it does not fit.
    #[inline]
    fn opcode(&mut self, opcode: u8, mask: usize, operand: usize) -> Option<()> {
        if operand <= mask {
            return self.put([opcode | operand as u8]);
        }
        self.put([opcode])?;
        let mut rest = operand - mask;
        while rest > 255 {
            self.put([0])?;
            rest -= 255;
        }
        self.put([rest as u8])
    }

    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) -> Option<()> {
        *self.out.get_mut(self.at..)?.first_chunk_mut()? = bytes;
        self.at += N;
        Some(())
    }
}
