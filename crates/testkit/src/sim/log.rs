//! What happened on a device, and what of it is durable at a point.

use super::crash::CrashState;
use super::image::Image;
use runtime::rng::Rng;
use std::sync::Arc;

/// One entry of the log.
#[derive(Clone, Debug)]
pub enum Event {
    /// A write was submitted; from now on it may reach the medium.
    Write {
        /// First byte.
        pos: u64,
        /// What is written.
        data: Arc<[u8]>,
        /// Whether it is durable as soon as it has completed (FUA).
        is_durable: bool,
        /// Whether an [`Event::Done`] follows; otherwise it has completed.
        in_flight: bool,
    },
    /// A write that was in flight has completed.
    Done {
        /// Index of its [`Event::Write`].
        write: usize,
    },
    /// A range was discarded: from now on anything may be there.
    Discard {
        /// First byte.
        pos: u64,
        /// Bytes.
        len: u64,
    },
    /// A flush began: it is for what has completed by now.
    FlushBegin,
    /// A flush returned.
    FlushEnd {
        /// Index of its [`Event::FlushBegin`].
        begin: usize,
    },
    /// Something that the test notes.
    Mark(u64),
}

impl Event {
    /// Bytes it may change, and where.
    pub(super) fn range(&self) -> Option<(u64, u64)> {
        match self {
            Self::Write { pos, data, .. } => Some((*pos, data.len() as u64)),
            Self::Discard { pos, len } => Some((*pos, *len)),
            _ => None,
        }
    }
}

/// A device before anything happened, and everything that happened.
#[derive(Clone, Debug)]
pub struct Log {
    /// Content when recording began, all of it durable.
    pub base: Image,
    /// Everything since, in order. Point `p` of the log is the moment before event `p`.
    pub events: Vec<Event>,
}

/// A change that is not folded into the base yet.
#[derive(Clone, Copy, Debug)]
struct Pending {
    event: usize,
    /// Point from which on it has completed.
    completed: Option<usize>,
    is_durable: bool,
}

/// A walk through a log that knows at each point what is durable and what may be.
#[derive(Clone, Debug)]
pub struct Replay<'a> {
    log: &'a Log,
    point: usize,
    /// All changes before the first one that is not durable.
    base: Image,
    base_key: u64,
    /// That one and all later ones, in order.
    pending: Vec<Pending>,
}

impl<'a> Replay<'a> {
    /// At the start of the log.
    pub fn new(log: &'a Log) -> Self {
        Self {
            log,
            point: 0,
            base: log.base.clone(),
            base_key: 0,
            pending: Vec::new(),
        }
    }

    /// Where it is: events before this index have happened.
    pub fn point(&self) -> usize {
        self.point
    }

    /// Goes on to a later point.
    ///
    /// # Panics
    /// If the log ends before it.
    pub fn advance_to(&mut self, point: usize) {
        while self.point < point {
            self.step();
        }
    }

    fn step(&mut self) {
        let event = self.point;
        match &self.log.events[event] {
            Event::Write {
                is_durable,
                in_flight,
                ..
            } => self.pending.push(Pending {
                event,
                completed: (!in_flight).then_some(event),
                is_durable: *is_durable && !in_flight,
            }),
            Event::Discard { .. } => self.pending.push(Pending {
                event,
                completed: Some(event),
                is_durable: false,
            }),
            Event::Done { write } => self.complete(*write, event),
            Event::FlushEnd { begin } => self.flush(*begin),
            Event::FlushBegin | Event::Mark(_) => {}
        }
        self.point += 1;
        self.fold();
    }

    fn complete(&mut self, write: usize, now: usize) {
        let is_fua = matches!(
            self.log.events[write],
            Event::Write {
                is_durable: true,
                ..
            }
        );
        for pending in self.pending.iter_mut().filter(|p| p.event == write) {
            pending.completed = Some(now);
            pending.is_durable |= is_fua;
        }
    }

    fn flush(&mut self, begin: usize) {
        for pending in &mut self.pending {
            pending.is_durable |= pending.completed.is_some_and(|at| at < begin);
        }
    }

    /// Only the front is folded: what comes behind a volatile write stays behind it.
    fn fold(&mut self) {
        let front = self.pending.iter().take_while(|p| p.is_durable).count();
        for pending in self.pending.drain(..front) {
            apply(&self.log.events[pending.event], &mut self.base);
            self.base_key ^= key_of(pending.event, 0);
        }
    }

    /// The changes that a power cut now may lose, as indices into the log, oldest first.
    pub fn volatile(&self) -> Vec<usize> {
        let volatile = self.pending.iter().filter(|p| !p.is_durable);
        volatile.map(|p| p.event).collect()
    }

    /// Bytes that the change at an index may touch, and where.
    pub(super) fn range(&self, event: usize) -> (u64, u64) {
        self.log.events[event].range().unwrap_or_default()
    }

    /// Whether two changes may reach the medium in either order: the second was submitted before the first completed.
    pub(super) fn are_concurrent(&self, first: usize, second: usize) -> bool {
        let completed = self.pending.iter().find(|p| p.event == first);
        completed.is_some_and(|p| p.completed.is_none_or(|at| at > second))
    }

    /// The device after a power cut now, if `state` is what reached the medium.
    pub fn image(&self, state: &CrashState) -> Image {
        let mut image = self.base.clone();
        let mut durable = self.pending.iter().filter(|p| p.is_durable).peekable();
        for pick in &state.picks {
            while let Some(pending) = durable.next_if(|p| p.event < pick.write) {
                apply(&self.log.events[pending.event], &mut image);
            }
            match &self.log.events[pick.write] {
                Event::Write { pos, data, .. } => pick.tear.apply(*pos, data, &mut image),
                Event::Discard { pos, len } => pick.tear.discard(*pos, *len, &mut image),
                event => apply(event, &mut image),
            }
        }
        for pending in durable {
            apply(&self.log.events[pending.event], &mut image);
        }
        image
    }

    /// A number that is the same for states with the same writes, at whatever points they were taken.
    pub fn key(&self, state: &CrashState) -> u64 {
        let durable = self.pending.iter().filter(|p| p.is_durable);
        let durable = durable.fold(self.base_key, |key, p| key ^ key_of(p.event, 0));
        let picks = state.picks.iter();
        picks.fold(durable, |key, p| key ^ key_of(p.write, p.tear.number()))
    }
}

fn key_of(event: usize, tear: u64) -> u64 {
    let mut rng = Rng::seeded(event as u64);
    let first = rng.next_u64();
    Rng::seeded(first ^ tear).next_u64()
}

fn apply(event: &Event, image: &mut Image) {
    match event {
        Event::Write { pos, data, .. } => image.write(*pos, data),
        Event::Discard { pos, len } => image.spoil(*pos, *len),
        _ => {}
    }
}
