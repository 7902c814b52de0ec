//! A listing in steps, while others change the directory.

use super::{MIB, find, fresh, make};
use crate::dir;
use crate::fs::Fs;
use crate::inode::Inode;
use crate::meta::tests::assert_clean;
use crate::ops::namei::{self, Remove};
use f2fs_format::FileType;
use runtime::rng::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A directory, and the names in it.
struct Changing {
    fs: Arc<Fs>,
    dir: Arc<Inode>,
    names: BTreeSet<Vec<u8>>,
    made: u64,
    rng: Rng,
}

impl Changing {
    fn change(&mut self) {
        let grows = self.rng.below(3) > 0;
        if grows || self.names.is_empty() {
            self.made += 1;
            let mut name = self.made.to_string().into_bytes();
            // Names of one slot and of many.
            let len = [0, 3, 10, 60, 200][self.rng.below(5) as usize];
            name.resize(name.len() + len, b'x');
            make(&self.fs, &self.dir, &name, FileType::Fifo);
            self.names.insert(name);
        } else {
            let at = self.rng.below(self.names.len() as u64) as usize;
            let name = self.names.iter().nth(at).unwrap().clone();
            namei::unlink(&self.fs, &self.dir, &name, Remove::File).unwrap();
            self.names.remove(&name);
        }
    }

    fn change_often(&mut self, most: u64) {
        for _ in 0..self.rng.below(most) {
            self.change();
        }
    }

    /// Lists with changes in between; the names that stayed, and how often each name was listed.
    fn list(&mut self) -> (BTreeSet<Vec<u8>>, BTreeMap<Vec<u8>, u32>) {
        let mut stayed = self.names.clone();
        let mut seen: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
        let mut at = 0;
        loop {
            let most = 1 + self.rng.below(12) as usize;
            let listed = dir::list(&self.fs, &self.dir, at, most).unwrap();
            if listed.is_empty() {
                return (stayed, seen);
            }
            for step in listed {
                assert!(step.next > at);
                at = step.next;
                *seen.entry(step.record.unwrap().name).or_default() += 1;
            }
            self.change_often(20);
            stayed.retain(|name| self.names.contains(name));
        }
    }
}

#[test]
fn entries_that_stay_are_listed_once() {
    for seed in 0..40 {
        let (device, fs) = fresh(64 * MIB);
        let root = find(&fs, "/");
        let open = make(&fs, &root.inode, b"d", FileType::Directory);
        let mut changing = Changing {
            fs: Arc::clone(&fs),
            dir: Arc::clone(&open.inode),
            names: BTreeSet::new(),
            made: 0,
            rng: Rng::seeded(seed),
        };
        changing.change_often([20, 100, 600][seed as usize % 3]);
        for _ in 0..4 {
            let (stayed, seen) = changing.list();
            for name in stayed {
                assert_eq!(seen.get(&name), Some(&1), "seed {seed}: {name:?}");
            }
        }
        drop((changing, open, root));
        fs.close().unwrap();
        if seed < 3 {
            assert_clean(&device);
        }
    }
}
