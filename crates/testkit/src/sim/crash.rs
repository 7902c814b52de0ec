//! What a power cut leaves: some of the writes that were not durable, whole or torn.

use super::image::Image;
use super::log::Replay;
use runtime::rng::Rng;
use std::fmt::{self, Display, Formatter};
use std::ops::Range;

/// Bytes of a sector, the smallest unit that devices write whole.
const SECTOR: usize = 512;
/// Bytes of a block.
const BLOCK: usize = 4096;

/// Which units of a torn write are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The first ones.
    Prefix(usize),
    /// The last ones.
    Suffix(usize),
    /// Those that a seed chooses.
    Random(u64),
}

/// How much of a write is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tear {
    /// All of it.
    Whole,
    /// Some of its sectors of 512 bytes.
    Sectors(Keep),
    /// Some of its blocks of 4 KiB.
    Blocks(Keep),
}

impl Tear {
    fn parts(self) -> Option<(usize, Keep)> {
        match self {
            Self::Whole => None,
            Self::Sectors(keep) => Some((SECTOR, keep)),
            Self::Blocks(keep) => Some((BLOCK, keep)),
        }
    }

    /// Writes what is there of `data` at `pos`.
    pub(super) fn apply(self, pos: u64, data: &[u8], image: &mut Image) {
        for part in self.kept(data.len()) {
            image.write(pos + part.start as u64, &data[part]);
        }
    }

    /// Spoils what is there of a discard of `len` bytes at `pos`.
    pub(super) fn discard(self, pos: u64, len: u64, image: &mut Image) {
        for part in self.kept(len as usize) {
            image.spoil(pos + part.start as u64, part.len() as u64);
        }
    }

    /// What is there of a change of `len` bytes.
    fn kept(self, len: usize) -> Vec<Range<usize>> {
        let Some((unit, keep)) = self.parts() else {
            return std::iter::once(0..len).collect();
        };
        let count = len.div_ceil(unit);
        let mut rng = match keep {
            Keep::Random(seed) => Rng::seeded(seed),
            _ => Rng::seeded(0),
        };
        let mut is_there = |n: usize| match keep {
            Keep::Prefix(units) => n < units,
            Keep::Suffix(units) => n + units >= count,
            Keep::Random(_) => rng.below(2) == 0,
        };
        let units = (0..count).filter(|&n| is_there(n));
        units.map(|n| n * unit..len.min((n + 1) * unit)).collect()
    }

    /// A number that tells it from others.
    pub(super) fn number(self) -> u64 {
        let Some((unit, keep)) = self.parts() else {
            return 0;
        };
        let (kind, value) = match keep {
            Keep::Prefix(units) => (1, units as u64),
            Keep::Suffix(units) => (2, units as u64),
            Keep::Random(seed) => (3, seed),
        };
        Rng::seeded(value ^ kind << 56 ^ (unit as u64) << 40).next_u64() | 1
    }
}

/// A write that reached the medium before the power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Its index in the log.
    pub write: usize,
    /// How much of it.
    pub tear: Tear,
}

/// What a power cut left of the changes that were not durable, in the order in which they reached the medium.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrashState {
    /// Those that are there, at least in part.
    pub picks: Vec<Pick>,
}

impl Display for CrashState {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.picks.is_empty() {
            return f.write_str("only what was durable");
        }
        f.write_str("with")?;
        for Pick { write, tear } in &self.picks {
            match tear {
                Tear::Whole => write!(f, " {write}")?,
                torn => write!(f, " {write}:{torn:?}")?,
            }
        }
        Ok(())
    }
}

impl CrashState {
    fn whole(writes: impl IntoIterator<Item = usize>) -> Self {
        let pick = |write| Pick {
            write,
            tear: Tear::Whole,
        };
        Self {
            picks: writes.into_iter().map(pick).collect(),
        }
    }
}

/// Chooses the states of a point: all subsets of few writes, otherwise the telling ones and a sample.
#[derive(Clone, Copy, Debug)]
pub struct Enumerator {
    /// Up to so many volatile writes, every subset is a state.
    pub all_up_to: usize,
    /// Random states of a point with more of them.
    pub sample: usize,
    /// Writes that are alone missing or alone there, at most, of a point with more of them.
    pub alone: usize,
}

impl Default for Enumerator {
    fn default() -> Self {
        Self {
            all_up_to: 5,
            sample: 16,
            alone: 24,
        }
    }
}

