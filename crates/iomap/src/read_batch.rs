//! Block ranges that are contiguous on the device, gathered into one bio across folios.

use blockdev::{Bio, DeviceError};
use pagecache::{FolioError, RangeRead};
use runtime::pool::WriteSlice;
use std::sync::Arc;

/// Largest read bio, in bytes.
const BIO_BYTES_MAX: u64 = 4 << 20;

/// Gathers reads; submits when the next range does not continue the last.
pub struct ReadBatch<'a> {
    submit: &'a dyn Fn(Bio),
    start: u64,
    len: u64,
    targets: Vec<WriteSlice>,
    ranges: Vec<RangeRead>,
}

impl<'a> ReadBatch<'a> {
    /// An empty batch that hands its bios to `submit`.
    pub fn new(submit: &'a dyn Fn(Bio)) -> Self {
        Self {
            submit,
            start: 0,
            len: 0,
            targets: Vec::new(),
            ranges: Vec::new(),
        }
    }

    /// Reads `range` from the device at byte `device_pos`.
    pub fn push(&mut self, device_pos: u64, range: RangeRead) {
        if device_pos != self.start + self.len || self.len >= BIO_BYTES_MAX {
            self.flush();
            self.start = device_pos;
        }
        let target = range.target();
        self.len += target.len() as u64;
        self.targets.push(target);
        self.ranges.push(range);
    }

    /// Submits what was gathered.
    pub fn flush(&mut self) {
        if self.targets.is_empty() {
            return;
        }
        let targets = std::mem::take(&mut self.targets);
        let ranges = std::mem::take(&mut self.ranges);
        self.len = 0;
        (self.submit)(Bio::read(self.start, targets, move |result| {
            end_ranges(ranges, result);
        }));
    }
}

impl Drop for ReadBatch<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}

fn end_ranges(ranges: Vec<RangeRead>, result: Result<(), DeviceError>) {
    let result = result.map_err(|e| Arc::new(e) as FolioError);
    for range in ranges {
        range.complete(result.clone());
    }
}
