//! The device: memory, a log of what was asked of it, and faults on request.

use super::image::Image;
use super::log::{Event, Log};
use crate::faulty::Fault;
use blockdev::{Bio, BioOp, BlockDevice, DeviceError, DeviceOp};
use runtime::rng::Rng;
use runtime::sync::{Mutex, Rank};
use std::io;

/// What the whole device is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    #[default]
    Good,
    /// Every write fails.
    ReadOnly,
    /// Every write fails for want of space.
    Full,
    /// Everything fails.
    Away,
}

/// A promise that the device breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Flushes return at once and make nothing durable.
    Flush,
    /// Durable writes are like all others.
    DurableWrite,
}

#[derive(Debug)]
struct Inner {
    image: Image,
    log: Option<Log>,
    state: State,
    faults: Vec<Fault>,
    counts: [u64; 4],
    fired: u64,
    lies: Vec<Lie>,
    is_holding: bool,
    /// Writes in flight: their index in the log, if there is one.
    held: Vec<(Option<usize>, Bio)>,
}

/// A device in memory that logs every change and can be told to misbehave. The same calls give the same log.
#[derive(Debug)]
pub struct SimDevice {
    size: u64,
    inner: Mutex<Inner>,
}

impl SimDevice {
    /// A device with this content that keeps a log from now on.
    pub fn new(image: Image) -> Self {
        let log = Log {
            base: image.clone(),
            events: Vec::new(),
        };
        Self::with_log(image, Some(log))
    }

    /// A device with this content that keeps no log.
    pub fn unlogged(image: Image) -> Self {
        Self::with_log(image, None)
    }

    fn with_log(image: Image, log: Option<Log>) -> Self {
        let inner = Inner {
            log,
            state: State::Good,
            faults: Vec::new(),
            counts: [0; 4],
            fired: 0,
            lies: Vec::new(),
            is_holding: false,
            held: Vec::new(),
            image,
        };
        Self {
            size: inner.image.size(),
            inner: Mutex::new(Rank::LEAF, inner),
        }
    }

    /// Notes something in the log.
    pub fn mark(&self, mark: u64) {
        self.inner.lock().push(Event::Mark(mark));
    }

    /// What happened so far; nothing if it keeps no log.
    pub fn log(&self) -> Option<Log> {
        self.inner.lock().log.clone()
    }

    /// What reads return now.
    pub fn image(&self) -> Image {
        self.inner.lock().image.clone()
    }

    /// Events in the log.
    pub fn log_len(&self) -> usize {
        let inner = self.inner.lock();
        inner.log.as_ref().map_or(0, |log| log.events.len())
    }

    /// Lets a transfer fail.
    pub fn add_fault(&self, fault: Fault) {
        self.inner.lock().faults.push(fault);
    }

    /// Changes what the whole device is like.
    pub fn set_state(&self, state: State) {
        self.inner.lock().state = state;
    }

    /// Breaks a promise from now on.
    pub fn tell(&self, lie: Lie) {
        self.inner.lock().lies.push(lie);
    }

    /// Transfers of a kind so far, failed ones too.
    pub fn count(&self, op: DeviceOp) -> u64 {
        self.inner.lock().counts[op as usize]
    }

    /// Transfers that failed so far.
    pub fn fired(&self) -> u64 {
        self.inner.lock().fired
    }

    /// From now on, writes that are submitted do not complete until they are released.
    pub fn hold(&self) {
        self.inner.lock().is_holding = true;
    }

    /// Writes that are held.
    pub fn held(&self) -> usize {
        self.inner.lock().held.len()
    }

    /// Completes what is held, in an order that the seed chooses, and holds nothing from now on.
    pub fn release(&self, seed: u64) {
        let mut rng = Rng::seeded(seed);
        self.inner.lock().is_holding = false;
        loop {
            let mut inner = self.inner.lock();
            if inner.held.is_empty() {
                return;
            }
            let n = rng.below(inner.held.len() as u64) as usize;
            let (write, bio) = inner.held.swap_remove(n);
            if let Some(write) = write {
                inner.push(Event::Done { write });
            }
            drop(inner);
            bio.complete(Ok(()));
        }
    }
}

impl Inner {
    fn push(&mut self, event: Event) -> Option<usize> {
        let log = self.log.as_mut()?;
        log.events.push(event);
        Some(log.events.len() - 1)
    }

    fn check(&mut self, op: DeviceOp, pos: u64, len: u64) -> Result<(), DeviceError> {
        let index = self.counts[op as usize];
        self.counts[op as usize] += 1;
        let result = self.refusal(op, index, pos, len);
        self.fired += u64::from(result.is_some());
        result.map_or(Ok(()), Err)
    }

