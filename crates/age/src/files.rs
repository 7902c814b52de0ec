//! What files a volume must have: names, lengths and the version of each grain.

use crate::content::{self, GRAIN};
use std::collections::BTreeMap;

/// Directories that share the files.
pub const DIRS: u32 = 32;
/// Addresses that an inode has room for, at least.
const INODE_SLOTS: u64 = 860;
/// Addresses of a node of a file.
const NODE_SLOTS: u64 = 1018;

/// Where a file lies, from the root.
pub fn path(file: u32) -> String {
    format!("{}/f{file}", dir(file % DIRS))
}

/// A directory.
pub fn dir(number: u32) -> String {
    format!("d{number}")
}

/// One file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileState {
    /// Bytes.
    pub len: u64,
    versions: Vec<u32>,
}

impl FileState {
    /// A write of a version.
    pub fn write(&mut self, pos: u64, len: u64, version: u32) {
        self.len = self.len.max(pos + len);
        self.versions.resize(self.len.div_ceil(GRAIN) as usize, 0);
        let range = (pos / GRAIN) as usize..(pos + len).div_ceil(GRAIN) as usize;
        self.versions[range].fill(version);
    }

    /// Cuts it off.
    pub fn truncate(&mut self, len: u64) {
        self.len = self.len.min(len);
        self.versions.truncate(self.len.div_ceil(GRAIN) as usize);
    }

    /// The first byte of `bytes`, read at `pos`, that is not what it must be.
    pub fn wrong_byte(&self, file: u32, pos: u64, bytes: &[u8]) -> Option<u64> {
        let mut expected = [0; GRAIN as usize];
        let mut at = pos;
        while at < pos + bytes.len() as u64 {
            let end = ((at / GRAIN + 1) * GRAIN).min(pos + bytes.len() as u64);
            let expected = &mut expected[..(end - at) as usize];
            content::fill(expected, file, self.versions[(at / GRAIN) as usize], at);
            let found = &bytes[(at - pos) as usize..(end - pos) as usize];
            if found != expected {
                let wrong = found.iter().zip(&*expected).position(|(a, b)| a != b);
                return wrong.map(|n| at + n as u64);
            }
            at = end;
        }
        None
    }

    /// Blocks that it takes, with its nodes.
    pub fn blocks(&self) -> u64 {
        blocks(self.len)
    }
}

/// Blocks that a file of so many bytes takes, with its nodes.
pub fn blocks(len: u64) -> u64 {
    let data = len.div_ceil(4096);
    let nodes = data.saturating_sub(INODE_SLOTS).div_ceil(NODE_SLOTS);
    // An indirect node from the third on.
    data + 1 + nodes + u64::from(nodes > 2)
}

/// All files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    by_id: BTreeMap<u32, FileState>,
    ids: Vec<u32>,
    blocks: u64,
}

impl Files {
    /// Blocks that all files take.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// All files, by number.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &FileState)> {
        self.by_id.iter().map(|(&id, file)| (id, file))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.ids.len()
    }

    /// The number of one of them.
    pub fn nth(&self, n: usize) -> u32 {
        self.ids[n]
    }

    /// One of them; none that was removed.
    pub fn get(&self, id: u32) -> Option<&FileState> {
        self.by_id.get(&id)
    }

    /// A new, empty one.
    pub fn create(&mut self, id: u32) {
        self.ids.push(id);
        self.by_id.insert(id, FileState::default());
        self.blocks += blocks(0);
    }

    /// Changes one that is there.
    pub fn change(&mut self, id: u32, change: impl FnOnce(&mut FileState)) {
        if let Some(file) = self.by_id.get_mut(&id) {
            self.blocks -= file.blocks();
            change(file);
            self.blocks += file.blocks();
        }
    }

    /// Removes one; its number.
    pub fn remove_nth(&mut self, n: usize) -> u32 {
        let id = self.ids.swap_remove(n);
        if let Some(file) = self.by_id.remove(&id) {
            self.blocks -= file.blocks();
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_byte_is_found() {
        let mut file = FileState::default();
        file.write(0, 5000, 1);
        file.write(2048, 1024, 2);
        file.truncate(4500);
        let mut bytes = vec![0; 4500];
        content::fill(&mut bytes[..2048], 7, 1, 0);
        content::fill(&mut bytes[2048..3072], 7, 2, 2048);
        content::fill(&mut bytes[3072..], 7, 1, 3072);
        assert_eq!(file.wrong_byte(7, 0, &bytes), None);
        assert_eq!(file.wrong_byte(7, 100, &bytes[100..3333]), None);
        bytes[4499] ^= 1;
        assert_eq!(file.wrong_byte(7, 0, &bytes), Some(4499));
        // The version before.
        content::fill(&mut bytes[2048..3072], 7, 1, 2048);
        let wrong = file.wrong_byte(7, 0, &bytes);
        assert!(
            wrong.is_some_and(|at| (2048..2056).contains(&at)),
            "{wrong:?}"
        );
    }
}
