//! The volume's device, addressed in blocks.
//!
//! Metadata goes through [`Device::read_block`] and [`Device::write_meta`], which wait; file data
//! goes through [`Device::submit`]. Above it are [`crate::meta`], [`crate::segment`] and the data
//! paths; below is [`blockdev`].
//!
//! # Invariants
//! The first metadata write or flush that fails stops the volume: from then on nothing is written
//! any more, so the last committed checkpoint stays what a later mount finds. Reads go on.
//!
//! # Locking
//! The reason of the stop is a leaf. No lock is held during a transfer.

use crate::error::{Error, Result};
use crate::reads::Reads;
use blockdev::{Bio, BioOp, BlockDevice, DeviceError, DeviceOp};
use f2fs_format::{BLOCK_BITS, BLOCK_SIZE, Block, BlockAddr};
use runtime::sync::{Mutex, Rank};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What went over the device since the volume was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceCounters {
    /// Read transfers.
    pub reads: u64,
    /// Bytes asked for by them.
    pub read_bytes: u64,
    /// Write transfers.
    pub writes: u64,
    /// Bytes handed over by them.
    pub written_bytes: u64,
    /// Of them, those that were durable when they ended.
    pub durable_writes: u64,
    /// Flushes.
    pub flushes: u64,
    /// Bytes of the largest single transfer of file data.
    pub largest_bio: u64,
    /// Discards.
    pub discards: u64,
    /// Bytes that they were about.
    pub discarded_bytes: u64,
}

#[derive(Debug, Default)]
struct Counters {
    reads: AtomicU64,
    read_bytes: AtomicU64,
    writes: AtomicU64,
    written_bytes: AtomicU64,
    durable_writes: AtomicU64,
    flushes: AtomicU64,
    largest_bio: AtomicU64,
    discards: AtomicU64,
    discarded_bytes: AtomicU64,
}

impl Counters {
    fn read(&self, bytes: u64) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.read_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn write(&self, bytes: u64) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.written_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The device of one volume.
#[derive(Debug)]
pub(crate) struct Device {
    inner: Arc<dyn BlockDevice>,
    counters: Counters,
    reads: Arc<Reads>,
    is_stopped: AtomicBool,
    reason: Mutex<Option<String>>,
}

impl Device {
    /// The blocks of `inner`.
    pub(crate) fn new(inner: Arc<dyn BlockDevice>) -> Self {
        Self {
            inner,
            counters: Counters::default(),
            reads: Arc::default(),
            is_stopped: AtomicBool::new(false),
            reason: Mutex::new(Rank::LEAF, None),
        }
    }

    /// Whole blocks that the device has.
    pub(crate) fn blocks(&self) -> u64 {
        self.inner.size_bytes() >> BLOCK_BITS
    }

    /// Whether the device refuses writes.
    pub(crate) fn is_read_only(&self) -> bool {
        self.inner.is_read_only()
    }

    /// Reads one block.
    pub(crate) fn read_block(&self, addr: BlockAddr) -> Result<Box<Block>> {
        let mut block = Box::new([0; BLOCK_SIZE]);
        self.read_into(addr, block.as_mut_slice())?;
        Ok(block)
    }

    /// Reads `count` blocks from `addr` on. The caller bounds `count`.
    pub(crate) fn read_blocks(&self, addr: BlockAddr, count: u32) -> Result<Vec<u8>> {
        let mut bytes = vec![0; count as usize * BLOCK_SIZE];
        self.read_into(addr, &mut bytes)?;
        Ok(bytes)
    }

    fn read_into(&self, addr: BlockAddr, buf: &mut [u8]) -> Result<()> {
        self.counters.read(buf.len() as u64);
        Ok(self.inner.read_at(addr.byte_pos(), buf)?)
    }

    /// Writes whole blocks of metadata from `addr` on and waits until the device has them. They are
    /// durable after the next [`flush`](Self::flush).
    ///
    /// # Errors
    /// The device's, which also stops the volume; `Shutdown` if it was stopped before.
    pub(crate) fn write_meta(&self, addr: BlockAddr, data: &[u8]) -> Result<()> {
        assert!(
            data.len().is_multiple_of(BLOCK_SIZE),
            "metadata is written in whole blocks"
        );
        self.check_running()?;
        self.counters.write(data.len() as u64);
        let result = self.inner.write_at(addr.byte_pos(), data);
        self.latch(result)
    }

    /// Writes one run of blocks of metadata that is durable when this returns.
    ///
    /// # Errors
    /// As [`write_meta`](Self::write_meta).
    pub(crate) fn write_meta_durable(&self, addr: BlockAddr, data: &[u8]) -> Result<()> {
        self.check_running()?;
        self.counters.write(data.len() as u64);
        self.counters.durable_writes.fetch_add(1, Ordering::Relaxed);
        let result = self.inner.write_durable(addr.byte_pos(), data);
        self.latch(result)
    }

    /// The reads of file data under way. Each transfer is one; a caller that looks up places first begins its own.
    pub(crate) fn reads(&self) -> &Arc<Reads> {
        &self.reads
    }

