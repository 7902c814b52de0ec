//! A device that fails, at every transfer of one workload in turn.

use crate::base::{base, create, expected, open, options};
use crate::common::pattern;
use crate::files::within;
use crate::image::Image;
use blockdev::{BlockDevice, DeviceOp};
use f2fs::{Error, OpenOptions, Owner, Result, Volume};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use testkit::faulty::{Failure, Fault, FaultyDevice, Lasting};

const LIMIT: Duration = Duration::from_secs(30);
/// Every so many faults, `fsck.f2fs` looks at what is left.
const FSCK_EVERY: u64 = 10;

/// What the workload knows to be on the volume.
#[derive(Default)]
struct Model {
    now: BTreeMap<String, Vec<u8>>,
    /// Contents at the last sync that went well, of files that were not touched since.
    durable: BTreeMap<String, Vec<u8>>,
    errors: Vec<Error>,
    wrong: Vec<String>,
    broken: BTreeSet<String>,
}

impl Model {
    /// Does one thing to a file; remembers an error.
    fn step(&mut self, path: &str, new: Option<Vec<u8>>, result: Result<()>) {
        self.durable.remove(path);
        match (result, new) {
            (Ok(()), Some(data)) => drop(self.now.insert(path.to_owned(), data)),
            (Ok(()), None) => drop(self.now.remove(path)),
            (Err(error), _) => {
                self.errors.push(error);
                self.now.remove(path);
                self.broken.insert(path.to_owned());
            }
        }
    }

    fn synced(&mut self, result: Result<()>) {
        match result {
            Ok(()) => {
                self.durable = self.now.clone();
                self.durable.retain(|path, _| !self.broken.contains(path));
            }
            Err(error) => self.errors.push(error),
        }
    }

    fn check(&mut self, volume: &Volume, path: &str, data: &[u8]) {
        match crate::base::read(volume, Path::new(path)) {
            Ok(found) if found == data => {}
            Ok(_) => self.wrong.push(path.to_owned()),
            Err(error) => self.errors.push(error),
        }
    }
}

fn write_at(volume: &Volume, path: &str, pos: u64, data: &[u8]) -> Result<()> {
    let file = volume.open_with(path, &OpenOptions::new().read(true).write(true))?;
    file.write_all_at(pos, data)
}

fn overwrite(model: &Model, path: &str, pos: usize, data: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = model.now.get(path)?.clone();
    bytes.resize(bytes.len().max(pos + data.len()), 0);
    bytes[pos..pos + data.len()].copy_from_slice(data);
    Some(bytes)
}

/// Create, write plain and compressed, overwrite, truncate, rename, unlink, read, sync.
fn mixed(volume: &Volume, model: &mut Model) {
    for (path, len) in [
        ("/w-plain", 90_000),
        ("/w-packed", 150_000),
        ("/w-inline", 500),
    ] {
        let data = pattern(len, len as u64);
        let made = create(volume, path, &data);
        model.step(path, Some(data), made);
    }
    model.synced(volume.sync());
    let data = pattern(30_000, 11);
    for path in ["/w-plain", "/w-packed"] {
        let new = overwrite(model, path, 20_000, &data);
        if let Some(new) = new {
            model.step(path, Some(new), write_at(volume, path, 20_000, &data));
        }
    }
    if let Err(error) = volume.create_dir("/w-dir", Owner::root(0o755)) {
        model.errors.push(error);
    }
    for n in 0..40 {
        let path = format!("/w-dir/a-rather-long-name-number-{n}");
        let made = create(volume, &path, b"small");
        model.step(&path, Some(b"small".to_vec()), made);
    }
    model.synced(volume.sync());
    second_half(volume, model);
}

fn second_half(volume: &Volume, model: &mut Model) {
    volume.drop_caches();
    for (path, data) in model.now.clone() {
        model.check(volume, &path, &data);
    }
    for (path, len) in [("/w-packed", 70_001), ("/w-plain", 10)] {
        if let Some(mut data) = model.now.get(path).cloned() {
            data.resize(len, 0);
            let file = volume.open_with(path, &OpenOptions::new().write(true));
            model.step(path, Some(data), file.and_then(|f| f.set_len(len as u64)));
        }
    }
    if let Some(data) = model.now.get("/w-inline").cloned() {
        let moved = volume.rename("/w-inline", "/w-dir/moved");
        let failed = moved.is_err();
        model.step("/w-dir/moved", Some(data), moved);
        model.now.remove("/w-inline");
        model.durable.remove("/w-inline");
        if failed {
            model.broken.insert("/w-inline".to_owned());
        }
    }
    for n in 0..10 {
        let path = format!("/w-dir/a-rather-long-name-number-{n}");
        let removed = volume.remove_file(&path);
        model.step(&path, None, removed);
    }
    model.synced(volume.sync());
    let last = pattern(40_000, 12);
    let made = create(volume, "/w-last", &last);
    model.step("/w-last", Some(last), made);
}