impl Enumerator {
    /// The states of the point where `replay` is. The same seed gives the same ones in the same order.
    pub fn states(&self, replay: &Replay<'_>, seed: u64) -> Vec<CrashState> {
        let writes = replay.volatile();
        let mut rng = Rng::seeded(seed ^ (replay.point() as u64).wrapping_mul(0x9E37_79B9));
        let mut states = if writes.len() <= self.all_up_to {
            subsets(&writes)
        } else {
            self.telling(&writes, &mut rng)
        };
        for state in torn_last(replay, &writes, &mut rng) {
            push_new(&mut states, state);
        }
        for state in swapped(replay, &writes) {
            push_new(&mut states, state);
        }
        if writes.len() > self.all_up_to {
            for _ in 0..self.sample {
                push_new(&mut states, random(&writes, &mut rng));
            }
        }
        states
    }

    fn telling(&self, writes: &[usize], rng: &mut Rng) -> Vec<CrashState> {
        let mut states = vec![
            CrashState::default(),
            CrashState::whole(writes.iter().copied()),
        ];
        for &one in &chosen(writes, self.alone, rng) {
            let others = writes.iter().copied().filter(|&write| write != one);
            states.push(CrashState::whole(others));
            states.push(CrashState::whole([one]));
        }
        states
    }
}

fn push_new(states: &mut Vec<CrashState>, state: CrashState) {
    if !states.contains(&state) {
        states.push(state);
    }
}

fn subsets(writes: &[usize]) -> Vec<CrashState> {
    let subset = |bits: u32| {
        let chosen = writes.iter().enumerate();
        let chosen = chosen.filter(move |(n, _)| bits >> n & 1 == 1);
        CrashState::whole(chosen.map(|(_, &write)| write))
    };
    (0..1u32 << writes.len()).map(subset).collect()
}

/// Up to `most` of the writes, the oldest and the newest among them.
fn chosen(writes: &[usize], most: usize, rng: &mut Rng) -> Vec<usize> {
    let mut left = writes.to_vec();
    while left.len() > most.max(2) {
        let inner = left.len() as u64 - 2;
        left.remove(1 + rng.below(inner) as usize);
    }
    left
}

/// The newest write torn in several ways, with all others and with none.
fn torn_last(replay: &Replay<'_>, writes: &[usize], rng: &mut Rng) -> Vec<CrashState> {
    let Some((&last, others)) = writes.split_last() else {
        return Vec::new();
    };
    let len = replay.range(last).1 as usize;
    let mut states = Vec::new();
    for tear in tears(len, rng) {
        let torn = Pick { write: last, tear };
        for mut state in [
            CrashState::whole(others.iter().copied()),
            CrashState::default(),
        ] {
            state.picks.push(torn);
            states.push(state);
        }
    }
    states
}

/// Ways to tear a write of `len` bytes.
fn tears(len: usize, rng: &mut Rng) -> Vec<Tear> {
    let keeps = |count: usize, rng: &mut Rng| {
        let cut = 1 + rng.below(count.max(2) as u64 - 1) as usize;
        [
            Keep::Prefix(cut),
            Keep::Suffix(cut),
            Keep::Random(rng.next_u64()),
        ]
    };
    let mut tears = Vec::new();
    if len > SECTOR {
        tears.extend(keeps(len.div_ceil(SECTOR), rng).map(Tear::Sectors));
    }
    if len > BLOCK {
        tears.extend(keeps(len.div_ceil(BLOCK), rng).map(Tear::Blocks));
    }
    tears
}

/// All writes, with two that overlap and were in flight together the other way round.
fn swapped(replay: &Replay<'_>, writes: &[usize]) -> Vec<CrashState> {
    let mut states = Vec::new();
    for (n, &first) in writes.iter().enumerate() {
        for &second in &writes[n + 1..] {
            if overlap(replay.range(first), replay.range(second))
                && replay.are_concurrent(first, second)
            {
                let others = writes.iter().copied().filter(|&w| w != first);
                states.push(CrashState::whole(others.chain([first])));
            }
        }
    }
    states
}

fn overlap((a, a_len): (u64, u64), (b, b_len): (u64, u64)) -> bool {
    a < b + b_len && b < a + a_len
}

fn random(writes: &[usize], rng: &mut Rng) -> CrashState {
    let mut picks = Vec::new();
    for &write in writes {
        let tear = match rng.below(8) {
            0..4 => continue,
            4 => Tear::Sectors(Keep::Random(rng.next_u64())),
            5 => Tear::Blocks(Keep::Random(rng.next_u64())),
            _ => Tear::Whole,
        };
        picks.push(Pick { write, tear });
    }
    CrashState { picks }
}
