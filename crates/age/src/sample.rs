//! What is counted at the end of each part of a run.

use serde::{Deserialize, Serialize};

/// Counters of a volume, since it was mounted, and what is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Bytes written to the device.
    pub device_bytes: u64,
    /// Blocks that the cleaner moved.
    pub moved_blocks: u64,
    /// Blocks of nodes written.
    pub node_blocks: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Free segments.
    pub free_segments: u64,
    /// Blocks free for users.
    pub free_blocks: u64,
}

/// The end of a part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Which part; 0 is the filling.
    pub part: u64,
    /// Bytes written by the user so far.
    pub user_bytes: u64,
    /// Blocks that the files take, nodes with them, as the operations say.
    pub file_blocks: u64,
    /// What the volume says.
    pub counts: Counts,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Whose.
    pub name: String,
    /// Which volume.
    pub kind: String,
    /// All samples, in order.
    pub samples: Vec<Sample>,
}

/// What one part, or several, cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Bytes written by the user.
    pub user_bytes: u64,
    /// Bytes written to the device.
    pub device_bytes: u64,
    /// Blocks moved by the cleaner.
    pub moved_blocks: u64,
    /// Blocks of nodes.
    pub node_blocks: u64,
    /// Checkpoints.
    pub checkpoints: u64,
}

impl Cost {
    /// From one sample to a later one.
    pub fn between(from: &Sample, to: &Sample) -> Self {
        let (a, b) = (&from.counts, &to.counts);
        Self {
            user_bytes: to.user_bytes - from.user_bytes,
            device_bytes: b.device_bytes - a.device_bytes,
            moved_blocks: b.moved_blocks - a.moved_blocks,
            node_blocks: b.node_blocks - a.node_blocks,
            checkpoints: b.checkpoints - a.checkpoints,
        }
    }

    /// Bytes to the device for each byte of the user.
    pub fn amplification(&self) -> f64 {
        self.device_bytes as f64 / self.user_bytes as f64
    }

    /// Percent of the bytes to the device that the cleaner only moved.
    pub fn cleaner_percent(&self) -> f64 {
        self.moved_blocks as f64 * 4096.0 * 100.0 / self.device_bytes as f64
    }

    /// Percent of the bytes to the device that are nodes.
    pub fn node_percent(&self) -> f64 {
        self.node_blocks as f64 * 4096.0 * 100.0 / self.device_bytes as f64
    }
}

impl Run {
    /// The parts after the filling.
    pub fn parts(&self) -> impl Iterator<Item = (&Sample, Cost)> {
        let pairs = self.samples.iter().zip(self.samples.iter().skip(1));
        pairs.map(|(from, to)| (to, Cost::between(from, to)))
    }

    /// The ageing as a whole; none of a run without samples.
    pub fn total(&self) -> Option<Cost> {
        let (first, last) = (self.samples.first()?, self.samples.last()?);
        Some(Cost::between(first, last))
    }
}