/// Runs the workload on a failing device. How often the fault was met, and what is known.
fn run(image: &Arc<Image>, fault: Option<Fault>) -> (Arc<FaultyDevice>, Model) {
    let faulty = Arc::new(FaultyDevice::new(Arc::<Image>::clone(image), fault));
    let mut model = Model::default();
    match Volume::open_device(Arc::<FaultyDevice>::clone(&faulty), &options()) {
        Ok(volume) => {
            mixed(&volume, &mut model);
            model.synced(volume.close());
        }
        Err(error) => model.errors.push(error),
    }
    (faulty, model)
}

fn check_after(image: &Arc<Image>, model: &Model, fault: Fault) {
    for read_only in [true, false] {
        let volume = open(image, read_only).unwrap_or_else(|e| panic!("{fault:?}: {e}"));
        for (path, data) in expected() {
            let found = crate::base::read(&volume, path);
            assert!(
                found.is_ok_and(|f| f == *data),
                "{fault:?}: {}",
                path.display()
            );
        }
        for (path, data) in &model.durable {
            match crate::base::read(&volume, Path::new(path)) {
                Ok(found) => assert!(found == *data, "{fault:?}: {path} differs"),
                Err(error) => panic!("{fault:?}: {path}: {error}"),
            }
        }
        let seen = crate::base::walk(&volume);
        assert!(seen.errors.is_empty(), "{fault:?}: {:?}", seen.errors);
        volume.close().unwrap_or_else(|e| panic!("{fault:?}: {e}"));
    }
}

fn inject(op: DeviceOp, lasting: Lasting) {
    let (healthy, model) = run(&base(), None);
    assert!(
        model.errors.is_empty() && model.wrong.is_empty(),
        "{:?}",
        model.errors
    );
    let total = healthy.count(op);
    assert!(total > 3, "{total} transfers");
    for index in 0..total {
        let failure = Failure::Io;
        let fault = Fault {
            op,
            index,
            lasting,
            failure,
        };
        within(&format!("{fault:?}"), LIMIT, move || {
            let image = base();
            let (faulty, model) = run(&image, Some(fault));
            assert!(
                model.wrong.is_empty(),
                "{fault:?}: wrong bytes in {:?}",
                model.wrong
            );
            // A read that failed may have been one ahead, and repeated.
            if faulty.fired() > 0 && op != DeviceOp::Read {
                assert!(!model.errors.is_empty(), "{fault:?}: nobody was told");
            }
            if index % FSCK_EVERY == 0 {
                testkit::fsck::assert_clean(image.dump().path());
            }
            check_after(&image, &model, fault);
        });
    }
}

#[test]
fn every_read_fails_once() {
    inject(DeviceOp::Read, Lasting::Once);
}

#[test]
fn every_read_fails_from_some_point_on() {
    inject(DeviceOp::Read, Lasting::FromThenOn);
}

#[test]
fn every_write_fails_once() {
    inject(DeviceOp::Write, Lasting::Once);
}

#[test]
fn every_write_fails_from_some_point_on() {
    inject(DeviceOp::Write, Lasting::FromThenOn);
}

#[test]
fn every_flush_fails() {
    inject(DeviceOp::Flush, Lasting::Once);
    inject(DeviceOp::Flush, Lasting::FromThenOn);
}

/// A device that goes away, turns read-only or gets short in the middle.
fn lose(name: &str, lose: impl Fn(&FaultyDevice)) {
    let image = base();
    let faulty = Arc::new(FaultyDevice::new(Arc::<Image>::clone(&image), None));
    let volume = Volume::open_device(Arc::<FaultyDevice>::clone(&faulty), &options()).unwrap();
    let data = pattern(50_000, 1);
    create(&volume, "/safe", &data).unwrap();
    volume.sync().unwrap();
    create(&volume, "/lost", &data).unwrap();
    lose(&faulty);
    let synced = volume.sync();
    assert!(synced.is_err(), "{name}: {synced:?}");
    let later = create(&volume, "/later", &data).and_then(|()| volume.sync());
    assert!(later.is_err(), "{name}");
    let file = volume.open_with("/safe", &OpenOptions::new().write(true).read(true));
    if let Ok(file) = file {
        assert!(
            file.write_at(0, &data)
                .map(drop)
                .and_then(|()| file.sync_all())
                .is_err()
        );
    }
    drop(volume);
    assert!(faulty.size_bytes() == image.size_bytes());
    testkit::fsck::assert_clean(image.dump().path());
    let volume = open(&image, false).unwrap();
    crate::common::assert_content(&volume, "/safe", &data);
    for (path, data) in expected() {
        assert!(crate::base::read(&volume, path).is_ok_and(|f| f == *data));
    }
    volume.close().unwrap();
}

#[test]
fn devices_that_go_away() {
    lose("vanished", |device| device.cut(0));
    lose("short", |device| device.cut(8 << 20));
    lose("read-only", FaultyDevice::turn_read_only);
}
