//! A device that fails on request: one transfer, all transfers from one on, writes for ever, or
//! everything behind a point.

use blockdev::{Bio, BioOp, BlockDevice, DeviceError, DeviceOp};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a device writes as a whole.
const SECTOR: usize = 512;

/// How long a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// One transfer fails, the next one goes well.
    Once,
    /// Every transfer of the kind fails from then on.
    FromThenOn,
}

/// How a transfer fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing is transferred (EIO).
    Io,
    /// Nothing is transferred: the file below has no room (ENOSPC).
    Full,
    /// The first half of a write is on the device, to a sector.
    Torn,
}

/// What fails: the transfer of a kind with this number, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Reading, writing or flushing.
    pub op: DeviceOp,
    /// Number of the transfer among those of its kind.
    pub index: u64,
    /// Whether later ones fail too.
    pub lasting: Lasting,
    /// What is left of it.
    pub failure: Failure,
}

impl Fault {
    /// Whether it hits the transfer of a kind with this number.
    pub(crate) fn hits(&self, op: DeviceOp, index: u64) -> bool {
        self.op == op
            && match self.lasting {
                Lasting::Once => index == self.index,
                Lasting::FromThenOn => index >= self.index,
            }
    }

    /// What the transfer is told.
    pub(crate) fn error(&self) -> io::Error {
        let kind = match self.failure {
            Failure::Full => io::ErrorKind::StorageFull,
            Failure::Io | Failure::Torn => io::ErrorKind::Other,
        };
        io::Error::new(kind, "injected fault")
    }

    /// What a failed write leaves on the device, if it leaves anything.
    pub(crate) fn left<'d>(&self, data: &'d [u8]) -> Option<&'d [u8]> {
        let half = data.len() / 2 / SECTOR * SECTOR;
        (self.failure == Failure::Torn).then(|| &data[..half])
    }
}

/// A device in front of another one.
#[derive(Debug)]
pub struct FaultyDevice {
    inner: Arc<dyn BlockDevice>,
    fault: Option<Fault>,
    counts: [AtomicU64; 4],
    fired: AtomicU64,
    fired_waiting: AtomicU64,
    read_only: AtomicBool,
    end: AtomicU64,
}

impl FaultyDevice {
    /// `inner`, failing as `fault` says.
    pub fn new(inner: Arc<dyn BlockDevice>, fault: Option<Fault>) -> Self {
        Self {
            inner,
            fault,
            counts: Default::default(),
            fired: AtomicU64::new(0),
            fired_waiting: AtomicU64::new(0),
            read_only: AtomicBool::new(false),
            end: AtomicU64::new(u64::MAX),
        }
    }

    /// Transfers of a kind so far.
    pub fn count(&self, op: DeviceOp) -> u64 {
        self.counts[op as usize].load(Ordering::Relaxed)
    }

    /// Transfers that failed so far.
    pub fn fired(&self) -> u64 {
        self.fired.load(Ordering::Relaxed)
    }

    /// Of them, those that were no bios: a file system's metadata.
    pub fn fired_waiting(&self) -> u64 {
        self.fired_waiting.load(Ordering::Relaxed)
    }

    /// Lets all writes fail from now on, as a device does that protects itself.
    pub fn turn_read_only(&self) {
        self.read_only.store(true, Ordering::Relaxed);
    }

    /// Lets every transfer fail that reaches behind byte `end`; 0 takes the device away. Its size
    /// stays what it was.
    pub fn cut(&self, end: u64) {
        self.end.store(end, Ordering::Relaxed);
    }

    /// Counts a transfer; the fault, if it hits this one.
    fn hit(&self, op: DeviceOp) -> Option<Fault> {
        let index = self.counts[op as usize].fetch_add(1, Ordering::Relaxed);
        self.fault.filter(|fault| fault.hits(op, index))
    }

    fn check(&self, op: DeviceOp, pos: u64, len: u64) -> Result<(), DeviceError> {
        let changes = matches!(op, DeviceOp::Write | DeviceOp::Discard);
        let error = if let Some(fault) = self.hit(op) {
            DeviceError::new(op, pos, len, &fault.error())
        } else if changes && self.read_only.load(Ordering::Relaxed) {
            DeviceError::read_only(op, pos, len)
        } else {
            let end = self.end.load(Ordering::Relaxed);
            if pos.saturating_add(len) <= end {
                return Ok(());
            }
            DeviceError::past_end(op, pos, len, end)
        };
        self.fired.fetch_add(1, Ordering::Relaxed);
        Err(error)
    }

    fn check_waiting(&self, op: DeviceOp, pos: u64, len: u64) -> Result<(), DeviceError> {
        self.check(op, pos, len).inspect_err(|_| {
            self.fired_waiting.fetch_add(1, Ordering::Relaxed);
        })
    }

    fn check_write(&self, pos: u64, data: &[u8]) -> Result<(), DeviceError> {
        self.check_waiting(DeviceOp::Write, pos, data.len() as u64)
            .inspect_err(|_| self.tear(pos, data))
    }

    /// Writes the half of a failed write that a torn one leaves.
    fn tear(&self, pos: u64, data: &[u8]) {
        if let Some(half) = self.fault.and_then(|fault| fault.left(data)) {
            // It failed already; that the other half fails too changes nothing.
            let _ = self.inner.write_at(pos, half);
        }
    }
}

impl BlockDevice for FaultyDevice {
    fn size_bytes(&self) -> u64 {
        self.inner.size_bytes()
    }

    fn is_read_only(&self) -> bool {
        self.inner.is_read_only()
    }

    fn submit(&self, bio: Bio) {
        let op = match bio.op() {
            BioOp::Read => DeviceOp::Read,
            BioOp::Write => DeviceOp::Write,
        };
        match self.check(op, bio.pos(), bio.len()) {
            Ok(()) => self.inner.submit(bio),
            Err(error) => {
                if op == DeviceOp::Write {
                    let data: Vec<&[u8]> = bio.sources().collect();
                    self.tear(bio.pos(), &data.concat());
                }
                bio.complete(Err(error));
            }
        }
    }

    fn read_at(&self, pos: u64, buf: &mut [u8]) -> Result<(), DeviceError> {
        self.check_waiting(DeviceOp::Read, pos, buf.len() as u64)?;
        self.inner.read_at(pos, buf)
    }

    fn write_at(&self, pos: u64, data: &[u8]) -> Result<(), DeviceError> {
        self.check_write(pos, data)?;
        self.inner.write_at(pos, data)
    }

    fn write_durable(&self, pos: u64, data: &[u8]) -> Result<(), DeviceError> {
        self.check_write(pos, data)?;
        self.inner.write_durable(pos, data)
    }

    fn flush(&self) -> Result<(), DeviceError> {
        self.check_waiting(DeviceOp::Flush, 0, 0)?;
        self.inner.flush()
    }

    fn supports_discard(&self) -> bool {
        self.inner.supports_discard()
    }

    fn discard(&self, pos: u64, len: u64) -> Result<(), DeviceError> {
        self.check_waiting(DeviceOp::Discard, pos, len)?;
        self.inner.discard(pos, len)
    }
}
