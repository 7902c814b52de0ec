//! A workload once for each fault.

use crate::check;
use crate::disk::Disk;
use crate::model::Model;
use crate::options;
use crate::run::Run;
use blockdev::DeviceOp;
use f2fs::{Result, Volume};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;
use testkit::faulty::{Failure, Fault, FaultyDevice, Lasting};

const HANG: Duration = Duration::from_mins(2);
/// Runs of one workload, if not all are wanted.
const SAMPLE: u64 = 120;
/// Every so many runs, `fsck.f2fs` looks at what is left.
const FSCK_EVERY: u64 = 8;
/// Failures that are printed.
const SHOWN: usize = 8;

const KINDS: [(DeviceOp, Failure); 5] = [
    (DeviceOp::Read, Failure::Io),
    (DeviceOp::Write, Failure::Io),
    (DeviceOp::Write, Failure::Full),
    (DeviceOp::Write, Failure::Torn),
    (DeviceOp::Flush, Failure::Io),
];

/// What a workload starts with.
pub(crate) struct Base {
    pub(crate) disk: Arc<Disk>,
    pub(crate) model: Model,
    /// Free blocks when everything is deleted, if that is always the same.
    pub(crate) free: Option<u64>,
}

/// What one run did.
pub(crate) struct Ended {
    pub(crate) device: Arc<FaultyDevice>,
    pub(crate) errors: usize,
}

/// Starts work on a disk.
pub(crate) fn start(
    disk: &Arc<Disk>,
    model: &Model,
    fault: Option<Fault>,
) -> (Arc<FaultyDevice>, Result<Run>) {
    let device = Arc::new(FaultyDevice::new(Arc::clone(disk) as _, fault));
    let volume = Volume::open_device(Arc::clone(&device) as _, &options());
    let run = volume.map(|volume| Run {
        volume: Arc::new(volume),
        disk: Arc::clone(disk),
        device: Arc::clone(&device),
        model: model.clone(),
        errors: Vec::new(),
        acknowledged: None,
    });
    (device, run)
}

/// One run, and everything that must hold after it.
fn one(base: &Base, work: fn(&mut Run), fault: Option<Fault>, deep: bool) -> Ended {
    let disk = base.disk.fork();
    let (device, run) = start(&disk, &base.model, fault);
    let errors = match run {
        Ok(mut run) => {
            work(&mut run);
            check::live(&run, fault);
            let closed = run.volume.finish();
            check::ended(base, run, closed, deep)
        }
        Err(error) => {
            check::refused(&error, fault);
            check::after(base, &disk.cut(), &base.model, deep);
            1
        }
    };
    if device.fired() > 0 && fault.is_some_and(|f| f.op != DeviceOp::Read) {
        assert!(errors > 0, "nobody was told");
    }
    Ended { device, errors }
}

fn all_faults(healthy: &FaultyDevice) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (op, failure) in KINDS {
        for lasting in [Lasting::Once, Lasting::FromThenOn] {
            faults.extend((0..healthy.count(op)).map(|index| Fault {
                op,
                index,
                lasting,
                failure,
            }));
        }
    }
    faults
}

/// The faults to try: all, or a sample of every kind.
fn chosen(healthy: &FaultyDevice) -> Vec<Fault> {
    let faults = all_faults(healthy);
    if std::env::var("F2FS_FAULTS").is_ok_and(|v| v == "all") {
        return faults;
    }
    let stride = (faults.len() as u64).div_ceil(SAMPLE).max(1) as usize;
    faults.into_iter().step_by(stride).collect()
}

/// What a run says that did not end well.
fn failure(job: impl FnOnce() -> Ended + Send + 'static) -> Result<Ended, String> {
    let (done, wait) = channel();
    std::thread::spawn(move || {
        let ended = catch_unwind(AssertUnwindSafe(job));
        let _ = done.send(ended.map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
                .unwrap_or_default()
        }));
    });
    wait.recv_timeout(HANG)
        .unwrap_or_else(|_| Err("it hangs".to_owned()))
}

/// Lets a workload meet its faults.
pub(crate) fn inject(name: &str, base: Base, work: fn(&mut Run)) {
    let base = Arc::new(base);
    let healthy = one(&base, work, None, true);
    assert_eq!(healthy.errors, 0, "{name} without a fault");
    let (mut injected, mut fired, mut told, mut failures) = (0, 0, 0, Vec::new());
    for fault in chosen(&healthy.device) {
        injected += 1;
        let base = Arc::clone(&base);
        let deep = injected % FSCK_EVERY == 0;
        match failure(move || one(&base, work, Some(fault), deep)) {
            Ok(ended) => {
                fired += u64::from(ended.device.fired() > 0);
                told += u64::from(ended.errors > 0);
            }
            Err(text) => failures.push(format!("{fault:?}: {text}")),
        }
    }
    let count = |op| healthy.device.count(op);
    println!(
        "{name}: {} reads, {} writes, {} flushes; {injected} faults, {fired} met, {told} told, {} wrong",
        count(DeviceOp::Read),
        count(DeviceOp::Write),
        count(DeviceOp::Flush),
        failures.len()
    );
    let shown = failures.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    assert!(failures.is_empty(), "{name}: {}", shown.join("\n"));
}