    /// Starts a transfer of file data; the bio's positions are in bytes. A write on a stopped
    /// volume completes with an error.
    pub(crate) fn submit(&self, mut bio: Bio) {
        let bytes = bio.len();
        match bio.op() {
            BioOp::Read => {
                self.counters.read(bytes);
                let scope = self.reads.begin();
                bio = bio.before_done(move || drop(scope));
            }
            BioOp::Write => {
                if let Some(reason) = self.stopped() {
                    let stopped = std::io::Error::other(format!("volume stopped: {reason}"));
                    let error = DeviceError::new(DeviceOp::Write, bio.pos(), bytes, &stopped);
                    bio.complete(Err(error));
                    return;
                }
                self.counters.write(bytes);
            }
        }
        self.counters
            .largest_bio
            .fetch_max(bytes, Ordering::Relaxed);
        self.inner.submit(bio);
    }

    /// Makes every completed write durable. A failure stops the volume, since nobody knows what was
    /// lost.
    pub(crate) fn flush(&self) -> Result<()> {
        self.check_running()?;
        self.counters.flushes.fetch_add(1, Ordering::Relaxed);
        let result = self.inner.flush();
        self.latch(result)
    }

    /// Whether a discard does anything, as far as is known.
    pub(crate) fn supports_discard(&self) -> bool {
        self.inner.supports_discard()
    }

    /// Says that the content of `count` blocks from `addr` on is no longer needed.
    ///
    /// # Errors
    /// The device's, which does not stop the volume: nothing is lost; `Shutdown` if it was stopped before.
    pub(crate) fn discard(&self, addr: BlockAddr, count: u32) -> Result<()> {
        self.check_running()?;
        let bytes = u64::from(count) << BLOCK_BITS;
        self.inner.discard(addr.byte_pos(), bytes)?;
        if self.supports_discard() {
            self.counters.discards.fetch_add(1, Ordering::Relaxed);
            self.counters
                .discarded_bytes
                .fetch_add(bytes, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Why the volume stopped writing, if it did.
    pub(crate) fn stopped(&self) -> Option<String> {
        if !self.is_stopped.load(Ordering::Acquire) {
            return None;
        }
        self.reason.lock().clone()
    }

    /// Stops all writing. The first reason stays.
    pub(crate) fn stop(&self, reason: String) {
        tracing::error!(%reason, "volume stops writing");
        self.set_stopped(reason);
    }

    /// Lets nothing be written any more: the volume is closed.
    pub(crate) fn close(&self) {
        self.set_stopped("it was closed".to_owned());
    }

    fn set_stopped(&self, reason: String) {
        self.reason.lock().get_or_insert(reason);
        self.is_stopped.store(true, Ordering::Release);
    }

    /// What went over the device so far.
    pub(crate) fn counters(&self) -> DeviceCounters {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DeviceCounters {
            reads: get(&self.counters.reads),
            read_bytes: get(&self.counters.read_bytes),
            writes: get(&self.counters.writes),
            written_bytes: get(&self.counters.written_bytes),
            durable_writes: get(&self.counters.durable_writes),
            flushes: get(&self.counters.flushes),
            largest_bio: get(&self.counters.largest_bio),
            discards: get(&self.counters.discards),
            discarded_bytes: get(&self.counters.discarded_bytes),
        }
    }

    fn check_running(&self) -> Result<()> {
        match self.stopped() {
            None => Ok(()),
            Some(reason) => Err(Error::Shutdown(reason)),
        }
    }

    fn latch(&self, result: Result<(), DeviceError>) -> Result<()> {
        result.map_err(|error| {
            self.stop(error.to_string());
            error.into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blockdev::MemDevice;

    fn device(blocks: u64) -> Device {
        Device::new(Arc::new(MemDevice::new(blocks << BLOCK_BITS)))
    }

    #[test]
    fn blocks_come_back_and_are_counted() {
        let dev = device(8);
        dev.write_meta(BlockAddr::new(2), &[7; 2 * BLOCK_SIZE])
            .unwrap();
        assert_eq!(
            dev.read_block(BlockAddr::new(3)).unwrap()[..],
            [7; BLOCK_SIZE][..]
        );
        assert_eq!(
            dev.read_blocks(BlockAddr::new(1), 3).unwrap()[..BLOCK_SIZE],
            [0; BLOCK_SIZE]
        );
        dev.flush().unwrap();
        let counters = dev.counters();
        assert_eq!(
            (counters.reads, counters.writes, counters.flushes),
            (2, 1, 1)
        );
        assert_eq!(
            (counters.read_bytes, counters.written_bytes),
            (4 * 4096, 2 * 4096)
        );
        assert_eq!(dev.blocks(), 8);
    }

    #[test]
    fn a_failed_metadata_write_stops_all_writing() {
        let dev = device(2);
        let past = BlockAddr::new(2);
        assert!(matches!(
            dev.write_meta(past, &[0; BLOCK_SIZE]),
            Err(Error::Device(_))
        ));
        let first = dev.stopped().unwrap();
        dev.stop("later".to_owned());
        assert_eq!(dev.stopped().unwrap(), first);
        let here = BlockAddr::new(0);
        assert!(matches!(
            dev.write_meta(here, &[0; BLOCK_SIZE]),
            Err(Error::Shutdown(_))
        ));
        assert!(matches!(dev.flush(), Err(Error::Shutdown(_))));
        let (tx, rx) = std::sync::mpsc::channel();
        dev.submit(Bio::write(0, Vec::new(), move |result| {
            tx.send(result).unwrap();
        }));
        assert!(rx.recv().unwrap().is_err());
        dev.read_block(here).unwrap();
    }
}
