//! What the file must hold: its bytes in memory.

use super::op::{Mode, Op};

/// The file as a vector.
#[derive(Debug, Default)]
pub(super) struct Model {
    bytes: Vec<u8>,
}

impl Model {
    /// All bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The size.
    pub(super) fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The bytes of a range inside the file.
    pub(super) fn range(&self, pos: u64, len: usize) -> &[u8] {
        &self.bytes[pos as usize..pos as usize + len]
    }

    /// Changes the bytes as an operation does.
    pub(super) fn apply(&mut self, op: &Op) {
        match *op {
            Op::Write { pos, len, fill } | Op::MapWrite { pos, len, fill } => {
                self.write(pos, &fill.bytes(len));
            }
            Op::Truncate { size } => self.bytes.resize(size as usize, 0),
            Op::Fallocate { mode, pos, len } => self.fallocate(mode, pos, len),
            Op::Copy { from, to, len } => {
                let bytes = self.range(from, len).to_vec();
                self.write(to, &bytes);
            }
            _ => {}
        }
    }

    fn write(&mut self, pos: u64, bytes: &[u8]) {
        let start = pos as usize;
        let end = start + bytes.len();
        if !bytes.is_empty() {
            self.grow(end);
            self.bytes[start..end].copy_from_slice(bytes);
        }
    }

    fn grow(&mut self, size: usize) {
        if self.bytes.len() < size {
            self.bytes.resize(size, 0);
        }
    }

    fn fallocate(&mut self, mode: Mode, pos: u64, len: u64) {
        let start = pos as usize;
        let end = (pos + len) as usize;
        match mode {
            Mode::Allocate => self.grow(end),
            Mode::Keep => {}
            Mode::Punch | Mode::ZeroKeep => self.zero(start, end),
            Mode::Zero => {
                self.grow(end);
                self.zero(start, end);
            }
            Mode::Collapse => {
                self.bytes.drain(start..end);
            }
            Mode::Insert => {
                self.bytes
                    .splice(start..start, std::iter::repeat_n(0, end - start));
            }
        }
    }

    fn zero(&mut self, start: usize, end: usize) {
        let end = end.min(self.bytes.len());
        if start < end {
            self.bytes[start..end].fill(0);
        }
    }
}
