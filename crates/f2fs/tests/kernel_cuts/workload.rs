//! Random work for the kernel, as commands of the agent: the same for the same seed.
//!
//! The generator remembers names and about how long files are, no more: a command that finds things otherwise fails,
//! and nothing comes of it. Marks in the log tell which command was the last one that began.

use crate::pool::Rng;
use std::fmt::Write as _;

/// Lengths that matter: inline, a few blocks, and where the first, a second and an indirect node begin.
const LENGTHS: [u64; 8] = [1, 100, 3000, 4096, 9000, 20_000, 70_000, 300_000];
const PLACES: [u64; 8] = [
    0,
    5000,
    1 << 20,
    3_600_000,
    4 << 20,
    8 << 20,
    13 << 20,
    5 << 30,
];
const EXTENSIONS: [&str; 4] = ["", "", ".txt", ".zz"];

/// What a workload may do besides the usual.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taste {
    /// Directories ignore case.
    pub(crate) casefold: bool,
    /// Owners and projects change.
    pub(crate) owners: bool,
    /// Nothing that makes the kernel write a checkpoint instead of a chain.
    pub(crate) chains: bool,
}

/// The generator.
#[derive(Debug)]
pub(crate) struct Workload {
    rng: Rng,
    taste: Taste,
    files: Vec<String>,
    folders: Vec<String>,
    count: u64,
    text: String,
}

impl Workload {
    pub(crate) fn new(seed: u64, taste: Taste) -> Self {
        Self {
            rng: Rng::new(seed),
            taste,
            files: Vec::new(),
            folders: vec![String::new()],
            count: 0,
            text: String::new(),
        }
    }

    /// Some folders and files before the first checkpoint, then `count` operations.
    pub(crate) fn generate(mut self, count: usize) -> String {
        for _ in 0..3 {
            self.make_folder();
        }
        for _ in 0..12 {
            self.create();
        }
        self.then("sync");
        for n in 0..count {
            self.then(&format!("mark {n}"));
            self.operation();
        }
        self.text
    }

    fn then(&mut self, command: &str) {
        writeln!(self.text, "may {command}").unwrap();
    }

    fn name(&mut self) -> String {
        self.count += 1;
        let folder = self.pick_folder();
        let extension = EXTENSIONS[self.rng.below(4) as usize];
        let long =
            ["", "", "", "-with-a-name-that-needs-several-slots"][self.rng.below(4) as usize];
        format!("{folder}/F{}{long}{extension}", self.count)
    }

    fn pick_folder(&mut self) -> String {
        self.folders[self.rng.below(self.folders.len() as u64) as usize].clone()
    }

    fn pick(&mut self) -> String {
        if self.files.is_empty() {
            self.create();
        }
        self.files[self.rng.below(self.files.len() as u64) as usize].clone()
    }

    fn take(&mut self) -> String {
        let name = self.pick();
        self.files.retain(|other| *other != name);
        name
    }

    /// Makes a file durable, mostly.
    fn fsync(&mut self, path: &str) {
        match self.rng.below(10) {
            0 => {}
            1..3 => self.then(&format!("fdatasync {path}")),
            _ => self.then(&format!("fsync {path}")),
        }
    }

    fn write_at(&mut self, path: &str, pos: u64) {
        let len = LENGTHS[self.rng.below(8) as usize];
        let source = self.rng.source(len as usize);
        let how = if self.rng.below(8) == 0 {
            "mapwrite"
        } else {
            "write"
        };
        self.then(&format!("{how} {path} {pos} {len} {source}"));
    }

    fn create(&mut self) {
        let path = self.name();
        self.create_as(&path);
    }

    fn create_as(&mut self, path: &str) {
        self.then(&format!("create {path} 644"));
        self.write_at(path, 0);
        if !self.files.iter().any(|other| other == path) {
            self.files.push(path.to_owned());
        }
    }

    fn make_folder(&mut self) {
        self.count += 1;
        let folder = format!("{}/D{}", self.pick_folder(), self.count);
        self.then(&format!("mkdir {folder} 755"));
        if self.taste.casefold && self.rng.below(3) > 0 {
            self.then(&format!("flags {folder} 40000000 0"));
        }
        if self.taste.owners && self.rng.below(3) == 0 {
            self.then(&format!("flags {folder} 20000000 0"));
        }
        self.folders.push(folder);
    }

    fn operation(&mut self) {
        let kinds = if self.taste.chains { 82 } else { 104 };
        match self.rng.below(kinds) {
            0..18 => self.new_file(),
            18..42 => self.change_data(),
            42..54 => self.change_shape(),
            54..64 => self.change_attributes(),
            64..68 => self.unlinked(),
            68..77 => self.without_fsync(),
            77..82 => self.again(),
            82..92 => self.change_names(),
            92..97 => self.folder(),
            97..100 => self.then("sync"),
            _ => self.rare(),
        }
    }

