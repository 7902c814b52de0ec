//! One transfer between memory and a contiguous range of a device.

use crate::BlockDevice;
use crate::error::DeviceError;
use runtime::pool::{ReadSlice, WriteSlice};

/// Memory of a bio. A bio's pieces are all of the kind its operation needs.
#[derive(Debug)]
pub enum BioVec {
    /// Filled by a read.
    Into(WriteSlice),
    /// Source of a write, still in use by its owner.
    From(ReadSlice),
    /// Source of a write that the bio owns.
    Owned(Vec<u8>),
}

impl BioVec {
    /// Length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Into(s) => s.len(),
            Self::From(s) => s.len(),
            Self::Owned(v) => v.len(),
        }
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn source(&self) -> Option<&[u8]> {
        match self {
            Self::Into(_) => None,
            Self::From(s) => Some(s),
            Self::Owned(v) => Some(v),
        }
    }
}

/// Direction of a bio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BioOp {
    /// Device to memory.
    Read,
    /// Memory to device.
    Write,
}

type Done = Box<dyn FnOnce(Result<(), DeviceError>) + Send>;

/// A transfer and its completion. A bio that is dropped without [`Bio::complete`] completes with an error, so
/// nobody waits for ever.
pub struct Bio {
    op: BioOp,
    pos: u64,
    vecs: Vec<BioVec>,
    done: Option<Done>,
}

impl std::fmt::Debug for Bio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bio({:?} {} bytes at {})", self.op, self.len(), self.pos)
    }
}

impl Bio {
    /// A read at byte `pos` into `pieces`, in order. The pieces' claims are released before `done` runs.
    pub fn read(
        pos: u64,
        pieces: Vec<WriteSlice>,
        done: impl FnOnce(Result<(), DeviceError>) + Send + 'static,
    ) -> Self {
        let vecs = pieces.into_iter().map(BioVec::Into).collect();
        Self {
            op: BioOp::Read,
            pos,
            vecs,
            done: Some(Box::new(done)),
        }
    }

    /// A write at byte `pos` of `pieces`, in order.
    ///
    /// # Panics
    /// If a piece is [`BioVec::Into`].
    pub fn write(
        pos: u64,
        pieces: Vec<BioVec>,
        done: impl FnOnce(Result<(), DeviceError>) + Send + 'static,
    ) -> Self {
        assert!(
            pieces.iter().all(|p| p.source().is_some()),
            "a write needs sources"
        );
        Self {
            op: BioOp::Write,
            pos,
            vecs: pieces,
            done: Some(Box::new(done)),
        }
    }

    /// Direction.
    pub fn op(&self) -> BioOp {
        self.op
    }

    /// First byte on the device.
    pub fn pos(&self) -> u64 {
        self.pos
    }

    /// Bytes in all.
    pub fn len(&self) -> u64 {
        self.vecs.iter().map(|v| v.len() as u64).sum()
    }

    /// Whether there is nothing to transfer.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `first` when the transfer has ended, before its owner is told.
    #[must_use]
    pub fn before_done(mut self, first: impl FnOnce() + Send + 'static) -> Self {
        if let Some(done) = self.done.take() {
            self.done = Some(Box::new(move |result| {
                first();
                done(result);
            }));
        }
        self
    }

    /// Does the transfer at once, by a device's own reading and writing, and completes it.
    pub fn transfer(mut self, device: &(impl BlockDevice + ?Sized)) {
        let result = match self.op {
            BioOp::Read => self.for_each_target(|pos, buf| device.read_at(pos, buf)),
            BioOp::Write => {
                let mut pos = self.pos;
                self.sources().try_for_each(|data| {
                    let here = pos;
                    pos += data.len() as u64;
                    device.write_at(here, data)
                })
            }
        };
        self.complete(result);
    }

    /// Calls `f` for each piece that a read fills, with its position on the device.
    pub fn for_each_target<E>(
        &mut self,
        mut f: impl FnMut(u64, &mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut pos = self.pos;
        for vec in &mut self.vecs {
            if let BioVec::Into(slice) = vec {
                f(pos, slice)?;
            }
            pos += vec.len() as u64;
        }
        Ok(())
    }

    /// The pieces that a write takes its bytes from.
    pub fn sources(&self) -> impl Iterator<Item = &[u8]> {
        self.vecs.iter().filter_map(BioVec::source)
    }

    pub(crate) fn vecs_mut(&mut self) -> &mut [BioVec] {
        &mut self.vecs
    }

    /// Releases the memory and tells the owner how it went.
    pub fn complete(mut self, result: Result<(), DeviceError>) {
        self.finish(result);
    }

    fn finish(&mut self, result: Result<(), DeviceError>) {
        self.vecs.clear();
        if let Some(done) = self.done.take() {
            done(result);
        }
    }
}

impl Drop for Bio {
    fn drop(&mut self) {
        if self.done.is_some() {
            let op = match self.op {
                BioOp::Read => crate::DeviceOp::Read,
                BioOp::Write => crate::DeviceOp::Write,
            };
            let lost = std::io::Error::other("the transfer was dropped");
            let error = DeviceError::new(op, self.pos, self.len(), &lost);
            self.finish(Err(error));
        }
    }
}
