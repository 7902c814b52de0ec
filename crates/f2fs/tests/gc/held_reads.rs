//! A read that looked up its block before the cleaner moved it, and is slow.

use crate::common::noise;
use blockdev::{Bio, BioOp, BlockDevice, DeviceError, MemDevice};
use f2fs::{FormatOptions, GcOptions, OpenOptions, Volume, VolumeOptions};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

const SIZE: u64 = 96 << 20;
const BLOCK: u64 = 4096;

/// Keeps reads of one block back.
#[derive(Debug)]
struct Gate {
    inner: MemDevice,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Where reads wait, in bytes.
    shut: Option<u64>,
    waiting: u32,
}

impl Gate {
    fn pass(&self, pos: u64, len: u64) {
        let hits = |shut: Option<u64>| shut.is_some_and(|at| (pos..pos + len).contains(&at));
        let mut state = self.state.lock().unwrap();
        if !hits(state.shut) {
            return;
        }
        state.waiting += 1;
        self.changed.notify_all();
        while hits(state.shut) {
            state = self.changed.wait(state).unwrap();
        }
        state.waiting -= 1;
    }

    fn shut(&self, pos: Option<u64>) {
        self.state.lock().unwrap().shut = pos;
        self.changed.notify_all();
    }

    fn wait_for_reader(&self) {
        let mut state = self.state.lock().unwrap();
        while state.waiting == 0 {
            let (next, timeout) = self
                .changed
                .wait_timeout(state, Duration::from_secs(20))
                .unwrap();
            assert!(!timeout.timed_out(), "nobody reads the block");
            state = next;
        }
    }
}

impl BlockDevice for Gate {
    fn size_bytes(&self) -> u64 {
        self.inner.size_bytes()
    }

    fn is_read_only(&self) -> bool {
        false
    }

    fn submit(&self, bio: Bio) {
        if bio.op() == BioOp::Read {
            self.pass(bio.pos(), bio.len());
        }
        self.inner.submit(bio);
    }

    fn read_at(&self, pos: u64, buf: &mut [u8]) -> Result<(), DeviceError> {
        self.inner.read_at(pos, buf)
    }

    fn write_at(&self, pos: u64, data: &[u8]) -> Result<(), DeviceError> {
        self.inner.write_at(pos, data)
    }

    fn flush(&self) -> Result<(), DeviceError> {
        self.inner.flush()
    }

    fn discard(&self, pos: u64, len: u64) -> Result<(), DeviceError> {
        // The worst that a device may do.
        self.inner.write_at(pos, &vec![0xDB; len as usize])
    }
}

/// Opens the gate also when a test fails, so that its reader ends.
struct Opened<'a>(&'a Gate);

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.0.shut(None);
    }
}

fn write(volume: &Volume, path: &str, bytes: &[u8]) {
    let options = OpenOptions::new().write(true).create(true);
    let file = volume.open_with(path, &options).unwrap();
    file.write_all_at(0, bytes).unwrap();
}

#[test]
fn a_slow_read_gets_what_it_asked_for() {
    let gate = Arc::new(Gate {
        inner: MemDevice::new(SIZE),
        state: Mutex::default(),
        changed: Condvar::new(),
    });
    let options = VolumeOptions {
        readahead_bytes: 0,
        cache_bytes: 16 << 20,
        ..VolumeOptions::default()
    };
    let format = FormatOptions::new(SIZE);
    let volume = Volume::create_on(Arc::<Gate>::clone(&gate), &format, &options).unwrap();
    let bytes = noise(100_000, 1);
    write(&volume, "/slow", &bytes);
    // Fills the rest of its segment, and goes again.
    write(&volume, "/rest", &noise(3 << 20, 2));
    volume.sync().unwrap();
    volume.remove_file("/rest").unwrap();
    volume.sync().unwrap();
    volume.drop_caches();

    let file = volume.open_file("/slow").unwrap();
    let place = file.block_address(10).unwrap().unwrap();
    gate.shut(Some(u64::from(place) * BLOCK));
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut back = vec![0; 4096];
            assert_eq!(file.read_at(10 * BLOCK, &mut back).unwrap(), 4096);
            back
        });
        let opened = Opened(&gate);
        gate.wait_for_reader();
        let before = volume.gc(GcOptions::default()).unwrap();
        assert!(before.data_blocks >= 24, "{before:?}");
        // Everything that is free is written, again and again.
        for round in 0..4 {
            for n in 0..24 {
                write(
                    &volume,
                    &format!("/new{n}"),
                    &noise(1 << 20, round * 24 + n),
                );
            }
            volume.sync().unwrap();
            for n in 0..24 {
                volume.remove_file(format!("/new{n}")).unwrap();
            }
            volume.sync().unwrap();
        }
        let free = volume.info().free_segments;
        drop(opened);
        let back = reader.join().unwrap();
        assert!(back == bytes[40_960..45_056], "the reader got other bytes");
        // With the reader gone, the segment is free.
        volume.sync().unwrap();
        write(&volume, "/last", b"a change");
        volume.sync().unwrap();
        assert!(volume.info().free_segments > free - 2);
    });
    let moved = file.block_address(10).unwrap().unwrap();
    assert_ne!(moved, place);
    volume.close().unwrap();
}