    fn new_file(&mut self) {
        let path = self.name();
        if self.rng.below(5) == 0 {
            let len = LENGTHS[self.rng.below(8) as usize];
            self.then(&format!("tmpfile {path} {len} {}", self.count * 100));
            self.files.push(path);
        } else {
            self.create_as(&path);
            self.fsync(&path);
        }
    }

    fn change_data(&mut self) {
        let path = self.pick();
        for _ in 0..=self.rng.below(3) {
            let place = PLACES[self.rng.below(8) as usize];
            let near = self.rng.below(30_000);
            match self.rng.below(4) {
                0 => self.write_at(&path, place + near),
                1 => self.write_at(&path, place),
                _ => self.write_at(&path, near),
            }
            if self.rng.below(4) == 0 {
                self.fsync(&path);
            }
        }
        self.fsync(&path);
    }

    fn change_shape(&mut self) {
        let path = self.pick();
        let place = PLACES[self.rng.below(7) as usize] + self.rng.below(9000);
        let (pos, len) = (place / 4096 * 4096, (1 + self.rng.below(9)) * 4096);
        match self.rng.below(9) {
            0..3 => self.then(&format!("truncate {path} {place}")),
            3 => self.then(&format!("truncate {path} {}", self.count % 3 * 50)),
            // Preallocation, also behind the end; a hole; less; zeros; more.
            n => {
                let mode = [0, 1, 3, 8, 16, 32][(n - 3) as usize % 6];
                self.then(&format!("fallocate {path} {mode} {pos} {len}"));
            }
        }
        if self.rng.below(3) == 0 {
            let near = self.rng.below(30_000);
            self.write_at(&path, near);
        }
        self.fsync(&path);
    }

    fn change_names(&mut self) {
        let old = self.take();
        let new = match self.rng.below(3) {
            0 => self.pick(),
            _ => self.name(),
        };
        match self.rng.below(4) {
            0 => {
                self.then(&format!("link {old} {new}"));
                self.files.push(old);
            }
            1 if self.files.contains(&new) => {
                self.then(&format!("exchange {old} {new}"));
                self.files.push(old);
            }
            _ => self.then(&format!("rename {old} {new}")),
        }
        if !self.files.contains(&new) {
            self.files.push(new.clone());
        }
        self.fsync(&new);
    }

    fn change_attributes(&mut self) {
        let path = self.pick();
        let n = self.rng.below(6);
        match self.rng.below(9) {
            0..3 => {
                // In the inode, and where they need a node of their own.
                let len = [4, 40, 400, 1500][self.rng.below(4) as usize];
                let value = format!("{:02x}", n * 17).repeat(len);
                self.then(&format!("setxattr {path} user.x{n} {value}"));
            }
            3..5 => self.then(&format!("rmxattr {path} user.x{n}")),
            5 => self.then(&format!("chmod {path} 6{n}4")),
            6 => self.then(&format!("utime {path} {n}000000005 99000000{n}")),
            7 if self.taste.owners => self.then(&format!("project {path} {n}")),
            _ if self.taste.owners => self.then(&format!("chown {path} {n} {}", 5 - n)),
            _ => self.then(&format!("flags {path} 40 80")),
        }
        self.fsync(&path);
    }

    /// Files that are open and have no name.
    fn unlinked(&mut self) {
        let path = self.take();
        let what = if self.rng.below(2) == 0 {
            "hold"
        } else {
            "unlink"
        };
        self.then(&format!("{what} {path}"));
        if self.rng.below(2) == 0 {
            let other = self.pick();
            self.fsync(&other);
        }
    }

    fn folder(&mut self) {
        match self.rng.below(3) {
            0 => self.make_folder(),
            1 => {
                self.make_folder();
                let path = self.name();
                self.create_as(&path);
                self.fsync(&path);
            }
            _ => {
                let folder = self.pick_folder();
                self.then(&format!("fsync {folder}/"));
            }
        }
    }

    fn without_fsync(&mut self) {
        match self.rng.below(3) {
            0 => self.create(),
            1 => {
                let path = self.pick();
                let near = self.rng.below(30_000);
                self.write_at(&path, near);
            }
            _ => {
                let (old, new) = (self.take(), self.name());
                self.then(&format!("rename {old} {new}"));
                self.files.push(new);
            }
        }
    }

    /// A name that goes and comes back as another file.
    fn again(&mut self) {
        let path = self.pick();
        self.then(&format!("unlink {path}"));
        self.create_as(&path);
        self.fsync(&path);
    }

    fn rare(&mut self) {
        match self.rng.below(4) {
            0 => {
                let (folder, count) = (self.pick_folder(), self.count);
                self.then(&format!("many {folder}/ 30 many{count}-"));
            }
            1 => {
                let path = self.name();
                self.then(&format!("symlink somewhere {path}"));
            }
            2 => self.then("gc"),
            _ => self.then("dropcaches"),
        }
    }
}
