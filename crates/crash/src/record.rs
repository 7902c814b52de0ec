//! A workload on a device that remembers every write.

use crate::check::Window;
use crate::observe::{Observed, identity};
use crate::op::Op;
use crate::subject::{self, Opening};
use crate::timeline::Moment;
use crate::world::World;
use anyhow::{Context, Result, bail};
use f2fs::{FsyncMode, Volume};
use runtime::sync::{Mutex, Rank};
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;
use testkit::sim::{Event, Image, Lie, Log, SimDevice};

/// A volume to start from, cleanly closed, and what it holds.
#[derive(Clone, Debug)]
pub struct Base {
    /// Its bytes.
    pub image: Image,
    /// What is on it.
    pub world: World,
}

/// Something that an application on the volume relies on.
pub type Invariant = Arc<dyn Fn(&Observed, &Window) -> Result<(), String> + Send + Sync>;

/// What is run between opening and closing a volume.
#[derive(Clone)]
pub struct Case {
    /// Name that finds it again.
    pub name: String,
    /// Where it starts.
    pub base: Arc<Base>,
    /// What fsync promises.
    pub mode: FsyncMode,
    /// Operations of each thread. Several threads touch nothing of each other's and do not sync the volume.
    pub threads: Vec<Vec<Op>>,
    /// What must hold beside the rules for files.
    pub invariant: Option<Invariant>,
    /// Promises that the device breaks.
    pub lies: Vec<Lie>,
}

impl Debug for Case {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("name", &self.name)
            .field("mode", &self.mode)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// What a case did.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Everything the device saw.
    pub log: Log,
    /// What the volume should hold at each moment.
    pub world: World,
    /// Operations that were run.
    pub operations: u64,
}

/// The world and the device that several threads note their operations in.
struct Recorder<'a> {
    volume: &'a Volume,
    device: &'a SimDevice,
    world: Mutex<World>,
}

impl Base {
    /// Runs operations on a fresh volume and closes it.
    pub fn new(image: Image, operations: &[Op]) -> Result<Self> {
        let device = Arc::new(SimDevice::unlogged(image));
        let volume = subject::open(device.clone(), FsyncMode::Posix, Opening::Setup)?;
        let root = volume.root()?;
        let world = World::new(identity(&root), root.metadata().mode() & 0o7777);
        drop(root);
        let recorder = Recorder {
            volume: &volume,
            device: &device,
            world: Mutex::new(Rank::LEAF, world),
        };
        for op in operations {
            recorder.run(op)?;
        }
        let world = recorder.world.lock().settled();
        volume.close()?;
        let image = device.image();
        Ok(Self { image, world })
    }
}

impl Recorder<'_> {
    fn run(&self, op: &Op) -> Result<()> {
        let mut world = self.world.lock();
        let made = world.apply(op).with_context(|| op.to_string())?;
        let moment = world.now();
        let bytes = match op {
            Op::Write(path, pos, data) => world.bytes_of(path, *pos, data)?,
            Op::SetXattr(_, _, len) => world.xattr_value(*len),
            _ => Vec::new(),
        };
        drop(world);
        // The world's lock is a leaf, and so is the device's. Threads change nothing of each other's, so that a
        // moment may be noted a little later than it was taken.
        self.device.mark(begun(moment));
        let identity = subject::run(self.volume, op, &bytes);
        let identity = identity.with_context(|| op.to_string())?;
        self.device.mark(acknowledged(moment));
        if let Some(made) = made {
            self.world.lock().files[made].identity = identity;
        }
        Ok(())
    }

    /// Closing makes everything durable, as a sync does.
    fn finish(&self) -> Result<()> {
        self.world.lock().apply(&Op::SYNC)?;
        let moment = self.world.lock().now();
        self.device.mark(begun(moment));
        self.volume.finish().context("closing the volume")?;
        self.device.mark(acknowledged(moment));
        Ok(())
    }
}

fn begun(moment: Moment) -> u64 {
    u64::from(moment) << 1
}

fn acknowledged(moment: Moment) -> u64 {
    begun(moment) | 1
}

impl Window {
    /// Takes what an event says about operations; whether one was acknowledged.
    pub fn note(&mut self, event: &Event) -> bool {
        let Event::Mark(mark) = event else {
            return false;
        };
        let moment = (mark >> 1) as Moment;
        if mark & 1 == 1 {
            self.acknowledged.insert(moment);
            return true;
        }
        self.begun = self.begun.max(moment);
        false
    }

    /// The window at a point of a log.
    pub fn at(log: &Log, point: usize) -> Self {
        let mut window = Self::default();
        for event in &log.events[..point] {
            window.note(event);
        }
        window
    }
}

/// Runs a job on so many threads at once; each gets its number.
pub fn run_together(count: usize, job: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    let job = &job;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|n| scope.spawn(move || job(n))).collect();
        for thread in threads {
            match thread.join() {
                Ok(ended) => ended?,
                Err(_) => bail!("a thread panicked"),
            }
        }
        Ok(())
    })
}

/// Runs a case.
pub fn record(case: &Case) -> Result<Recording> {
    let device = Arc::new(SimDevice::new(case.base.image.clone()));
    for &lie in &case.lies {
        device.tell(lie);
    }
    let volume = subject::open(device.clone(), case.mode, Opening::Workload)?;
    let mut world = case.base.world.clone();
    world.set_mode(case.mode);
    let recorder = Recorder {
        volume: &volume,
        device: &device,
        world: Mutex::new(Rank::LEAF, world),
    };
    match &case.threads[..] {
        [one] => one.iter().try_for_each(|op| recorder.run(op))?,
        several => run_together(several.len(), |n| {
            several[n].iter().try_for_each(|op| recorder.run(op))
        })?,
    }
    recorder.finish()?;
    let world = recorder.world.lock().clone();
    let log = device.log().context("the device keeps a log")?;
    Ok(Recording {
        log,
        world,
        operations: case.threads.iter().map(|ops| ops.len() as u64).sum(),
    })
}
