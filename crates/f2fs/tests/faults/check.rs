//! What must hold after a fault.

use crate::disk::Disk;
use crate::inject::Base;
use crate::model::Model;
use crate::options;
use crate::run::Run;
use blockdev::DeviceOp;
use f2fs::{Error, Owner, Result, Volume};
use std::sync::Arc;
use testkit::faulty::{Fault, Lasting};

/// While the volume is open: everything reads as it was left, unless the device fails for ever; a volume whose
/// metadata could not be written takes no changes and says why.
pub(crate) fn live(run: &Run, fault: Option<Fault>) {
    let stops = run.device.fired_waiting() > 0 && fault.is_some_and(|f| f.op != DeviceOp::Read);
    if stops {
        for result in [
            run.volume.sync(),
            run.volume.create_dir("/refused", Owner::root(0o755)),
        ] {
            assert!(
                matches!(&result, Err(Error::Shutdown(why)) if why.contains("injected fault")),
                "the volume goes on: {result:?}"
            );
        }
    }
    run.volume.drop_caches();
    let is_sticky =
        fault.is_some_and(|f| f.op == DeviceOp::Read && f.lasting == Lasting::FromThenOn);
    let wrong = run.model.differences_now(&run.volume, is_sticky);
    assert!(wrong.is_empty(), "live: {wrong:?}, told {:?}", run.errors);
}

/// After the end: what was acknowledged is there, whenever the power was cut. The number of errors that were told.
pub(crate) fn ended(base: &Base, run: Run, closed: Result<()>, deep: bool) -> usize {
    let Run {
        disk,
        mut model,
        mut errors,
        acknowledged,
        ..
    } = run;
    if let Some(moment) = acknowledged {
        after(base, &moment.disk, &moment.model, false);
    }
    match closed {
        Ok(()) => model.all_synced(),
        Err(error) => {
            errors.push(error);
            after(base, &disk.cut(), &model, deep);
        }
    }
    after(base, &disk.fork(), &model, deep);
    if let Some(first) = errors.first() {
        assert!(is_injected(first), "told first: {first}");
    }
    errors.len()
}

/// Whether an error is the device's, or says that the volume stopped because of it.
pub(crate) fn is_injected(error: &Error) -> bool {
    match error {
        Error::Device(error) => error.reason.contains("injected fault"),
        Error::Shutdown(reason) => reason.contains("injected fault"),
        _ => false,
    }
}

/// A volume that could not be opened says that the device failed.
pub(crate) fn refused(error: &Error, fault: Option<Fault>) {
    assert!(is_injected(error), "{fault:?}: {error}");
}

/// The volume opens again for writing, with nothing lost; all its space can be had back.
pub(crate) fn after(base: &Base, disk: &Arc<Disk>, model: &Model, deep: bool) {
    let open = || Volume::open_device(Arc::clone(disk) as _, &options());
    let volume = open().unwrap_or_else(|e| panic!("it does not open again: {e}"));
    let wrong = model.differences(&volume);
    assert!(wrong.is_empty(), "after: {wrong:?}");
    volume.close().unwrap();
    if deep {
        disk.assert_clean("after");
    }
    let volume = open().unwrap();
    let free = free_when_empty(&volume);
    volume.close().unwrap();
    if let Some(expected) = base.free {
        assert_eq!(free, expected, "blocks free when all is deleted");
    }
    if deep {
        disk.assert_clean("emptied");
    }
}

/// Deletes everything; the blocks that are free then. The root directory does not shrink.
pub(crate) fn free_when_empty(volume: &Volume) -> u64 {
    let entries = volume.read_dir("/").unwrap().collect::<Result<Vec<_>>>();
    for entry in entries.unwrap() {
        let path = format!("/{}", entry.file_name().to_string_lossy());
        if path != "/lost+found" {
            volume.remove_all(&path).unwrap();
        }
    }
    volume.sync().unwrap();
    volume.statfs().blocks_free + volume.metadata("/").unwrap().blocks()
}
