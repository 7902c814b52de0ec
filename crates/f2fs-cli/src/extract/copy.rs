//! The bytes of one file.

use super::{Extractor, Place, Unreadable};
use crate::beneath::Dir;
use crate::errors::{At, Failure, Result};
use crate::import::REQUEST;
use f2fs::{File, Metadata};
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// A file being copied.
#[derive(Debug)]
struct Job<'a> {
    from: &'a File,
    to: &'a std::fs::File,
    place: &'a Place,
    found: &'a Metadata,
}

impl Extractor<'_> {
    /// Makes a regular file with all that belongs to it.
    pub(super) fn file(&mut self, dir: &Dir, place: &Place, found: &Metadata) -> Result<()> {
        let from = self.volume.open_file(&place.source).at(&place.source)?;
        let name = place.name();
        let to = dir
            .clear(name)
            .and_then(|()| dir.create_file(name))
            .at(&self.local(place))?;
        let job = Job {
            from: &from,
            to: &to,
            place,
            found,
        };
        if let Err(failure) = self.copy(&job) {
            dir.clear(name).at(&self.local(place))?;
            return Err(failure);
        }
        self.finish_open(&to, place, found)
    }

    fn copy(&mut self, job: &Job<'_>) -> Result<()> {
        let source = &job.place.source;
        let len = job.found.len();
        let mut pos = 0;
        while let Some(start) = job.from.seek_data(pos).at(source)? {
            let end = job.from.seek_hole(start).at(source)?.min(len);
            if end <= start {
                break;
            }
            pos = start;
            while pos < end {
                let stop = end.min((pos / REQUEST + 1) * REQUEST);
                self.copy_chunk(job, pos..stop)?;
                self.progress.add(stop - pos);
                pos = stop;
            }
        }
        job.to.set_len(len).at(&self.local(job.place))
    }

    fn copy_chunk(&mut self, job: &Job<'_>, range: Range<u64>) -> Result<()> {
        let len = (range.end - range.start) as usize;
        match read_all(job.from, range.start, &mut self.buffer[..len]) {
            Ok(()) => self.store(job, &range),
            Err(error) if self.unreadable == Unreadable::Refuse => Err(error).at(&job.place.source),
            Err(_) => self.salvage(job, &range),
        }
    }

    /// Writes the buffer's beginning to a range of the local file.
    fn store(&self, job: &Job<'_>, range: &Range<u64>) -> Result<()> {
        let bytes = &self.buffer[..(range.end - range.start) as usize];
        job.to
            .write_all_at(bytes, range.start)
            .at(&self.local(job.place))
    }

    /// Copies what can be read of a range, cluster by cluster.
    fn salvage(&mut self, job: &Job<'_>, range: &Range<u64>) -> Result<()> {
        let unit = job
            .found
            .compression()
            .map_or(4096, |compression| compression.cluster_bytes);
        let mut pos = range.start;
        while pos < range.end {
            let stop = range.end.min((pos / unit + 1) * unit);
            let buffer = &mut self.buffer[..(stop - pos) as usize];
            match read_all(job.from, pos, buffer) {
                Ok(()) => self.store(job, &(pos..stop))?,
                Err(error) => {
                    let text = format!("bytes {pos} to {stop} are lost and become zeros: {error}");
                    self.progress.problem(&Failure::at(&job.place.source, text));
                }
            }
            pos = stop;
        }
        Ok(())
    }
}

fn read_all(file: &File, mut pos: u64, mut dst: &mut [u8]) -> f2fs::Result<()> {
    while !dst.is_empty() {
        let n = file.read_at(pos, dst)?;
        if n == 0 {
            return Err(f2fs::Error::Invalid("the file ends before its size"));
        }
        pos += n as u64;
        dst = &mut dst[n..];
    }
    Ok(())
}
