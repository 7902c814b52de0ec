//! What a file lacks for a range of blocks: so that who needs all of it can be refused before taking a part.

use super::tree::{Lookup, Span, Tree};
use crate::error::Result;
use crate::fs::Fs;
use f2fs_format::{InlineFlags, Slot};
use std::collections::BTreeSet;
use std::ops::Range;

impl Tree {
    /// Blocks that filling all holes of a range of file blocks would take, those of missing nodes included. An inline
    /// file leaves its inode block for that, which takes one more. Counting ends when there are more than `most`.
    pub(crate) fn missing_blocks(&mut self, fs: &Fs, blocks: Range<u64>, most: u64) -> Result<u64> {
        let is_inline = self.inode.inline().contains(InlineFlags::INLINE_DATA);
        let has_bytes = is_inline && self.inode.size() > 0;
        let mut count = u64::from(has_bytes && !blocks.contains(&0));
        let mut nodes: BTreeSet<u32> = BTreeSet::new();
        let mut at = blocks.start;
        while at < blocks.end && count + nodes.len() as u64 <= most {
            let len = (blocks.end - at).min(self.slots_in_node(at)? as u64);
            let path = self.path(at)?;
            count += match self.find(fs, &path)? {
                // The bytes of an inline file lie where its slots will be.
                Lookup::Found(_) if is_inline => len,
                Lookup::Found(_) => self.holes(fs, at, len as usize)?,
                Lookup::Missing(level) => {
                    nodes.extend(&path.node_offset[level..=path.level]);
                    len
                }
            };
            at += len;
        }
        Ok(count + nodes.len() as u64)
    }

    /// The holes among slots of a node that is there.
    fn holes(&mut self, fs: &Fs, at: u64, len: usize) -> Result<u64> {
        let Span::Slots(slots) = self.slots(fs, at, len)? else {
            return Ok(len as u64);
        };
        let holes = slots
            .iter()
            .filter(|&&raw| Slot::from_raw(raw) == Slot::Hole);
        Ok(holes.count() as u64)
    }
}