    fn check_write(&mut self, pos: u64, data: &[u8]) -> Result<(), DeviceError> {
        let (op, index) = (DeviceOp::Write, self.counts[DeviceOp::Write as usize]);
        let result = self.check(op, pos, data.len() as u64);
        let hit = self.faults.iter().find(|fault| fault.hits(op, index));
        if let Some(half) = hit.and_then(|fault| fault.left(data)) {
            self.write(pos, half, false, false);
        }
        result
    }

    fn refusal(&self, op: DeviceOp, index: u64, pos: u64, len: u64) -> Option<DeviceError> {
        let changes = matches!(op, DeviceOp::Write | DeviceOp::Discard);
        let failed = |error: io::Error| Some(DeviceError::new(op, pos, len, &error));
        if let Some(fault) = self.faults.iter().find(|fault| fault.hits(op, index)) {
            return failed(fault.error());
        }
        let size = self.image.size();
        match self.state {
            State::Away => failed(io::Error::other("the device is away")),
            State::ReadOnly if changes => Some(DeviceError::read_only(op, pos, len)),
            State::Full if op == DeviceOp::Write => failed(io::ErrorKind::StorageFull.into()),
            _ if pos.checked_add(len).is_none_or(|end| end > size) => {
                Some(DeviceError::past_end(op, pos, len, size))
            }
            _ => None,
        }
    }

    /// Logs a write and lets reads see it.
    fn write(&mut self, pos: u64, data: &[u8], is_durable: bool, in_flight: bool) -> Option<usize> {
        self.image.write(pos, data);
        self.log.as_ref()?;
        self.push(Event::Write {
            pos,
            data: data.into(),
            is_durable,
            in_flight,
        })
    }
}

impl BlockDevice for SimDevice {
    fn size_bytes(&self) -> u64 {
        self.size
    }

    fn is_read_only(&self) -> bool {
        false
    }

    fn submit(&self, mut bio: Bio) {
        let result = match bio.op() {
            BioOp::Read => {
                let mut inner = self.inner.lock();
                let checked = inner.check(DeviceOp::Read, bio.pos(), bio.len());
                checked.and_then(|()| {
                    bio.for_each_target(|pos, buf| {
                        inner.image.read(pos, buf);
                        Ok(())
                    })
                })
            }
            BioOp::Write => {
                let mut inner = self.inner.lock();
                let data = bio.sources().collect::<Vec<_>>().concat();
                let checked = inner.check_write(bio.pos(), &data);
                if checked.is_ok() {
                    let in_flight = inner.is_holding;
                    let write = inner.write(bio.pos(), &data, false, in_flight);
                    if in_flight {
                        inner.held.push((write, bio));
                        return;
                    }
                }
                checked
            }
        };
        bio.complete(result);
    }

    fn read_at(&self, pos: u64, buf: &mut [u8]) -> Result<(), DeviceError> {
        let mut inner = self.inner.lock();
        inner.check(DeviceOp::Read, pos, buf.len() as u64)?;
        inner.image.read(pos, buf);
        Ok(())
    }

    fn write_at(&self, pos: u64, data: &[u8]) -> Result<(), DeviceError> {
        let mut inner = self.inner.lock();
        inner.check_write(pos, data)?;
        inner.write(pos, data, false, false);
        Ok(())
    }

    fn write_durable(&self, pos: u64, data: &[u8]) -> Result<(), DeviceError> {
        let mut inner = self.inner.lock();
        inner.check_write(pos, data)?;
        let is_durable = !inner.lies.contains(&Lie::DurableWrite);
        // Between the two entries it is in flight: a point of its own.
        if let Some(write) = inner.write(pos, data, is_durable, true) {
            inner.push(Event::Done { write });
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), DeviceError> {
        let mut inner = self.inner.lock();
        inner.check(DeviceOp::Flush, 0, 0)?;
        if inner.lies.contains(&Lie::Flush) {
            return Ok(());
        }
        if let Some(begin) = inner.push(Event::FlushBegin) {
            inner.push(Event::FlushEnd { begin });
        }
        Ok(())
    }

    fn discard(&self, pos: u64, len: u64) -> Result<(), DeviceError> {
        let mut inner = self.inner.lock();
        inner.check(DeviceOp::Discard, pos, len)?;
        inner.image.spoil(pos, len);
        inner.push(Event::Discard { pos, len });
        Ok(())
    }
}
