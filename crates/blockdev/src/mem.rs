//! A sparse device in memory: what was never written reads as zeros.

use crate::error::{DeviceError, DeviceOp};
use crate::{Bio, BlockDevice};
use runtime::sync::{Rank, RwLock};
use std::collections::HashMap;

const CHUNK: u64 = 64 * 1024;

/// A device that keeps its content in memory. Transfers complete before `submit` returns.
#[derive(Debug)]
pub struct MemDevice {
    size: u64,
    chunks: RwLock<HashMap<u64, Box<[u8]>>>,
}

impl MemDevice {
    /// An all-zero device of `size` bytes.
    pub fn new(size: u64) -> Self {
        Self {
            size,
            chunks: RwLock::new(Rank::LEAF, HashMap::new()),
        }
    }

    /// A copy of the whole content now.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        let chunks = self.chunks.read().clone();
        Self {
            size: self.size,
            chunks: RwLock::new(Rank::LEAF, chunks),
        }
    }

    fn check(&self, op: DeviceOp, pos: u64, len: u64) -> Result<(), DeviceError> {
        match pos.checked_add(len) {
            Some(end) if end <= self.size => Ok(()),
            _ => Err(DeviceError::past_end(op, pos, len, self.size)),
        }
    }
}

/// Cuts `[pos, pos + len)` at chunk borders: (chunk, offset in it, offset in the buffer, bytes).
fn pieces(pos: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        (at < len).then(|| {
            let here = pos + at as u64;
            let inside = (here % CHUNK) as usize;
            let bytes = (CHUNK as usize - inside).min(len - at);
            let piece = (here / CHUNK, inside, at, bytes);
            at += bytes;
            piece
        })
    })
}

impl BlockDevice for MemDevice {
    fn size_bytes(&self) -> u64 {
        self.size
    }

    fn is_read_only(&self) -> bool {
        false
    }

    fn submit(&self, bio: Bio) {
        bio.transfer(self);
    }

    fn read_at(&self, pos: u64, buf: &mut [u8]) -> Result<(), DeviceError> {
        self.check(DeviceOp::Read, pos, buf.len() as u64)?;
        let chunks = self.chunks.read();
        for (chunk, inside, at, bytes) in pieces(pos, buf.len()) {
            match chunks.get(&chunk) {
                Some(data) => buf[at..at + bytes].copy_from_slice(&data[inside..inside + bytes]),
                None => buf[at..at + bytes].fill(0),
            }
        }
        Ok(())
    }

    fn write_at(&self, pos: u64, data: &[u8]) -> Result<(), DeviceError> {
        self.check(DeviceOp::Write, pos, data.len() as u64)?;
        let mut chunks = self.chunks.write();
        for (chunk, inside, at, bytes) in pieces(pos, data.len()) {
            let target = chunks
                .entry(chunk)
                .or_insert_with(|| vec![0; CHUNK as usize].into_boxed_slice());
            target[inside..inside + bytes].copy_from_slice(&data[at..at + bytes]);
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), DeviceError> {
        Ok(())
    }

    fn discard(&self, pos: u64, len: u64) -> Result<(), DeviceError> {
        self.check(DeviceOp::Discard, pos, len)?;
        let whole = pos.div_ceil(CHUNK)..(pos + len) / CHUNK;
        self.chunks
            .write()
            .retain(|chunk, _| !whole.contains(chunk));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_across_chunks() {
        let dev = MemDevice::new(1 << 20);
        let data: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
        dev.write_at(60_000, &data).unwrap();
        let mut back = vec![1; data.len() + 2];
        dev.read_at(59_999, &mut back).unwrap();
        assert_eq!(
            (back[0], &back[1..=data.len()], back[data.len() + 1]),
            (0, &data[..], 0)
        );
    }

    #[test]
    fn the_end_is_an_error() {
        let dev = MemDevice::new(4096);
        let error = dev.read_at(4095, &mut [0; 2]).unwrap_err();
        assert_eq!(error.kind, std::io::ErrorKind::UnexpectedEof);
        assert!(dev.write_at(u64::MAX, &[0; 2]).is_err());
    }

    #[test]
    fn a_dropped_bio_completes_with_an_error() {
        let (tx, rx) = std::sync::mpsc::channel();
        drop(Bio::write(0, Vec::new(), move |r| {
            tx.send(r.is_err()).unwrap();
        }));
        assert!(rx.recv().unwrap());
    }
}
