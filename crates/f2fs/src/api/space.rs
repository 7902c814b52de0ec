//! Space of a volume: what is free, and making more of it.

use super::report::StatFs;
use super::volume::Volume;
use crate::error::Result;
use crate::gc::{self, GcOptions, GcReport};
use crate::segment::VictimPolicy;
use std::sync::atomic::Ordering;

impl Volume {
    /// Space now.
    pub fn statfs(&self) -> StatFs {
        StatFs::of(&self.fs.meta)
    }

    /// Moves valid blocks together, so that segments with holes become free as a whole. Others may use the volume
    /// meanwhile. What is free for users stays the same; large files find contiguous room afterwards.
    ///
    /// # Errors
    /// `ReadOnly`, `Shutdown`; the device's. A segment that cannot be cleaned is no error: see [`GcReport::refused`].
    pub fn gc(&self, options: GcOptions) -> Result<GcReport> {
        gc::clean(&self.fs, options)
    }

    /// Whether the cleaner met contradictions that only a checker can settle. The checkpoints say so, too.
    pub fn needs_fsck(&self) -> bool {
        self.fs.meta.needs_fsck.load(Ordering::Relaxed)
    }

    /// Cleans the section that has the fewest valid blocks, and takes no checkpoint; false if none is left that pays.
    /// The next checkpoint makes it free.
    ///
    /// # Errors
    /// As [`Volume::gc`].
    pub fn gc_section(&self, options: GcOptions) -> Result<bool> {
        gc::clean_one(&self.fs, VictimPolicy::Greedy, options.valid_max())
    }

    /// Cleans one section if the volume is fragmented, for a caller that knows it to be idle; false if there is nothing
    /// to do. The next checkpoint makes the section free.
    ///
    /// # Errors
    /// As [`Volume::gc`].
    pub fn gc_idle(&self) -> Result<bool> {
        gc::clean_idle(&self.fs)
    }
}
