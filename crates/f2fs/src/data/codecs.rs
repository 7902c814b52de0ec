//! Encoders and decoders, and the threads that run them.
//!
//! Jobs are pure: bytes in, bytes out. Their scratch memory is kept between jobs.

use crate::error::{Error, Result};
use crate::stats::Counters;
use f2fs_codec::{Decoder, Encoder};
use runtime::sync::{Mutex, Rank};
use runtime::workers::WorkerPool;
use std::sync::Arc;

/// The codec side of a volume.
pub(crate) struct Codecs {
    pub(crate) workers: WorkerPool,
    pub(crate) counters: Arc<Counters>,
    encoders: Mutex<Vec<Encoder>>,
    decoders: Mutex<Vec<Decoder>>,
}

impl std::fmt::Debug for Codecs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Codecs")
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

impl Codecs {
    /// Starts `threads` workers; 0 means one for each processor.
    pub(crate) fn new(threads: usize, counters: Arc<Counters>) -> Result<Self> {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            n => n,
        };
        let workers = WorkerPool::new("codec", threads)
            .map_err(|e| Error::Resources(format!("codec threads: {e}")))?;
        Ok(Self {
            workers,
            counters,
            encoders: Mutex::new(Rank::LEAF, Vec::new()),
            decoders: Mutex::new(Rank::LEAF, Vec::new()),
        })
    }

    /// Runs `job` with an encoder.
    pub(crate) fn with_encoder<R>(&self, job: impl FnOnce(&mut Encoder) -> R) -> R {
        let mut encoder = self.encoders.lock().pop().unwrap_or_default();
        let result = job(&mut encoder);
        self.encoders.lock().push(encoder);
        result
    }

    /// Runs `job` with a decoder.
    pub(crate) fn with_decoder<R>(&self, job: impl FnOnce(&mut Decoder) -> R) -> R {
        let mut decoder = self.decoders.lock().pop().unwrap_or_default();
        let result = job(&mut decoder);
        self.decoders.lock().push(decoder);
        result
    }
}
